"""Reading a server: types, qualities, shapes that change, limits, writing and browsing."""

import math
import time

import pytest
from asyncua import ua

from mingwu.field.base import WriteRequest
from mingwu.field.opcua import rawcall, status
from mingwu.field.opcua.settings import Mode
from mingwu.kernel.errors import ConfigError, InvalidInput, Unavailable
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, uncertain

pytestmark = pytest.mark.anyio

VT = ua.VariantType
NAMES = ("load", "count", "on", "program", "speed", "total")


def tags(plant, **more):
    kinds = {"program": ValueType.TEXT, "on": ValueType.BOOL}
    return [
        plant.tag(n, name, type=kinds.get(name, ValueType.FLOAT), **more)
        for n, name in enumerate(NAMES, 1)
    ]


async def test_reads_every_scalar_type_with_its_source_time(plant, connected):
    before = time.time_ns()
    await plant.write("load", 3.25)
    async with connected(plant.endpoint, simulated=True) as driver:
        plan = driver.compile(tags(plant))
        for _ in range(2):  # the second read goes through the remembered layout
            found = await driver.read(plan)
            assert found.tag.tolist() == [1, 2, 3, 4, 5, 6]
            assert found.value[[0, 1, 2, 4, 5]].tolist() == [3.25, 7.0, 1.0, 2.5, 9.0]
            assert math.isnan(found.value[3])
            assert found.text == {3: "O1001"}
            assert found.quality.tolist() == [GOOD | SIMULATED] * 6
            assert before - 1_000_000 <= found.time_ns[0] <= time.time_ns()


async def test_one_bad_node_is_bad_alone(plant, connected):
    elsewhere = TagSpec(number=9, thing="t", name="n", address="nsu=urn:other;s=load")
    async with connected(plant.endpoint) as driver:
        plan = driver.compile([plant.tag(1, "load"), plant.tag(2, "nothing"), elsewhere])
        found = await driver.read(plan)
    assert dict(zip(found.tag.tolist(), found.quality.tolist(), strict=True)) == {
        1: GOOD, 2: bad(Reason.BAD_ADDRESS), 9: bad(Reason.BAD_ADDRESS),
    }  # fmt: skip


async def test_status_and_type_may_change_between_reads(plant, connected):
    async with connected(plant.endpoint) as driver:
        plan = driver.compile(tags(plant))
        assert (await driver.read(plan)).quality[0] == GOOD
        await plant.write("load", 4.0, status=ua.StatusCodes.UncertainLastUsableValue)
        await plant.write("program", "a much longer programme name", VT.String)
        await plant.write("speed", math.nan, VT.Float)
        found = await driver.read(plan)
        assert found.quality[0] == uncertain(Reason.LAST_KNOWN)
        assert found.value[0] == 4.0
        assert found.text == {3: "a much longer programme name"}
        assert found.quality[4] == bad(Reason.NOT_A_NUMBER)
        await plant.write("load", 5.0, status=ua.StatusCodes.BadSensorFailure)
        assert (await driver.read(plan)).quality[0] == bad(Reason.DEVICE_FAILURE)


async def test_an_empty_plan_reads_nothing(plant, connected):
    async with connected(plant.endpoint) as driver:
        assert len(await driver.read(driver.compile([]))) == 0


async def test_many_requests_keep_every_tag_at_its_place(plant, connected):
    for n in range(57):
        await plant.add(f"v{n}", float(n), VT.Double)
    wanted = [plant.tag(100 + n, f"v{n}") for n in range(57)]
    async with connected(plant.endpoint, nodes_per_read=10, in_flight=3) as driver:
        found = await driver.read(driver.compile(wanted))
    assert found.tag.tolist() == [100 + n for n in range(57)]
    assert found.value.tolist() == [float(n) for n in range(57)]


async def test_a_server_that_finds_requests_too_large_is_asked_for_less(
    plant, connected, monkeypatch
):
    for n in range(40):
        await plant.add(f"v{n}", float(n), VT.Double)
    sizes = []
    call = rawcall.call

    async def limited(client, kind, body, **more):
        if kind == rawcall.READ:
            sizes.append(int.from_bytes(body[12:16], "little"))
            if sizes[-1] > 12:
                raise rawcall.ServiceFailed(status.BAD_TOO_MANY_OPERATIONS)
        return await call(client, kind, body, **more)

    monkeypatch.setattr(rawcall, "call", limited)
    async with connected(plant.endpoint) as driver:
        plan = driver.compile([plant.tag(n, f"v{n}") for n in range(40)])
        assert (await driver.read(plan)).value.tolist() == [float(n) for n in range(40)]
        assert sizes == [40, 20, 10, 10, 10, 10]
        await driver.read(plan)
    assert sizes[6:] == [10, 10, 10, 10]


