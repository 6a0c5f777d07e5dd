"""Identifiers of hosted tenants: registration, change, removal (finding: ``hostedlookup``).

The rows decide; the record store is what resolves. A call commits the rows (unprojected), writes
the records durably, and only then answers: what was acknowledged survives kill -9, and
:meth:`Hosted.replay` finishes what was cut. That rows are projected is written down by the next
call's transaction, which saves a wait for the disk and costs a second projection after a crash.
Every change is a row of the change log that sync table T9 is made from.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import msgspec
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from mingwu.identity.batchencoding import BatchEncoder
from mingwu.identity.cards import prefix_admin
from mingwu.identity.records import ALIAS_TYPE, Record, RecordStore
from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.coderules import RULES, CodeRule, rule_for
from mingwu.identity.secondlevel.model import HostedItem, ItemOutcome, Mode
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.identity.secondlevel.tenants import require, room
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import fold, parse
from mingwu.store.engine import lock, reading, writing
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.values import HandleValue

_I, _V, _C, _P, _E = (
    schema.identifier,
    schema.value,
    schema.change,
    schema.prefix,
    schema.enterprise,
)
MOST_ITEMS = 2000
ADDED, DELETED, MODIFIED = 1, 2, 3
_TEMPLATE_INDEX = 1001
_FIRST_INDEX = 2000
_CHUNK = 500
# Values of such types hand out rights, sign, or are made by the platform; aliases go through the
# book of aliases, which keeps a code to one name.
_RESERVED = ("HS_", "MW.", ALIAS_TYPE)
_ALLOWED = "MW.SIMULATED"  # whoever calls data simulated may
_Row = dict[str, object]
_NEAR = 10_000
_SAME = ("operation", "template", "content")


def hosted_record(name: str, prefix: str, template: str, values: Mapping[str, str]) -> Record:
    """The record of a hosted identifier: template at 1001, items from 2000 on."""
    now = int(time.time())
    return Record(name, (*_fixed(prefix, template, now), *_items(values, now)))


def _fixed(prefix: str, template: str, now: int) -> tuple[HandleValue, HandleValue]:
    told = HandleValue(_TEMPLATE_INDEX, "TEMPLATE", template.encode(), timestamp=now)
    return prefix_admin(prefix), told


def _items(values: Mapping[str, str], now: int) -> Iterator[HandleValue]:
    for index, (item, text) in enumerate(values.items(), _FIRST_INDEX):
        yield HandleValue(index, item, text.encode(), timestamp=now)


def _encoded(prefix: str, items: Sequence[tuple[str, HostedItem]]) -> Iterator[tuple[str, bytes]]:
    """Name and stored bytes of each item; those of one template and the same items share work."""
    now = int(time.time())
    encoders: dict[tuple[str, ...], BatchEncoder] = {}
    for _, item in items:
        alike = (item.template, *item.values)
        encoder = encoders.get(alike)
        if encoder is None:
            fixed = _fixed(prefix, item.template, now)
            encoder = encoders[alike] = BatchEncoder(fixed, _items(item.values, now))
        yield item.name, encoder.encode(item.name, enumerate(item.values.values(), _FIRST_INDEX))


class Hosted:
    """Registration under hosted prefixes. Synchronous, for use in threads."""

    def __init__(
        self,
        engine: Engine,
        records: RecordStore,
        clock: Clock,
        rules: tuple[CodeRule, ...] = RULES,
    ) -> None:
        self._engine = engine
        self._records = records
        self._clock = clock
        self._rules = rules
        # (time, keys) projected already, but not yet marked so
        self._unmarked: list[tuple[int, list[str]]] = []
        self._guard = threading.Lock()
        # rows and records change in the same order; behind: rows that the record store did not take
        self._order = threading.RLock()
        self._is_behind = False

    def register(
        self, prefix: str, items: Sequence[HostedItem], *, of: str = ""
    ) -> list[ItemOutcome]:
        """Register up to 2,000 names under a hosted prefix; one outcome per item, in order.

        With ``of`` (a credit code) only when that tenant holds the prefix. Raises NotFound for a
        prefix not hosted here, Denied when its tenant may not register.
        """
        return self._store(prefix, items, ADDED, of)

    def change(
        self, prefix: str, items: Sequence[HostedItem], *, of: str = ""
    ) -> list[ItemOutcome]:
        """Replace template and values of registered names; aliases and relations stay."""
        return self._store(prefix, items, MODIFIED, of)

    def remove(self, prefix: str, names: Sequence[str], *, of: str = "") -> list[ItemOutcome]:
        """Deregister names."""
        return self._store(prefix, [HostedItem(name=name) for name in names], DELETED, of)

    def _store(
        self, prefix: str, items: Sequence[HostedItem], how: int, of: str
    ) -> list[ItemOutcome]:
        if len(items) > MOST_ITEMS:
            fault = Phrase(
                f"{len(items)} items, at most {MOST_ITEMS}",
                f"{len(items)} 项，最多 {MOST_ITEMS} 项",
            )
            raise InvalidInput("input.invalid", path="$", fault=fault)
        with self._order:
            self.catch_up()
            return self._stored(prefix, items, how, of)

    def _stored(
        self, prefix: str, items: Sequence[HostedItem], how: int, of: str
    ) -> list[ItemOutcome]:
        now = self._clock.time_ns() // 1_000_000
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.identifier")
            uscc, rule = self._tenant(connection, prefix, of)
            require(connection, uscc, "register")
            keys = [fold(item.name) for item in items]
            known = _known(connection, keys)
            used, limit = room(connection, uscc) if how == ADDED else (0, 0)
            good: list[tuple[str, HostedItem]] = []
            outcomes, seen = [], set[str]()
            for key, item in zip(keys, items, strict=True):
                full = how == ADDED and used + len(good) >= limit
                outcome = _judge(
                    item, prefix, rule, how, there=known.get(key, False), twice=key in seen
                )
                if outcome.code == Rc.SUCCESS and full:
                    told = {"prefix": prefix, "limit": limit, "used": used}
                    code = int(Rc.IDIS_REGISTER_LIMIT)
                    outcome = ItemOutcome(item.name, code, "secondlevel.register-limit", told)
                outcomes.append(outcome)
                if outcome.code == Rc.SUCCESS:
                    seen.add(key)
                    good.append((key, item))
            self._mark(connection)
            _write_rows(connection, prefix, good, how, now, known)
        self._project(prefix, good, how, now)
        return outcomes

    def _tenant(self, connection: Connection, prefix: str, of: str) -> tuple[str, CodeRule]:
        query = (
            select(_P.c.uscc, _E.c.industry)
            .join(_E, _E.c.uscc == _P.c.uscc)
            .where(_P.c.prefix == prefix, _P.c.state == ACTIVE, _P.c.mode == Mode.HOSTED.value)
        )
        row = connection.execute(query).first()
        if row is None or of not in {"", row.uscc}:
            raise NotFound("secondlevel.prefix-unknown", prefix=prefix)
        return row.uscc, rule_for(row.industry, self._rules)

    def _project(
        self, prefix: str, good: Sequence[tuple[str, HostedItem]], how: int, now: int
    ) -> None:
        if not good:
            return
        self._is_behind = True  # until it is done: the disk may refuse
        if how == DELETED:
            self._records.delete_many(item.name for _, item in good)
        elif how == MODIFIED:
            self._records.put_many(
                (hosted_record(item.name, prefix, item.template, item.values) for _, item in good),
                keep_links=True,
            )
        else:
            self._records.put_encoded(_encoded(prefix, good))
        self._is_behind = False
        with self._guard:
            self._unmarked.append((now, [key for key, _ in good]))

    def _mark(self, connection: Connection) -> None:
        """Mark what is projected, before this transaction makes anything of it new."""
        with self._guard:
            waiting, self._unmarked = self._unmarked, []
        for now, keys in waiting:
            _mark(connection, keys, now)

    def close(self) -> None:
        """Mark what is projected, so that the next start has nothing to do."""
        if self._unmarked:
            with writing(self._engine) as connection:
                self._mark(connection)

    def catch_up(self) -> None:
        """Bring the record store up to date if a full disk left it behind; errors as before."""
        with self._order:
            if self._is_behind:
                self._replay()

    def replay(self) -> int:
        """Finish what a crash or a full disk cut between rows and records; how many names."""
        with self._order:
            return self._replay()

    def _replay(self) -> int:
        with reading(self._engine) as connection:
            rows = connection.execute(select(_I).where(~_I.c.projected)).all()
        for start in range(0, len(rows), MOST_ITEMS):
            some = rows[start : start + MOST_ITEMS]
            self._records.delete_many(row.name for row in some if row.deleted)
            made = (
                hosted_record(row.name, row.prefix, row.template, msgspec.json.decode(row.content))
                for row in some
                if not row.deleted
            )
            self._records.put_many(made, keep_links=True)
            with writing(self._engine) as connection:
                _mark(connection, [row.key for row in some])
        self._is_behind = False
        return len(rows)

    def log_once(
        self, name: str, prefix: str, how: int, template: str, values: Mapping[str, str]
    ) -> int:
        """Log a change of a name that another part registers; the number of its row.

        ``how``: 1 added, 2 deleted, 3 modified. When the newest row of the name says the same
        already, that row's number: the caller may have been cut off before it knew. Looked for
        among the last changes only (there is no index by name); beyond them a row may stand twice,
        which says nothing new to its reader.
        """
        row = _change_row(name, prefix, how, self._clock.time_ns() // 1_000_000, template, values)
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.identifier")
            end = connection.execute(select(func.max(_C.c.sequence))).scalar() or 0
            near = select(_C).where(_C.c.sequence > end - _NEAR, _C.c.name == name)
            newest = near.order_by(_C.c.sequence.desc()).limit(1)
            last = connection.execute(newest).first()
            if last is None or any(last._mapping[key] != row[key] for key in _SAME):  # noqa: SLF001
                _log(connection, [row])
                return end + 1
        return int(last.sequence)


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, bool]:
    """Keys that have a row, and whether the name is registered now (or was)."""
    found: dict[str, bool] = {}
    for start in range(0, len(keys), _CHUNK):
        query = select(_I.c.key, ~_I.c.deleted).where(_I.c.key.in_(keys[start : start + _CHUNK]))
        found.update((row[0], bool(row[1])) for row in connection.execute(query))
    return found


def _is_reserved(kind: str) -> bool:
    folded = kind.upper()
    return folded.startswith(_RESERVED) and folded != _ALLOWED


def _judge(
    item: HostedItem, prefix: str, rule: CodeRule, how: int, *, there: bool, twice: bool
) -> ItemOutcome:
    try:
        name = parse(item.name)
    except InvalidInput as error:
        return ItemOutcome(item.name, int(Rc.INVALID_HANDLE), error.code, error.params)
    fault = ""
    if name.prefix != prefix:
        fault = Phrase(f"it is not under {prefix}", f"不在前缀 {prefix} 之下")
    elif twice:
        fault = Phrase("it stands twice in this call", "在本次调用中重复")
    elif reserved := next(filter(_is_reserved, item.values), ""):
        fault = Phrase(
            f"the type {reserved[:40]} is the platform's own", f"类型 {reserved[:40]} 为平台保留"
        )
    elif how == ADDED:
        fault = rule.fault(name.suffix)
    if fault:
        told = {"name": item.name, "fault": fault}
        return ItemOutcome(item.name, int(Rc.INVALID_HANDLE), "secondlevel.name-bad", told)
    if how == ADDED and there:
        return ItemOutcome(item.name, int(Rc.HANDLE_EXISTS), "identity.name-exists",
                           {"name": item.name})  # fmt: skip
    if how != ADDED and not there:
        return ItemOutcome(item.name, int(Rc.HANDLE_NOT_FOUND), "name.unknown",
                           {"name": item.name})  # fmt: skip
    return ItemOutcome(item.name)


def _change_row(
    name: str, prefix: str, how: int, now: int, template: str, values: Mapping[str, str]
) -> _Row:
    return {
        "name": name,
        "prefix": prefix,
        "operation": how,
        "at_ms": now,
        "template": template,
        "content": msgspec.json.encode(values).decode(),
    }


def _write_rows(
    connection: Connection,
    prefix: str,
    good: Sequence[tuple[str, HostedItem]],
    how: int,
    now: int,
    known: Mapping[str, bool],
) -> None:
    if not good:
        return
    keys = [key for key, _ in good if key in known]
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        connection.execute(delete(_V).where(_V.c.key.in_(some)))
        if how != DELETED:
            connection.execute(delete(_I).where(_I.c.key.in_(some)))
        else:
            gone = update(_I).where(_I.c.key.in_(some))
            connection.execute(gone.values(deleted=True, projected=False, at_ms=now))
    changes = [
        _change_row(item.name, prefix, how, now, item.template, item.values) for _, item in good
    ]
    if how != DELETED:
        rows: list[_Row] = [
            {
                "key": key,
                "name": item.name,
                "prefix": prefix,
                "template": item.template,
                "content": changed["content"],
                "deleted": False,
                "at_ms": now,
                "projected": False,
            }
            for (key, item), changed in zip(good, changes, strict=True)
        ]
        _insert_many(connection, _I, rows)
        indexed: list[_Row] = [
            {"template": item.template, "item": name, "value": text, "key": key}
            for key, item in good
            for name, text in item.values.items()
        ]
        if indexed:
            _insert_many(connection, _V, indexed)
    _log(connection, changes)


def _log(connection: Connection, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    last = connection.execute(select(func.max(_C.c.sequence))).scalar() or 0
    numbered = [row | {"sequence": last + at} for at, row in enumerate(rows, 1)]
    _insert_many(connection, _C, numbered)


def _insert_many(connection: Connection, table: Table, rows: Sequence[_Row]) -> None:
    """Insert rows of equal keys through the driver itself: a third of the cost per row."""
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    if order is None:
        connection.exec_driver_sql(str(compiled), [dict(row) for row in rows])
    else:
        pick = itemgetter(*order)
        connection.exec_driver_sql(str(compiled), [pick(row) for row in rows])


def _mark(connection: Connection, keys: Sequence[str], at_ms: int | None = None) -> None:
    """Mark rows as projected; with ``at_ms`` only those that nobody changed since."""
    for start in range(0, len(keys), _CHUNK):
        done = update(_I).where(_I.c.key.in_(keys[start : start + _CHUNK]))
        if at_ms is not None:
            done = done.where(_I.c.at_ms == at_ms)
        connection.execute(done.values(projected=True))
