"""HS_ADMIN data: who administers a handle.

Fields: rights 2 bytes (:class:`~mingwu.wire.handle.codes.AdminRight`), administrator's handle
block, index of its key 4. Old writers left two bytes behind the index; they are accepted.
"""

from dataclasses import dataclass

from mingwu.wire.handle.codes import ALL_RIGHTS
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import U16, Reader, text, u32

RIGHTS_BITS = 12
_LEGACY_TAIL_BYTES = 2


@dataclass(frozen=True, slots=True)
class Admin:
    """An administrator: the key at ``index`` of ``handle`` (index 0: any key there)."""

    handle: str
    index: int
    rights: int = ALL_RIGHTS


def encode_admin(admin: Admin) -> bytes:
    """Data of an HS_ADMIN value."""
    return U16.pack(admin.rights & 0xFFFF) + text(admin.handle) + u32(admin.index)


def read_admin(data: bytes) -> Admin:
    """Read HS_ADMIN data."""
    reader = Reader(data)
    rights = reader.u16()
    handle = reader.text()
    admin = Admin(handle, reader.u32(), rights)
    if reader.left not in {0, _LEGACY_TAIL_BYTES}:
        raise ProtocolError(f"{reader.left} bytes after an HS_ADMIN record")
    return admin


def rights_text(rights: int) -> str:
    """The JSON form: twelve binary digits, highest right first."""
    return format(rights & 0xFFF, f"0{RIGHTS_BITS}b")
