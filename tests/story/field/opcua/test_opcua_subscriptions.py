"""Subscriptions: changes, refusals, limits, lost messages, and servers that fall silent."""

import asyncio
import logging
import struct
import time

import pytest
from asyncua import ua

from mingwu.field.opcua import notify, rawcall, status
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad
from tests.waiting import until

pytestmark = pytest.mark.anyio

VT = ua.VariantType


def tags(plant):
    return [
        plant.tag(1, "load"),
        plant.tag(2, "count"),
        plant.tag(3, "program", type=ValueType.TEXT),
    ]


async def test_first_values_then_changes(plant, connected, points):
    async with connected(plant.endpoint, simulated=True) as driver:
        subscription = await driver.subscribe(driver.compile(tags(plant)), points)
        await until(lambda: len(points.value) == 3)
        assert (points.value[1], points.value[2], points.text[3]) == (1.5, 7.0, "O1001")
        assert set(points.quality.values()) == {GOOD | SIMULATED}
        await plant.write("load", 8.5)
        await plant.write("program", "O77", VT.String)
        await until(lambda: (points.value[1], points.text[3]) == (8.5, "O77"))
        await plant.write("load", 8.5, status=ua.StatusCodes.BadSensorFailure)
        await until(lambda: points.quality[1] == bad(Reason.DEVICE_FAILURE) | SIMULATED)
        await subscription.close()
        await subscription.wait()  # closed, not lost
        seen = points.count
        await plant.write("load", 9.5)
        assert (await driver.read(driver.compile(tags(plant)))).value[0] == 9.5
        assert points.count == seen


async def test_two_plans_share_one_session(plant, connected, points):
    async with connected(plant.endpoint) as driver:
        first = await driver.subscribe(driver.compile([plant.tag(1, "load")]), points)
        await driver.subscribe(driver.compile([plant.tag(2, "speed", period_ms=50)]), points)
        await until(lambda: len(points.value) == 2)
        await first.close()
        await plant.write("speed", 6.5, VT.Float)
        await until(lambda: points.value[2] == 6.5)
        again = await driver.subscribe(driver.compile([plant.tag(1, "load")]), points)
        await plant.write("load", 3.5)
        await until(lambda: points.value[1] == 3.5)
        await again.close()


async def test_a_refused_tag_is_bad_alone_and_offered_again(plant, connected, points):
    absent = TagSpec(number=9, thing="t", name="n", address="nsu=urn:other;s=x")
    async with connected(plant.endpoint, retry_refused_s=0.1) as driver:
        plan = driver.compile([plant.tag(1, "load"), plant.tag(2, "later"), absent])
        await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 3)
        assert points.quality == {
            1: GOOD, 2: bad(Reason.BAD_ADDRESS), 9: bad(Reason.BAD_ADDRESS),
        }  # fmt: skip
        await plant.add("later", 4.5, VT.Double)
        await until(lambda: points.quality[2] == GOOD)
        assert points.value[2] == 4.5


async def test_tags_beyond_the_servers_room_are_polled(plant, connected, points, monkeypatch):
    created = notify.created_items

    def crowded(body, pos, expected):
        codes = created(body, pos, expected)
        return [
            code if n == 0 else status.BAD_TOO_MANY_MONITORED_ITEMS for n, code in enumerate(codes)
        ]

    async with connected(plant.endpoint, heartbeat_ms=0) as driver:
        monkeypatch.setattr(notify, "created_items", crowded)
        await driver.subscribe(driver.compile(tags(plant)), points)
        await until(lambda: len(points.value) == 3)
        await plant.write("count", 55, VT.Int32)
        await until(lambda: points.value[2] == 55.0)


async def test_a_lost_message_is_fetched_again(plant, connected, points, monkeypatch):
    """One publish answer is swallowed: its values come by Republish."""
    call, swallowed, asked = rawcall.call, [], []

    async def leaky(client, kind, body, **more):
        answer = await call(client, kind, body, **more)
        if kind == rawcall.REPUBLISH:
            asked.append(struct.unpack("<II", body))
        if kind == rawcall.PUBLISH and not swallowed and points.count:
            found = notify.published(*answer)
            if not found.keepalive:
                swallowed.append((found.subscription, found.sequence))
                return await call(client, kind, notify.publish([]), **more)
        return answer

    monkeypatch.setattr(rawcall, "call", leaky)
    async with connected(plant.endpoint, heartbeat_ms=0) as driver:
        plan = driver.compile([plant.tag(1, "load"), plant.tag(2, "count")])
        await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 2)
        await plant.write("load", 70.0)
        await until(lambda: swallowed)
        assert points.value[1] == 1.5
        await plant.write("count", 8, VT.Int32)
        await until(lambda: points.value[2] == 8.0)
        await until(lambda: points.value[1] == 70.0)
    assert asked == swallowed


