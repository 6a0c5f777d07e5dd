"""Registering, changing, filing and deregistering identifiers, one or thousands in a call.

A call is one transaction: each name is judged on its own, the good ones are stored together with
their history, then projected into the record store, and only then acknowledged. After a kill -9
either nothing of a call is there, or all of its good names are (the projection is caught up at the
next start). Results come in the order of the request, one per item.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, insert, select, update

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.grants import EVERYTHING, Grants
from mingwu.identity.enterprise.lifecycle import Action, State, after, possible
from mingwu.identity.enterprise.model import (
    Actor,
    ItemResult,
    Registration,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.projecting import Entry, Projector
from mingwu.identity.enterprise.templates import LOCK, Templates
from mingwu.identity.enterprise.validation import Checker, read_content
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import MAX_CHARS, fold, parse
from mingwu.store.engine import lock, writing

log = logging.getLogger(__name__)

_CHUNK = 500
_SAME_TEMPLATE = TemplateRef()
_NEW = (Action.DRAFT, Action.REGISTER)


@dataclass(slots=True)
class _Call:
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
    freed: list[str] = field(default_factory=list)


class Registrations:
    """Changes identifiers. Thread-safe; calls of all processes run one after the other."""

    def __init__(
        self,
        engine: Engine,
        templates: Templates,
        grants: Grants,
        projector: Projector,
        *,
        prefixes: Sequence[str],
        batch_items: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._templates = templates
        self._grants = grants
        self._projector = projector
        self._prefixes = {fold(prefix): prefix for prefix in prefixes}
        self._batch_items = batch_items
        self._now_ms = now_ms

    def register(
        self,
        items: Sequence[Registration],
        *,
        actor: Actor,
        draft: bool = False,
        note: str = "",
        dry: bool = False,
    ) -> list[ItemResult]:
        """Register new names (or write them down as drafts; or register drafts).

        ``dry`` judges only. Raises InvalidInput ``enterprise.batch-too-large``; everything else
        is per item.
        """
        action = Action.DRAFT if draft else Action.REGISTER
        return self._run(action, items, actor, note, lambda item: item.name, self._put_one, dry=dry)

    def change(
        self,
        items: Sequence[Registration],
        *,
        actor: Actor,
        merge: bool = False,
        note: str = "",
        dry: bool = False,
    ) -> list[ItemResult]:
        """Give names other values: all of them, or with ``merge`` only those given (empty text
        removes a value). Errors as :meth:`register`.
        """
        judge = self._merge_one if merge else self._put_one
        return self._run(Action.CHANGE, items, actor, note, lambda item: item.name, judge, dry=dry)

    def submit(self, names: Sequence[str], *, actor: Actor, note: str = "") -> list[ItemResult]:
        """Register drafts (or deregistered names again) as they stand, judged by their template."""
        items = [Registration(name=name, template=_SAME_TEMPLATE, values={}) for name in names]
        return self._run(
            Action.REGISTER, items, actor, note, lambda item: item.name, self._merge_one
        )

    def file(self, names: Sequence[str], *, actor: Actor, note: str = "") -> list[ItemResult]:
        """Note that names were filed (备案) with the node above; ``note`` is its receipt."""
        return self._run(Action.FILE, names, actor, note, str, self._move_one)

    def deregister(self, names: Sequence[str], *, actor: Actor, note: str = "") -> list[ItemResult]:
        """Take names out of resolution; they stay known and taken."""
        return self._run(Action.DEREGISTER, names, actor, note, str, self._move_one)

    # -- one call -----------------------------------------------------------------------------

    def _run(
        self,
        action: Action,
        items: Sequence[Any],
        actor: Actor,
        note: str,
        name_of: Callable[[Any], str],
        judge: Callable[[Connection, _Call, Any, str], ItemResult],
        *,
        dry: bool = False,
    ) -> list[ItemResult]:
        if len(items) > self._batch_items:
            raise InvalidInput(
                "enterprise.batch-too-large", count=len(items), limit=self._batch_items
            )
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            keys = [fold(name_of(item)) for item in items]
            call = self._open(connection, action, actor, note, keys)
            results = [
                self._judged(connection, call, item, key, name_of(item), judge)
                for item, key in zip(items, keys, strict=True)
            ]
            if not dry:
                self._store(connection, call)
        if call.entries and not dry:
            self._projector.catch_up(call.entries)
        return results

    def _open(
        self, connection: Connection, action: Action, actor: Actor, note: str, keys: list[str]
    ) -> _Call:
        highest = select(func.coalesce(func.max(schema.history.c.sequence), 0))
        known = _known(connection, keys)
        call = _Call(
            action, actor, note, self._now_ms(), connection.execute(highest).scalar_one(), known
        )
        if known:
            if not actor.may_all:
                call.writable = self._grants.writable(connection, known, actor)
            sequences = [row["sequence"] for row in known.values()]
            call.contents = _contents(connection, sequences)
        return call

    def _judged(
        self,
        connection: Connection,
        call: _Call,
        item: Any,
        key: str,
        name: str,
        judge: Callable[[Connection, _Call, Any, str], ItemResult],
    ) -> ItemResult:
        if key in call.seen:
            return ItemResult(name, Fault("enterprise.name-twice", {"name": name}))
        call.seen.add(key)
        known = call.known.get(key)
        fault = _movable(call, name, known)
        return ItemResult(name, fault) if fault else judge(connection, call, item, key)

    # -- one name -----------------------------------------------------------------------------

    def _put_one(
        self, connection: Connection, call: _Call, item: Registration, key: str
    ) -> ItemResult:
        return self._put(connection, call, item, key, item.values)

    def _merge_one(
        self, connection: Connection, call: _Call, item: Registration, key: str
    ) -> ItemResult:
        known = call.known.get(key)
        old = call.contents[known["sequence"]] if known else "[]"
        values = {value.type: value.value for value in read_content(old)}
        values.update(item.values)
        values = {kind: value for kind, value in values.items() if value}
        return self._put(connection, call, item, key, values)

    def _put(
        self,
        connection: Connection,
        call: _Call,
        item: Registration,
        key: str,
        values: Mapping[str, str],
    ) -> ItemResult:
        known = call.known.get(key)
        fault = item.fault or self._name_fault(item.name)
        if fault is None and known and item.version and item.version != known["version"]:
            found = known["version"]
            fault = Fault("enterprise.changed-meanwhile", {"name": item.name, "found": found})
        checker: Checker | None = None
        if fault is None:
            checker, fault = self._template(connection, call, item, known)
        if fault is not None or checker is None:
            return ItemResult(item.name, fault)
        fault = _index_fault(checker, item.indexes)
        if fault is not None:
            return ItemResult(item.name, fault)
        content = checker.content(values, draft=call.action is Action.DRAFT)
        if isinstance(content, Fault):
            return ItemResult(item.name, content)
        if known:
            fault = self._field_fault(call, key, known, content)
        if fault is None and checker.unique:
            fault = self._unique_fault(connection, call, checker, key, values)
        if fault is not None:
            return ItemResult(item.name, fault)
        kind = item.kind or (known["kind"] if known else checker.template.definition.kind)
        return self._decide(call, item.name, key, str(kind), checker.template.number, content)

    def _move_one(self, connection: Connection, call: _Call, name: str, key: str) -> ItemResult:
        del connection  # every judge has the same parameters
        known = call.known[key]
        content = call.contents.get(known["sequence"], "[]")
        if call.action is Action.DEREGISTER:
            call.freed.append(key)
        return self._decide(call, name, key, known["kind"], known["template"], content)

    def _decide(
        self, call: _Call, name: str, key: str, kind: str, template: int, content: str
    ) -> ItemResult:
        known = call.known.get(key)
        state = after(State(known["state"]) if known else None, call.action)
        assert state is not None  # noqa: S101 - _movable looked
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

    # -- rules --------------------------------------------------------------------------------

    def _name_fault(self, name: str) -> Fault | None:
        prefix, slash, suffix = name.partition("/")
        if slash and fold(prefix) in self._prefixes:
            # the usual name: nothing to parse
            if suffix and len(name) <= MAX_CHARS and name.isascii() and name.isprintable():
                return None
            try:
                parse(name)
            except InvalidInput as error:
                return Fault(
                    "enterprise.bad-name", {"name": name[:40], "fault": error.params["fault"]}
                )
            return None
        if not slash or not suffix:
            fault = "no “/” between prefix and suffix"
            return Fault("enterprise.bad-name", {"name": name[:40], "fault": fault})
        known = ", ".join(self._prefixes.values())
        return Fault("enterprise.foreign-prefix", {"name": name[:255], "prefixes": known})

    def _template(
        self,
        connection: Connection,
        call: _Call,
        item: Registration,
        known: Mapping[str, Any] | None,
    ) -> tuple[Checker | None, Fault | None]:
        if known and item.template == _SAME_TEMPLATE:
            checker: Checker | Fault = self._templates.checker_of(connection, known["template"])
        else:
            checker = self._checker(connection, call, item.template)
        if isinstance(checker, Fault):
            return None, checker
        state = checker.template.state
        moves = known is None or known["template"] != checker.template.number
        if state is not TemplateState.PUBLISHED and (moves or call.action in _NEW):
            label = checker.template.label
            return None, Fault("enterprise.template-unpublished", {"template": label})
        return checker, None

    def _checker(self, connection: Connection, call: _Call, ref: TemplateRef) -> Checker | Fault:
        """The compiled template, looked up once per call."""
        found = call.checkers.get(ref)
        if found is None:
            try:
                found = self._templates.checker(connection, ref)
            except NotFound as error:
                found = Fault(error.code, error.params)
            call.checkers[ref] = found
        return found

    def _field_fault(
        self, call: _Call, key: str, known: Mapping[str, Any], content: str
    ) -> Fault | None:
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
                return _no_access(call.actor.name, f"change “{kind}” of", known["name"])
        return None

    def _unique_fault(
        self,
        connection: Connection,
        call: _Call,
        checker: Checker,
        key: str,
        values: Mapping[str, str],
    ) -> Fault | None:
        table, number = schema.unique, checker.template.number
        wanted = [(number, kind, values[kind]) for kind in checker.unique if values.get(kind)]
        for place in wanted:
            holder = call.uniques.get(place)
            if holder is None:
                query = select(table.c.key).where(table.c.template == number)
                query = query.where(table.c.item == place[1], table.c.value == place[2])
                holder = connection.execute(query).scalar_one_or_none()
            if holder is not None and holder != key:
                params = {"item": place[1], "value": place[2], "name": holder}
                return Fault("enterprise.value-taken", params)
        if key in call.known:
            call.freed.append(key)
        call.uniques.update(dict.fromkeys(wanted, key))
        return None

    # -- storing ------------------------------------------------------------------------------

    @staticmethod
    def _store(connection: Connection, call: _Call) -> None:
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


_UPDATED = ("kind", "template", "state", "version", "sequence", "changed_at_ms")
_UPDATE = (
    update(schema.identifier)
    .where(schema.identifier.c.key == bindparam("new_key"))
    .values({name: bindparam(f"new_{name}") for name in _UPDATED})
)


def _index_fault(checker: Checker, indexes: Mapping[str, int]) -> Fault | None:
    for kind, index in indexes.items():
        known = checker.items.get(kind)
        if known is None or known.index != index:
            return Fault("enterprise.value-unknown", {"item": kind, "index": index})
    return None


def _movable(call: _Call, name: str, known: Mapping[str, Any] | None) -> Fault | None:
    state = State(known["state"]) if known else None
    if after(state, call.action) is None:
        return _impossible(call, name, state)
    if known is None or call.actor.may_all or fold(known["owner"]) in call.actor.names:
        return None
    if call.action in _NEW:
        return Fault("enterprise.name-taken", {"name": name[:255]})
    if call.action is Action.CHANGE and call.writable.get(fold(name)):
        return None
    return _no_access(call.actor.name, call.action.value, name)


def _impossible(call: _Call, name: str, state: State | None) -> Fault:
    if state is None:
        return Fault("enterprise.name-unknown", {"name": name[:255]})
    if call.action in _NEW:
        return Fault("enterprise.name-taken", {"name": name[:255]})
    choices = ", ".join(possible(state))
    params = {"name": name, "state": state, "action": call.action, "possible": choices}
    return Fault("enterprise.not-allowed", params)


def _no_access(who: str, right: str, name: str) -> Fault:
    return Fault("enterprise.no-access", {"who": who, "right": right, "name": name})


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    table = schema.identifier
    found: dict[str, Any] = {}
    for chunk in _chunks(keys):
        rows = connection.execute(select(table).where(table.c.key.in_(chunk))).mappings()
        found.update((row["key"], dict(row)) for row in rows)
    return found


def _contents(connection: Connection, sequences: Sequence[int]) -> dict[int, str]:
    table = schema.history
    found: dict[int, str] = {}
    for chunk in _chunks(sequences):
        query = select(table.c.sequence, table.c.content).where(table.c.sequence.in_(chunk))
        found.update((number, content) for number, content in connection.execute(query))
    return found


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
