"""Gathers the reports of one device into batches of a sensible size.

Points per message is the largest lever of the whole data path (a thousand per message: 1.4 M
points/s on two cores; a hundred: 0.4 M), so small reads wait up to ``linger`` for each other.
Order is kept; a batch holds at most :data:`MOST_POINTS`.
"""

from collections.abc import Callable

import numpy as np

from mingwu.kernel.batch import Batch, Columns, concatenate

MOST_POINTS = 2000


class Coalescer:
    """Batches of one source. ``send(batch, transition)`` takes them away.

    ``transition`` tells that the batch holds a change of quality, which must not be thinned.
    """

    def __init__(
        self,
        source: str,
        boot: int,
        send: Callable[[Batch, bool], object],
        *,
        batch_points: int,
        linger_ns: int,
    ) -> None:
        self.source = source
        self.boot = boot
        self.seq = 0
        self._send = send
        self._batch_points = batch_points
        self._linger_ns = linger_ns
        self._parts: list[Columns] = []
        self._points = 0
        self._since_ns = 0
        self._transition = False

    def add(self, columns: Columns, now_ns: int, mono_ns: int, *, transition: bool) -> None:
        """Take reports; sends when there are enough or the first has waited long enough."""
        if not self._parts:
            self._since_ns = mono_ns
        self._parts.append(columns)
        self._points += len(columns)
        self._transition |= transition
        if self._points >= self._batch_points:
            self.flush(now_ns)
        else:
            self.tick(now_ns, mono_ns)

    def tick(self, now_ns: int, mono_ns: int) -> None:
        """Send what has waited long enough."""
        if self._parts and mono_ns - self._since_ns >= self._linger_ns:
            self.flush(now_ns)

    def flush(self, now_ns: int) -> None:
        """Send what there is."""
        if not self._parts:
            return
        columns = concatenate(self._parts)
        transition = self._transition
        self._parts, self._points, self._transition = [], 0, False
        for start in range(0, len(columns), MOST_POINTS):
            self.seq += 1
            part = columns
            if len(columns) > MOST_POINTS:
                part = columns.take(np.arange(start, min(start + MOST_POINTS, len(columns))))
            self._send(Batch(self.source, self.boot, self.seq, now_ns, part), transition)
