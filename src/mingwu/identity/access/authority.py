"""What an administrator may do: HS_ADMIN values, with groups by HS_VLIST.

An HS_ADMIN value names a key (handle, index) and its rights. It speaks for an identity that is that
key, for any key of the handle when its index is 0, and for the members of an HS_VLIST it points
to, nested up to five deep and never in circles.
"""

from collections.abc import Callable

from mingwu.identity.records import Record
from mingwu.kernel.names import fold
from mingwu.wire.handle.admin import Admin, read_admin
from mingwu.wire.handle.codes import Permission
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import HandleValue, Reference, read_references

GROUP_DEPTH = 5
RecordFinder = Callable[[str], Record | None]


def is_admin_value(value: HandleValue) -> bool:
    """Whether changing this value changes who administers the name."""
    return value.type.upper() == "HS_ADMIN"


def admins(record: Record) -> list[Admin]:
    """The administrators of a record; broken HS_ADMIN values give nobody rights."""
    found = []
    for value in record.values:
        if is_admin_value(value):
            try:
                found.append(read_admin(value.data))
            except ProtocolError:
                continue
    return found


def same(one: Reference, other: Reference) -> bool:
    """Whether two key names mean the same key; index 0 on either side means any."""
    return fold(one.handle) == fold(other.handle) and (
        one.index == other.index or 0 in {one.index, other.index}
    )


def rights(record: Record, who: Reference, find: RecordFinder) -> int | None:
    """The union of rights that ``who`` has on ``record``; None if it is no administrator at all."""
    granted: int | None = None
    for admin in admins(record):
        if _speaks_for(Reference(admin.handle, admin.index), who, find, set(), GROUP_DEPTH):
            granted = (granted or 0) | int(admin.rights)
    return granted


def _speaks_for(
    named: Reference, who: Reference, find: RecordFinder, seen: set[tuple[str, int]], depth: int
) -> bool:
    if same(named, who):
        return True
    key = (fold(named.handle), named.index)
    if depth <= 0 or key in seen:
        return False
    seen.add(key)
    record = find(named.handle)
    if record is None:
        return False
    for value in record.values:
        if value.type.upper() == "HS_VLIST" and named.index in {0, value.index}:
            try:
                members = read_references(Reader(value.data))
            except ProtocolError:
                continue
            if any(_speaks_for(member, who, find, seen, depth - 1) for member in members):
                return True
    return False


def readable(record: Record) -> frozenset[int]:
    """Indexes of restricted values that administrators with the read right may see."""
    return frozenset(
        value.index
        for value in record.values
        if not value.is_public and value.permissions & int(Permission.ADMIN_READ)
    )
