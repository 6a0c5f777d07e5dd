"""*Queried* by resolving: what others asked of carriers' names, counted from the signed usage log.

A discovery query counts when it is asked; a resolution is answered by another process, whose log
says who asked and why. Here it is followed when somebody looks: the moment up to which a carrier's
questions are counted stands beside its counts and changes with them, so nothing counts twice,
whoever looks and whatever was killed. Probes, the owner's and the operator's own questions are not
others'.
"""

import threading
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Engine, case, select, update

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.events import LOCK
from mingwu.kernel.clock import Clock
from mingwu.store.engine import lock, reading, writing

_U = schema.unit
KEEP_MS = 10_000
_FIRST_LOOK_MS = 30 * 86_400_000
_OVERLAP_MS = 60_000


class Asked(msgspec.Struct, frozen=True):
    """What others asked of a name after a moment: how often, when last, from which network."""

    times: int
    last_ms: int
    by: str


QuerySource = Callable[[Mapping[str, int], int], Mapping[str, Asked]]
"""(name → the moment in ms after which its questions are new, the earliest moment to look at) →
what was asked; names nobody asked for are left out."""


class Queries:
    """See the module; thread-safe. Without a ``source`` only discovery queries count."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self.source: QuerySource | None = None
        self._looking = threading.Lock()
        self._looked_ms = 0

    def follow(self) -> int:
        """Count what is new, at most every ten seconds; how many carriers were asked for."""
        if self.source is None:
            return 0
        with self._looking:
            now_ms = self._clock.time_ns() // 1_000_000
            if now_ms - self._looked_ms < KEEP_MS:
                return 0
            known = self._known()
            earliest = (self._looked_ms or now_ms - _FIRST_LOOK_MS) - _OVERLAP_MS
            found = self.source({name: at_ms for name, _, at_ms in known.values()}, earliest)
            for serial, (name, resolved_ms, _) in known.items():
                if name in found:
                    self._count(serial, resolved_ms, found[name])
            self._looked_ms = now_ms
            return len(found)

    def _known(self) -> dict[str, tuple[str, int, int]]:
        """Serial → name, up to when it is counted, after when its questions are new."""
        columns = (_U.c.serial, _U.c.identifier, _U.c.resolved_ms, _U.c.registered_ms)
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).where(_U.c.identifier != "")).all()
        return {
            row.serial: (row.identifier, row.resolved_ms, max(row.resolved_ms, row.registered_ms))
            for row in rows
        }

    def _count(self, serial: str, resolved_ms: int, asked: Asked) -> None:
        is_later = _U.c.queried_ms < asked.last_ms
        changes = {
            "queries": _U.c.queries + asked.times,
            "queried_by": case((is_later, asked.by), else_=_U.c.queried_by),
            "queried_ms": case((is_later, asked.last_ms), else_=_U.c.queried_ms),
            "resolved_ms": asked.last_ms,
        }
        with writing(self._engine) as connection:
            lock(connection, LOCK)
            # another process that looked meanwhile has moved the moment
            mine = (_U.c.serial == serial) & (_U.c.resolved_ms == resolved_ms)
            connection.execute(update(_U).where(mine).values(changes))
