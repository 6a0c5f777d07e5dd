"""Report by exception: which of many readings are worth telling. Vectorised, no I/O.

A reading is reported when its value moved by more than the band since the last report, when its
quality byte changed (status or reason), when its text changed, or when the last report is older
than the heartbeat. The band compares with the last *reported* value, so slow drift is not lost.
NaN equals NaN here: what makes a value NaN shows in its quality.
"""

import numpy as np
import numpy.typing as npt

from mingwu.kernel.batch import F64, I64, U8
from mingwu.kernel.plant import Deadband

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

_NEVER = np.iinfo(np.int64).min // 2
_NO_QUALITY = -1


def width(band: Deadband, low: float | None, high: float | None) -> float:
    """The band in engineering units: the wider of absolute and percent of the range.

    Percent needs both ends of the range; without them it counts as zero (report every change).
    """
    span = high - low if low is not None and high is not None else 0.0
    return max(band.absolute, abs(span) * band.percent / 100.0)


class Exceptions:
    """Last reports of n tags. ``band`` [n] in engineering units, ``heartbeat_ns`` [n]."""

    def __init__(self, band: F64, heartbeat_ns: I64) -> None:
        count = len(band)
        self.band = band
        self.heartbeat_ns = heartbeat_ns
        self.value: F64 = np.full(count, np.nan)
        self.quality: npt.NDArray[np.int16] = np.full(count, _NO_QUALITY, np.int16)
        self.reported_ns: I64 = np.full(count, _NEVER, np.int64)
        # Whether the last selection saw a change of quality.
        self.turned = False

    def select(
        self, value: F64, quality: U8, now_ns: int, *, rows: Rows | None = None, also: Mask | None
    ) -> Mask:
        """Which readings to report; they become the last reports.

        ``rows`` are the positions of the readings among the n tags, each at most once; None means
        all of them in order. ``also`` [readings] forces rows (a changed text).
        """
        if rows is None:
            turned = quality != self.quality
            mask = np.abs(value - self.value) > self.band
            mask |= self.reported_ns <= now_ns - self.heartbeat_ns
        else:
            turned = quality != self.quality[rows]
            mask = np.abs(value - self.value[rows]) > self.band[rows]
            mask |= self.reported_ns[rows] <= now_ns - self.heartbeat_ns[rows]
        self.turned = bool(turned.any())
        if self.turned:
            mask |= turned
        if also is not None:
            mask |= also
        self._remember(value, quality, now_ns, mask, rows)
        return mask

    def _remember(
        self, value: F64, quality: U8, now_ns: int, mask: Mask, rows: Rows | None
    ) -> None:
        if rows is None:
            np.copyto(self.value, value, where=mask)
            np.copyto(self.quality, quality, where=mask)
            self.reported_ns[mask] = now_ns
        else:
            told = rows[mask]
            self.value[told] = value[mask]
            self.quality[told] = quality[mask]
            self.reported_ns[told] = now_ns

    def overdue(self, now_ns: int) -> Rows:
        """Positions whose heartbeat is due although nothing was read (subscribed devices)."""
        late = self.reported_ns <= now_ns - self.heartbeat_ns
        late &= self.quality != _NO_QUALITY
        return np.flatnonzero(late)

    def forget(self) -> None:
        """Report everything at the next opportunity."""
        self.reported_ns.fill(_NEVER)

    def rearrange(self, order: Rows) -> None:
        """Renumber the tags: position i becomes what was at ``order[i]``."""
        for name in ("band", "heartbeat_ns", "value", "quality", "reported_ns"):
            setattr(self, name, getattr(self, name)[order])
