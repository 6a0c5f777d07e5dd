"""Changing records: create, delete, add, modify, remove, list, and homing prefixes.

The operations here are the same for the binary protocol and HTTP; they take an authenticated
:class:`~mingwu.wire.handle.values.Reference` and return an :class:`Outcome`, never an exception
for what a client may do wrong. Rights are those of the record's own HS_ADMIN values; for creating
and listing, those of the prefix's record ``0.NA/<prefix>``. Changed values get the server's time.
Runs in the worker thread only, so a read-decide-write is one step.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from mingwu.identity.access.authority import is_admin_value, readable, rights
from mingwu.identity.access.ownvalues import fault_of, kept_secret
from mingwu.identity.lookup import DEEPEST, PREFIX_HOME, full_name, prefix_of
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import MAX_CHARS, fold
from mingwu.wire.handle.codes import AdminRight, Permission, Rc
from mingwu.wire.handle.values import HandleValue, Reference

log = logging.getLogger(__name__)

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended; ``handle`` is the name acted on (a minted one, too)."""

    rc: int
    message: str = ""
    handle: str = ""
    created: bool = False
    names: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.rc == Rc.SUCCESS


@dataclass(frozen=True, slots=True)
class Change:
    """One accepted or refused change, for the journal."""

    operation: str
    handle: str
    who: str
    source: str
    rc: int
    time: float


Journal = Callable[[Change], None]


class ReadGrants(Protocol):
    """Who may read restricted values though no administrator (``identity.enterprise`` knows)."""

    def readable_by(self, name: str, who: Reference) -> frozenset[int]:
        """Indexes of values of ``name`` granted to ``who``; may block, never raises."""
        ...


_DONE = Outcome(Rc.SUCCESS)


