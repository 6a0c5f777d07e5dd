"""What the writer says of itself, once a second on ``mw.status.writer.<name>``."""

import os
from pathlib import Path

import msgspec


class WriterStatus(msgspec.Struct, kw_only=True):
    """Counters are since the start.

    ``state``: ``starting`` (the history or the bus is awaited), ``running``, ``stalled`` (an
    insert fails; ``error`` and ``next`` say why and what to do). ``waiting`` messages are on the
    bus and not fetched; the oldest of those fetched and not stored is ``lag_s`` old.
    """

    name: str
    state: str = "starting"
    points: int = 0
    points_per_s: float = 0.0
    blocks: int = 0
    messages: int = 0
    repeated: int = 0
    malformed: int = 0
    suspect: int = 0
    missed: int = 0
    waiting: int = 0
    lag_s: float = 0.0
    insert_ms: float = 0.0
    longest_insert_ms: float = 0.0
    rss_bytes: int = 0
    error: str = ""
    next: str = ""


def rss_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
