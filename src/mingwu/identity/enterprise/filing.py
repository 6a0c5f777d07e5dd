"""The filing queue (备案): names that wait to be reported to the node above, and the decisions.

A name waits from its registration or change until it is filed with the receipt of the node above,
or returned to its registrant with a reason (then it waits for a change). The queue is read in
pages by the sequence of the last change, which nobody can move, so nothing is missed or shown
twice while others work. A decision about all that match goes no further than the sequence its
caller saw: what was changed since is not filed unseen. All methods block (SQL).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Engine, Select, func, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.lifecycle import AWAITING_FILING, Action, State
from mingwu.identity.enterprise.model import Actor, IdentifierRow, ItemResult, Move
from mingwu.identity.enterprise.queries import text_terms
from mingwu.identity.enterprise.registering import Registrations
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.plant import Kind
from mingwu.store.engine import reading

MAX_PAGE = 1000
STEP = 500  # names of one step of a long decision: well under half a second
_MAX_NOTE = 1000
_MAX_OWNERS = 100
STATES = (*AWAITING_FILING, State.RETURNED)
DECISIONS = {"file": Action.FILE, "return": Action.RETURN}

Note = Annotated[str, Meta(max_length=_MAX_NOTE, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$")]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which names of the queue. ``state`` None: those that wait (registered, changed).

    ``age_h``: waiting for at least so many hours. ``owner``: who registered, as written.
    """

    text: Annotated[str, Meta(max_length=255)] = ""
    prefix: str = ""
    kind: Kind | None = None
    state: State | None = None
    template: int | None = None
    owner: str = ""
    age_h: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0


