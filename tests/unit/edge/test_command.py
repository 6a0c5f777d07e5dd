"""Which writes are carried out, and what the others are told."""

import msgspec
import pytest

from mingwu.edge.command import WriteCommand, WriteReply, carry_out, checked
from mingwu.field.base import WriteResult
from mingwu.kernel.errors import Denied, InvalidInput, NotFound
from mingwu.kernel.plant import TagSpec, ValueType


def tag(**more):
    more.setdefault("writable", True)
    return TagSpec(number=4, thing="p/1", name="set", address="x", **more)


def command(value):
    return msgspec.json.decode(msgspec.json.encode({"tag": 4, "value": value}), type=WriteCommand)


@pytest.mark.parametrize(
    ("spec", "value", "written"),
    [
        (tag(), 3.5, 3.5),
        (tag(), 3, 3),
        (tag(type=ValueType.INT), 3.0, 3),
        (tag(type=ValueType.BOOL), 1, True),
        (tag(type=ValueType.BOOL), False, False),
        (tag(type=ValueType.TEXT), "run", "run"),
        (tag(low=0, high=10), 10, 10),
    ],
)
def test_values_of_the_right_type_pass(spec, value, written):
    assert checked("d", spec, command(value)) == (spec, written)


@pytest.mark.parametrize(
    ("spec", "value", "error"),
    [
        (None, 1, NotFound),
        (tag(writable=False), 1, Denied),
        (tag(), "x", InvalidInput),
        (tag(), True, InvalidInput),
        (tag(type=ValueType.INT), 3.5, InvalidInput),
        (tag(type=ValueType.BOOL), 2, InvalidInput),
        (tag(type=ValueType.TEXT), 2, InvalidInput),
        (tag(low=0, high=10), 10.1, InvalidInput),
    ],
)
def test_others_are_refused(spec, value, error):
    with pytest.raises(error):
        checked("d", spec, command(value))


class Device:
    def __init__(self, result):
        self.result = result
        self.written = []

    def tag(self, number):
        return tag() if number == 4 else None

    async def write(self, spec, value):
        self.written.append((spec.name, value))
        return self.result


@pytest.mark.anyio
async def test_the_outcome_is_an_answer_whatever_happens():
    device = Device(WriteResult(ok=True))
    assert (await carry_out(device, "d", b'{"tag": 4, "value": 2}'))[1] is None
    assert device.written == [("set", 2)]
    codes = [
        (await carry_out(one, "d", body))[1].code
        for one, body in (
            (device, b'{"tag": 5, "value": 2}'),
            (device, b"rubbish"),
            (None, b'{"tag": 4, "value": 2}'),
            (Device(WriteResult(ok=False, reason="busy")), b'{"tag": 4, "value": 2}'),
        )
    ]
    assert codes == [
        "edge.no-such-tag",
        "bus.malformed-message",
        "edge.no-such-device",
        "edge.write-failed",
    ]


@pytest.mark.anyio
async def test_a_refusal_is_explained_in_both_languages():
    _, error = await carry_out(Device(WriteResult(ok=False, reason="busy")), "d", b"{}")
    reply = WriteReply.of(error)
    assert not reply.ok
    assert reply.reason
    assert reply.reason_zh != reply.reason
