"""MQTT addresses, and messages to columns."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.field.mqtt.address import parse
from mingwu.field.mqtt.driver import KIND
from mingwu.field.mqtt.plan import Plan
from mingwu.field.mqtt.settings import MqttSettings
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, uncertain

NOW = 1_767_225_600_000_000_000


def tag(number, address, kind="float", **fields):
    return TagSpec(
        number=number, thing="x", name=f"t{number}", address=address, type=ValueType(kind), **fields
    )


def plan(*tags, simulated=False, **settings):
    return Plan(tags, MqttSettings(**settings), simulated=simulated)


def rows(columns):
    return [
        (int(n), columns.text.get(i, None if math.isnan(v) else v), int(q))
        for i, (n, v, q) in enumerate(zip(columns.tag, columns.value, columns.quality, strict=True))
    ]


@pytest.mark.parametrize(
    ("address", "topic", "path"),
    [
        ("a/b", "a/b", ()),
        ("a/b#x", "a/b", ("x",)),
        ("a/b#x.0.y", "a/b", ("x", "0", "y")),
        ("a#/x.y/z~1w/~0", "a", ("x.y", "z/w", "~")),
        ("车间/1#温度", "车间/1", ("温度",)),
    ],
)
def test_address(address, topic, path):
    assert parse(tag(1, address)) == (topic, path)


@pytest.mark.parametrize("address", ["", "#x", "a/+/b#x", "a#", "a#x#y", "a/#/b#x", "x" * 70_000])
def test_bad_address_is_quoted(address):
    with pytest.raises(ConfigError) as caught:
        KIND.create(MqttSettings(), False).compile([tag(1, address)])
    assert caught.value.code == "mqtt.address"
    assert address in caught.value.text("zh")


def test_password_needs_user():
    with pytest.raises(ConfigError) as caught:
        KIND.create(MqttSettings(password="secret"), False)
    assert "secret" not in caught.value.text()


def test_one_message_for_all_its_tags():
    made = plan(
        tag(1, "leak#rate", scale=2),
        tag(2, "leak#ok", "bool"),
        tag(3, "leak#part.name", "text"),
        tag(4, "leak#curve.1"),
        tag(5, "other#rate"),
        simulated=True,
        time_field="ts",
    )
    payload = '{"rate":1.5,"ok":true,"part":{"name":"壳体"},"curve":[7,8],"ts":1767225600.5}'
    columns = made.message("leak", payload.encode(), NOW)
    good = GOOD | SIMULATED
    assert rows(columns) == [(1, 3.0, good), (2, 1.0, good), (3, "壳体", good), (4, 8.0, good)]
    assert set(columns.time_ns.tolist()) == {NOW + 500_000_000}


@pytest.mark.parametrize(
    ("payload", "kind", "expected"),
    [
        (b"21.5", "float", (21.5, GOOD)),
        (b" 21.5\n", "float", (21.5, GOOD)),
        (b"ON", "bool", (1.0, GOOD)),
        (b"running", "text", ("running", GOOD)),
        (b'"running"', "text", ("running", GOOD)),
        (b"null", "float", (None, bad(Reason.NOT_A_NUMBER))),
        (b"warm", "float", (None, bad(Reason.CONVERSION))),
        (b"\xff\xfe", "text", (None, bad(Reason.MALFORMED))),
        (b"", "float", (None, bad(Reason.MALFORMED))),
        (b"[1]", "float", (None, bad(Reason.CONVERSION))),
    ],
)
def test_whole_payload_as_value(payload, kind, expected):
    ((_, value, quality),) = rows(plan(tag(1, "t", kind)).message("t", payload, NOW))
    assert (value, quality) == expected


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"", b'{"a":NaN}', b'{"a":1}x', b"[" * 2000])
def test_malformed_json_is_bad_for_all_tags(payload):
    columns = plan(tag(1, "t#a"), tag(2, "t#b")).message("t", payload, NOW)
    assert rows(columns) == [(1, None, bad(Reason.MALFORMED)), (2, None, bad(Reason.MALFORMED))]


def test_missing_field():
    tags = tag(1, "t#a"), tag(2, "t#b.c"), tag(3, "t#d.9")
    payload = b'{"a":1,"b":5,"d":[]}'
    missing = bad(Reason.BAD_ADDRESS)
    assert rows(plan(*tags).message("t", payload, NOW)) == [
        (1, 1.0, GOOD),
        (2, None, missing),
        (3, None, missing),
    ]
    assert rows(plan(*tags, partial=True).message("t", payload, NOW)) == [(1, 1.0, GOOD)]


def test_suspect_time_is_uncertain():
    made = plan(tag(1, "t#a"), time_field="ts")
    columns = made.message("t", b'{"a":1,"ts":"soon"}', NOW)
    assert rows(columns) == [(1, 1.0, uncertain(Reason.TIME_SUSPECT))]
    assert columns.time_ns.tolist() == [NOW]
    assert rows(made.message("t", b'{"a":1}', NOW)) == [(1, 1.0, GOOD)]


def test_large_payload_is_not_parsed():
    made = plan(tag(1, "t#a"), max_payload_bytes=10)
    assert rows(made.message("t", b'{"a":1,"b":2}', NOW)) == [(1, None, bad(Reason.MALFORMED))]


def test_last_values():
    made = plan(tag(1, "t#a"), tag(2, "t#s", "text"), tag(3, "u"))
    assert set(made.last(NOW).quality.tolist()) == {bad(Reason.INITIALISING)}
    made.message("t", b'{"a":1,"s":"x"}', NOW - 5)
    last = made.last(NOW)
    assert rows(last) == [(1, 1.0, GOOD), (2, "x", GOOD), (3, None, bad(Reason.INITIALISING))]
    assert last.time_ns.tolist() == [NOW - 5, NOW - 5, NOW]
    last.value[:] = 0
    made.message("t", b'{"a":2,"s":null}', NOW)
    assert rows(made.last(NOW))[:2] == [(1, 2.0, GOOD), (2, None, bad(Reason.NOT_A_NUMBER))]


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda i: st.lists(i, max_size=3) | st.dictionaries(st.sampled_from("abct"), i, max_size=3),
)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.binary(), JSONISH))
def test_any_payload_gives_a_row_per_tag(payload):
    import orjson

    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    tags = tag(1, "t#a"), tag(2, "t#a.b", "text"), tag(3, "t", "bool"), tag(4, "t#c.0", "int")
    columns = plan(*tags, simulated=True, time_field="t").message("t", data, NOW)
    assert columns.tag.tolist() == [1, 2, 3, 4]
    assert (columns.quality & SIMULATED).all()
