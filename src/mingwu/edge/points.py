"""The points of one plan: judged, then reported by exception. Arrays only, no loop over points.

Order of judgement: the simulated mark of a simulated device is enforced; a value that is no
number is bad (NOT_A_NUMBER); a good value outside its declared range is uncertain (OUT_OF_RANGE);
a source time before 2000 or too far ahead is replaced by the gateway's and the point is uncertain
(TIME_SUSPECT). Bad points keep the driver's reason.

Invariant: what :meth:`Points.take` returns owns its arrays; drivers may reuse theirs.
"""

from collections.abc import Sequence

import numpy as np

from mingwu.calc.deadband import Exceptions, Mask, Rows, width
from mingwu.kernel.batch import F64, I64, U8, U32, Columns, concatenate
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import (
    BAD,
    GOOD,
    SIMULATED,
    STATUS_MASK,
    Reason,
    bad,
    uncertain,
)

YEAR_2000_NS = 946_684_800_000_000_000


class Points:
    """State of the tags of one plan."""

    def __init__(self, tags: Sequence[TagSpec], *, simulated: bool, future_ns: int) -> None:
        self.numbers: U32 = np.array([tag.number for tag in tags], np.uint32)
        self.unknown = 0
        self._mark = SIMULATED if simulated else 0
        self._future_ns = future_ns
        nan = float("nan")
        self._low: F64 = np.array([nan if t.low is None else t.low for t in tags], np.float64)
        self._high: F64 = np.array([nan if t.high is None else t.high for t in tags], np.float64)
        self._is_text: Mask = np.array([t.type is ValueType.TEXT for t in tags], np.bool_)
        self._any_text = bool(self._is_text.any())
        self._text: dict[int, str] = {}
        bands = [width(tag.deadband, tag.low, tag.high) for tag in tags]
        beats = [int(tag.deadband.heartbeat_s * 1e9) for tag in tags]
        self._told = Exceptions(np.array(bands, np.float64), np.array(beats, np.int64))
        self._sort()

    def __len__(self) -> int:
        return len(self.numbers)

    def _sort(self) -> None:
        self._order: Rows = np.argsort(self.numbers, kind="stable")
        self._sorted: U32 = self.numbers[self._order]

    @property
    def turned(self) -> bool:
        """Whether the last :meth:`take` or :meth:`lose` saw a quality change."""
        return self._told.turned

    @property
    def bad(self) -> int:
        """How many tags were last reported bad."""
        quality = self._told.quality
        return int(np.count_nonzero((quality >= 0) & ((quality & STATUS_MASK) == BAD)))

    def take(self, columns: Columns, now_ns: int) -> Columns | None:
        """What of a read is to be reported, judged; None if nothing is."""
        tag = columns.tag
        if len(tag) == 0:
            return None
        if len(tag) == len(self.numbers) and (
            tag is self.numbers or bool((tag == self.numbers).all())
        ):
            return self._take(columns, None, now_ns)
        rows, known = self._locate(tag)
        if not known.all():
            self.unknown += len(known) - int(known.sum())
            columns, rows = columns.take(known), rows[known]
        if len(rows) == 0:
            return None
        counts = np.bincount(rows, minlength=len(self.numbers))
        if counts.max() > 1:
            return self._take_repeated(columns, rows, now_ns)
        if len(rows) == len(self.numbers):
            self._adopt(rows)
            return self._take(columns, None, now_ns)
        return self._take(columns, rows, now_ns)

    def lose(self, reason: Reason, now_ns: int) -> Columns | None:
        """Every tag that is not bad with this reason becomes so; None if all are."""
        count = len(self.numbers)
        columns = Columns(
            self.numbers,
            np.full(count, now_ns, np.int64),
            np.full(count, np.nan),
            np.full(count, bad(reason), np.uint8),
        )
        beats = self._told.heartbeat_ns
        # A lost device has nothing to say: its heartbeat is silent, the transition is told once.
        self._told.heartbeat_ns = np.full(count, np.iinfo(np.int64).max // 4, np.int64)
        try:
            return self._take(columns, None, now_ns)
        finally:
            self._told.heartbeat_ns = beats

    def remind(self, now_ns: int) -> Columns | None:
        """Last reports whose heartbeat is due, as of now (for devices that only tell changes)."""
        rows = self._told.overdue(now_ns)
        if len(rows) == 0:
            return None
        self._told.reported_ns[rows] = now_ns
        text = {at: self._text[row] for at, row in enumerate(rows.tolist()) if row in self._text}
        return Columns(
            self.numbers[rows],
            np.full(len(rows), now_ns, np.int64),
            self._told.value[rows],
            self._told.quality[rows].astype(np.uint8),
            text,
        )

    def forget(self) -> None:
        """Report everything at the next opportunity."""
        self._told.forget()

    def _locate(self, tag: U32) -> tuple[Rows, Mask]:
        """Positions of tag numbers among ours and which are ours at all."""
        at = np.searchsorted(self._sorted, tag)
        at[at == len(self._sorted)] = 0
        return self._order[at], self._sorted[at] == tag

    def _adopt(self, rows: Rows) -> None:
        """Take over the driver's order of all tags, so that later reads need no look-up."""
        self.numbers = self.numbers[rows]
        self._low, self._high = self._low[rows], self._high[rows]
        self._is_text = self._is_text[rows]
        self._told.rearrange(rows)
        places = {old: new for new, old in enumerate(rows.tolist())}
        self._text = {places[row]: words for row, words in self._text.items()}
        self._sort()

    def _take_repeated(self, columns: Columns, rows: Rows, now_ns: int) -> Columns | None:
        """Several readings of one tag: first readings first, each judged against the last."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        lengths = np.diff(np.r_[starts, len(ordered)])
        rank = np.empty(len(rows), np.intp)
        rank[order] = np.arange(len(rows)) - np.repeat(starts, lengths)
        found = []
        for turn in range(int(lengths.max())):
            of_turn = np.flatnonzero(rank == turn)
            part = self._take(columns.take(of_turn), rows[of_turn], now_ns)
            if part is not None:
                found.append(part)
        return concatenate(found) if found else None

    def _take(self, columns: Columns, rows: Rows | None, now_ns: int) -> Columns | None:
        value, quality = self._judge(columns, rows)
        times, quality = self._believe(columns.time_ns, quality, now_ns)
        also = self._changed_texts(columns, rows) if columns.text else None
        mask = self._told.select(value, quality, now_ns, rows=rows, also=also)
        count = np.count_nonzero(mask)
        if count == 0:
            return None
        text = columns.text
        if count == len(mask):
            return Columns(
                columns.tag.copy(), times.copy(), value.copy(), quality.copy(), dict(text)
            )
        if not text:
            return Columns(columns.tag[mask], times[mask], value[mask], quality[mask])
        return Columns(columns.tag, times, value, quality, text).take(mask)

    def _judge(self, columns: Columns, rows: Rows | None) -> tuple[F64, U8]:
        """Numbers and ranges. Copies a column before it changes it."""
        value, quality = columns.value, columns.quality
        if self._mark:
            quality = _marked(quality, self._mark)
        low, high = (self._low, self._high) if rows is None else (self._low[rows], self._high[rows])
        odd = ~np.isfinite(value)
        if odd.any():
            if self._any_text:
                odd &= ~(self._is_text if rows is None else self._is_text[rows])
            wrong = odd & ((quality & STATUS_MASK) != BAD)
            quality = _requalify(quality, wrong, bad(Reason.NOT_A_NUMBER))
            value = np.where(odd, np.nan, value)
        outside = (value < low) | (value > high)
        if outside.any():
            outside &= (quality & STATUS_MASK) == GOOD
            quality = _requalify(quality, outside, uncertain(Reason.OUT_OF_RANGE))
        return value, quality

    def _believe(self, times: I64, quality: U8, now_ns: int) -> tuple[I64, U8]:
        """Source times within reason, others replaced by the gateway's."""
        latest = now_ns + self._future_ns
        if times.min() >= YEAR_2000_NS and times.max() <= latest:
            return times, quality
        wrong = (times < YEAR_2000_NS) | (times > latest)
        suspect = wrong & ((quality & STATUS_MASK) == GOOD)
        return (
            np.where(wrong, now_ns, times),
            _requalify(quality, suspect, uncertain(Reason.TIME_SUSPECT)),
        )

    def _changed_texts(self, columns: Columns, rows: Rows | None) -> Mask:
        changed = np.zeros(len(columns), np.bool_)
        for at, words in columns.text.items():
            row = at if rows is None else int(rows[at])
            if self._text.get(row) != words:
                changed[at] = True
                self._text[row] = words
        return changed


def _marked(quality: U8, mark: int) -> U8:
    marked: U8 = np.bitwise_or(quality, np.uint8(mark))
    return marked


def _requalify(quality: U8, rows: Mask, new: int) -> U8:
    """``new`` in these rows, their simulated mark kept."""
    changed = quality.copy()
    changed[rows] = (changed[rows] & SIMULATED) | new
    return changed
