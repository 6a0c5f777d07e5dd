"""What others ask of each prefix, from the signed usage log, for the second-level node's tables.

The second-level node and the log do not know each other; here they meet. Counting reads the log of
30 days, so it is believed for some seconds. Before the resolver began its log there is no answer,
and the second-level node falls back to its own counters.
"""

import threading
import time
from collections.abc import Callable, Mapping

from mingwu.identity.secondlevel.desk import PrefixUse
from mingwu.identity.secondlevel.usagecounts import AskedOf
from mingwu.identity.usage.settings import UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.errors import NotFound


class LogUse:
    """Prefix → its use; callable from any thread. ``registered`` as for the statistics."""

    def __init__(
        self,
        settings: UsageSettings,
        registered: Callable[[], Mapping[str, int]],
        *,
        keep_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._registered = settings, registered
        self._keep_s, self._monotonic = keep_s, monotonic
        self._counting = threading.Lock()
        self._statistics: UsageStatistics | None = None
        self._until = 0.0
        self._known: Mapping[str, PrefixUse] = {}

    def __call__(self) -> Mapping[str, PrefixUse] | None:
        """The use of all prefixes that were asked or are registered; None without a log."""
        with self._counting:
            statistics = self._opened()
            if statistics is None:
                return None
            now = self._monotonic()
            if now >= self._until:
                self._known = self._count(statistics)
                self._until = now + self._keep_s
            return self._known

    def of_day(self, day: str) -> list[AskedOf] | None:
        """What was asked on a day, by prefix and network; None without a log."""
        with self._counting:
            statistics = self._opened()
        if statistics is None:
            return None
        return [
            AskedOf(
                prefix=one.prefix,
                source=one.network,
                requests=one.resolutions,
                successes=one.succeeded,
            )
            for one in statistics.of_day(day)
        ]

    def peak_of(self, day: str) -> tuple[int, int] | None:
        """The busiest second of a day: questions in it, and its time (ms); None for no question."""
        with self._counting:
            statistics = self._opened()
        return None if statistics is None else statistics.peak_of(day)

    def _opened(self) -> UsageStatistics | None:
        if self._statistics is None:
            try:
                self._statistics = UsageStatistics.beside(self._settings, self._registered)
            except NotFound:
                return None
        return self._statistics

    @staticmethod
    def _count(statistics: UsageStatistics) -> Mapping[str, PrefixUse]:
        today = {one.prefix: one.resolutions for one in statistics.today()}
        return {
            one.prefix: PrefixUse(
                requests=one.resolutions,
                foreign=one.resolved_by_others,
                today=today.get(one.prefix, 0),
            )
            for one in statistics.window().prefixes
        }
