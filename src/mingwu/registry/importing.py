"""Making a checked plant the truth: compare with what is stored, write the difference.

One transaction; importing the same file twice changes nothing and gives an empty summary.
Things and tags that are gone are retired, not deleted; when they come back they get their old
tag numbers. What another plant owns is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Table,
    Update,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from mingwu.kernel.errors import Conflict
from mingwu.registry import schema
from mingwu.registry.check import Plant
from mingwu.registry.schema import ACTIVE, RETIRED
from mingwu.registry.wanted import SECTIONS as SECTIONS  # noqa: PLC0414 — the names of a summary
from mingwu.registry.wanted import Row, wanted_rows


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """Names added (or restored), changed and removed (or retired), sorted as in the file."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class ImportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What an import changed. Tags are named ``thing#tag``."""

    plant: str
    generation: int
    places: Delta
    gateways: Delta
    types: Delta
    things: Delta
    relations: Delta
    devices: Delta
    tags: Delta

    def __bool__(self) -> bool:
        return any(getattr(self, field) for field in SECTIONS)


def apply(connection: Connection, plant: Plant, *, actor: str, now_ms: int) -> ImportSummary:
    """Write the plant; the caller holds the write transaction and the registry's lock."""
    file = plant.file
    scope = file.name
    wanted = wanted_rows(plant)
    _check_owner(connection, schema.place, "path", "place", scope, wanted["places"])
    _check_owner(connection, schema.gateway, "name", "gateway", scope, wanted["gateways"])
    _check_owner(connection, schema.thing_type, "name", "type", scope, wanted["types"])
    _check_owner(connection, schema.thing, "key", "thing", scope, wanted["things"])
    head = {"prefix": file.prefix, "en": file.en, "zh": file.zh}
    _head(connection, scope, head, now_ms)
    _adopt(connection, scope, [row["key"] for row in wanted["things"]])
    numbers = _Numbers(connection)
    stamps = {"added_at_ms": now_ms, "changed_at_ms": now_ms}
    deltas = {
        "places": _sync(connection, schema.place, ("path",), scope, wanted["places"]),
        "gateways": _sync(connection, schema.gateway, ("name",), scope, wanted["gateways"]),
        "types": _sync(connection, schema.thing_type, ("name",), scope, wanted["types"]),
        "things": _sync(
            connection,
            schema.thing,
            ("key",),
            scope,
            wanted["things"],
            fresh=lambda: stamps,
            touch={"changed_at_ms": now_ms},
            label="id",
        ),
        "relations": _sync(
            connection,
            schema.relation,
            ("source", "kind", "target"),
            scope,
            wanted["relations"],
        ),
        "devices": _sync(connection, schema.device, ("gateway", "name"), scope, wanted["devices"]),
        "tags": _sync(
            connection,
            schema.tag,
            ("thing", "name"),
            scope,
            wanted["tags"],
            fresh=lambda: {"number": numbers.take()},
        ),
    }
    numbers.save()
    generation = count(connection, "generation", 1 if any(deltas.values()) else 0)
    summary = ImportSummary(plant=scope, generation=generation, **deltas)
    _remember(connection, summary, wanted, actor, now_ms)
    return summary


def _check_owner(
    connection: Connection, table: Table, key: str, what: str, scope: str, rows: Sequence[Row]
) -> None:
    query = select(table.c[key], table.c.plant).where(table.c.plant != scope)
    if "state" in table.c:
        query = query.where(table.c.state == ACTIVE)
    others: dict[str, str] = {row[0]: row[1] for row in connection.execute(query)}
    for row in rows:
        if row[key] in others:
            shown = row.get("id", row[key])
            raise Conflict("registry.owned", what=what, name=shown, plant=others[row[key]])


def _adopt(connection: Connection, scope: str, keys: Sequence[str]) -> None:
    """Things another plant has retired may be declared here: they and their tags move over."""
    query = select(schema.thing.c.key).where(
        schema.thing.c.plant != scope, schema.thing.c.state == RETIRED
    )
    orphans = set(connection.execute(query).scalars()) & set(keys)
    for key in orphans:
        for table, column in ((schema.thing, "key"), (schema.tag, "thing")):
            statement = update(table).where(table.c[column] == key).values(plant=scope)
            connection.execute(statement)


def _head(connection: Connection, scope: str, head: Row, now_ms: int) -> None:
    table = schema.plant
    row = head | {"imported_at_ms": now_ms}
    if connection.execute(update(table).where(table.c.name == scope).values(row)).rowcount == 0:
        connection.execute(insert(table).values(row | {"name": scope}))


