"""Addresses, block coalescing and the column decoder, against a bank of registers."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.field.modbus.address import parse
from mingwu.field.modbus.driver import KIND
from mingwu.field.modbus.plan import all_bad, compile_plan
from mingwu.field.modbus.settings import ModbusSettings
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad
from mingwu.wire.modbus.server import Bank


def tag(number, address, **fields):
    return TagSpec(number=number, thing="88.1/X", name=f"t{number}", address=address, **fields)


def bank(size=1000):
    return Bank(bytearray(2 * size), bytearray(2 * size), bytearray(size), bytearray(size))


def plan_of(*addresses, **fields):
    return compile_plan(
        [tag(n, a) for n, a in enumerate(addresses)], ModbusSettings(**fields), simulated=False
    )


def read(plan, served):
    return plan.decode(plan.blocks, [served.answer(pdu) for pdu in plan.requests], 1_000)


def by_number(columns):
    return {
        int(number): (columns.text.get(row, float(columns.value[row])), int(columns.quality[row]))
        for row, number in enumerate(columns.tag)
    }


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("holding:100:float32:cdab", (3, 100, "f4", 2, "cdab", -1)),
        ("input:7:int16", (4, 7, "i2", 1, "abcd", -1)),
        ("input:7", (4, 7, "u2", 1, "abcd", -1)),
        ("coil:3", (1, 3, "b", 1, "abcd", -1)),
        ("Discrete:65535", (2, 65535, "b", 1, "abcd", -1)),
        ("holding:20:uint16:bit3", (3, 20, "b", 1, "abcd", 3)),
        ("holding:20:float64", (3, 20, "f8", 4, "abcd", -1)),
    ],
)
def test_address(text, expected):
    a = parse(tag(1, text))
    assert (a.function, a.start, a.code, a.width, a.order, a.bit) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "holding", "holding:", "holding:x", "holding:-1", "holding:65536", "holding:123456",
        "holding:65535:float32", "holding:1:float16", "holding:1:uint16:bit16", "coil:1:uint16",
        "holding:1:float32:bit1", "holding:1:float32:acbd", "holding:1:uint16:abcd:x",
        "relay:1", "holding:1:string(10)", "holding:1:string(0)", "holding:１",
    ],
)  # fmt: skip
def test_bad_address_is_quoted(text):
    with pytest.raises(ConfigError) as caught:
        KIND.create(ModbusSettings(), False).compile([tag(1, text)])
    assert caught.value.code == "modbus.address"
    assert text in caught.value.text("en")
    assert text in caught.value.text("zh")


def test_text_tags_need_strings():
    assert parse(tag(1, "holding:1:string(9)", type=ValueType.TEXT)).width == 5
    with pytest.raises(ConfigError):
        parse(tag(1, "holding:1:uint16", type=ValueType.TEXT))


# ------------------------------------------------------------------ coalescing


def spans(plan):
    return [(block.function, block.start, block.count) for block in plan.blocks]


def test_neighbours_share_a_request():
    assert spans(plan_of("holding:0", "holding:1", "holding:2:float32")) == [(3, 0, 4)]


def test_gap_limit():
    assert spans(plan_of("holding:0", "holding:11", max_gap=10)) == [(3, 0, 12)]
    assert spans(plan_of("holding:0", "holding:12", max_gap=10)) == [(3, 0, 1), (3, 12, 1)]
    assert spans(plan_of("coil:0", "coil:160", max_gap=10)) == [(1, 0, 161)]


def test_size_limit_and_values_are_not_cut():
    addresses = [f"holding:{2 * i}:float32" for i in range(100)]
    assert spans(plan_of(*addresses)) == [(3, 0, 124), (3, 124, 76)]
    assert spans(plan_of(*addresses, max_registers=7))[:2] == [(3, 0, 6), (3, 6, 6)]


def test_tables_are_kept_apart_and_overlaps_shared():
    plan = plan_of("input:5", "holding:5:uint32", "holding:6", "holding:6:uint16:bit1", "coil:5")
    assert spans(plan) == [(1, 5, 1), (3, 5, 2), (4, 5, 1)]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True),
    st.integers(0, 20),
    st.integers(4, 125),
)
@settings(max_examples=50, deadline=None)
def test_every_tag_lies_in_one_block_within_limits(registers, gap, limit):
    plan = plan_of(*[f"holding:{r}:int16" for r in registers], max_gap=gap, max_registers=limit)
    assert all(block.count <= limit for block in plan.blocks)
    assert sorted(row for block in plan.blocks for row in block.rows) == list(range(len(registers)))
    served = bank()
    np.frombuffer(served.holding, ">i2")[:] = -np.arange(1000)
    got = by_number(read(plan, served))
    assert {n: v for n, (v, _) in got.items()} == {n: -r for n, r in enumerate(registers)}


# ------------------------------------------------------------------ decoding

FORMATS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip


def on_wire(value, type_name, order):
    """The definition: bytes ABCD…, registers swapped (cdab), bytes in registers swapped (badc)."""
    words = list(zip(*[iter(struct.pack(">" + FORMATS[type_name], value))] * 2, strict=True))
    if order in ("cdab", "dcba"):
        words.reverse()
    if order in ("badc", "dcba"):
        words = [(low, high) for high, low in words]
    return bytes(byte for word in words for byte in word)


@pytest.mark.parametrize("order", ["abcd", "badc", "cdab", "dcba"])
@pytest.mark.parametrize("type_name", list(FORMATS))
@pytest.mark.parametrize("step", [4, 5])
def test_every_type_and_order(type_name, order, step):
    values = [1, 2, 259, 1000] if type_name.startswith("u") else [1, -2, 259, -1000]
    served = bank()
    for index, value in enumerate(values):
        data = on_wire(value, type_name, order)
        served.holding[2 * step * index : 2 * step * index + len(data)] = data
    plan = plan_of(*[f"holding:{step * i}:{type_name}:{order}" for i in range(4)])
    got = by_number(read(plan, served))
    assert got == {number: (value, GOOD) for number, value in enumerate(values)}


def test_mixed_plan():
    served = bank()
    served.holding[0:4] = struct.pack(">f", 21.5)
    served.holding[4:8] = struct.pack(">HH", 0b1010, 40_000)
    served.holding[20:32] = "模具 M01\0x".encode().ljust(12, b"\0")
    served.input[6:8] = struct.pack(">h", -300)
    served.coils[4] = served.discrete[9] = 1
    tags = [
        tag(10, "holding:0:float32"),
        tag(11, "holding:2:uint16:bit1", type=ValueType.BOOL),
        tag(12, "holding:2:uint16:bit2", type=ValueType.BOOL),
        tag(13, "holding:3", scale=0.1, offset=-5),
        tag(14, "input:3:int16", type=ValueType.BOOL),
        tag(15, "coil:4", type=ValueType.BOOL),
        tag(16, "coil:5", type=ValueType.BOOL),
        tag(17, "discrete:9", type=ValueType.BOOL),
        tag(18, "holding:10:string(11)", type=ValueType.TEXT),
    ]
    plan = compile_plan(tags, ModbusSettings(), simulated=True)
    columns = read(plan, served)
    values = {number: value for number, (value, _) in by_number(columns).items()}
    assert values == {
        10: 21.5, 11: 1, 12: 0, 13: pytest.approx(3995), 14: 1, 15: 1, 16: 0, 17: 1, 18: "模具 M01",
    }  # fmt: skip
    assert set(columns.quality.tolist()) == {GOOD | SIMULATED}
    assert set(columns.time_ns.tolist()) == {1_000}


def test_swapped_string_and_charset():
    served = bank()
    text = "合格".encode("gbk")
    served.holding[0:4] = bytes((text[1], text[0], text[3], text[2]))
    specs = [tag(1, "holding:0:string(4):badc", type=ValueType.TEXT)]
    plan = compile_plan(specs, ModbusSettings(charset="gbk"), simulated=False)
    assert by_number(read(plan, served)) == {1: ("合格", GOOD)}
    broken = compile_plan(specs, ModbusSettings(charset="ascii"), simulated=False)
    columns = read(broken, served)
    assert columns.quality[0] == bad(Reason.CONVERSION)
    assert not columns.text


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_not_a_number_is_bad_alone(odd):
    served = bank()
    served.holding[0:12] = struct.pack(">3f", 1.0, odd, 3.0)
    got = read(plan_of(*[f"holding:{2 * i}:float32" for i in range(3)]), served)
    assert got.quality.tolist() == [GOOD, bad(Reason.NOT_A_NUMBER), GOOD]
    assert np.isnan(got.value[1])


def test_values_do_not_leak_from_the_read_before():
    served = bank()
    served.holding[:] = b"\x01\x02" * 1000
    plan = plan_of("holding:0", "holding:500")
    first = read(plan, served)
    again = plan.decode(plan.blocks, [Reason.TIMEOUT, served.answer(plan.requests[1])], 2)
    assert first.quality.tolist() == [GOOD, GOOD]
    assert again.quality.tolist() == [bad(Reason.TIMEOUT), GOOD]
    assert np.isnan(again.value[0])
    assert first.value[0] == 0x0102


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"\x83\x02", Reason.BAD_ADDRESS),
        (b"\x83\x04", Reason.DEVICE_FAILURE),
        (b"\x83\x06", Reason.BUSY),
        (b"\x83\x0b", Reason.TIMEOUT),
        (b"\x83\x63", Reason.DEVICE_FAILURE),
        (b"\x03\x02\x00\x01\x00", Reason.MALFORMED),
        (b"\x03\x04\x00\x01\x00\x01", Reason.MALFORMED),
        (b"\x04\x02\x00\x01", Reason.MALFORMED),
        (b"", Reason.MALFORMED),
    ],
)
def test_refusals_and_malformed_replies(reply, reason):
    plan = plan_of("holding:1")
    columns = plan.decode(plan.blocks, [reply], 5)
    assert columns.quality.tolist() == [bad(reason)]
    assert np.isnan(columns.value[0])


def test_one_address_that_does_not_exist_spoils_only_itself():
    served = bank(50)
    served.holding[:] = b"\x00\x07" * 50
    served.coils[:] = b"\x01" * 50
    registers = [*range(20, 50, 3), 51]
    plan = plan_of(*[f"holding:{r}" for r in registers], "coil:40", "coil:47", "coil:52")
    assert len(plan.blocks) == 2
    for _ in range(6):
        columns = read(plan, served)
    good = {n: v for n, (v, q) in by_number(columns).items() if q == GOOD}
    assert good == dict.fromkeys(range(len(registers) - 1), 7) | {11: 1, 12: 1}
    assert sorted(columns.quality.tolist())[:2] == [bad(Reason.BAD_ADDRESS)] * 2
    plan.restore()
    assert len(plan.blocks) == 2


def test_all_bad():
    plan = compile_plan([tag(3, "coil:1"), tag(4, "coil:2")], ModbusSettings(), simulated=True)
    columns = all_bad(plan, Reason.NOT_CONNECTED, 9)
    assert columns.quality.tolist() == [SIMULATED | Reason.NOT_CONNECTED] * 2
    assert np.isnan(columns.value).all()


def test_empty_plan():
    plan = plan_of()
    assert len(plan.decode(plan.blocks, [], 1)) == 0


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=260), st.sampled_from(list(Reason)[1:])), min_size=3,
                max_size=3))  # fmt: skip
def test_any_reply_gives_columns(replies):
    specs = [
        tag(0, "coil:1"),
        tag(1, "holding:0:float32"),
        tag(2, "holding:2:string(4)", type=ValueType.TEXT),
        tag(3, "input:9:int64"),
    ]  # noqa: E501
    plan = compile_plan(specs, ModbusSettings(), simulated=True)
    columns = plan.decode(plan.blocks, replies, 1)
    assert len(columns.tag) == len(columns.value) == len(columns.quality) == len(columns.time_ns)
    assert (columns.quality & SIMULATED).all()
    assert (np.isnan(columns.value) | (columns.quality == GOOD | SIMULATED)).all()
