"""The journal: who did what to which object, in a chain nobody can change unseen.

Each entry holds the hash of the one before it. The hash is over the UTF-8 JSON array (no spaces)
``[number, at_ns, actor, action, object, outcome, address, detail, digest, previous]`` where
``detail`` is the stored JSON text and ``previous`` the hash before in hex (the first entry: 64
zeros); ``digest`` is ``sha256`` or ``sm3`` (GB/T 32905) per entry. Numbers count from 1 without
gaps. :meth:`Journal.verify` finds a changed, removed or inserted entry; entries cut off at the
end are found against a :class:`Seal`, a signed head kept elsewhere.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection, Engine, insert, select

from mingwu.kernel.clock import Clock
from mingwu.store.engine import lock, reading, writing
from mingwu.trust import schema
from mingwu.trust.keys import PrivateKey, PublicKey

FIRST_PREVIOUS = "0" * 64
OK = "ok"
_PAGE = 1000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. ``at_ns`` since the epoch; ``detail`` is JSON text; hashes in hex."""

    number: int
    at_ns: int
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    detail: str
    digest: str
    previous: str
    hash: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found; ``first_bad`` is 0 when the chain is sound."""

    sound: bool
    entries: int
    head: str
    first_bad: int = 0
    reason: str = ""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """A signed head: entry ``number`` had ``hash``. Kept where the journal's owner cannot reach."""

    number: int
    hash: str
    at_ns: int
    key_id: str
    signature: str

    def message(self) -> bytes:
        """What is signed."""
        return f"mingwu journal seal\n{self.number}\n{self.hash}\n{self.at_ns}\n".encode()


class Journal:
    """The journal in a store (migrated by ``Trust.open``)."""

    def __init__(self, engine: Engine, clock: Clock, *, digest: str = "sha256") -> None:
        self._engine = engine
        self._clock = clock
        self._digest = digest

    def append(
        self,
        actor: str,
        action: str,
        object: str,  # noqa: A002 — the journal's own word
        *,
        outcome: str = OK,
        address: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add an entry; it is on the disk when this returns. Never put secrets into ``detail``.

        ``action`` is ``area.verb`` (``session.login``, ``registry.import``); ``outcome`` is ``ok``
        or an error code.
        """
        text = msgspec.json.encode(detail or {}, order="sorted").decode()
        with writing(self._engine) as connection:
            lock(connection, "journal")
            head = self._head(connection)
            entry = Entry(
                number=head.number + 1 if head else 1,
                at_ns=self._clock.time_ns(),
                actor=actor,
                action=action,
                object=object,
                outcome=outcome,
                address=address,
                detail=text,
                digest=self._digest,
                previous=head.hash if head else FIRST_PREVIOUS,
                hash="",
            )
            entry = msgspec.structs.replace(entry, hash=entry_hash(entry))
            connection.execute(insert(schema.journal).values(msgspec.structs.asdict(entry)))
        return entry

    def entries(
        self,
        *,
        actor: str = "",
        action: str = "",
        object: str = "",  # noqa: A002 — the journal's own word
        before: int = 0,
        limit: int = 100,
        since_ns: int = 0,
        until_ns: int = 0,
    ) -> list[Entry]:
        """Entries, latest first; ``before`` is the number to go on from. ``action`` may be an area
        (``session``) or a whole action, ``actor`` an account or an enterprise with all its keys
        (``CODE/key``); the time is from ``since_ns`` to before ``until_ns`` (0: no bound).
        """
        table = schema.journal
        query = select(table).order_by(table.c.number.desc()).limit(limit)
        if actor:
            of = table.c.actor.startswith(actor + "/", autoescape=True)
            query = query.where((table.c.actor == actor) | of)
        if action:
            area = table.c.action.startswith(action + ".", autoescape=True)
            query = query.where((table.c.action == action) | area)
        if object:
            query = query.where(table.c.object == object)
        if since_ns:
            query = query.where(table.c.at_ns >= since_ns)
        if until_ns:
            query = query.where(table.c.at_ns < until_ns)
        if before:
            query = query.where(table.c.number < before)
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def head(self) -> Entry | None:
        """The latest entry."""
        with reading(self._engine) as connection:
            return self._head(connection)

    def verify(self, *, seal: Seal | None = None, key: PublicKey | None = None) -> Verdict:
        """Walk the whole chain; with a seal (and the key that signed it) also its end."""
        number, previous, sealed, fault = 0, FIRST_PREVIOUS, "", ""
        for entry in self._walk():
            fault = _link_fault(entry, number, previous)
            if fault:
                break
            number, previous = entry.number, entry.hash
            if seal is not None and number == seal.number:
                sealed = entry.hash
        if not fault and seal is not None:
            fault = _seal_fault(seal, key, number, sealed)
        return Verdict(
            sound=not fault,
            entries=number,
            head=previous,
            first_bad=number + 1 if fault else 0,
            reason=fault,
        )

    def seal(self, key: PrivateKey) -> Seal:
        """Sign the head as it is now."""
        head = self.head()
        seal = Seal(
            number=head.number if head else 0,
            hash=head.hash if head else "",
            at_ns=self._clock.time_ns(),
            key_id=key.public().key_id,
            signature="",
        )
        return msgspec.structs.replace(seal, signature=key.sign(seal.message()).hex())

    def _walk(self) -> Iterator[Entry]:
        table, last = schema.journal, 0
        with reading(self._engine) as connection:
            while True:
                query = select(table).where(table.c.number > last)
                rows = connection.execute(query.order_by(table.c.number).limit(_PAGE)).mappings()
                page = [_entry(row) for row in rows]
                yield from page
                if len(page) < _PAGE:
                    return
                last = page[-1].number

    @staticmethod
    def _head(connection: Connection) -> Entry | None:
        table = schema.journal
        query = select(table).order_by(table.c.number.desc()).limit(1)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _entry(row)


def _link_fault(entry: Entry, number: int, previous: str) -> str:
    if entry.number != number + 1:
        return f"entry {number + 1} is missing"
    if entry.previous != previous:
        return f"entry {entry.number} does not follow the one before it"
    return "" if entry.hash == entry_hash(entry) else f"entry {entry.number} was changed"


def _seal_fault(seal: Seal, key: PublicKey | None, number: int, sealed: str) -> str:
    if key is not None and not key.verify(seal.message(), bytes.fromhex(seal.signature)):
        return "the seal's signature is not good"
    if number < seal.number:
        return f"sealed up to entry {seal.number}, but the journal ends at {number}"
    return "" if sealed == seal.hash else f"entry {seal.number} is not the one that was sealed"


def entry_hash(entry: Entry) -> str:
    """The hash an entry must have."""
    fields = [getattr(entry, name) for name in Entry.__struct_fields__ if name != "hash"]
    data = msgspec.json.encode(fields)
    if entry.digest == "sm3":
        digest = hashes.Hash(hashes.SM3())
        digest.update(data)
        return digest.finalize().hex()
    return hashlib.sha256(data).hexdigest()


def _entry(row: Any) -> Entry:
    return Entry(**{str(name): value for name, value in row.items()})
