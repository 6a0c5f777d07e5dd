"""A simulated mould goes on where it was when the lab ended, however it ended."""

import random

import pytest

from mingwu.lab.carriers.memory import FILE, MouldMemory
from mingwu.lab.carriers.moulds import MOULDERS, Mould, moulds


def mould() -> Mould:
    return moulds(3, 1)[2]


def test_it_remembers_what_its_life_made_of_it(tmp_path):
    before = mould()
    memory = MouldMemory(tmp_path, before)
    assert not memory.recall()
    before.step(36_000)
    before.carry_away(2500)
    assert memory.apply({"name": "r12", "set_point": 66.0}) == ""
    after = mould()
    assert MouldMemory(tmp_path, after).recall()
    assert after.shots == before.shots > mould().shots
    assert after.readings()["parameter_set"] == "r12"
    assert (after.set_point_c, after.cavity_c, after.north_m) == (66.0, before.cavity_c, 2500)
    assert (after.cycle_s, after.moulder) == (before.cycle_s, before.moulder)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_refused_parameter_set_is_not_remembered(tmp_path):
    held = mould()
    memory = MouldMemory(tmp_path, held)
    memory.keep()
    assert memory.apply({"set_point": 900.0})
    held.set_point_c = 900.0
    memory.recall()
    assert held.set_point_c == mould().set_point_c


@pytest.mark.parametrize("data", [b"", b"{", b'{"shots": "many"}', b"[]", b"\xff\x00"])
def test_a_spoilt_file_is_told_and_the_mould_begins_anew(tmp_path, data, caplog):
    (tmp_path / FILE).write_bytes(data)
    held = Mould(1, MOULDERS[0], random.Random(1), shots=5.0)
    assert not MouldMemory(tmp_path, held).recall()
    assert held.shots == 5.0
    assert "mould forgot" in caplog.text
    MouldMemory(tmp_path, held).keep()
    assert MouldMemory(tmp_path, held).recall()