async def test_a_reply_that_cannot_be_read_makes_its_tags_bad(plant, connected, monkeypatch):
    call = rawcall.call
    async with connected(plant.endpoint) as driver:
        plan = driver.compile(tags(plant))

        async def cut(*given, **more):
            body, pos = await call(*given, **more)
            return body[:-20], pos

        monkeypatch.setattr(rawcall, "call", cut)
        assert set((await driver.read(plan)).quality.tolist()) == {bad(Reason.MALFORMED)}
        monkeypatch.setattr(rawcall, "call", call)
        assert set((await driver.read(plan)).quality.tolist()) == {GOOD}


async def test_writes_in_the_nodes_own_type(plant, connected):
    def request(name, value, **more):
        return WriteRequest(tag=plant.tag(1, name, writable=True, **more), value=value)

    async with connected(plant.endpoint) as driver:
        results = await driver.write(
            [
                request("load", 30.0, scale=0.5, offset=10.0),
                request("count", 2**31),
                request("count", 12),
                request("program", "O2002"),
                request("on", False),
                request("nothing", 1.0),
                WriteRequest(tag=plant.tag(1, "load"), value=1.0),
            ]
        )
    assert [result.ok for result in results] == [True, False, True, True, True, False, False]
    assert results[1].reason == "2147483648 does not fit Int32"
    assert results[5].reason == "BadNodeIdUnknown"
    assert results[6].reason == "the tag is not writable"
    assert await plant.nodes["load"].read_value() == 40.0
    assert await plant.nodes["count"].read_value() == 12
    assert await plant.nodes["program"].read_value() == "O2002"
    assert await plant.nodes["on"].read_value() is False


async def test_a_write_the_server_forbids_says_so(plant, connected):
    await plant.nodes["load"].set_read_only()
    async with connected(plant.endpoint) as driver:
        tag = plant.tag(1, "load", writable=True)
        (result,) = await driver.write([WriteRequest(tag=tag, value=1.0)])
    assert (result.ok, result.reason) == (False, "BadUserAccessDenied")


async def test_browsing_gives_addresses_that_can_be_read(plant, connected):
    async with connected(plant.endpoint) as driver:
        top = {node.name: node async for node in driver.browse()}
        assert top["cell"].has_children
        assert top["cell"].type == ""
        below = {node.name: node async for node in driver.browse(top["cell"].address)}
        assert below["load"].address == "nsu=urn:test:cell;s=load"
        assert (below["load"].type, below["count"].type) == ("Double", "Int32")
        assert below["load"].writable
        assert not below["load"].has_children
        tag = TagSpec(number=1, thing="t", name="n", address=below["load"].address)
        assert (await driver.read(driver.compile([tag]))).value[0] == 1.5


async def test_browsing_pages_through_a_large_folder(plant, connected):
    for n in range(120):
        await plant.add(f"v{n}", 0.0, VT.Double)
    async with connected(plant.endpoint) as driver:
        folder = plant.folder.nodeid.to_string()
        names = [node.name async for node in driver.browse(folder)]
    assert len(names) == len(set(names)) == 126


@pytest.mark.parametrize("address", ["nsu=urn:other;s=x", "ns=2;s=nothing"])
async def test_browsing_below_nothing_is_an_input_fault(plant, connected, address):
    async with connected(plant.endpoint) as driver:
        with pytest.raises(InvalidInput):
            [node async for node in driver.browse(address)]


async def test_what_is_not_open_is_unavailable(plant, connected):
    async with connected(plant.endpoint) as driver:
        plan = driver.compile([plant.tag(1, "load")])
        await driver.close()
        with pytest.raises(Unavailable):
            await driver.read(plan)
        await driver.open()
        assert (await driver.read(plan)).value[0] == 1.5
        with pytest.raises(ConfigError):
            driver.compile([TagSpec(number=1, thing="t", name="n", address="load")])


async def test_garbage_in_a_running_session_is_a_loss(wire, plant, connected):
    async with connected(wire.endpoint, mode=Mode.POLL) as driver:
        plan = driver.compile([plant.tag(1, "load")])
        await driver.read(plan)
        driver._session.client.uaclient.protocol.data_received(b"MSGF\x20\0\0\0" + b"\xff" * 24)
        with pytest.raises(Unavailable):
            await driver.read(plan)


async def test_oversized_replies_are_bounded(plant, connected):
    async with connected(plant.endpoint) as driver:
        limits = driver._session.client.uaclient.protocol._connection._limits
        assert 0 < limits.max_message_size <= rawcall.MAX_REPLY_BYTES


async def test_closing_twice_and_before_opening(plant, connected):
    async with connected(plant.endpoint) as driver:
        await driver.close()
        await driver.close()
