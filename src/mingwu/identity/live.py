"""Live values: handle values whose data is computed when somebody asks.

The stored part (:class:`LiveSource`) names a tag; the answer carries JSON
``{"tag","value","unit","time","quality","simulated"}`` with the tag's last value, its source time
(ISO 8601, milliseconds), the quality's name and the simulated mark, and a ttl of about a second.
A tag that never reported answers with value null and quality "bad".
"""

import math
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from mingwu.kernel.names import fold
from mingwu.kernel.plant import ValueType
from mingwu.kernel.ports import LiveValues
from mingwu.kernel.quality import is_simulated, status_name
from mingwu.wire.handle.values import HandleValue

LIVE_TYPE = "MW.LIVE"
TYPE_PREFIX = LIVE_TYPE + "."
FIRST_INDEX = 100_000
_SAFE_INTEGER = 2.0**53


class LiveSource(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the store keeps of a live value; ``number`` is the tag's number."""

    index: int
    number: int
    tag: str
    unit: str
    type: ValueType = ValueType.FLOAT
    simulated: bool = False

    @property
    def handle_type(self) -> str:
        """Type of the handle value, e.g. ``MW.LIVE.die_temperature``."""
        return TYPE_PREFIX + self.tag


class LiveData(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON that a live value carries."""

    tag: str
    value: float | int | bool | str | None
    unit: str
    time: str | None
    quality: str
    simulated: bool


_encode = msgspec.json.Encoder().encode


class NoLiveValues:
    """Stands in where no bus is connected: nothing ever reported."""

    def get(self, number: int) -> tuple[float | str, int, int] | None:
        """Nothing is known of any tag."""
        del number
        return None  # noqa: RET501 - the answer is None, not the absence of one


def is_live(kind: str) -> bool:
    """Whether a value of this type is computed when somebody asks, and so never signed."""
    return fold(kind) == LIVE_TYPE or fold(kind).startswith(TYPE_PREFIX)


def plain_value(value: float | str, kind: ValueType) -> float | int | bool | str | None:
    """A value as JSON has it; null for what is no number."""
    if isinstance(value, str):
        return value
    if math.isnan(value) or math.isinf(value):
        return None
    if kind is ValueType.BOOL:
        return bool(value)
    if kind is ValueType.INT and abs(value) <= _SAFE_INTEGER:
        return round(value)
    return value


@lru_cache(4096)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_ms(time_ns: int) -> str:
    """Nanoseconds since the epoch as ISO 8601 UTC with milliseconds."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{_iso_second(seconds)}.{rest // 1_000_000:03d}Z"


def live_data(source: LiveSource, last: tuple[float | str, int, int] | None) -> LiveData:
    """What to tell about a tag whose last report was (value, time_ns, quality)."""
    if last is None:
        return LiveData(
            tag=source.tag, value=None, unit=source.unit, time=None, quality="bad",
            simulated=source.simulated,
        )  # fmt: skip
    value, time_ns, quality = last
    return LiveData(
        tag=source.tag,
        value=plain_value(value, source.type),
        unit=source.unit,
        time=iso_ms(time_ns),
        quality=status_name(quality),
        simulated=source.simulated or is_simulated(quality),
    )


def live_value(source: LiveSource, live: "LiveGetter", ttl_s: int, now: int) -> HandleValue:
    """The handle value of ``source`` at this moment; ``now`` in seconds since the epoch."""
    last = live.get(source.number)
    stamp = last[1] // 1_000_000_000 if last else now
    return HandleValue(
        index=source.index,
        type=source.handle_type,
        data=_encode(live_data(source, last)),
        ttl=ttl_s,
        timestamp=stamp,
    )


LiveGetter = LiveValues | NoLiveValues