async def test_the_server_ending_the_subscription_is_a_loss(plant, connected, points):
    async with connected(plant.endpoint) as driver:
        subscription = await driver.subscribe(driver.compile(tags(plant)), points)
        await until(lambda: len(points.value) == 3)
        service = plant.server.iserver.subscription_service
        ended = ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
        inner = service.subscriptions[max(service.subscriptions)]
        await inner.enqueue_statuschange(ended.Status)
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable, match="BadTimeout"):
                await subscription.wait()


async def test_a_silent_server_is_lost_within_the_keepalive_time(wire, plant, connected, points):
    async with connected(wire.endpoint, keepalive_ms=200) as driver:
        plan = driver.compile(tags(plant))
        subscription = await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 3)
        wire.hearing.clear()
        started = time.monotonic()
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable) as caught:
                await subscription.wait()
        assert caught.value.code == "opcua.silent"
        assert time.monotonic() - started < 2.5
        with pytest.raises(Unavailable):
            await driver.read(plan)
        wire.hearing.set()
        await driver.close()
        await driver.open()
        await driver.subscribe(plan, points)
        points.value.clear()
        await until(lambda: len(points.value) == 3)


async def test_an_idle_subscription_is_not_lost(plant, connected, points):
    async with connected(plant.endpoint, keepalive_ms=200, heartbeat_ms=0) as driver:
        subscription = await driver.subscribe(driver.compile(tags(plant)), points)
        await until(lambda: len(points.value) == 3)
        waiting = asyncio.create_task(subscription.wait())
        done, _ = await asyncio.wait([waiting], timeout=1.5)  # three times the silence allowed
        assert not done
        await plant.write("load", 2.0)
        await until(lambda: points.value[1] == 2.0)
        await subscription.close()
        await waiting


async def test_a_server_whose_clock_stands_still_is_lost(plant, connected, points):
    """Publishing goes on, but nothing of it is alive: the clock's item is swallowed."""
    async with connected(plant.endpoint, heartbeat_ms=300, keepalive_ms=100) as driver:
        subscription = await driver.subscribe(driver.compile(tags(plant)), points)
        await until(lambda: len(points.value) == 3)
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable) as caught:
                await subscription.wait()  # the server's clock ticks once a second
    assert caught.value.code == "opcua.silent"


async def test_a_clock_that_ticks_keeps_the_session(plant, connected, points):
    async with connected(plant.endpoint, heartbeat_ms=2500, keepalive_ms=500) as driver:
        subscription = await driver.subscribe(driver.compile(tags(plant)), points)
        waiting = asyncio.create_task(subscription.wait())
        done, _ = await asyncio.wait([waiting], timeout=3.5)
        assert not done
        assert set(points.value) == {1, 2, 3}  # the clock is not a tag
        await subscription.close()
        await waiting


async def test_a_slow_answer_is_a_timeout_and_says_so(wire, plant, connected):
    async with connected(wire.endpoint, timeout_ms=200) as driver:
        plan = driver.compile(tags(plant))
        await driver.read(plan)
        wire.hearing.clear()
        with pytest.raises(Unavailable) as caught:
            await driver.read(plan)
        assert caught.value.code == "opcua.timeout"
        assert "200 ms" in str(caught.value)
        wire.hearing.set()
        await driver.open()
        assert (await driver.read(plan)).quality[0] == GOOD


async def test_a_server_that_goes_and_comes_back(plant, connected, points, caplog):
    caplog.set_level(logging.WARNING)
    async with connected(plant.endpoint) as driver:
        plan = driver.compile(tags(plant))
        subscription = await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 3)
        caplog.clear()
        await plant.server.bserver.stop()
        try:
            async with asyncio.timeout(60):
                with pytest.raises(Unavailable):
                    await subscription.wait()
            with pytest.raises(Unavailable):
                await driver.read(plan)
            await driver.close()
            with pytest.raises(Unavailable) as caught:
                await driver.open()
            assert caught.value.code == "opcua.unreachable"
            ours = [r for r in caplog.records if not r.name.startswith("asyncua.server")]
            assert ours == []  # what to log about a lost device is the gateway's business
        finally:
            await plant.server.bserver.start()
        await driver.open()
        points.value.clear()
        await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 3)
