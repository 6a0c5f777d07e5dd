"""Values to write requests, checked by reading them back from a bank."""

import pytest

from mingwu.field.base import WriteRequest
from mingwu.field.modbus.plan import compile_plan
from mingwu.field.modbus.settings import ModbusSettings
from mingwu.field.modbus.writing import outcome, write_request
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import Reason
from mingwu.wire.modbus.server import Bank


def tag(address, **fields):
    return TagSpec(number=1, thing="x", name="t", address=address, writable=True, **fields)


@pytest.mark.parametrize(
    ("address", "value", "function"),
    [
        ("coil:3", True, 5),
        ("holding:4:int16", -5, 6),
        ("holding:4:uint16:bit7", True, 22),
        ("holding:4:float32", 1.5, 16),
        ("holding:4:float32:cdab", 1.5, 16),
        ("holding:4:float64:badc", -2.25, 16),
        ("holding:4:int64:dcba", -(2**40), 16),
        ("holding:4:uint32:badc", 70_000, 16),
        ("holding:4:int16:badc", -300, 6),
    ],
)
@pytest.mark.parametrize("multiple", [False, True])
def test_what_is_written_is_read(address, value, function, multiple):
    settings = ModbusSettings(multiple_writes=multiple)
    spec = tag(address)
    pdu = write_request(WriteRequest(tag=spec, value=value), settings)
    assert isinstance(pdu, bytes)
    assert pdu[0] == (({5: 15, 6: 16}.get(function, function)) if multiple else function)
    bank = Bank(bytearray(100), bytearray(100), bytearray(50), bytearray(50))
    assert outcome(pdu, bank.answer(pdu)).ok
    plan = compile_plan([spec], settings, simulated=False)
    columns = plan.decode(plan.blocks, [bank.answer(r) for r in plan.requests], 1)
    assert columns.value[0] == value


def test_engineering_values_and_strings():
    pdu = write_request(
        WriteRequest(tag=tag("holding:4:int16", scale=0.1, offset=10), value=35.5), ModbusSettings()
    )
    assert pdu == b"\x06\x00\x04\x00\xff"
    spec = tag("holding:0:string(5):badc", type=ValueType.TEXT)
    assert write_request(WriteRequest(tag=spec, value="ab"), ModbusSettings()) == (
        b"\x10\x00\x00\x00\x03\x06ba\0\0\0\0"
    )


@pytest.mark.parametrize(
    ("address", "value", "reason"),
    [
        ("input:4", 1, "only be read"),
        ("discrete:4", 1, "only be read"),
        ("holding:4:int16", 40_000, "too big"),
        ("holding:4:uint16", -1, "negative"),
        ("holding:4:float32", float("nan"), "finite"),
        ("holding:4:float32", "x", "number"),
        ("holding:nonsense", 1, "not a Modbus address"),
    ],
)
def test_impossible_writes_are_results(address, value, reason):
    result = write_request(WriteRequest(tag=tag(address), value=value), ModbusSettings())
    assert not isinstance(result, bytes)
    assert not result.ok
    assert reason in result.reason


def test_long_string_and_read_only_tag_are_results():
    spec = tag("holding:0:string(2)", type=ValueType.TEXT)
    assert not write_request(WriteRequest(tag=spec, value="abc"), ModbusSettings()).ok
    spec = TagSpec(number=1, thing="x", name="speed", address="coil:1")
    assert "speed" in write_request(WriteRequest(tag=spec, value=1), ModbusSettings()).reason


def test_outcomes():
    pdu = b"\x06\x00\x04\x00\x01"
    assert outcome(pdu, pdu).ok
    assert outcome(pdu, b"\x86\x02").reason == "refused: illegal data address"
    assert "timeout" in outcome(pdu, Reason.TIMEOUT).reason
    assert not outcome(pdu, b"\x06\x00\x04\x00\x02").ok
