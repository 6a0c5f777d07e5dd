"""What another definition of a template means for the names that exist: which would be refused.

Stored values are judged as a change of the name would judge them. Nothing is read when no change
can bind (``templatediff``); otherwise names are read in one pass, at most :data:`MOST_JUDGED`, and
the answer says how many were. Deregistered names do not count; drafts may lack what is required.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.model import Template, TemplateDef
from mingwu.identity.enterprise.templates.diff import difference
from mingwu.identity.enterprise.templates.uniques import unique_types
from mingwu.identity.enterprise.validation import Checker, read_content
from mingwu.kernel.catalogue import Phrase
from mingwu.store.engine import reading

MOST_JUDGED = 200_000
MOST_SHOWN = 20
_CHUNK = 2000


class AffectedName(msgspec.Struct, frozen=True):
    """A name whose values the new definition refuses, and why."""

    name: str
    state: State
    faults: tuple[Fault, ...]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """``names`` stand behind the template, ``judged`` of them were looked at; ``invalid`` of these
    are refused by the new definition, ``newly`` of them were good before. ``first`` are some.
    """

    names: int
    judged: int = 0
    invalid: int = 0
    newly: int = 0
    first: tuple[AffectedName, ...] = ()


def effect(engine: Engine, template: Template, old: TemplateDef, new: TemplateDef) -> Effect:
    """What going from ``old`` to ``new`` means for the names of ``template``."""
    with reading(engine) as connection:
        table = schema.identifier
        query = select(func.count()).select_from(table).where(table.c.template == template.number)
        alive = table.c.state != State.DEREGISTERED.value
        names = connection.execute(query.where(alive)).scalar_one()
        if not names or not difference(old, new).binding:
            return Effect(names=names)
        judge = _Judge(_checker(template, old), _checker(template, new))
        for name, state, content in _rows(connection, template.number):
            judge.look(name, State(state), content)
    return Effect(
        names=names,
        judged=judge.judged,
        invalid=judge.invalid,
        newly=judge.newly,
        first=tuple(judge.first),
    )


class _Judge:
    def __init__(self, old: Checker, new: Checker) -> None:
        self._old, self._new = old, new
        self._unique = unique_types(new.template.definition)
        self._holders: dict[tuple[str, str], str] = {}
        self.judged = self.invalid = self.newly = 0
        self.first: list[AffectedName] = []

    def look(self, name: str, state: State, content: str) -> None:
        values = {value.type: value.value for value in read_content(content)}
        draft = state is State.DRAFT
        self.judged += 1
        taken = [fault for kind in self._unique if (fault := self._taken(name, kind, values))]
        fresh = isinstance(self._new.content(values, draft=draft), Fault)
        if not fresh and not taken:
            return
        self.invalid += 1
        if not isinstance(self._old.content(values, draft=draft), Fault):
            self.newly += 1
        if len(self.first) < MOST_SHOWN:
            faults = (*self._new.faults(values, draft=draft), *taken)
            self.first.append(AffectedName(name, state, faults))

    def _taken(self, name: str, kind: str, values: dict[str, str]) -> Fault | None:
        value = values.get(kind)
        holder = self._holders.setdefault((kind, value), name) if value else name
        if holder == name:
            return None
        # the value itself stays out of the message: the item may be restricted
        fault = Phrase(f"the same value as {holder}", f"与 {holder} 的值相同")
        return Fault("enterprise.value-bad", {"item": kind, "fault": fault})


def _checker(template: Template, definition: TemplateDef) -> Checker:
    return Checker(msgspec.structs.replace(template, definition=definition))


def _rows(connection: Connection, number: int) -> Iterator[Any]:
    names, history = schema.identifier, schema.history
    query = select(names.c.name, names.c.state, history.c.content)
    query = query.join(history, history.c.sequence == names.c.sequence)
    query = query.where(names.c.template == number, names.c.state != State.DEREGISTERED.value)
    query = query.limit(MOST_JUDGED).execution_options(yield_per=_CHUNK)
    return iter(connection.execute(query))
