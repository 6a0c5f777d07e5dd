"""Last value of every tag, as the bus has seen it: numpy arrays indexed by tag number.

Implements :class:`mingwu.kernel.ports.LiveValues`. Invariants: a row of an older batch never
replaces one of a newer batch of the same source and boot (retries may arrive late); every change
raises :attr:`LastValues.revision`, and each tag remembers the revision that changed it last, so a
hub sends only what is new. Tag numbers come from the registry and are dense; numbers at or above
``max_tags`` are counted and ignored, so no message can make the arrays grow without bound.
"""

import numpy as np
import numpy.typing as npt

from mingwu.kernel.batch import F64, I64, U8, U32, Batch, Columns

_START = 1024


class LastValues:
    """The table. Not thread-safe: it belongs to one event loop."""

    def __init__(self, max_tags: int = 2_000_000) -> None:
        self.max_tags = max_tags
        self.revision = 0
        self.ignored = 0
        self._text: dict[int, str] = {}
        self._value: F64 = np.full(_START, np.nan)
        self._time: I64 = np.zeros(_START, np.int64)
        self._quality: U8 = np.zeros(_START, np.uint8)
        self._revision: I64 = np.zeros(_START, np.int64)
        self._boot: I64 = np.zeros(_START, np.int64)
        self._seq: I64 = np.zeros(_START, np.int64)

    def apply(self, batch: Batch) -> None:
        """Take the batch's rows; of several rows of one tag the last one counts."""
        columns = self._bounded(batch.columns)
        if len(columns) == 0:
            return
        tag = columns.tag
        fresh = (self._boot[tag] != batch.boot) | (self._seq[tag] <= batch.seq)
        if not fresh.all():
            columns = columns.take(fresh)
            tag = columns.tag
        self._boot[tag] = batch.boot
        self._seq[tag] = batch.seq
        self._store(columns)

    def seed(self, columns: Columns) -> None:
        """Take rows of tags that never reported (e.g. last values of the history at start)."""
        columns = self._bounded(columns)
        self._store(columns.take(self._time[columns.tag] == 0))

    def _store(self, columns: Columns) -> None:
        if len(columns) == 0:
            return
        tag = columns.tag
        self.revision += 1
        self._value[tag] = columns.value
        self._time[tag] = columns.time_ns
        self._quality[tag] = columns.quality
        self._revision[tag] = self.revision
        if self._text:
            for number in self._text.keys() & set(tag.tolist()):
                del self._text[number]
        for row, text in columns.text.items():
            self._text[int(tag[row])] = text

    def _bounded(self, columns: Columns) -> Columns:
        """The rows that fit; grows the arrays to hold them."""
        if len(columns) == 0:
            return columns
        top = int(columns.tag.max())
        if top >= self.max_tags:
            fits = columns.tag < self.max_tags
            self.ignored += len(columns) - int(fits.sum())
            columns = columns.take(fits)
            if len(columns) == 0:
                return columns
            top = int(columns.tag.max())
        if top >= len(self._value):
            self._grow(min(self.max_tags, max(top + 1, 2 * len(self._value))))
        return columns

    def _grow(self, size: int) -> None:
        more = size - len(self._value)
        self._value = np.concatenate([self._value, np.full(more, np.nan)])
        self._time = np.concatenate([self._time, np.zeros(more, np.int64)])
        self._quality = np.concatenate([self._quality, np.zeros(more, np.uint8)])
        self._revision = np.concatenate([self._revision, np.zeros(more, np.int64)])
        self._boot = np.concatenate([self._boot, np.zeros(more, np.int64)])
        self._seq = np.concatenate([self._seq, np.zeros(more, np.int64)])

    def get(self, number: int) -> tuple[float | str, int, int] | None:
        """(value, time_ns, quality) of a tag, or None if it never reported."""
        if not 0 <= number < len(self._time) or self._time[number] == 0:
            return None
        value = self._text[number] if number in self._text else float(self._value[number])
        return value, int(self._time[number]), int(self._quality[number])

    def columns(self, numbers: U32) -> tuple[F64, I64, U8]:
        """Values (NaN), times (0) and qualities (0 where nothing was ever reported)."""
        rows, known = self._rows(numbers)
        value, time, quality = self._value[rows], self._time[rows], self._quality[rows]
        if known is not None:
            value[~known], time[~known], quality[~known] = np.nan, 0, 0
        return value, time, quality

    def changed(self, numbers: U32, since: int) -> npt.NDArray[np.bool_]:
        """Which of the tags changed after revision ``since``."""
        rows, known = self._rows(numbers)
        mask: npt.NDArray[np.bool_] = self._revision[rows] > since
        if known is not None:
            mask &= known
        return mask

    def text(self, number: int) -> str | None:
        """The text of a text tag, None if it has none now."""
        return self._text.get(number)

    def _rows(self, numbers: U32) -> tuple[U32, npt.NDArray[np.bool_] | None]:
        """Rows to look at and, if some numbers lie outside the table, which are real."""
        if len(numbers) == 0 or int(numbers.max()) < len(self._time):
            return numbers, None
        known = numbers < len(self._time)
        return np.where(known, numbers, 0).astype(np.uint32), known