class Asked(Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of them: ``after`` is the ``next`` of the page before; 0 begins."""

    after: Annotated[int, Meta(ge=0)] = 0
    newest: bool = False
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class Waiting(IdentifierRow, frozen=True, kw_only=True):
    """One name of the queue: since ``sequence``, by whom and how it came to wait."""

    sequence: int
    actor: str
    action: str
    note: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page. ``next`` is 0 at the end; ``upto``: the highest sequence that there was.

    ``states``: how many match in each state, whichever was asked for; ``step``: most names that
    one decision should be about.
    """

    names: list[Waiting]
    total: int
    states: dict[State, int]
    next: int
    upto: int
    step: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision went: ``next`` 0 when nothing is left, ``left`` names behind it."""

    results: list[ItemResult]
    next: int = 0
    left: int = 0


class FilingQueue:
    """The queue of one store; decisions go through ``registrations``."""

    def __init__(
        self,
        engine: Engine,
        registrations: Registrations,
        *,
        batch_items: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._registrations = registrations
        self._batch_items = batch_items
        self._now_ms = now_ms

    def page(self, asked: Asked) -> Page:
        """A page, oldest (or ``newest``) first, with how many match in all."""
        where = self._terms(asked)
        table = schema.identifier
        with reading(self._engine) as connection:
            # first: what comes while the rest is read lies beyond it
            upto = connection.execute(select(func.max(table.c.sequence))).scalar_one() or 0
            rows: list[Mapping[Any, Any]] = []
            for state in _states(asked):
                query = _page_of(state, where, asked)
                rows += connection.execute(query).mappings()
            waiting = table.c.state.in_([state.value for state in STATES])
            counts = select(table.c.state, func.count()).where(waiting, *where)
            counted = connection.execute(counts.group_by(table.c.state))
            states = {State(state): int(number) for state, number in counted}
        rows.sort(key=lambda row: row["sequence"], reverse=asked.newest)
        plain = [{str(name): one for name, one in row.items()} for row in rows[: asked.limit]]
        names = msgspec.convert(plain, list[Waiting])
        after = names[-1].sequence if len(rows) > asked.limit else 0
        step = min(STEP, self._batch_items)
        total = sum(states.get(state, 0) for state in _states(asked))
        return Page(names=names, total=total, states=states, next=after, upto=upto, step=step)

    def counts(self, wanted: Wanted) -> dict[str, dict[str, int]]:
        """How many match, by template, kind, prefix and registrant (the hundred with most)."""
        table, where = schema.identifier, self._terms(wanted)
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for name in ("template", "kind", "prefix", "owner"):
                column, number = table.c[name], func.count()
                rows = select(column, number).where(_in_states(wanted), *where)
                rows = rows.group_by(column).order_by(number.desc(), column).limit(_MAX_OWNERS)
                found[name] = {str(key): int(n) for key, n in connection.execute(rows)}
        return found

    def decide(
        self, action: Action, moves: Sequence[Move], *, actor: Actor, note: str
    ) -> list[ItemResult]:
        """File or return names as somebody saw them; one result per name.

        Raises InvalidInput: a return without its reason, or too many names in one call.
        """
        if action is Action.RETURN and not note.strip():
            raise InvalidInput(
                "input.invalid",
                path="note",
                fault=Phrase("a return needs its reason", "退回须说明原因"),
            )
        return self._registrations.move(action, moves, actor=actor, note=note.strip())

    def decide_matching(
        self,
        action: Action,
        wanted: Wanted,
        *,
        upto: int,
        after: int,
        limit: int,
        actor: Actor,
        note: str,
    ) -> Decided:
        """The next ``limit`` of all that match, not beyond ``upto``; call again with ``next``."""
        table, where, limit = schema.identifier, self._terms(wanted), min(limit, self._batch_items)
        if wanted.state not in {None, *STATES}:
            raise InvalidInput(
                "input.invalid",
                path="matching.state",
                fault=Phrase("not in the queue", "不在待备案队列中"),
            )
        within = (_in_states(wanted), *where, table.c.sequence <= upto)
        columns = (table.c.name, table.c.version, table.c.sequence)
        query = select(*columns).where(*within, table.c.sequence > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.sequence).limit(limit)).all()
        moves = [Move(name=name, version=version) for name, version, _ in rows]
        results = self.decide(action, moves, actor=actor, note=note)
        if len(rows) < limit:
            return Decided(results=results)
        last = rows[-1].sequence
        rest = select(func.count()).where(*within, table.c.sequence > last)
        with reading(self._engine) as connection:
            left = connection.execute(rest).scalar_one()
        return Decided(results=results, next=last if left else 0, left=left)

    def _terms(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        table = schema.identifier
        terms = text_terms(wanted.text)
        equal = (
            (table.c.prefix, wanted.prefix),
            (table.c.kind, wanted.kind and wanted.kind.value),
            (table.c.template, wanted.template),
            (table.c.owner, wanted.owner),
        )
        terms += [column == value for column, value in equal if value]
        if wanted.age_h:
            terms.append(table.c.changed_at_ms <= self._now_ms() - int(wanted.age_h * 3_600_000))
        return terms


def _states(wanted: Wanted) -> tuple[State, ...]:
    return (wanted.state,) if wanted.state else AWAITING_FILING


def _in_states(wanted: Wanted) -> ColumnElement[bool]:
    return schema.identifier.c.state.in_([state.value for state in _states(wanted)])


def _page_of(state: State, where: Sequence[ColumnElement[bool]], asked: Asked) -> Select[Any]:
    """One state's part of a page, along the index of that state; one more tells of a next page."""
    table, history = schema.identifier, schema.history
    order = table.c.sequence.desc() if asked.newest else table.c.sequence
    query = (
        select(table, history.c.actor, history.c.action, history.c.note)
        .join(history, history.c.sequence == table.c.sequence)
        .where(table.c.state == state.value, *where)
    )
    if asked.after:
        beyond = table.c.sequence < asked.after if asked.newest else table.c.sequence > asked.after
        query = query.where(beyond)
    return query.order_by(order).limit(asked.limit + 1)
