"""The MQTT driver against a real broker: rights, garbage, kill -9 and back."""

import asyncio
import socket
import time

import pytest
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusUser, ServerSettings
from mingwu.field.mqtt.driver import KIND
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, Reason, bad
from mingwu.kernel.settings import build
from tests.waiting import until

pytestmark = pytest.mark.anyio

TAGS = [
    TagSpec(number=1, thing="x", name="rate", address="plant/leak#rate"),
    TagSpec(number=2, thing="x", name="text", address="plant/leak#part", type=ValueType.TEXT),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
async def broker(tmp_path):
    server = NatsServer(
        ServerSettings(
            directory=str(tmp_path),
            port=0,
            mqtt_port=free_port(),
            password="own",
            users=(BusUser(name="gateway", password="g", subscribe=("plant.>", "$MQTT.>")),),
        )
    )
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


def driver(broker, **settings):
    defaults = {"port": broker.settings.mqtt_port, "user": "mingwu", "password": "own"}
    return KIND.create(build(KIND.settings, defaults | settings), False)


async def device(broker):
    client = Client("device")
    client.set_config({"reconnect_retries": -2})
    client.set_auth_credentials("mingwu", "own")
    async with asyncio.timeout(60):
        await client.connect("127.0.0.1", broker.settings.mqtt_port, version=MQTTv311)
    return client


async def test_wrong_password_is_unavailable_and_not_shown(broker):
    client = driver(broker, password="guessed")
    with pytest.raises(Unavailable) as caught:
        await client.open()
    assert caught.value.code == "mqtt.unreachable"
    assert "guessed" not in caught.value.text("en")
    await client.close()


async def test_somebody_who_is_no_broker(broker):
    """A server that accepts and says nothing, and one that talks nonsense."""

    ended = asyncio.Event()

    async def answer(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while await reader.read(100):
            pass
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = driver(broker, port=server.sockets[0].getsockname()[1], timeout_ms=300)
    start = time.monotonic()
    with pytest.raises(Unavailable):
        await client.open()
    assert time.monotonic() - start < 3
    await ended.wait()
    server.close()
    await server.wait_closed()


async def test_messages_good_and_malformed(broker):
    client, sender = driver(broker), await device(broker)
    await client.open()
    seen = []
    subscription = await client.subscribe(client.compile(TAGS), seen.append)
    sender.publish("plant/leak", b'{"rate": 1.5, "part": "A7"}', qos=1)
    sender.publish("plant/leak", b'{"rate": 1.5, "pa', qos=1)
    sender.publish("plant/other", b"1", qos=1)
    sender.publish("plant/leak", b'{"rate": "x"}', qos=1)
    await until(lambda: len(seen) == 3)
    assert [columns.quality.tolist() for columns in seen] == [
        [GOOD, GOOD],
        [bad(Reason.MALFORMED)] * 2,
        [bad(Reason.CONVERSION), bad(Reason.BAD_ADDRESS)],
    ]
    assert seen[0].text == {1: "A7"}
    await subscription.close()
    await client.close()
    await sender.disconnect()


async def test_retained_message_comes_at_once(broker):
    sender = await device(broker)
    sender.publish("plant/leak", b'{"rate": 2.5, "part": "B"}', qos=1, retain=True)
    client = driver(broker)
    await client.open()
    seen = []
    async with asyncio.timeout(60):
        while not seen:  # the broker stores it after it acknowledged it
            subscription = await client.subscribe(client.compile(TAGS), seen.append)
            await asyncio.sleep(0.05)
            await subscription.close()
    assert seen[0].value[0] == 2.5
    await client.close()
    await sender.disconnect()


async def test_topic_the_account_may_not_read(broker):
    client = driver(broker, user="gateway", password="g")
    tags = [*TAGS, TagSpec(number=3, thing="x", name="secret", address="other/secret")]
    await client.open()
    seen = []
    await client.subscribe(client.compile(tags), seen.append)
    refused = {
        int(number): int(quality)
        for columns in seen
        for number, quality in zip(columns.tag, columns.quality, strict=True)
    }
    assert refused == {3: bad(Reason.ACCESS_DENIED)}
    await client.close()


async def test_kill_9_is_told_and_subscriptions_resume(broker):
    client = driver(broker)
    plan = client.compile(TAGS)
    await client.open()
    seen = []
    subscription = await client.subscribe(plan, seen.append)
    broker.kill()
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable) as caught:
            await subscription.wait()
    assert caught.value.code == "mqtt.lost"
    await client.close()
    with pytest.raises(Unavailable):
        await client.open()
    await asyncio.to_thread(broker.start)
    start = time.monotonic()
    await client.open()
    await client.subscribe(plan, seen.append)
    sender = await device(broker)
    sender.publish("plant/leak", b'{"rate": 3, "part": "C"}', qos=1)
    await until(lambda: seen)
    assert time.monotonic() - start < 5
    assert seen[0].value[0] == 3
    await client.close()
    await sender.disconnect()
