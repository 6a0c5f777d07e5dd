"""A gateway process against a real bus: kill -9 of either, a full bus."""

import asyncio
import contextlib
import importlib.util
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from mingwu.bus import subjects
from mingwu.bus.client import Bus
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings, StreamLimits, StreamsSettings
from mingwu.edge.gateway import run_gateway
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import GatewayStatus
from tests.waiting import until

pytestmark = pytest.mark.anyio
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture
def server(tmp_path):
    with NatsServer(ServerSettings(directory=str(tmp_path / "bus"), port=0, password="pw")) as it:
        yield it


def start(server):
    process = subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE)
    process.stdin.write(msgspec.json.encode(server.client_settings()) + b"\n")
    process.stdin.flush()
    return process


@contextlib.contextmanager
def gateway(server):
    process = start(server)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


class Heard:
    """What passes by, and the last status document."""

    def __init__(self):
        self.batches = 0
        self.status = None

    async def on(self, bus):
        await bus.subscribe_batches(self._batch)
        await bus.subscribe_json(subjects.status("gateway", "gw"), self._status, GatewayStatus)

    def _batch(self, batch):
        self.batches += 1

    def _status(self, subject, document):
        self.status = document


async def stored(bus):
    """All batches of the stream by source and boot."""
    consumer = await bus.consume(subjects.TELEMETRY, "history")
    found = defaultdict(list)
    while deliveries := await consumer.fetch(wait_s=0.5):
        for one in deliveries:
            batch = one.batch()
            found[batch.source, batch.boot].append(batch)
        await consumer.ack_through(deliveries[-1])
    return found


def assert_whole(batches):
    """Every batch once, every value of every tag once and none missing."""
    batches = sorted(batches, key=lambda batch: batch.seq)
    assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
    values = defaultdict(list)
    for batch in batches:
        columns = batch.columns
        for tag, value in zip(columns.tag.tolist(), columns.value.tolist(), strict=True):
            values[tag].append(value)
    assert len(values) == 20
    for seen in values.values():
        assert seen == [float(n) for n in range(1, len(seen) + 1)]


async def test_kill_9_of_the_bus_under_load(server):
    heard = Heard()
    with gateway(server) as process:
        bus = await Bus.open(server.client_settings(), name="test")
        await heard.on(bus)
        await until(lambda: heard.batches > 20)
        server.kill()
        await until(lambda: not bus.connected)
        began = time.monotonic()
        await asyncio.to_thread(server.start)
        before = heard.batches
        await until(lambda: heard.batches > before + 20)
        assert time.monotonic() - began < 10
        await until(lambda: heard.status and heard.status.buffer.state == "ok")
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
        found = await stored(bus)
        assert {source for source, _ in found} == {"gw/d0", "gw/d1", "gw/d2"}
        for batches in found.values():
            assert_whole(batches)
        assert "connection lost" in " ".join(line.text for line in heard.status.log)
        await bus.close()


async def test_kill_9_of_the_gateway_under_load(server):
    heard = Heard()
    bus = await Bus.open(server.client_settings(), name="test")
    await heard.on(bus)
    with gateway(server) as process:
        await until(lambda: heard.batches > 20)
        process.kill()
        await asyncio.to_thread(process.wait)
    began, before = time.monotonic(), heard.batches
    with gateway(server) as process:
        await until(lambda: heard.batches > before + 20)
        assert time.monotonic() - began < 10
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
    found = await stored(bus)
    assert len({boot for _, boot in found}) == 2
    for batches in found.values():
        assert_whole(batches)
    await bus.close()


async def test_a_full_bus_is_shown_thinned_and_recovered_from(server):
    loaded = importlib.util.spec_from_file_location("gateway_program", PROGRAM)
    program = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(program)
    limits = StreamsSettings(telemetry=StreamLimits(max_mib=1))
    settings = msgspec.structs.replace(server.client_settings(), streams=limits)
    heard, events = Heard(), []
    bus = await Bus.open(settings, name="gateway")
    await heard.on(bus)
    await bus.subscribe_json(
        subjects.ALL_EVENTS, lambda _, event: events.append(event["kind"]), dict
    )
    stop = asyncio.Event()
    edge = EdgeSettings(linger_s=0, buffer_mib=1, status_s=0.1)
    task = asyncio.create_task(
        run_gateway(
            program.specification(devices=4, period_ms=20, tags=200),
            bus,
            edge,
            stop,
            kinds=lambda _name: program.KIND,
        )
    )
    await until(lambda: heard.status and heard.status.buffer.error)
    assert heard.status.buffer.error.code == "bus.storage-full"
    assert "max_mib" in heard.status.buffer.error.next_en
    await until(lambda: heard.status.buffer.thinned_points)
    assert heard.status.buffer.bytes <= 1024 * 1024
    await until(lambda: "buffer.edge.buffer-thinned" in events)
    drained = asyncio.create_task(_drain(bus))
    await until(lambda: heard.status.buffer.state == "ok" and not heard.status.buffer.error)
    await until(lambda: "buffer.recovered" in events)
    stop.set()
    await task
    drained.cancel()
    await asyncio.gather(drained, return_exceptions=True)
    await bus.close()


async def _drain(bus):
    consumer = await bus.consume(subjects.TELEMETRY, "history")
    while True:
        found = await consumer.fetch(wait_s=0.2)
        if found:
            await consumer.ack_through(found[-1])
