"""When to read what: absolute deadlines, phases, overruns, back-off. Pure, no clock of its own.

A period's deadlines are ``phase + k × period``; a late read does not shift the later ones. A read
that ends after one or more deadlines of its own have passed skips these and counts them: nothing
ever queues. Times are ns of any one monotonic clock.
"""

import heapq
import random
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
_GOLDEN = 0.6180339887498949


def phase_ns(index: int, period_ns: int) -> int:
    """Offset of the ``index``-th plan: spreads any number of plans evenly over the period."""
    return int((index * _GOLDEN) % 1.0 * period_ns)


@dataclass(slots=True, eq=False)
class Slot(Generic[K]):
    """A recurring (``period_ns`` > 0) or single (0) occasion."""

    key: K
    period_ns: int
    next_ns: int


class Schedule(Generic[K]):
    """Occasions in the order of their deadlines."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Slot[K]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def every(self, key: K, period_ns: int, first_ns: int) -> None:
        """Add a recurring occasion whose first deadline is ``first_ns``."""
        self._push(Slot(key, period_ns, first_ns))

    def once(self, key: K, at_ns: int) -> None:
        """Add a single occasion."""
        self._push(Slot(key, 0, at_ns))

    def first_ns(self) -> int | None:
        """The earliest deadline, None if there is nothing to do."""
        return self._heap[0][0] if self._heap else None

    def take(self) -> Slot[K]:
        """The occasion with the earliest deadline, removed."""
        return heapq.heappop(self._heap)[2]

    def done(self, slot: Slot[K], now_ns: int) -> int:
        """Put a recurring occasion back; the number of its deadlines that passed unused."""
        slot.next_ns += slot.period_ns
        skipped = 0
        if slot.next_ns < now_ns:
            skipped = -(-(now_ns - slot.next_ns) // slot.period_ns)
            slot.next_ns += skipped * slot.period_ns
        self._push(slot)
        return skipped

    def drop(self, keys: set[K]) -> None:
        """Remove all occasions of these keys."""
        self._heap = [entry for entry in self._heap if entry[2].key not in keys]
        heapq.heapify(self._heap)

    def _push(self, slot: Slot[K]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (slot.next_ns, self._count, slot))


class Backoff:
    """Pauses that double, with jitter, so that devices lost together do not return together."""

    def __init__(self, least_s: float, most_s: float, chance: random.Random) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._chance = chance
        self._pause_s = least_s

    def next_s(self) -> float:
        """The next pause: between half and the whole of the present step."""
        pause = self._pause_s * self._chance.uniform(0.5, 1.0)
        self._pause_s = min(self._pause_s * 2, self._most_s)
        return pause

    def reset(self) -> None:
        """After a success."""
        self._pause_s = self._least_s
