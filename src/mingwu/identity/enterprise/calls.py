"""One call of registration at work: what is known, what each name may, what will be stored.

:class:`registering.Registrations` judges name by name and fills a :class:`Call`; nothing touches
the database but the reads at its beginning, the look at unique values, and :func:`store` at the
end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.granting.grants import EVERYTHING
from mingwu.identity.enterprise.lifecycle import WORDS, Action, State, after, possible
from mingwu.identity.enterprise.model import Actor, ItemResult, TemplateRef
from mingwu.identity.enterprise.projecting import Entry
from mingwu.identity.enterprise.validation import Checker, read_content
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.names import fold

_CHUNK = 500
NEW = (Action.DRAFT, Action.REGISTER)


@dataclass(slots=True)
class Call:
    """One call at work: what is known, what is decided, what will be stored."""

    action: Action
    actor: Actor
    note: str
    now_ms: int
    sequence: int
    known: dict[str, Any]
    writable: dict[str, frozenset[str]] = field(default_factory=dict)
    contents: dict[int, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    inserts: list[Entry] = field(default_factory=list)
    updates: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    uniques: dict[tuple[int, str, str], str] = field(default_factory=dict)
    checkers: dict[TemplateRef, Checker | Fault] = field(default_factory=dict)
    numbered: dict[int, Checker] = field(default_factory=dict)
    freed: list[str] = field(default_factory=list)


def movable_fault(call: Call, name: str, known: Mapping[str, Any] | None) -> Fault | None:
    """Why the call's action is not possible for a name, or None."""
    state = State(known["state"]) if known else None
    if after(state, call.action) is None:
        return _impossible(call, name, state)
    if known is None or call.actor.may_all or fold(known["owner"]) in call.actor.names:
        return None
    if call.action in NEW:
        return Fault("enterprise.name-taken", {"name": name[:255]})
    if call.action is Action.CHANGE and call.writable.get(fold(name)):
        return None
    return _no_access(call.actor.name, WORDS[call.action], name)


def _impossible(call: Call, name: str, state: State | None) -> Fault:
    if state is None:
        return Fault("enterprise.name-unknown", {"name": name[:255]})
    if call.action in NEW:
        return Fault("enterprise.name-taken", {"name": name[:255]})
    can = [WORDS[action] for action in possible(state)]
    choices = Phrase(", ".join(can), "、".join(word.zh for word in can))
    params = {
        "name": name,
        "state": WORDS[state],
        "action": WORDS[call.action],
        "possible": choices,
    }
    return Fault("enterprise.not-allowed", params)


def _no_access(who: str, right: str, name: str) -> Fault:
    return Fault("enterprise.no-access", {"who": who, "right": right, "name": name})


def meanwhile_fault(name: str, version: int, known: Mapping[str, Any]) -> Fault | None:
    """Whether a name is no longer at the version somebody looked at (0: did not say)."""
    if version and version != known["version"]:
        found = known["version"]
        return Fault("enterprise.changed-meanwhile", {"name": name, "found": found})
    return None


def index_fault(checker: Checker, indexes: Mapping[str, int]) -> Fault | None:
    """Whether the request gave an item another index than the template does."""
    for kind, index in indexes.items():
        known = checker.items.get(kind)
        if known is None or known.index != index:
            return Fault("enterprise.value-unknown", {"item": kind, "index": index})
    return None


def field_fault(call: Call, key: str, known: Mapping[str, Any], content: str) -> Fault | None:
    """Whether one with grants for some items only changes others, too."""
    if call.actor.may_all or fold(known["owner"]) in call.actor.names:
        return None
    granted = call.writable.get(key, frozenset())
    if EVERYTHING in granted:
        return None
    old = {(v.type, v.value) for v in read_content(call.contents[known["sequence"]])}
    new = {(v.type, v.value) for v in read_content(content)}
    for kind, _ in old ^ new:
        if kind not in granted:
            return _no_access(
                call.actor.name, Phrase(f"change “{kind}” of", f"变更属性“{kind}”"), known["name"]
            )
    return None


def unique_fault(
    connection: Connection,
    call: Call,
    checker: Checker,
    key: str,
    values: Mapping[str, str],
) -> Fault | None:
    """Whether a value that must be unique belongs to another name; notes the values if not."""
    fault = next(taken_faults(connection, call, checker, key, values), None)
    if fault is not None:
        return fault
    if key in call.known:
        call.freed.append(key)
    number = checker.template.number
    wanted = [(number, kind, values[kind]) for kind in checker.unique if values.get(kind)]
    call.uniques.update(dict.fromkeys(wanted, key))
    return None


