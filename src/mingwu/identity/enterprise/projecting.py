"""Bringing what the relational side decided into the record store that answers.

The store remembers, in the same transaction as the records, the history sequence it has reached.
:meth:`Projector.catch_up` writes everything behind that mark, in commit order, one process at a
time (the relational write lock is the mutex), so it is the end of every registration, the repair
after a kill -9 between the two commits, and the way to fill an empty store: they are one thing.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update

from mingwu.identity.batchencoding import BatchEncoder
from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.encoding import foreign_values, fresh_encoder, merged, own_values
from mingwu.identity.enterprise.granting.grants import open_keys
from mingwu.identity.enterprise.lifecycle import RESOLVABLE, Action, State
from mingwu.identity.enterprise.model import Template
from mingwu.identity.enterprise.templates.keeping import Templates
from mingwu.identity.enterprise.validation import read_content
from mingwu.identity.recordbytes import IS_OPEN, StoredRecord
from mingwu.identity.recordkeys import CARD, alias_key, folded_key, key_of
from mingwu.identity.records import (
    ALIAS_TYPE,
    Record,
    RecordStore,
    alias_codes,
    encode_record,
    read_record,
)
from mingwu.kernel.errors import MingwuError
from mingwu.kernel.names import fold
from mingwu.store.engine import lock, reading, writing

log = logging.getLogger(__name__)

MARK = b"e\0enterprise"
_LOCK = "enterprise-projection"
_PAGE = 2000
_MARK_BYTES = 8

Entry = dict[str, Any]
"""A row of the history: sequence, name, kind, template, state, at_ms, content …"""


class Projector:
    """Writes identifiers of one relational store into one record store."""

    def __init__(self, engine: Engine, store: RecordStore, templates: Templates) -> None:
        self._engine = engine
        self._store = store
        self._templates = templates
        # All three are emptied and filled within one transaction; its lock makes that safe.
        self._encoders: dict[tuple[object, ...], BatchEncoder] = {}
        self._seen: dict[int, Template] = {}
        self._opened: set[str] = set()
        self.is_behind = False

    @property
    def mark(self) -> int:
        """The history sequence the record store has reached."""
        return int.from_bytes(self._store.projection.get(MARK) or b"")

    def catch_up(self, fresh: Sequence[Entry] = ()) -> int:
        """Project what is not projected; returns how many changes were.

        ``fresh``: committed entries at hand, used instead of reading when they are next. When the
        record store refuses (its disk is full), :attr:`is_behind` says so until it took them.
        """
        try:
            done = self._catch_up(fresh)
        except MingwuError:
            self.is_behind = True
            raise
        self.is_behind = False
        return done

    def _catch_up(self, fresh: Sequence[Entry]) -> int:
        done = 0
        with writing(self._engine) as connection:
            lock(connection, _LOCK)
            mark = self._sound_mark(connection)
            if fresh and fresh[0]["sequence"] == mark + 1:
                self._put(connection, fresh, mark)
                return len(fresh)
            while entries := self._behind(connection, mark):
                self._put(connection, entries, mark)
                mark = entries[-1]["sequence"]
                done += len(entries)
        if done > len(fresh):
            log.info("projected changes=%d that were left behind", done)
        return done

    def catch_up_templates(self) -> int:
        """Write records again whose template changed its readers; returns how many were."""
        done, moved = 0, 1
        while moved:
            with writing(self._engine) as connection:
                lock(connection, _LOCK)
                moved = self._reproject_page(connection)
                done += moved
        return done

    def refresh(self, names: Iterable[str]) -> int:
        """Write the records of these identifiers again (after others replaced them)."""
        keys = [fold(name) for name in names]
        done = 0
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            with writing(self._engine) as connection:
                lock(connection, _LOCK)
                wanted = schema.identifier.c.key.in_(page)
                entries = self._current(connection, wanted)
                self._put(connection, entries)
                done += len(entries)
        return done

    def renew(self, connection: Connection, name: str) -> None:
        """Write the record of an identifier again within the caller's transaction."""
        lock(connection, _LOCK)
        entries = self._current(connection, schema.identifier.c.key == fold(name))
        if entries:
            self._put(connection, entries)

    def catch_up_open(self) -> int:
        """Open the records of names that were opened just before a crash; how many were."""
        with reading(self._engine) as connection:
            keys = sorted(open_keys(connection))
        closed = [key for key in keys if self._is_closed(key)]
        return self.refresh(closed) if closed else 0

    def _is_closed(self, key: str) -> bool:
        data = self._store.projection.get(folded_key(key.encode()))
        return data is not None and not StoredRecord(data).flags & IS_OPEN

    def _sound_mark(self, connection: Connection) -> int:
        mark = self.mark
        highest = connection.execute(select(func.max(schema.history.c.sequence))).scalar_one() or 0
        if mark <= highest:
            return mark
        log.warning("records are ahead of the register mark=%d register=%d", mark, highest)
        return 0

    @staticmethod
    def _behind(connection: Connection, mark: int) -> list[Entry]:
        table = schema.history
        query = select(table).where(table.c.sequence > mark).order_by(table.c.sequence)
        rows = connection.execute(query.limit(_PAGE)).mappings()
        return [{str(k): v for k, v in row.items()} for row in rows]

    @staticmethod
    def _current(connection: Connection, wanted: Any, after: str = "") -> list[Entry]:
        table, names = schema.history, schema.identifier
        joined = names.join(table, table.c.sequence == names.c.sequence)
        query = select(table, names.c.key).select_from(joined).where(wanted, names.c.key > after)
        rows = connection.execute(query.order_by(names.c.key).limit(_PAGE)).mappings()
        return [{str(k): v for k, v in row.items()} for row in rows]

    def _reproject_page(self, connection: Connection) -> int:
        pending = schema.reprojection
        row = connection.execute(select(pending).limit(1)).mappings().first()
        if row is None:
            return 0
        number = row["template"]
        wanted = schema.identifier.c.template == number
        entries = self._current(connection, wanted, row["after_key"])
        self._put(connection, entries)
        here = pending.c.template == number
        if len(entries) < _PAGE:
            connection.execute(delete(pending).where(here))
        else:
            last = entries[-1]["key"]
            connection.execute(update(pending).where(here).values(after_key=last))
        return max(len(entries), 1)

    def _put(
        self, connection: Connection, entries: Sequence[Entry], reached: int | None = None
    ) -> None:
        """Store the records of entries (the last one of a name counts).

        With ``reached`` (the mark so far) the entries are the next ones of the history, and their
        end becomes the mark in the same transaction.
        """
        self._encoders.clear()
        self._seen.clear()
        latest = {key_of(entry["name"]): entry for entry in entries}
        keys = sorted(latest)
        self._opened = open_keys(connection, [fold(entry["name"]) for entry in latest.values()])
        rows: list[tuple[bytes, bytes]] = []
        gone: list[bytes] = []
        # read, decide and write as one step: other processes sign and renew the same records
        with self._store.writing:
            existing = self._store.projection.get_many(keys)
            for key, data in zip(keys, existing, strict=True):
                entry = latest[key]
                if State(entry["state"]) not in RESOLVABLE:
                    self._withdraw(key, data, rows, gone)
                elif data is not None and _only_filed(entry, reached):
                    continue
                else:
                    rows += self._rows(connection, entry, key, data)
            if reached is not None:
                rows.append((MARK, entries[-1]["sequence"].to_bytes(_MARK_BYTES)))
            if rows or gone:
                self._store.projection.write(rows, gone)

    def _rows(
        self, connection: Connection, entry: Entry, key: bytes, data: bytes | None
    ) -> list[tuple[bytes, bytes]]:
        """The record of an entry and, where its template has aliases, their entries."""
        template = self._template(connection, entry["template"])
        opened = fold(entry["name"]) in self._opened
        if data is None and not opened:
            encoded = self._fresh(entry, template)
        else:
            existing = read_record(data) if data is not None else None
            encoded = encode_record(_again(entry, template, existing, opened=opened))
        rows = [(key, encoded)]
        if any(item.type.startswith(ALIAS_TYPE) for item in template.definition.items):
            record = read_record(encoded)
            name = record.name.encode()
            rows += [(alias_key(code, record.name), name) for code in alias_codes(record)]
        return rows

    def _template(self, connection: Connection, number: int) -> Template:
        """A template as of this transaction, looked up once in it."""
        found = self._seen.get(number)
        if found is None:
            found = self._templates.checker_of(connection, number).template
            self._seen[number] = found
        return found

    def _withdraw(
        self, key: bytes, data: bytes | None, rows: list[tuple[bytes, bytes]], gone: list[bytes]
    ) -> None:
        """A name that is not registered answers nothing, unless a thing stands behind it."""
        if data is None:
            return
        if self._store.projection.get(CARD + key[1:]) is None:
            gone.append(key)
            return
        record = read_record(data)
        kept = Record(record.name, tuple(foreign_values(record)), record.live)
        rows.append((key, encode_record(kept)))

    def _fresh(self, entry: Entry, template: Template) -> bytes:
        name = entry["name"]
        stamp = entry["at_ms"] // 1000
        prefix = name.partition("/")[0]
        group = (prefix, template.number, template.revision, entry["kind"], stamp)
        encoder = self._encoders.get(group)
        if encoder is None:
            encoder = fresh_encoder(prefix, template, entry["kind"], stamp)
            self._encoders[group] = encoder
        values = read_content(entry["content"])
        return encoder.encode(name, ((value.index, value.value) for value in values))


def _again(entry: Entry, template: Template, existing: Record | None, *, opened: bool) -> Record:
    values = read_content(entry["content"])
    own = own_values(template, entry["kind"], values, entry["at_ms"] // 1000, opened=opened)
    return merged(existing, entry["name"], own)


def _only_filed(entry: Entry, reached: int | None) -> bool:
    """Whether an entry changes nothing that is answered: filed or returned as projected before."""
    if reached is None or entry["action"] not in {Action.FILE, Action.RETURN}:
        return False
    previous: int = entry["previous"]
    return previous <= reached