def paged(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Names in pages that each fit into one message."""
    return (names[start : start + _PAGE] for start in range(0, len(names), _PAGE))


def _named(needed: int) -> str:
    """Rights as an administrator's tools write them, e.g. ``ADD_VALUE + REMOVE_VALUE``."""
    return " + ".join(str(right.name) for right in AdminRight(needed))


def _fault(name: str) -> str:
    """Why a name cannot be registered; empty when it can."""
    prefix, slash, suffix = name.partition("/")
    if not slash or not prefix or not suffix:
        return "a name is PREFIX/SUFFIX"
    if len(name) > MAX_CHARS:
        return f"longer than {MAX_CHARS} characters"
    if not name.isprintable():
        return "control or unassigned characters in the name"
    return ""


class Administration:
    """Operations on one store. ``server_admins`` may home prefixes and act on everything."""

    def __init__(
        self,
        store: RecordStore,
        *,
        writable: bool = True,
        server_admins: Iterable[Reference] = (),
        journal: Journal | None = None,
        grants: ReadGrants | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._writable = writable
        self._server_admins = tuple(server_admins)
        self._journal = journal
        self._grants = grants
        self._clock = clock

    # -- who may ------------------------------------------------------------------------------

    def is_server_admin(self, who: Reference) -> bool:
        """Whether the node's own administrators include ``who``."""
        return any(
            fold(admin.handle) == fold(who.handle) and admin.index in {0, who.index}
            for admin in self._server_admins
        )

    def _refused(self, record: Record | None, who: Reference, needed: int) -> Outcome | None:
        """None when ``who`` has the rights on ``record``; else why not."""
        if self.is_server_admin(who):
            return None
        granted = rights(record, who, self.store.get) if record else None
        if granted is None:
            return Outcome(Rc.INVALID_ADMIN, f"{who} does not administer this")
        if granted & needed != needed:
            return Outcome(Rc.NO_PERMISSION, f"{who} lacks the right {_named(needed)}")
        return None

    def may_read(self, name: str, who: Reference) -> frozenset[int]:
        """Indexes of restricted values that ``who`` may read: as administrator, or by grant."""
        record = self.store.get(full_name(name))
        if record is None:
            return frozenset()
        granted = self._grants.readable_by(record.name, who) if self._grants else frozenset[int]()
        if self._refused(record, who, int(AdminRight.READ_VALUE)):
            return granted
        readings = self.store.unpublished(record.name).values()
        return granted | readable(record) | frozenset(readings)

    def _prefix_right(self, name: str, normal: AdminRight, derived: AdminRight
                      ) -> tuple[Record | None, int]:  # fmt: skip
        """The record whose administrators decide about ``name`` as a member of its prefix."""
        prefix, _, suffix = name.partition("/")
        if fold(prefix) == PREFIX_HOME and "." in suffix:
            parent = suffix.rpartition(".")[0]
            return self.store.get(f"{PREFIX_HOME}/{parent}"), int(derived)
        return self.store.get(f"{PREFIX_HOME}/{prefix}"), int(normal)

    # -- operations ---------------------------------------------------------------------------

    def create(
        self,
        name: str,
        values: Iterable[HandleValue],
        who: Reference,
        *,
        overwrite: bool = False,
        mint: bool = False,
    ) -> Outcome:
        """Register a name; with ``mint`` a suffix is made and appended to ``name``."""
        if mint:
            name = (name if "/" in name else name + "/") + str(uuid.uuid4()).upper()
        refused = self._unregistrable(name)
        if refused:
            return refused
        decider, needed = self._prefix_right(
            name, AdminRight.ADD_HANDLE, AdminRight.ADD_DERIVED_PREFIX
        )
        refused = self._refused(decider, who, needed)
        if refused:
            return refused
        existing = self.store.get(name)
        if existing is not None:
            refused = (
                self._refused(existing, who, int(AdminRight.DELETE_HANDLE))
                if overwrite
                else Outcome(Rc.HANDLE_EXISTS, "registered already")
            )
            if refused:
                return refused
            name = existing.name
        now = int(self._clock())
        stamped = tuple(replace(value, timestamp=now) for value in values)
        return self._store(
            Record(name, stamped, existing.live if existing else ()),
            stamped,
            created=existing is None,
        )

    def _unregistrable(self, name: str) -> Outcome | None:
        """Why a name can never be registered here, whoever asks."""
        fault = _fault(name)
        if fault:
            return Outcome(Rc.INVALID_HANDLE, fault)
        if not self._writable:
            return Outcome(Rc.READ_ONLY, "this node takes no changes")
        if not self.is_ours(name):
            return Outcome(Rc.NOT_RESPONSIBLE, "the prefix is not served here")
        return None

    def is_ours(self, name: str) -> bool:
        """Whether this node is responsible for ``name``."""
        prefix = prefix_of(name)
        if self.store.is_homed(prefix):
            return True
        # A derived prefix is registered at the node that serves the prefix above it.
        return fold(name).startswith(PREFIX_HOME + "/") and any(
            self.store.is_homed(".".join(prefix.split(".")[:count]))
            for count in range(1, min(prefix.count("."), DEEPEST) + 1)
        )

    def _store(
        self, record: Record, fresh: Iterable[HandleValue], *, created: bool = False
    ) -> Outcome:
        """Store ``record``, of which the values ``fresh`` come from outside just now."""
        fault = next(filter(None, map(fault_of, fresh)), "")
        if fault:
            return Outcome(Rc.INVALID_VALUE, fault)
        try:
            self.store.put(replace(record, values=tuple(map(kept_secret, record.values))))
        except InvalidInput as error:
            return Outcome(Rc.INVALID_VALUE, str(error))
        return Outcome(Rc.SUCCESS, handle=record.name, created=created)

    def delete(self, name: str, who: Reference) -> Outcome:
        """Deregister a name."""
        record, refused = self._own(name, who, int(AdminRight.DELETE_HANDLE))
        if refused or record is None:
            return refused or _DONE
        self.store.delete_many([name])
        return Outcome(Rc.SUCCESS, handle=record.name)

    def add(
        self, name: str, values: tuple[HandleValue, ...], who: Reference, *, overwrite: bool = False
    ) -> Outcome:
        """Add values; existing indexes are a fault unless ``overwrite``, which modifies them."""
        record = self.store.get(name)
        taken = {value.index for value in values if record and record.value(value.index)}
        if taken and not overwrite:
            return Outcome(Rc.VALUE_EXISTS, f"indexes in use: {sorted(taken)}")
        return self._write(name, values, who, added=True)

    def modify(self, name: str, values: tuple[HandleValue, ...], who: Reference) -> Outcome:
        """Replace values that exist."""
        record = self.store.get(name)
        if record is not None:
            missing = [value.index for value in values if record.value(value.index) is None]
            if missing:
                return Outcome(Rc.VALUES_NOT_FOUND, f"no values at {missing}")
        return self._write(name, values, who, added=False)

    def _write(
        self, name: str, values: tuple[HandleValue, ...], who: Reference, *, added: bool
    ) -> Outcome:
        record = self.store.get(name)
        needed = 0
        for value in values:
            old = record.value(value.index) if record else None
            if old is None:
                needed |= AdminRight.ADD_ADMIN if is_admin_value(value) else AdminRight.ADD_VALUE
                continue
            admin = is_admin_value(value) or is_admin_value(old)
            needed |= AdminRight.MODIFY_ADMIN if admin else AdminRight.MODIFY_VALUE
        if not values and added:
            return Outcome(Rc.INVALID_VALUE, "no values given")
        found, refused = self._own(name, who, int(needed))
        if refused or found is None:
            return refused or _DONE
        protected = [
            value.index for value in values
            if (old := found.value(value.index)) and not _writable_by_admin(old)
        ]  # fmt: skip
        if protected:
            return Outcome(Rc.NO_PERMISSION, f"values {protected} may not be changed")
        now = int(self._clock())
        fresh = {value.index: replace(value, timestamp=now) for value in values}
        if len(fresh) != len(values):
            return Outcome(Rc.INVALID_VALUE, "an index stands twice")
        kept = tuple(value for value in found.values if value.index not in fresh)
        return self._store(replace(found, values=(*kept, *fresh.values())), fresh.values())

    def remove(self, name: str, indexes: tuple[int, ...], who: Reference) -> Outcome:
        """Remove values; indexes without a value are ignored."""
        record = self.store.get(name)
        doomed = [value for value in (record.values if record else ()) if value.index in indexes]
        needed = 0
        for value in doomed:
            admin = is_admin_value(value)
            needed |= AdminRight.REMOVE_ADMIN if admin else AdminRight.REMOVE_VALUE
        found, refused = self._own(name, who, int(needed or AdminRight.REMOVE_VALUE))
        if refused or found is None:
            return refused or _DONE
        if not all(_writable_by_admin(value) for value in doomed):
            return Outcome(Rc.NO_PERMISSION, "a value may not be changed")
        kept = tuple(value for value in found.values if value.index not in indexes)
        return self._store(replace(found, values=kept), ())

    def _own(self, name: str, who: Reference, needed: int) -> tuple[Record | None, Outcome | None]:
        """The record if ``who`` may change it, or the reason why not."""
        if not self._writable:
            return None, Outcome(Rc.READ_ONLY, "this node takes no changes")
        record = self.store.get(name)
        if record is None:
            code = Rc.HANDLE_NOT_FOUND if self.is_ours(name) else Rc.NOT_RESPONSIBLE
            return None, Outcome(code, "no such name here")
        return record, self._refused(record, who, needed)

    def may_list(self, prefix: str, who: Reference) -> Outcome:
        """Whether ``who`` may list the names under ``0.NA/<prefix>`` or the prefix itself.

        ``handle`` of the outcome is the bare prefix, for :meth:`pages`.
        """
        bare = prefix_of(prefix) if "/" in prefix else prefix
        record = self.store.get(f"{PREFIX_HOME}/{bare}")
        refused = self._refused(record, who, int(AdminRight.LIST_HANDLES))
        return refused or Outcome(Rc.SUCCESS, handle=bare)

    def pages(self, prefix: str) -> Iterator[tuple[str, ...]]:
        """The names under a prefix in key order, so many as fit into one message at a time."""
        after = ""
        while names := self.store.names(prefix, after=after, limit=_PAGE):
            yield tuple(names)
            after = names[-1]

    def home(self, prefix: str, who: Reference, *, homed: bool) -> Outcome:
        """Take or give up responsibility for a prefix; server administrators only."""
        if not self.is_server_admin(who):
            return Outcome(Rc.INVALID_ADMIN, "only the node's administrators may do this")
        bare = prefix_of(prefix) if "/" in prefix else prefix
        (self.store.home if homed else self.store.unhome)(bare)
        return Outcome(Rc.SUCCESS, handle=bare)

    def prefixes(self, who: Reference) -> Outcome:
        """Homed prefixes as ``0.NA/…`` names; server administrators only."""
        if not self.is_server_admin(who):
            return Outcome(Rc.INVALID_ADMIN, "only the node's administrators may do this")
        names = tuple(f"{PREFIX_HOME}/{prefix}" for prefix in self.store.prefixes())
        return Outcome(Rc.SUCCESS, names=names)

    def note(self, operation: str, name: str, who: Reference, source: str, rc: int) -> None:
        """Put a finished change into the journal."""
        log.debug("op=%s name=%s who=%s source=%s rc=%d", operation, name, who, source, rc)
        if self._journal:
            self._journal(Change(operation, name, str(who), source, rc, self._clock()))


def _writable_by_admin(value: HandleValue) -> bool:
    return bool(value.permissions & int(Permission.ADMIN_WRITE | Permission.PUBLIC_WRITE))
