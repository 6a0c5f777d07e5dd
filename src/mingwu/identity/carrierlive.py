"""What an active carrier (主动标识载体) answers besides its registered values: the one trust rule.

A carrier's record has one live value more than those it was registered with, type ``MW.LIVE``: how
it stands (state, trusted or the reason, when it was registered, reported, measured). In a trusted
state each reading follows as ``MW.LIVE.<reading>`` with time, quality, and the number and SHA-256
of the signed report that brought it; otherwise there are no readings. Unpublished ones carry no
right to public reading, so they are told as restricted values are. Discovery queries
(``identity.carriers``) and resolution decide by the same :func:`distrust`. Rows in, values out.
"""

from collections.abc import Callable

import msgspec

from mingwu.identity.live import LIVE_TYPE, TYPE_PREFIX, iso_ms, plain_value
from mingwu.kernel.plant import ValueType
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS, PUBLIC_READ
from mingwu.wire.handle.values import HandleValue

STATE_INDEX = 700
FIRST_READING_INDEX = 701
CARRIER_INDEXES = range(700, 1000)
MOST_READINGS = CARRIER_INDEXES.stop - FIRST_READING_INDEX
_NS_PER_MS = 1_000_000
_GRANTED_ONLY = DEFAULT_PERMISSIONS & ~PUBLIC_READ

SERIAL_TYPES = frozenset({"carrier.serial", "MW.CARRIER.SERIAL"})
"""A public value of one of these types makes a record that of a carrier."""


class CarrierReading(msgspec.Struct, frozen=True, array_like=True):
    """A reading with its origin; ``place`` is its number within the carrier, given once.

    One that is not public is told like a restricted value: to whom it was granted.
    """

    place: int
    name: str
    value: float | str
    unit: str
    time_ns: int
    counter: int
    digest: str
    is_public: bool = True


class CarrierRow(msgspec.Struct, frozen=True, array_like=True):
    """A carrier as the secure access platform knows it. Times in ms since the epoch, 0 for never.

    ``state`` as the record shows it; ``is_active``: registered and written back; ``blocked``: why
    it may not report, else empty; ``counter`` and ``digest`` of the last report with readings.
    """

    serial: str
    state: str
    is_active: bool
    blocked: str
    simulated: bool
    registered_ms: int
    reported_ms: int
    sampled_ms: int
    expires_ms: int
    fresh_ms: int
    counter: int
    digest: str
    readings: tuple[CarrierReading, ...] = ()


class CarrierState(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of the value ``MW.LIVE``.

    ``reason`` is a code of the catalogue, or empty; ``detail`` what its text says besides.
    """

    carrier: str
    state: str
    trusted: bool
    reason: str
    detail: dict[str, int]
    registered: str | None
    reported: str | None
    measured: str | None
    report: int | None
    evidence: str | None
    simulated: bool


class ReadingData(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a reading: that of a tag's live value, and the report it came with."""

    tag: str
    value: float | int | bool | str | None
    unit: str
    time: str
    quality: str
    simulated: bool
    report: int
    evidence: str


_encode = msgspec.json.Encoder().encode


def _resolves() -> bool:
    return True


def distrust(
    row: CarrierRow, now_ms: int, resolves: Callable[[], bool] = _resolves
) -> tuple[str, dict[str, int]]:
    """Why a carrier is not believed at ``now_ms``, with details; an empty code when it is.

    ``resolves`` tells whether its name still does; who asks by resolving knows already.
    """
    if row.blocked:
        return f"carriers.{row.blocked}", {}
    if not row.is_active:
        return "carriers.not-registered", {}
    if not resolves():
        return "carriers.name-gone", {}
    if not row.reported_ms:
        return "carriers.never-reported", {}
    return _outlived(row, now_ms)


def _outlived(row: CarrierRow, now_ms: int) -> tuple[str, dict[str, int]]:
    if now_ms > row.expires_ms:
        return "carriers.certificate-expired", {}
    age_ms = now_ms - min(row.reported_ms, row.sampled_ms)
    if age_ms > row.fresh_ms:
        return "carriers.not-fresh", {"age_s": round(age_ms / 1000)}
    return "", {}


def carrier_values(row: CarrierRow, now_ms: int, ttl_s: int) -> list[HandleValue]:
    """How a carrier stands and, when it is believed, what it measured last."""
    reason, detail = distrust(row, now_ms)
    found = [_state(row, reason, detail, ttl_s)]
    if not reason:
        found += [_value(row, reading, now_ms, ttl_s) for reading in row.readings]
    return found


def _state(row: CarrierRow, reason: str, detail: dict[str, int], ttl_s: int) -> HandleValue:
    told = CarrierState(
        carrier=row.serial,
        state=row.state,
        trusted=not reason,
        reason=reason,
        detail=detail,
        registered=_time(row.registered_ms),
        reported=_time(row.reported_ms),
        measured=_time(row.sampled_ms),
        report=row.counter or None,
        evidence=row.digest or None,
        simulated=row.simulated,
    )
    return HandleValue(
        index=STATE_INDEX,
        type=LIVE_TYPE,
        data=_encode(told),
        ttl=ttl_s,
        timestamp=max(row.registered_ms, row.reported_ms) // 1000,
    )


def _value(row: CarrierRow, reading: CarrierReading, now_ms: int, ttl_s: int) -> HandleValue:
    """A reading that the last reports no longer had is shown, as uncertain once it is old."""
    is_old = now_ms - reading.time_ns // _NS_PER_MS > row.fresh_ms
    told = ReadingData(
        tag=reading.name,
        value=plain_value(reading.value, ValueType.FLOAT),
        unit=reading.unit,
        time=iso_ms(reading.time_ns),
        quality="uncertain" if is_old else "good",
        simulated=row.simulated,
        report=reading.counter,
        evidence=reading.digest,
    )
    return HandleValue(
        index=FIRST_READING_INDEX + reading.place,
        type=TYPE_PREFIX + reading.name,
        data=_encode(told),
        ttl=ttl_s,
        timestamp=reading.time_ns // 1_000_000_000,
        permissions=DEFAULT_PERMISSIONS if reading.is_public else _GRANTED_ONLY,
    )


def unpublished(row: CarrierRow) -> dict[str, int]:
    """Types and indexes of the readings that are told to those they were granted to."""
    return {
        TYPE_PREFIX + one.name: FIRST_READING_INDEX + one.place
        for one in row.readings
        if not one.is_public
    }


def _time(ms: int) -> str | None:
    return iso_ms(ms * _NS_PER_MS) if ms else None