def taken_faults(
    connection: Connection,
    call: Call,
    checker: Checker,
    key: str,
    values: Mapping[str, str],
) -> Iterator[Fault]:
    """Every value that must be unique and belongs to another name."""
    table, number = schema.unique, checker.template.number
    for kind in checker.unique:
        value = values.get(kind)
        if not value:
            continue
        holder = call.uniques.get((number, kind, value))
        if holder is None:
            query = select(table.c.key).where(table.c.template == number)
            query = query.where(table.c.item == kind, table.c.value == value)
            holder = connection.execute(query).scalar_one_or_none()
        if holder is not None and holder != key:
            params = {"item": kind, "value": value, "name": holder}
            yield Fault("enterprise.value-taken", params)


def decide(call: Call, name: str, key: str, kind: str, template: int, content: str) -> ItemResult:
    """Note a name's next version in the call; everything about it was judged before."""
    known = call.known.get(key)
    state = after(State(known["state"]) if known else None, call.action)
    assert state is not None  # noqa: S101 - movable_fault looked
    call.sequence += 1
    version = known["version"] + 1 if known else 1
    entry: Entry = {
        "sequence": call.sequence,
        "previous": known["sequence"] if known else 0,
        "name": known["name"] if known else name,
        "version": version,
        "kind": kind,
        "template": template,
        "state": state.value,
        "action": call.action.value,
        "actor": call.actor.name,
        "at_ms": call.now_ms,
        "content": content,
        "note": call.note,
    }
    call.entries.append(entry)
    row = {
        "key": key,
        "kind": kind,
        "template": template,
        "state": state.value,
        "version": version,
        "sequence": call.sequence,
        "changed_at_ms": call.now_ms,
    }
    if known:
        call.updates.append({f"new_{field}": value for field, value in row.items()})
    else:
        row["name"] = name
        row["prefix"] = name.partition("/")[0]
        row["owner"] = call.actor.name
        row["registered_at_ms"] = call.now_ms
        call.inserts.append(row)
    return ItemResult(name, None, state, version)


def store(connection: Connection, call: Call) -> None:
    """Write what the call decided; the caller's transaction makes it one."""
    if not call.entries:
        return
    if call.inserts:
        _insert(connection, schema.identifier, call.inserts)
    if call.updates:
        connection.execute(_UPDATE, call.updates)
    _insert(connection, schema.history, call.entries)
    table = schema.unique
    for chunk in _chunks(call.freed):
        connection.execute(delete(table).where(table.c.key.in_(chunk)))
    if call.uniques:
        names = ("template", "item", "value")
        rows = [
            {**dict(zip(names, place, strict=True)), "key": key}
            for place, key in call.uniques.items()
        ]
        connection.execute(insert(table), rows)


_UPDATED = ("kind", "template", "state", "version", "sequence", "changed_at_ms")
_UPDATE = (
    update(schema.identifier)
    .where(schema.identifier.c.key == bindparam("new_key"))
    .values({name: bindparam(f"new_{name}") for name in _UPDATED})
)


def _insert(connection: Connection, table: Table, rows: Sequence[Entry]) -> None:
    """Insert whole rows of text and numbers.

    They go to the driver as they are: Core's way through every parameter of every row costs more
    than the database does.
    """
    compiled = insert(table).compile(dialect=connection.dialect)
    order = getattr(compiled, "positiontup", None)
    if order:
        connection.exec_driver_sql(str(compiled), list(map(itemgetter(*order), rows)))
    else:
        connection.exec_driver_sql(str(compiled), list(rows))


def known_rows(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    """The rows of those names that are known, by folded name."""
    table = schema.identifier
    found: dict[str, Any] = {}
    for chunk in _chunks(keys):
        rows = connection.execute(select(table).where(table.c.key.in_(chunk))).mappings()
        found.update((row["key"], dict(row)) for row in rows)
    return found


def contents_of(connection: Connection, sequences: Sequence[int]) -> dict[int, str]:
    """Stored values by history sequence."""
    table = schema.history
    found: dict[int, str] = {}
    for chunk in _chunks(sequences):
        query = select(table.c.sequence, table.c.content).where(table.c.sequence.in_(chunk))
        found.update((number, content) for number, content in connection.execute(query))
    return found


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
