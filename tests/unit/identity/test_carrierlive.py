"""The trust rule of carriers, and what a name answers under it."""

import json

import msgspec
import pytest

from mingwu.identity.batchencoding import BatchEncoder
from mingwu.identity.carrierlive import (
    CARRIER_INDEXES,
    FIRST_READING_INDEX,
    CarrierReading,
    CarrierRow,
    carrier_values,
    distrust,
)
from mingwu.identity.carriers import errors as _texts  # noqa: F401 - the reasons' texts
from mingwu.identity.client.handleclient import Resolution
from mingwu.identity.client.showing import format_resolution, why_untold
from mingwu.identity.live import is_live
from mingwu.identity.recordbytes import HAS_CARRIER, HEAD
from mingwu.identity.records import Record, encode_record
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.values import HandleValue

NOW = 1_790_000_000_000
ROW = CarrierRow(
    serial="MWC-1", state="active", is_active=True, blocked="", simulated=False,
    registered_ms=NOW - 90_000, reported_ms=NOW - 1_000, sampled_ms=NOW - 2_000,
    expires_ms=NOW + 1_000_000, fresh_ms=60_000, counter=7, digest="ab" * 32,
    readings=(
        CarrierReading(0, "shots", 43_218.0, "1", (NOW - 2_000) * 1_000_000, 7, "ab" * 32),
        CarrierReading(3, "seal", "broken", "", (NOW - 80_000) * 1_000_000, 4, "cd" * 32),
        CarrierReading(4, "flow", float("nan"), "l/min", (NOW - 2_000) * 1_000_000, 7, "ab" * 32),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"blocked": "suspended"}, "carriers.suspended"),
        ({"blocked": "quarantined", "is_active": False}, "carriers.quarantined"),
        ({"blocked": "revoked"}, "carriers.revoked"),
        ({"is_active": False}, "carriers.not-registered"),
        ({"reported_ms": 0}, "carriers.never-reported"),
        ({"expires_ms": NOW - 1}, "carriers.certificate-expired"),
        ({"reported_ms": NOW - 60_001}, "carriers.not-fresh"),
        ({"sampled_ms": NOW - 60_001}, "carriers.not-fresh"),
        ({"sampled_ms": NOW - 60_000}, ""),
    ],
)
def test_readings_are_told_in_a_trusted_state_only(changes, reason):
    row = msgspec.structs.replace(ROW, **changes)
    assert distrust(row, NOW)[0] == reason
    values = carrier_values(row, NOW, 1)
    state = json.loads(values[0].data)
    assert (state["trusted"], state["reason"]) == (not reason, reason)
    assert [value.type for value in values[1:]] == (
        [] if reason else ["MW.LIVE.shots", "MW.LIVE.seal", "MW.LIVE.flow"]
    )
    assert all(is_live(value.type) and value.is_public for value in values)


def test_a_name_that_is_gone_comes_before_silence():
    silent = msgspec.structs.replace(ROW, reported_ms=0)
    assert distrust(silent, NOW, lambda: False)[0] == "carriers.name-gone"
    blocked = msgspec.structs.replace(ROW, blocked="suspended")
    assert distrust(blocked, NOW, lambda: False)[0] == "carriers.suspended"


def test_a_reading_tells_time_quality_and_the_report():
    state, shots, seal, flow = carrier_values(ROW, NOW, 2)
    assert json.loads(shots.data) == {
        "tag": "shots", "value": 43_218.0, "unit": "1", "time": "2026-09-21T14:13:18.000Z",
        "quality": "good", "simulated": False, "report": 7, "evidence": "ab" * 32,
    }  # fmt: skip
    assert (shots.index, seal.index, flow.index) == (701, 704, 705)
    assert (shots.ttl, shots.timestamp, state.index) == (2, NOW // 1000 - 2, 700)
    assert json.loads(seal.data)["quality"] == "uncertain"
    assert json.loads(seal.data)["value"] == "broken"
    assert json.loads(flow.data)["value"] is None
    told = json.loads(state.data)
    assert (told["carrier"], told["report"], told["measured"]) == (
        "MWC-1", 7, "2026-09-21T14:13:18.000Z",
    )  # fmt: skip


def test_for_people_a_line_says_it_all():
    shown = format_resolution(Resolution("P/A", 1, tuple(carrier_values(ROW, NOW, 1))))
    assert "active · trusted · 2026-09-21T14:13:18.000Z · report 7 · abababababab…" in shown
    assert "43218 · 2026-09-21T14:13:18.000Z · good · report 7" in shown
    assert "– l/min" not in shown
    late = Resolution("P/A", 1, tuple(carrier_values(ROW, NOW + 100_000, 1)))
    assert "not trusted · carriers.not-fresh" in format_resolution(late)
    assert why_untold(late, "en") == [
        "The last report of MWC-1 is 102 s old", "Check its power and its network.", "",
    ]  # fmt: skip
    assert "102 秒" in why_untold(late, "zh")[0]
    assert why_untold(Resolution("P/A", 1, tuple(carrier_values(ROW, NOW, 1))), "en") == []


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'"x"', b'{"reason":7}', b'{"reason":"no.such"}', b"\xff",
     b'{"reason":"carriers.suspended","carrier":"a\\u001b[2J","detail":3}'],
)  # fmt: skip
def test_a_strangers_live_values_are_inert(data):
    result = Resolution("P/A", 1, (HandleValue(700, "MW.LIVE", data),))
    shown = format_resolution(result) + "".join(why_untold(result, "en"))
    assert "\x1b" not in shown


def record(*values: HandleValue) -> Record:
    return Record("P/A", values)


@pytest.mark.parametrize("kind", ["carrier.serial", "MW.CARRIER.SERIAL"])
def test_a_record_with_a_serial_number_is_a_carriers(kind):
    def flags(data: bytes) -> int:
        return HEAD.unpack_from(data)[1] & HAS_CARRIER

    serial = HandleValue(2000, kind, b"MWC-1")
    hidden = HandleValue(2000, kind, b"MWC-1", permissions=0x0C)
    assert flags(encode_record(record(serial)))
    assert not flags(encode_record(record(hidden)))
    assert not flags(encode_record(record(HandleValue(2000, "serial", b"MWC-1"))))
    for value in (serial, hidden):
        encoder = BatchEncoder((HandleValue(1, "URL", b"x"),), (value,))
        made = encoder.encode("P/A", [(2000, "MWC-1")])
        assert made == encode_record(record(HandleValue(1, "URL", b"x"), value))
        assert encoder.encode("P/A", []) == encode_record(record(HandleValue(1, "URL", b"x")))


def test_indexes_of_readings_are_taken_by_no_value():
    serial = HandleValue(2000, "carrier.serial", b"MWC-1")
    for index in (CARRIER_INDEXES[0], FIRST_READING_INDEX, CARRIER_INDEXES[-1]):
        value = HandleValue(index, "X", b"")
        encode_record(record(value))
        with pytest.raises(InvalidInput):
            encode_record(record(serial, value))
