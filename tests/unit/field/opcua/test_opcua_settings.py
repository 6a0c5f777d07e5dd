"""Settings, profiles, compiled plans and what may be written: all without a server."""

import tomllib
from importlib.resources import files

import pytest
from asyncua import ua

from mingwu.field.base import pushes
from mingwu.field.opcua import profiles
from mingwu.field.opcua.driver import KIND
from mingwu.field.opcua.plan import compile_tags
from mingwu.field.opcua.settings import Mode, OpcuaSettings, Policy
from mingwu.field.opcua.writing import to_wire
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import DeviceSpec, TagSpec
from mingwu.kernel.settings import build

VT = ua.VariantType


@pytest.mark.parametrize(
    "endpoint",
    ["http://h:1", "opc.tcp://h", "opc.tcp://user:pw@h:4840", "opc.tcp://h:70000", "opc.tcp://h:0"],
)
def test_bad_endpoints(endpoint):
    with pytest.raises(ConfigError, match=r"\$"):
        build(OpcuaSettings, {"endpoint": endpoint})


@pytest.mark.parametrize("endpoint", ["opc.tcp://h:4840", "opc.tcp://[::1]:4840/a/b"])
def test_good_endpoints(endpoint):
    settings = build(OpcuaSettings, {"endpoint": endpoint})
    assert KIND.line(settings) == endpoint.removesuffix("/a/b")


def test_a_protected_channel_needs_a_certificate():
    with pytest.raises(ConfigError, match="private_key"):
        build(OpcuaSettings, {"endpoint": "opc.tcp://h:1", "policy": Policy.BASIC256SHA256})
    with pytest.raises(ConfigError, match="without"):
        build(OpcuaSettings, {"endpoint": "opc.tcp://h:1", "password": "x"})


def test_poll_mode_is_polled():
    settings = build(OpcuaSettings, {"endpoint": "opc.tcp://h:1"})
    assert pushes(KIND, settings)
    assert not pushes(KIND, OpcuaSettings(endpoint="opc.tcp://h:1", mode=Mode.POLL))


def test_the_sample_is_a_device():
    text = (files("mingwu.field.opcua") / "sample.toml").read_text("utf-8")
    device = build(DeviceSpec, tomllib.loads(text))
    driver = KIND.create(build(KIND.settings, device.settings), device.simulated)
    assert len(driver.compile(device.tags).tags) == 3


def test_profiles_are_found_by_what_the_server_says():
    assert profiles.choose("auto", "Siemens AG SIMATIC S7-1200").name == "s7-1200"
    assert profiles.choose("auto", "SIEMENS S71500 OPC UA").name == "s7-1500"
    assert profiles.choose("auto", "Somebody's server").name == "default"
    assert profiles.choose("kepware", "Siemens S7-1200").name == "kepware"
    assert all(profile.source for profile in profiles.known())
    assert profiles.least(0, 500, 200) == 200
    assert profiles.least(0, 0) == 0


def test_an_unknown_profile_is_a_configuration_fault():
    with pytest.raises(ConfigError) as caught:
        KIND.create(OpcuaSettings(endpoint="opc.tcp://h:1", profile="s7"), False)
    assert "s7-1200" in caught.value.next_step("en")


def test_requests_are_made_once_per_kind_of_session():
    tags = [
        TagSpec(number=n, thing="t", name="n", address=f"nsu=urn:{'ab'[n % 2]};i={n}")
        for n in range(7)
    ]
    plan = compile_tags(tags)
    first = plan.requests(("0", "urn:a", "urn:b"), 3)
    assert [request.rows.tolist() for request in first.requests] == [[0, 1, 2], [3, 4, 5], [6]]
    assert plan.requests(("0", "urn:a", "urn:b"), 3) is first
    second = plan.requests(("0", "urn:b"), 100)
    assert [request.rows.tolist() for request in second.requests] == [[1, 3, 5]]
    assert second.unknown.tolist() == [0, 2, 4, 6]


def test_the_read_request_is_what_asyncua_reads():
    plan = compile_tags([TagSpec(number=1, thing="t", name="n", address="ns=2;s=a")])
    body = plan.requests((), 10).requests[0].body
    found = ua.ua_binary.struct_from_binary(ua.ReadParameters, ua.utils.Buffer(body))
    assert found.MaxAge == 0
    assert found.TimestampsToReturn == ua.TimestampsToReturn.Source
    (node,) = found.NodesToRead
    assert (node.NodeId, node.AttributeId) == (ua.NodeId("a", 2), ua.AttributeIds.Value)


def tag(**more):
    return TagSpec(number=1, thing="t", name="n", address="i=1", writable=True, **more)


@pytest.mark.parametrize(
    ("value", "kind", "more", "expected"),
    [
        (20.0, VT.Int16, {"scale": 0.1, "offset": -5.0}, 250),
        (7, VT.UInt64, {}, 7),
        (2.5, VT.Double, {"scale": 0.5}, 5.0),
        (1, VT.Boolean, {}, True),
        ("ab", VT.String, {}, "ab"),
        (4.0, VT.String, {}, "4.0"),
    ],
)
def test_values_go_out_in_the_nodes_type(value, kind, more, expected):
    assert to_wire(tag(**more), value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [(40_000, VT.Int16), (-1, VT.Byte), (float("nan"), VT.Double), (float("inf"), VT.Int32),
     (1e300, VT.Float), ("text", VT.Double)],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value, kind):
    with pytest.raises(ValueError, match=r".+"):
        to_wire(tag(), value, kind)
