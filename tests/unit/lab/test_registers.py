"""Register images: what goes in comes out at the platform's own decoder, in every word order."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.field.modbus.settings import WordOrder
from mingwu.kernel.plant import ValueType
from mingwu.lab.plant.declare import Analog, RegisterMap
from mingwu.lab.servers.registers import RegisterImage, word_permutation
from mingwu.registry.expand import tags as resolve
from mingwu.registry.model import ConnectionDef, GatewayDef, PlantFile, ThingDef, TypeDef
from mingwu.wire.modbus.pdu import read_request

ORDERS = {"abcd": (0, 1, 2, 3), "badc": (1, 0, 3, 2), "cdab": (2, 3, 0, 1), "dcba": (3, 2, 1, 0)}


def resolved(registers: RegisterMap, order="abcd"):
    kind = TypeDef(
        name="T", kind="machine", variables={"order": order}, property=tuple(registers.properties)
    )
    link = ConnectionDef(gateway="g", device="d", driver="modbus")
    file = PlantFile(
        name="p",
        prefix="1",
        gateway=(GatewayDef(name="g"),),
        type=(kind,),
        thing=(ThingDef(id="X", type="T", connection=link),),
    )
    faults = []
    found = resolve(file, 0, kind, faults)
    assert not faults
    return found


def words(image, function, start, count):
    reply = image.bank.answer(read_request(function, start, count))
    assert reply[0] == function
    return reply[2:]


@pytest.mark.parametrize("order", ORDERS)
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_lie_in_the_declared_byte_order(order, value):
    registers = RegisterMap()
    registers.float32("a", ("甲", "a"), Analog("1", -1e9, 1e9))
    image = RegisterImage(resolved(registers, order))
    image.put({"a": value})
    wire = words(image, 4, 0, 2)
    straight = struct.pack(">f", value)
    assert wire == bytes(straight[place] for place in ORDERS[order])


@pytest.mark.parametrize("order", list(WordOrder))
@pytest.mark.parametrize("width", [2, 4, 8])
def test_permutations_are_their_own_description(order, width):
    places = word_permutation(order, width)
    assert sorted(places) == list(range(width))
    if width == 4:
        assert tuple(places) == ORDERS[order]


@given(value=st.floats(-1e6, 1e6))
def test_scaled_integers_are_rounded_and_never_wrap(value):
    registers = RegisterMap()
    registers.scaled("a", ("甲", "a"), Analog("1", -1e9, 1e9), 0.1)
    image = RegisterImage(resolved(registers))
    image.put({"a": value})
    (shown,) = struct.unpack(">h", words(image, 4, 0, 1))
    assert -32_768 <= shown <= 32_767
    if abs(value) < 3_276:
        assert shown * 0.1 == pytest.approx(value, abs=0.051)


def test_series_counters_words_and_flags_find_their_places():
    registers = RegisterMap()
    registers.float32("t_{i}", ("温{i}", "t {i}"), Analog("Cel", 0, 99), repeat=3)
    registers.start("input", 10)
    registers.counter("n", ("数", "n"))
    registers.word("w", ("字", "w"))
    registers.flag("c", ("位", "c"), area="coil")
    registers.flag("d", ("位", "d"), area="discrete")
    registers.flag("e", ("位", "e"), area="discrete")
    tags = resolved(registers)
    assert [tag.type for tag in tags[-3:]] == [ValueType.BOOL] * 3
    image = RegisterImage(tags)
    image.put({"t_1": 1.5, "t_2": 2.5, "t_3": 3.5, "n": 70_000, "w": 7, "c": True, "d": 0, "e": 1})
    assert struct.unpack(">fff", words(image, 4, 0, 6)) == (1.5, 2.5, 3.5)
    assert struct.unpack(">IH", words(image, 4, 10, 3)) == (70_000, 7)
    assert words(image, 1, 0, 1) == b"\x01"
    assert words(image, 2, 0, 2) == b"\x02"


def test_only_fast_channels_move_between_seconds():
    registers = RegisterMap()
    registers.float32("quick", ("快", "quick"), Analog("1", 0, 9), period_ms=100)
    registers.float32("slow", ("慢", "slow"), Analog("1", 0, 9))
    image = RegisterImage(resolved(registers))
    image.put_fast({"quick": 1.0, "slow": 1.0})
    assert np.frombuffer(words(image, 4, 0, 4), ">f4").tolist() == [1.0, 0.0]
    image.put({"quick": 2.0, "slow": 2.0})
    assert np.frombuffer(words(image, 4, 0, 4), ">f4").tolist() == [1.0, 2.0]


def test_writes_are_seen_once_and_only_where_writable():
    registers = RegisterMap()
    registers.float32("set", ("设", "set"), Analog("1", 0, 9), area="holding", writable=True)
    registers.float32("fix", ("定", "fix"), Analog("1", 0, 9), area="holding")
    image = RegisterImage(resolved(registers, "cdab"))
    image.put({"set": 1.0, "fix": 2.0})
    seen = []

    def apply(name, value):
        seen.append((name, value))
        return True

    image.take_writes(apply)
    assert not seen
    low_first = struct.pack(">f", 5.5)[2:] + struct.pack(">f", 5.5)[:2]
    image.bank.answer(b"\x10\x00\x00\x00\x04\x08" + low_first + b"\x00" * 4)
    image.take_writes(apply)
    assert seen == [("set", 5.5)]
    image.put({"set": 5.5, "fix": 2.0})
    image.take_writes(apply)
    assert len(seen) == 1
