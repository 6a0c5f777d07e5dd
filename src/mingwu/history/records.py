"""What the history answers with: numpy columns, never rows."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from mingwu.kernel.batch import F64, I64, U8
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import BAD, GOOD, UNCERTAIN

U64 = npt.NDArray[np.uint64]


class Method(StrEnum):
    """How a series is thinned. ``minmax`` and ``avg`` give one row per bucket (mean and extremes);
    ``lttb`` keeps the points that draw the same line.
    """

    MINMAX = "minmax"
    AVG = "avg"
    LTTB = "lttb"


@dataclass(frozen=True, slots=True)
class Series:
    """A thinned series in time order.

    ``time_ns`` is the time of the first point of a bucket (its minute, from the rollup), so it is
    exact where a bucket holds one point. ``value`` is the mean of the usable points (NaN if none),
    ``low`` and ``high`` their extremes (empty for lttb). ``quality`` is good only if every point
    of the bucket is good, bad if none is usable; it carries the simulated mark of any point.
    ``points`` raw points stand behind the whole series; ``source`` is ``points`` or ``minute``.
    """

    time_ns: I64
    value: F64
    low: F64
    high: F64
    count: U64
    quality: U8
    points: int
    source: str
    bucket_ms: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """Points of one tag, each with the newest point of another not after it (time 0: none)."""

    time_ns: I64
    value: F64
    quality: U8
    other_time_ns: I64
    other_value: F64
    other_quality: U8


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a tag must report: at the latest after ``period_ms`` or the heartbeat, the longer."""

    tag: int
    period_ms: int
    heartbeat_s: float
    text: bool = False

    @classmethod
    def of(cls, tag: TagSpec) -> "Schedule":
        return cls(
            tag=tag.number,
            period_ms=tag.period_ms,
            heartbeat_s=tag.deadband.heartbeat_s,
            text=tag.type is ValueType.TEXT,
        )

    @property
    def interval_ms(self) -> int:
        """The longest silence that misses nothing."""
        return max(self.period_ms, round(self.heartbeat_s * 1000))


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """Received ÷ expected of one tag in a window.

    ``expected`` reports: window ÷ interval of the tag's schedule, at least 1. ``received``:
    expected less what its silences miss, where only usable points (status not bad, a number)
    break a silence; reporting more often than expected counts no more. ``points`` and ``good``
    count what is stored.
    """

    tag: int
    received: int
    expected: int
    points: int
    good: int
    longest_gap_s: float

    @property
    def ratio(self) -> float:
        """In [0, 1]."""
        return self.received / self.expected


class TableSize(msgspec.Struct, frozen=True, kw_only=True):
    """Of one table: rows, bytes on disk, active parts."""

    table: str
    rows: int
    bytes: int
    parts: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The history at a glance. ``bytes_per_point`` covers the raw points only."""

    points: int
    bytes: int
    bytes_per_point: float
    first_ns: int
    last_ns: int
    free_bytes: int
    total_bytes: int
    tables: tuple[TableSize, ...]


def bucket_quality(points: U64, good: U64, used: U64, marks: U8) -> U8:
    """The quality of buckets from their counts (see :class:`Series`)."""
    status = np.where(good == points, GOOD, np.where(used > 0, UNCERTAIN, BAD)).astype(np.uint8)
    quality: U8 = status | marks.astype(np.uint8)
    return quality
