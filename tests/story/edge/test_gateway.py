"""The whole gateway over a bus in memory, in real time, waiting for conditions."""

import asyncio
import contextlib

import msgspec
import pytest

from mingwu.edge.gateway import run_gateway
from mingwu.edge.line import StartFailed
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import GatewayStatus
from mingwu.kernel.plant import GatewaySpec, Start
from mingwu.kernel.quality import SIMULATED, Reason, bad
from tests.waiting import until

pytestmark = pytest.mark.anyio
SETTINGS = EdgeSettings(
    retry_min_s=0.05, retry_max_s=0.2, linger_s=0.02, gather_s=0.02, status_s=0.1
)


@contextlib.asynccontextmanager
async def running(bus, kinds, *devices):
    stop = asyncio.Event()
    spec = GatewaySpec(name="gw", devices=devices)
    task = asyncio.create_task(run_gateway(spec, bus, SETTINGS, stop, kinds=kinds))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


def status(bus) -> GatewayStatus | None:
    """The last status document, through JSON as its readers see it."""
    found = [document for subject, document in bus.documents if subject == "mw.status.gateway.gw"]
    if not found:
        return None
    return msgspec.json.decode(msgspec.json.encode(found[-1]), type=GatewayStatus)


def device(bus, name):
    document = status(bus)
    return next((one for one in document.devices if one.name == name), None) if document else None


def state(bus, name):
    found = device(bus, name)
    return found.state if found else None


async def test_polled_devices_report_and_the_status_tells(memory_bus, kinds, world, device_spec):
    one, two = device_spec("one", simulated=True), device_spec("two", number=10)
    async with running(memory_bus, kinds, one, two):
        await until(lambda: len(memory_bus.points()) > 60)
        await until(lambda: device(memory_bus, "one") and device(memory_bus, "one").read_per_s)
        document = status(memory_bus)
        assert [d.state for d in document.devices] == ["online", "online"]
        assert document.bus_connected
        assert document.buffer.acked_points
        assert document.rss_mib > 0
    points = memory_bus.points()
    assert all(quality & SIMULATED for name, _, _, quality in points if name == "one")
    assert not any(quality & SIMULATED for name, _, _, quality in points if name == "two")
    values = [value for name, tag, value, _ in points if (name, tag) == ("two", 10)]
    assert values == sorted(set(values))  # by exception, in order, nothing twice


async def test_a_hanging_device_delays_no_other_line(memory_bus, kinds, world, device_spec):
    async with running(
        memory_bus, kinds, device_spec("stuck"), device_spec("free", number=10, period_ms=20)
    ):
        await until(lambda: "stuck" in world and world["stuck"].reads)
        world["stuck"].hang = True
        await until(lambda: len(world["free"].reads) > 10)
        stuck = len(world["stuck"].reads)
        more = len(world["free"].reads) + 20
        await until(lambda: len(world["free"].reads) >= more)
        assert len(world["stuck"].reads) <= stuck + 1


async def test_a_crashing_driver_is_started_again(
    memory_bus, kinds, world, device_spec, monkeypatch
):
    monkeypatch.setattr("mingwu.edge.gateway._RESTART_S", 0.05)
    async with running(memory_bus, kinds, device_spec()):
        await until(memory_bus.points)
        world["d"].crash = True
        await until(lambda: state(memory_bus, "d") == "lost")
        assert device(memory_bus, "d").error.code == "edge.crashed"
        world["d"].crash = False
        await until(lambda: state(memory_bus, "d") == "online")


async def test_pushed_devices_are_gathered_and_subscribed_again(
    memory_bus, kinds, world, device_spec
):
    async with running(memory_bus, kinds, device_spec(driver="pushing")):
        await until(lambda: len(memory_bus.points()) == 3)
        for _ in range(50):
            world["d"].sink()
        await until(lambda: len(memory_bus.points()) == 3 * 51)
        assert len(memory_bus.batches()) < 10
        assert device(memory_bus, "d").mode == "subscribe"
        world["d"].up = False
        world["d"].sink()  # came before the end: it counts
        world["d"].subscription.lost.set()
        await until(
            lambda: [p[3] for p in memory_bus.points()][-3:] == [bad(Reason.NOT_CONNECTED)] * 3
        )
        assert len(memory_bus.points()) == 3 * 53
        world["d"].up = True
        await until(lambda: len(memory_bus.points()) == 3 * 54)
        assert device(memory_bus, "d") is not None
    kinds_of = [event["kind"] for event in memory_bus.events()]
    assert kinds_of == ["gateway.started", "device.lost", "device.back"]


async def test_writes_are_carried_out_and_recorded(memory_bus, kinds, world, device_spec):
    async with running(memory_bus, kinds, device_spec()):
        await until(lambda: state(memory_bus, "d") == "online")
        answer = memory_bus.served["mw.command.gw.*"]
        reply = await answer("mw.command.gw.d", b'{"tag": 1, "value": 5, "by": "li"}')
        assert reply.ok
        assert world["d"].written == [("t1", 5.0)]
        reply = await answer("mw.command.gw.nobody", b'{"tag": 1, "value": 5}')
        assert reply.code == "edge.no-such-device"
        await until(lambda: len(memory_bus.events()) == 3)
        done, refused = memory_bus.events()[1:]
        assert (done["kind"], done["value"], done["by"]) == ("command.done", 5.0, "li")
        assert (refused["kind"], refused["code"]) == ("command.refused", "edge.no-such-device")


async def test_a_refresh_reports_every_tag_once_more(memory_bus, kinds, world, device_spec):
    async with running(memory_bus, kinds, device_spec()):
        await until(memory_bus.points)
        world["d"].step = 0.0
        await until(lambda: len(world["d"].reads) > 5)
        settled = len(memory_bus.points())
        reads = len(world["d"].reads)
        await until(lambda: len(world["d"].reads) > reads + 3)
        assert len(memory_bus.points()) - settled <= 3
        settled = len(memory_bus.points())
        memory_bus.heard["mw.refresh.gw"]("", {})
        await until(lambda: len(memory_bus.points()) == settled + 3)


async def test_wrongly_declared_devices_are_shown_and_stop_nobody(
    memory_bus, kinds, world, device_spec
):
    wrong = device_spec("wrong", settings={"prot": 1})
    async with running(memory_bus, kinds, wrong, device_spec("right", number=10)):
        await until(lambda: device(memory_bus, "right"))
        await until(memory_bus.points)
        shown = device(memory_bus, "wrong")
        assert shown.state == "faulty"
        assert "prot" in shown.error.en


async def test_a_device_that_must_start_ends_the_gateway(
    memory_bus, kinds, world, new_world, device_spec
):
    world["d"] = new_world(up=False)
    with pytest.raises(StartFailed):
        async with running(memory_bus, kinds, device_spec(start=Start.ERROR)) as task:
            await asyncio.wait([task])


async def test_stopping_sends_what_lingers(memory_bus, kinds, world, device_spec):
    async with running(memory_bus, kinds, device_spec()):
        await until(lambda: "d" in world and len(world["d"].reads) > 3)
    assert memory_bus.points()[-1][2] == world["d"].value
    assert world["d"].closes
