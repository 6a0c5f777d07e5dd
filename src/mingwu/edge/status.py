"""The gateway's status document: ``mw.status.gateway.<name>``, JSON, once a second.

The console's gateway page, the supervisor and the tests read it; fields are only ever added.
Rates are of the last second, totals since the start of the gateway, times in ns since the epoch.
"""

from enum import StrEnum

import msgspec

from mingwu.kernel.errors import MingwuError


class DeviceState(StrEnum):
    """``connecting`` before the first success, ``online``, ``lost`` (being retried), ``idle``
    (did not start and is left alone, or has no tags), ``faulty`` (declared wrongly), ``stopped``.
    """

    CONNECTING = "connecting"
    ONLINE = "online"
    LOST = "lost"
    IDLE = "idle"
    FAULTY = "faulty"
    STOPPED = "stopped"


class BufferState(StrEnum):
    """``ok``; ``holding`` (the bus does not take batches now); ``thinning`` (older batches are
    being left out); ``full`` (new batches are not kept).
    """

    OK = "ok"
    HOLDING = "holding"
    THINNING = "thinning"
    FULL = "full"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error as people read it, with its next step, in both languages."""

    code: str
    time_ns: int
    en: str
    zh: str
    next_en: str
    next_zh: str
    # Whether it is over.
    over: bool = False


class DeviceStatus(msgspec.Struct, kw_only=True):
    """One device."""

    name: str
    thing: str
    driver: str
    line: str
    state: DeviceState
    # "poll" or "subscribe"
    mode: str = "poll"
    simulated: bool = False
    tags: int = 0
    bad_tags: int = 0
    # Points per second.
    read_per_s: float = 0.0
    reported_per_s: float = 0.0
    read: int = 0
    reported: int = 0
    # Reads that were skipped because the one before had not ended.
    overruns: int = 0
    lost: int = 0
    # Duration of a read, ms, over the last 128 reads.
    latency_p50_ms: float = 0.0
    latency_p99_ms: float = 0.0
    last_read_ns: int = 0
    retry_in_s: float = 0.0
    error: Fault | None = None


class BufferStatus(msgspec.Struct, kw_only=True):
    """Batches between the gateway and the bus's acknowledgement."""

    state: BufferState = BufferState.OK
    batches: int = 0
    bytes: int = 0
    limit_bytes: int = 0
    in_flight: int = 0
    oldest_s: float = 0.0
    acked_batches: int = 0
    acked_points: int = 0
    # Batches sent more than once.
    retried: int = 0
    thinned_points: int = 0
    dropped_points: int = 0
    # From handing over to acknowledgement, ms.
    ack_p50_ms: float = 0.0
    ack_p99_ms: float = 0.0
    error: Fault | None = None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the gateway's log."""

    time_ns: int
    level: str
    text: str


class GatewayStatus(msgspec.Struct, kw_only=True):
    """The document."""

    name: str
    boot: int
    time_ns: int
    uptime_s: float
    bus_connected: bool
    read_per_s: float = 0.0
    reported_per_s: float = 0.0
    # Of the whole process: share of one core in the last second, resident memory in MiB.
    cpu_share: float = 0.0
    rss_mib: float = 0.0
    devices: list[DeviceStatus] = []
    buffer: BufferStatus = msgspec.field(default_factory=BufferStatus)
    log: list[LogLine] = []


def fault_of(error: MingwuError, time_ns: int) -> Fault:
    """The error as it stands in the document."""
    return Fault(
        code=error.code,
        time_ns=time_ns,
        en=error.text("en"),
        zh=error.text("zh"),
        next_en=error.next_step("en"),
        next_zh=error.next_step("zh"),
    )
