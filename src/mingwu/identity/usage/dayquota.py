"""Holding the daily quotas of tenants where questions are answered.

The second-level node tells its tenants' limits through the record store. What the log writes down
is counted against them in the same moment, by the thread that writes; who has used up its limit is
refused from the next question on. The log is written at the latest when as many notes wait as the
nearest tenant has left, but not for fewer than :data:`FEWEST`: so many answers may be given beyond
a limit. Answering itself costs nothing more.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from mingwu.identity.records import RecordStore
from mingwu.identity.usage.causes import Cause
from mingwu.identity.usage.segment import Entries, begun, path_of, read_head, read_segment
from mingwu.identity.usage.settings import UsageSettings
from mingwu.wire.handle.codes import Op

FEWEST = 256
_PLENTY = 2**31
_DAY_S = 86_400


def asked_of(entries: Entries, prefixes: list[str]) -> Counter[str]:
    """Counted resolutions (of clients and owners) by prefix; ``prefixes``: the segment's table."""
    mine = (entries["op"] == Op.RESOLVE) & (entries["cause"] <= Cause.OWNER)
    rows, numbers = np.unique(entries["prefix"][mine], return_counts=True)
    return Counter({prefixes[row]: int(number) for row, number in zip(rows, numbers, strict=True)})


class DayQuota:
    """Counts and holds. For the process that writes the log; from several threads."""

    def __init__(
        self, store: RecordStore, settings: UsageSettings, now: Callable[[], float] = time.time
    ) -> None:
        self._store, self._settings, self._now = store, settings, now
        self._guard = threading.Lock()
        self._day = self._today()
        self._used: Counter[str] = Counter()
        self._limits: Mapping[str, tuple[str, int]] = {}  # by folded prefix, as the log has it
        self._left: dict[str, int] = {}
        self._least = _PLENTY
        store.held = self.held
        self.follow()

    def held(self) -> frozenset[str]:
        """Prefixes (folded) of tenants that have used up their day."""
        with self._guard:
            spent = {tenant for tenant, left in self._left.items() if left <= 0}
            return frozenset(one for one, (tenant, _) in self._limits.items() if tenant in spent)

    def follow(self) -> None:
        """Take over changed limits, and a new day; called now and then."""
        limits = self._store.limits()
        with self._guard:
            self._limits = limits
            self._judge()
        self._store.follow_refused()

    @property
    def room(self) -> int:
        """How many notes may wait until the log is written."""
        return max(FEWEST, self._least)

    def counted(self, asked: Mapping[str, int]) -> None:
        """Take what the log wrote down just now."""
        with self._guard:
            if self._day != self._today():
                self._judge()
            is_spent = False
            for prefix, number in asked.items():
                if prefix not in self._limits:
                    continue
                self._used[prefix] += number
                tenant, _ = self._limits[prefix]
                had = self._left.get(tenant, 0)
                if had > 0:  # else it is refused already
                    left = self._left[tenant] = had - number
                    self._least = min(self._least, left)
                    is_spent = is_spent or left <= 0
            if is_spent:
                self._judge()
        if is_spent:
            self._store.refused |= self.held()

    def count_earlier(self, number: int) -> None:
        """Count what was asked today before segment ``number`` began. Reads the log: blocks."""
        directory, start_ms = Path(self._settings.directory), self._day_start_ms()
        paths = [path for path in begun(directory) if path < path_of(directory, number)]
        starts = [read_head(path).start_ms for path in paths]
        for path, (_, end_ms) in zip(paths, pairwise([*starts, _PLENTY**2]), strict=True):
            if end_ms < start_ms:
                continue
            segment = read_segment(path.read_bytes(), torn=True)
            late = segment.entries["offset_ms"].astype(np.int64) + segment.head.start_ms >= start_ms
            found = asked_of(segment.entries[late], segment.prefixes)
            with self._guard:
                if start_ms == self._day_start_ms():
                    self._used.update({one: found[one] for one in found.keys() & self._limits})
        self.follow()

    def _judge(self) -> None:
        """Work out anew what each tenant has left."""
        if self._day != self._today():
            self._day, self._used = self._today(), Counter()
        left: dict[str, int] = {}
        for prefix, (tenant, limit) in self._limits.items():
            left[tenant] = left.get(tenant, limit) - self._used[prefix]
        self._left = left
        self._least = min((one for one in left.values() if one > 0), default=_PLENTY)

    def _today(self) -> int:
        return int(self._now() + self._settings.day_offset_s) // _DAY_S

    def _day_start_ms(self) -> int:
        return (self._today() * _DAY_S - self._settings.day_offset_s) * 1000
