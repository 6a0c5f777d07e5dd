"""Small instruments: rates, durations, the log ring, what the process costs."""

import logging
import os
import time
from collections import deque
from pathlib import Path

from mingwu.edge.status import LogLine

_KEPT = 128
_LOG_LINES = 200
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 1024**2 if hasattr(os, "sysconf") else 0.0
_STATM = Path("/proc/self/statm")


class Rate:
    """Turns a total into a rate between two looks."""

    def __init__(self) -> None:
        self.total = 0
        self._seen = 0

    def per_second(self, elapsed_s: float) -> float:
        """Rate since the last call, which was ``elapsed_s`` ago."""
        more, self._seen = self.total - self._seen, self.total
        return round(more / elapsed_s, 1) if elapsed_s > 0 else 0.0


class Durations:
    """The last durations, ns; answers percentiles in ms."""

    def __init__(self) -> None:
        self._kept: deque[int] = deque(maxlen=_KEPT)

    def add(self, duration_ns: int) -> None:
        self._kept.append(duration_ns)

    def percentiles_ms(self) -> tuple[float, float]:
        """(p50, p99), zero if nothing was measured."""
        if not self._kept:
            return 0.0, 0.0
        ordered = sorted(self._kept)
        last = len(ordered) - 1
        return round(ordered[last // 2] / 1e6, 3), round(ordered[round(last * 0.99)] / 1e6, 3)


class LogRing(logging.Handler):
    """Keeps the last lines of the loggers it is attached to."""

    NAMES = ("mingwu.edge", "mingwu.field", "mingwu.bus")

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[LogLine] = deque(maxlen=_LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(
            LogLine(
                time_ns=int(record.created * 1e9),
                level=record.levelname,
                text=record.getMessage()[:500],
            )
        )

    def attach(self) -> None:
        """Listen to the gateway's loggers."""
        for name in self.NAMES:
            logging.getLogger(name).addHandler(self)

    def detach(self) -> None:
        """Stop listening."""
        for name in self.NAMES:
            logging.getLogger(name).removeHandler(self)


class ProcessCost:
    """What this process uses."""

    def __init__(self) -> None:
        self._cpu_s = time.process_time()

    def cpu_share(self, elapsed_s: float) -> float:
        """Share of one core since the last call, which was ``elapsed_s`` ago."""
        now = time.process_time()
        used, self._cpu_s = now - self._cpu_s, now
        return round(used / elapsed_s, 4) if elapsed_s > 0 else 0.0

    @staticmethod
    def rss_mib() -> float:
        """Resident memory, MiB; 0 where the system does not tell."""
        try:
            return round(int(_STATM.read_text("ascii").split()[1]) * _PAGE_MIB, 1)
        except OSError:
            return 0.0
