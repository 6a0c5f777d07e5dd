"""Logins of the national dialect (ops 2000, 2001): identities that a session holds for a day.

A login stands at a place: a connection and a session id. Ids that this server gave are hard to
guess, so they hold from the same address on every connection (its number is then 0). The
deployed national clients choose their ids themselves, counting up from the same number in each
program, so such an id means something on its own connection only: behind one address two programs
with the same id are two askers. Older ones go on without any id on the connection where they
logged in; so a login holds there for messages without one, too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mingwu.wire.handle.values import Reference

Place = tuple[int, int]
"""Number of the connection (0: any), session id."""

_NOWHERE: Place = (0, 0)
_LASTS_S = 24 * 3600
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """An identity that a session holds."""

    who: Reference
    source: str
    until: float


@dataclass(slots=True)
class Logins:
    """Logins by place; bounded, those not used for longest give way."""

    clock: Callable[[], float] = time.monotonic
    _held: dict[Place, LoggedIn] = field(default_factory=dict)

    def remember(self, place: Place, link: int, who: Reference, source: str) -> None:
        """``who`` logged in at a place, by a connection (0: not by TCP) from an address."""
        for at in {place, (link, 0)} - {_NOWHERE}:
            self._held.pop(at, None)
            while len(self._held) >= _MOST:
                del self._held[next(iter(self._held))]
            self._held[at] = LoggedIn(who, source, self.clock() + _LASTS_S)

    def find(self, link: int, session: int, source: str) -> LoggedIn | None:
        """The login that a message speaks of, by session id and connection; lapsed ones, too."""
        for place in ((link, session), (0, session)):
            held = self._held.get(place)
            if held is not None and held.source == source:
                self._held[place] = self._held.pop(place)  # used last
                return held
        return None

    def holds(self, login: LoggedIn) -> bool:
        """Whether a login has not lapsed."""
        return login.until > self.clock()

    def end(self, link: int, session: int, source: str) -> None:
        """Forget the login of a session."""
        for place in ((link, session), (0, session), (link, 0)):
            held = self._held.get(place)
            if held is not None and held.source == source:
                del self._held[place]
