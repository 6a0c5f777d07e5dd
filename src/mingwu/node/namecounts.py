"""How many names are registered under each prefix of the node, for statistics of their use."""

import threading
import time
from collections.abc import Callable, Mapping

from mingwu.identity.ownrecords import count_registered
from mingwu.identity.records import RecordStore


class NameCounts:
    """Counts of a store, believed for ``keep_s`` seconds; callable from any thread."""

    def __init__(
        self,
        store: RecordStore,
        *,
        keep_s: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._counting = threading.Lock()
        self._until = 0.0
        self._generation = -1
        self._counts: dict[str, int] = {}

    def __call__(self) -> Mapping[str, int]:
        """Prefix → number of names."""
        with self._counting:
            now, generation = self._monotonic(), self._store.generation
            if generation != self._generation and now >= self._until:
                prefixes = self._store.prefixes()
                self._counts = {one: count_registered(self._store, one) for one in prefixes}
                self._generation, self._until = generation, now + self._keep_s
            return self._counts
