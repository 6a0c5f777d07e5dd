"""What others resolved of carriers' names, from the signed usage log, for the carriers' platform.

The platform and the log do not know each other; here they meet.
"""

from collections.abc import Callable, Mapping

from mingwu.identity.carriers.queries import Asked
from mingwu.identity.usage.settings import UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.errors import NotFound


class CarrierUse:
    """Implements ``carriers.queries.QuerySource``; called by one thread at a time."""

    def __init__(
        self, settings: UsageSettings, registered: Callable[[], Mapping[str, int]]
    ) -> None:
        self._settings, self._registered = settings, registered
        self._statistics: UsageStatistics | None = None

    def __call__(self, names: Mapping[str, int], earliest_ms: int) -> Mapping[str, Asked]:
        """Nothing before the resolver began its log."""
        if self._statistics is None:
            try:
                self._statistics = UsageStatistics.beside(self._settings, self._registered)
            except NotFound:
                return {}
        found = self._statistics.asked_by_others(names, earliest_ms)
        return {name: Asked(one.times, one.last_ms, one.network) for name, one in found.items()}
