"""Time as a parameter: code that waits or stamps takes a Clock, so tests own the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in ns since the epoch (UTC) and a monotonic time in ns."""

    def time_ns(self) -> int: ...
    def monotonic_ns(self) -> int: ...


class SystemClock:
    """The machine's clocks."""

    def time_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
