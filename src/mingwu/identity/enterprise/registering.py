"""Registering, changing, filing and deregistering identifiers, one or thousands in a call.

A call is one transaction: each name is judged on its own, the good ones are stored together with
their history, then projected into the record store, and only then acknowledged. After a kill -9
either nothing of a call is there, or all of its good names are (the projection is caught up at the
next start). Results come in the order of the request, one per item.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.calls import (
    NEW,
    Call,
    contents_of,
    decide,
    field_fault,
    index_fault,
    known_rows,
    meanwhile_fault,
    movable_fault,
    store,
    taken_faults,
    unique_fault,
)
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.granting.grants import Grants
from mingwu.identity.enterprise.lifecycle import Action
from mingwu.identity.enterprise.model import (
    Actor,
    ItemResult,
    Move,
    Registration,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.projecting import Projector
from mingwu.identity.enterprise.templates.keeping import LOCK, Templates
from mingwu.identity.enterprise.validation import MOST_FAULTS, Checker, read_content
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import MAX_CHARS, NO_SLASH, NO_SUFFIX, fold, parse
from mingwu.store.engine import lock, writing

log = logging.getLogger(__name__)

_SAME_TEMPLATE = TemplateRef()


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
        return self.move(Action.FILE, [Move(name=name) for name in names], actor=actor, note=note)

    def deregister(self, names: Sequence[str], *, actor: Actor, note: str = "") -> list[ItemResult]:
        """Take names out of resolution; they stay known and taken."""
        moves = [Move(name=name) for name in names]
        return self.move(Action.DEREGISTER, moves, actor=actor, note=note)

    def move(
        self, action: Action, moves: Sequence[Move], *, actor: Actor, note: str = ""
    ) -> list[ItemResult]:
        """Take names to another state, their values as they are (file, return, deregister)."""
        return self._run(action, moves, actor, note, lambda move: move.name, self._move_one)

    # -- one call -----------------------------------------------------------------------------

    def _run(
        self,
        action: Action,
        items: Sequence[Any],
        actor: Actor,
        note: str,
        name_of: Callable[[Any], str],
        judge: Callable[[Connection, Call, Any, str], ItemResult],
        *,
        dry: bool = False,
    ) -> list[ItemResult]:
        if len(items) > self._batch_items:
            raise InvalidInput(
                "enterprise.batch-too-large", count=len(items), limit=self._batch_items
            )
        if self._projector.is_behind and not dry:
            self._projector.catch_up()  # or refuse here, before more is written that waits
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            keys = [fold(name_of(item)) for item in items]
            call = self._open(connection, action, actor, note, keys)
            results = [
                self._judged(connection, call, item, key, name_of(item), judge)
                for item, key in zip(items, keys, strict=True)
            ]
            if not dry:
                store(connection, call)
        if call.entries and not dry:
            self._projector.catch_up(call.entries)
        return results

    def _open(
        self, connection: Connection, action: Action, actor: Actor, note: str, keys: list[str]
    ) -> Call:
        highest = select(func.coalesce(func.max(schema.history.c.sequence), 0))
        known = known_rows(connection, keys)
        call = Call(
            action, actor, note, self._now_ms(), connection.execute(highest).scalar_one(), known
        )
        if known:
            if not actor.may_all:
                call.writable = self._grants.writable(connection, known, actor)
            sequences = [row["sequence"] for row in known.values()]
            call.contents = contents_of(connection, sequences)
        return call

    def _judged(
        self,
        connection: Connection,
        call: Call,
        item: Any,
        key: str,
        name: str,
        judge: Callable[[Connection, Call, Any, str], ItemResult],
    ) -> ItemResult:
        if key in call.seen:
            return ItemResult(name, Fault("enterprise.name-twice", {"name": name}))
        call.seen.add(key)
        known = call.known.get(key)
        fault = movable_fault(call, name, known)
        if fault is None:
            return judge(connection, call, item, key)
        if fault.code == "enterprise.name-taken" and isinstance(item, Registration):
            return self._taken(connection, call, item, key, fault)
        return ItemResult(name, fault)

    def _taken(
        self, connection: Connection, call: Call, item: Registration, key: str, fault: Fault
    ) -> ItemResult:
        """A new name that is taken: what else is wrong is told, too, as to any other."""
        checker, _ = self._template(connection, call, item, None)
        if checker is None:
            return ItemResult(item.name, fault)
        return _refused(connection, call, checker, item, key, item.values, fault)

    # -- one name -----------------------------------------------------------------------------

    def _put_one(
        self, connection: Connection, call: Call, item: Registration, key: str
    ) -> ItemResult:
        return self._put(connection, call, item, key, item.values)

    def _merge_one(
        self, connection: Connection, call: Call, item: Registration, key: str
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
        call: Call,
        item: Registration,
        key: str,
        values: Mapping[str, str],
    ) -> ItemResult:
        known = call.known.get(key)
        fault = item.fault or self._name_fault(item.name)
        if fault is None and known:
            fault = meanwhile_fault(item.name, item.version, known)
        checker, unusable = self._template(connection, call, item, known)
        if checker is None:
            return ItemResult(item.name, fault or unusable)
        content = None
        if fault is None:
            fault = unusable or index_fault(checker, item.indexes)
        if fault is None:
            judged = checker.content(values, draft=call.action is Action.DRAFT)
            if isinstance(judged, Fault):
                fault = judged
            else:
                content = judged
        if content is not None and known:
            fault = field_fault(call, key, known, content)
        if fault is None and checker.unique:
            fault = unique_fault(connection, call, checker, key, values)
        if fault is not None or content is None:
            return _refused(connection, call, checker, item, key, values, fault)
        kind = item.kind or (known["kind"] if known else checker.template.definition.kind)
        return decide(call, item.name, key, str(kind), checker.template.number, content)

    def _move_one(self, connection: Connection, call: Call, move: Move, key: str) -> ItemResult:
        del connection  # every judge has the same parameters
        name, known = move.name, call.known[key]
        fault = meanwhile_fault(name, move.version, known)
        if fault is not None:
            return ItemResult(name, fault)
        content = call.contents.get(known["sequence"], "[]")
        if call.action is Action.DEREGISTER:
            call.freed.append(key)
        return decide(call, name, key, known["kind"], known["template"], content)

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
            fault = NO_SUFFIX if slash else NO_SLASH
            return Fault("enterprise.bad-name", {"name": name[:40], "fault": fault})
        known = ", ".join(self._prefixes.values())
        return Fault("enterprise.foreign-prefix", {"name": name[:255], "prefixes": known})

    def _template(
        self,
        connection: Connection,
        call: Call,
        item: Registration,
        known: Mapping[str, Any] | None,
    ) -> tuple[Checker | None, Fault | None]:
        if known and item.template == _SAME_TEMPLATE:
            number = known["template"]
            checker: Checker | Fault | None = call.numbered.get(number)
            if checker is None:
                checker = call.numbered[number] = self._templates.checker_of(connection, number)
        else:
            checker = self._checker(connection, call, item.template)
        if isinstance(checker, Fault):
            return None, checker
        state = checker.template.state
        moves = known is None or known["template"] != checker.template.number
        if state is not TemplateState.PUBLISHED and (moves or call.action in NEW):
            label = checker.template.label
            return None, Fault("enterprise.template-unpublished", {"template": label})
        return checker, None

    def _checker(self, connection: Connection, call: Call, ref: TemplateRef) -> Checker | Fault:
        """The compiled template, looked up once per call."""
        found = call.checkers.get(ref)
        if found is None:
            try:
                found = self._templates.checker(connection, ref)
            except NotFound as error:
                found = Fault(error.code, error.params)
            call.checkers[ref] = found
        return found


def _refused(
    connection: Connection,
    call: Call,
    checker: Checker,
    item: Registration,
    key: str,
    values: Mapping[str, str],
    first: Fault | None,
) -> ItemResult:
    """The refusal of a name with everything that is wrong with it, the first fault first."""
    found = checker.faults(values, draft=call.action is Action.DRAFT)
    found += taken_faults(connection, call, checker, key, values)
    more = tuple(fault for fault in found if fault != first)
    return ItemResult(item.name, first, more=more[: MOST_FAULTS - 1])
