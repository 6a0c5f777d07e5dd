"""Values and times as applications write them (JSON, SQL) to points.

Drivers of devices with typed registers do not need this; those that read what some program wrote
do: numbers as text, booleans as words, times as ISO text or as a number of unknown unit. Nothing
here raises for a bad value: it gives a bad quality with the reason.
"""

from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

import orjson

from mingwu.kernel.plant import ValueType
from mingwu.kernel.quality import Reason, bad

NAN = float("nan")
SECOND_NS = 1_000_000_000
MAX_NS = 2**63 - 1
Point = tuple[float, int, str | None]
"""(value, quality, text)."""


class TimeFormat(StrEnum):
    """How a time is written."""

    AUTO = "auto"
    ISO = "iso"
    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"


_UNIT_NS = {
    TimeFormat.SECONDS: SECOND_NS,
    TimeFormat.MILLISECONDS: 1_000_000,
    TimeFormat.MICROSECONDS: 1_000,
    TimeFormat.NANOSECONDS: 1,
}
# a number of at least so much is ns, us, ms since 1970 (as seconds it lay beyond the year 5138)
_AUTO = (
    (1e17, TimeFormat.NANOSECONDS),
    (1e14, TimeFormat.MICROSECONDS),
    (1e11, TimeFormat.MILLISECONDS),
)
_TRUE = {"true", "on", "yes", "1"}
_FALSE = {"false", "off", "no", "0"}


def to_point(found: object, kind: ValueType, scale: float, offset: float, quality: int) -> Point:
    """A point from a found value; ``quality`` is what a convertible value gets."""
    if found is None:
        return NAN, bad(Reason.NOT_A_NUMBER), None
    if kind is ValueType.TEXT:
        return _text(found, quality)
    value = _number(found, kind)
    if value is None:
        return NAN, bad(Reason.CONVERSION), None
    if value - value != 0:  # infinite or not a number
        return NAN, bad(Reason.NOT_A_NUMBER), None
    if kind is ValueType.BOOL:
        return float(value != 0), quality, None
    return value * scale + offset, quality, None


def to_ns(found: object, form: TimeFormat = TimeFormat.AUTO, zone: tzinfo = UTC) -> int | None:
    """Nanoseconds since the epoch, or None for what is no time; ``zone`` is that of naive times."""
    try:
        time_ns = _to_ns(found, form, zone)
    except (ValueError, OverflowError):
        return None
    return time_ns if time_ns is not None and 0 <= time_ns <= MAX_NS else None


def _to_ns(found: object, form: TimeFormat, zone: tzinfo) -> int | None:
    if isinstance(found, str) and form in (TimeFormat.AUTO, TimeFormat.ISO):
        found = datetime.fromisoformat(found)
    if isinstance(found, datetime):
        return _moment_ns(found, zone)
    if isinstance(found, str | Decimal):
        found = float(found)
    if isinstance(found, bool) or not isinstance(found, int | float) or form is TimeFormat.ISO:
        return None
    if form is TimeFormat.AUTO:
        form = next((unit for limit, unit in _AUTO if found >= limit), TimeFormat.SECONDS)
    unit = _UNIT_NS[form]
    if isinstance(found, int):
        return found * unit
    # a float of seconds since 1970 is exact to the microsecond at best
    return round(found * unit / 1000) * 1000


def _moment_ns(moment: datetime, zone: tzinfo) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def _text(found: object, quality: int) -> Point:
    if isinstance(found, str):
        return NAN, quality, found
    if isinstance(found, date):
        return NAN, quality, found.isoformat()
    if isinstance(found, bool | int | float | list | dict):
        return NAN, quality, orjson.dumps(found).decode()
    if isinstance(found, bytes):
        return NAN, bad(Reason.CONVERSION), None
    return NAN, quality, str(found)


def _number(found: object, kind: ValueType) -> float | None:
    if isinstance(found, str):
        word = found.strip().lower()
        if kind is ValueType.BOOL and word in _TRUE | _FALSE:
            return float(word in _TRUE)
        try:
            found = float(word)
        except ValueError:
            return None
    if isinstance(found, datetime):
        return _moment_ns(found, UTC) / SECOND_NS
    if not isinstance(found, bool | int | float | Decimal):
        return None
    try:
        return float(found)
    except (OverflowError, ValueError):  # too large; a Decimal's signalling NaN
        return None