def _sync(
    connection: Connection,
    table: Table,
    keys: tuple[str, ...],
    scope: str,
    wanted: Sequence[Row],
    *,
    fresh: Callable[[], Row] = dict,
    touch: Row | None = None,
    label: str = "",
) -> Delta:
    """Make the rows of plant ``scope`` equal to ``wanted``; returns the difference by name.

    Tables with a ``state`` keep rows that are gone as retired. ``fresh`` gives the columns only
    an insert needs, ``touch`` those every real change sets. A mere move in the file is written
    but not reported.
    """

    def name_of(row: Row) -> str:
        return str(row[label]) if label else "#".join(str(row[key]) for key in keys)

    stored = _stored(connection, table, keys, scope)
    new: list[Row] = []
    rewritten: list[Row] = []
    added: list[str] = []
    changed: list[str] = []
    for row in wanted:
        old = stored.pop(tuple(row[key] for key in keys), None)
        if old is None:
            added.append(name_of(row))
            new.append(row | fresh())
            continue
        different = {column for column, value in row.items() if old[column] != value}
        if different - {"position"}:
            returned = old.get("state") == RETIRED
            (added if returned else changed).append(name_of(row))
            rewritten.append(row | (touch or {}))
        elif different:
            rewritten.append(row)
    gone = [row for row in stored.values() if row.get("state") != RETIRED]
    if new:
        connection.execute(insert(table), new)
    _rewrite(connection, table, keys, rewritten)
    _drop(connection, table, keys, gone, touch or {})
    removed = tuple(name_of(row) for row in gone)
    return Delta(added=tuple(added), changed=tuple(changed), removed=removed)


def _stored(
    connection: Connection, table: Table, keys: tuple[str, ...], scope: str
) -> dict[tuple[Any, ...], Row]:
    names = list(table.c.keys())
    rows = connection.execute(select(table).where(table.c.plant == scope).order_by("position"))
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return {tuple(row[key] for key in keys): row for row in found}


def _drop(
    connection: Connection,
    table: Table,
    keys: tuple[str, ...],
    gone: Sequence[Row],
    touch: Row,
) -> None:
    if not gone:
        return
    matches = [table.c[key] == bindparam(f"_{key}") for key in keys]
    statement: Update | Delete
    if "state" in table.c:
        statement = update(table).where(*matches).values(state=RETIRED, **touch)
    else:
        statement = delete(table).where(*matches)
    connection.execute(statement, [{f"_{key}": row[key] for key in keys} for row in gone])


def _rewrite(
    connection: Connection, table: Table, keys: tuple[str, ...], rows: Sequence[Row]
) -> None:
    # Executemany needs equal columns per call: rows with a touch stamp and rows without differ.
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    matches: list[ColumnElement[bool]] = [table.c[key] == bindparam(f"_{key}") for key in keys]
    for columns, group in groups.items():
        values: Row = {column: bindparam(f"v_{column}") for column in columns if column not in keys}
        parameters = [
            {f"_{c}" if c in keys else f"v_{c}": value for c, value in row.items()} for row in group
        ]
        connection.execute(update(table).where(*matches).values(values), parameters)


def count(connection: Connection, name: str, step: int) -> int:
    """Move a counter on and return its new value."""
    table = schema.counter
    query = select(table.c.value).where(table.c.name == name)
    value = int(connection.execute(query).scalar_one()) + step
    if step:
        connection.execute(update(table).where(table.c.name == name).values(value=value))
    return value


class _Numbers:
    """Gives tag numbers; a number given once is never given again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first = self._next = count(connection, "tag", 0)

    def take(self) -> int:
        self._next += 1
        return self._next - 1

    def save(self) -> None:
        if self._next != self._first:
            count(self._connection, "tag", self._next - self._first)


def _remember(
    connection: Connection,
    summary: ImportSummary,
    wanted: Mapping[str, Sequence[Row]],
    actor: str,
    now_ms: int,
) -> None:
    """Write what happened to types and things into the change history."""
    declarations = {row["name"]: row["declaration"] for row in wanted["types"]}
    declarations |= {row["id"]: row["declaration"] for row in wanted["things"]}
    rows: list[Row] = [
        {
            "generation": summary.generation,
            "at_ms": now_ms,
            "actor": actor,
            "plant": summary.plant,
            "subject": subject,
            "name": name,
            "change": change,
            "declaration": declarations.get(name, ""),
        }
        for subject, delta in (("type", summary.types), ("thing", summary.things))
        for change in ("added", "changed", "removed")
        for name in getattr(delta, change)
    ]
    if not rows:
        return
    first = count(connection, "change", len(rows)) - len(rows)
    numbered = [row | {"number": first + at} for at, row in enumerate(rows)]
    connection.execute(insert(schema.change), numbered)
