"""The bus client against a real server: streams, durable reading, crashes, cut connections."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mingwu.bus import subjects
from mingwu.bus.client import Bus
from mingwu.bus.diskguard import DiskGuard
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings, StreamLimits, StreamsSettings
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.errors import Unavailable
from tests.waiting import until

pytestmark = pytest.mark.anyio


def batch(seq, points=10, source="gw/d1"):
    columns = Columns(
        np.arange(points, dtype=np.uint32),
        np.full(points, seq, np.int64),
        np.full(points, float(seq)),
        np.full(points, 0xC0, np.uint8),
    )
    return Batch(source, 1, seq, seq, columns)


@contextlib.asynccontextmanager
async def open_bus(server, **more):
    bus = await Bus.open(msgspec.structs.replace(server.client_settings(), **more), name="test")
    try:
        yield bus
    finally:
        await bus.close()


async def read_all(consumer, enough, seconds=20.0):
    found = []
    deadline = time.monotonic() + seconds
    while len(found) < enough and time.monotonic() < deadline:
        got = await consumer.fetch(wait_s=0.2)
        found += got
        if got:
            await consumer.ack_through(got[-1])
    return found


async def test_published_is_read_once_in_order_and_duplicates_are_not_stored(server):
    async with open_bus(server) as bus:
        first = await bus.publish_batch(batch(1))
        again = await bus.publish_batch(batch(1))
        assert (again.seq, again.duplicate) == (first.seq, True)
        for seq in range(2, 60):
            await bus.publish_batch(batch(seq))
        consumer = await bus.consume(subjects.TELEMETRY, "history")
        found = await read_all(consumer, 59)
        assert [one.batch().seq for one in found] == list(range(1, 60))
        assert found[0].subject == "mw.telemetry.gw.d1"
        assert await consumer.fetch(wait_s=0.1) == []
        assert consumer.missed == 0
        await consumer.close()


async def test_fetches_are_bounded_by_bytes(server):
    async with open_bus(server) as bus:
        await asyncio.gather(*[bus.publish_batch(batch(seq, 50_000)) for seq in range(1, 31)])
        consumer = await bus.consume(subjects.TELEMETRY, "history", max_bytes=1_000)
        sizes = []
        total = 0
        while total < 30:
            found = await consumer.fetch(wait_s=0.5)
            sizes.append(sum(len(one.data) for one in found))
            total += len(found)
            await consumer.ack_through(found[-1])
        # the smallest limit that lets every message through is the server's max_payload
        assert max(sizes) <= 8 * 1024 * 1024 + 4096
        assert len(sizes) >= 3


async def test_unacknowledged_messages_come_again_after_the_reader_died(server):
    async with open_bus(server) as bus:
        await bus.publish_batch(batch(1))
        await bus.publish_batch(batch(2))
        await bus.publish_batch(batch(3))
        consumer = await bus.consume(subjects.TELEMETRY, "history")
        found = await consumer.fetch(wait_s=0.3)
        await consumer.ack_through(found[0])
        await consumer.close()
        await bus.publish_batch(batch(4))
        successor = await bus.consume(subjects.TELEMETRY, "history")
        found = await successor.fetch(wait_s=0.3)
        # 2 and 3 were sent to the dead reader; they come first, not a minute later
        assert [one.batch().seq for one in found] == [2, 3, 4]
        await successor.ack_through(found[-1])
        await successor.close()
        last = await bus.consume(subjects.TELEMETRY, "history")
        assert await last.fetch(wait_s=0.2) == []


async def test_what_the_stream_forgot_is_counted(server):
    streams = StreamsSettings(event=StreamLimits(max_mib=1))
    async with open_bus(server, streams=streams) as bus:
        reader = await bus.consume(subjects.EVENT, "reader")
        await bus.publish(subjects.event("a", "b"), b"first", "first")
        await reader.ack_through((await reader.fetch(wait_s=0.2))[0])
        for n in range(20):
            await bus.publish(subjects.event("a", "b"), bytes(200_000), str(n))
        found = await reader.fetch(wait_s=0.5)
        assert found
        assert reader.missed == 20 - len(found)


async def test_a_stream_whose_store_was_lost_is_read_from_its_new_beginning(server):
    async with open_bus(server) as bus:
        reader = await bus.consume(subjects.TELEMETRY, "history")
        for seq in range(1, 6):
            await bus.publish_batch(batch(seq))
        await read_all(reader, 5)
        server.stop()
        shutil.rmtree(Path(server.settings.directory) / "streams")
        await asyncio.to_thread(server.start)
        await until(lambda: bus.connected)
        deadline = time.monotonic() + 60
        while True:  # the streams are made again by the client that returned
            try:
                await bus.publish_batch(batch(6))
                break
            except Unavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        assert [one.batch().seq for one in await read_all(reader, 1)] == [6]


async def test_live_listeners_hear_batches_and_documents_and_survive_rubbish(server):
    heard, documents = [], []
    async with open_bus(server) as bus:
        await bus.subscribe_batches(heard.append)
        await bus.subscribe_json(
            subjects.ALL_STATUS, lambda subject, body: documents.append((subject, body)), dict
        )
        await bus.publish("mw.telemetry.gw.d1", b"rubbish", "r1")
        await bus._say("mw.status.x.y", b"rubbish")
        await bus.publish_batch(batch(4))
        await bus.publish_json(subjects.status("gateway", "gw"), {"state": "ok"})
        await until(lambda: heard and documents)
        assert heard[0].seq == 4
        assert documents == [("mw.status.gateway.gw", {"state": "ok"})]
        assert bus.malformed == 2


async def test_requests_are_answered_by_the_handler_not_by_the_stream(server):
    async with open_bus(server) as bus:

        async def answer(subject, body):
            await asyncio.sleep(0.05)
            return {"subject": subject, "got": msgspec.json.decode(body)}

        interest = await bus.serve("mw.command.gw.*", answer)
        reply = await bus.request("mw.command.gw.d1", {"value": 3}, dict)
        assert reply == {"subject": "mw.command.gw.d1", "got": {"value": 3}}
        await interest.close()
        with pytest.raises(Unavailable) as caught:
            await bus.request("mw.nobody", {}, dict, timeout_s=0.5)
        assert caught.value.code == "bus.no-answer"
        commands = await bus.consume(subjects.COMMAND, "test")
        assert len(await commands.fetch(wait_s=0.3)) == 1


async def test_full_stream_says_what_to_do(server):
    streams = StreamsSettings(telemetry=StreamLimits(max_mib=1))
    async with open_bus(server, streams=streams) as bus:
        waiting = [bus.publish_batch(batch(seq, 20_000)) for seq in range(1, 10)]
        with pytest.raises(Unavailable) as caught:
            await asyncio.gather(*waiting)
        assert caught.value.code == "bus.storage-full"
        assert "max_mib" in caught.value.next_step("en")
        consumer = await bus.consume(subjects.TELEMETRY, "history")
        found = await consumer.fetch(wait_s=0.3)
        await consumer.ack_through(found[-1])
        deadline = time.monotonic() + 60
        while True:  # room again once the reader has acknowledged
            try:
                await bus.publish_batch(batch(50, 20_000))
                break
            except Unavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)


async def test_kill_9_loses_nothing_acknowledged_and_the_client_returns(server):
    acked, failed = set(), 0
    async with open_bus(server) as bus:
        consumer = await bus.consume(subjects.TELEMETRY, "history")
        heard = []
        await bus.subscribe_batches(heard.append)

        async def publish(numbers):
            nonlocal failed
            for seq in numbers:
                while True:
                    try:
                        await bus.publish_batch(batch(seq))
                        acked.add(seq)
                        break
                    except Unavailable:
                        failed += 1
                        await asyncio.sleep(0.02)

        writers = [asyncio.create_task(publish(range(n, 600, 4))) for n in range(1, 5)]
        await until(lambda: len(acked) > 100)
        server.kill()
        await until(lambda: not bus.connected)
        start = time.monotonic()
        await asyncio.to_thread(server.start)
        await asyncio.gather(*writers)
        assert time.monotonic() - start < 10
        assert failed
        found = [one.batch().seq for one in await read_all(consumer, len(acked))]
        assert sorted(found) == sorted(acked)  # nothing lost, nothing twice
        last = batch(1000)
        await bus.publish_batch(last)
        await until(lambda: heard[-1].seq == 1000)  # subscriptions were renewed


async def test_without_a_bus_opening_fails_and_publishing_fails_at_once(server):
    settings = server.client_settings()
    async with open_bus(server) as bus:
        server.stop()
        await until(lambda: not bus.connected)
        start = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await bus.publish_batch(batch(1))
        assert caught.value.code == "bus.disconnected"
        assert time.monotonic() - start < 1
        with pytest.raises(Unavailable) as caught:
            await Bus.open(msgspec.structs.replace(settings, connect_wait_s=0.5), name="x")
        assert caught.value.code == "bus.unreachable"
        assert settings.urls[0] in str(caught.value)


async def test_wrong_password_is_reported(server):
    settings = msgspec.structs.replace(server.client_settings(), password="no", connect_wait_s=0.7)
    with pytest.raises(Unavailable) as caught:
        await Bus.open(settings, name="x")
    assert "uthorization" in str(caught.value)


async def test_a_cut_line_is_noticed_and_left(server):
    """A line that swallows everything: no end of file, only silence."""
    cut = asyncio.Event()
    pumps, writers = [], []

    async def pump(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65536):
                if cut.is_set():
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()

    async def accept(reader, writer):
        writers.append(writer)
        if cut.is_set():
            return  # accepted, and never a word
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append(far_writer)
        pumps.append(asyncio.create_task(pump(reader, far_writer)))
        pumps.append(asyncio.create_task(pump(far_reader, writer)))

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    settings = msgspec.structs.replace(
        server.client_settings(), urls=(f"nats://127.0.0.1:{port}",), ack_timeout_s=1.0
    )
    bus = await Bus.open(settings, name="test")
    try:
        await bus.publish_batch(batch(1))
        cut.set()
        with pytest.raises(Unavailable) as caught:
            await bus.publish_batch(batch(2, 100_000))
        assert caught.value.code in {"bus.no-ack", "bus.disconnected"}
        await until(lambda: not bus.connected)
        cut.clear()
        await until(lambda: bus.connected)
        assert not (await bus.publish_batch(batch(2))).duplicate
    finally:
        await bus.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        proxy.close()
        await proxy.wait_closed()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's")
async def test_a_disk_that_fails_is_reported_and_the_server_revived(server):
    import resource

    guard = DiskGuard(server.settings, free_mib=lambda _: 50.0)
    async with open_bus(server, ack_timeout_s=1.0) as bus:
        first = await bus.publish_batch(batch(1))
        # A limit on the size of files fails a write as a full disk does.
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100_000, unlimited))
        with pytest.raises(Unavailable) as caught:
            await bus.publish_batch(batch(2, 20_000))
        assert caught.value.code == "bus.no-ack"
        assert "disk" in caught.value.next_step("en")
        guard.look()
        assert guard.fault.code == "bus.disk-failed"
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        with pytest.raises(Unavailable):
            await bus.publish_batch(batch(2, 20_000))  # room alone does not help
        guard._free_mib = lambda _: 1000.0
        guard.look()
        await until(lambda: server.pid is None)
        await asyncio.to_thread(server.start)  # the supervisor's part
        await until(lambda: bus.connected)
        assert (await bus.publish_batch(batch(2, 20_000))).seq == first.seq + 1


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_the_server_dies_with_its_parent(tmp_path):
    program = (
        "import sys, time\n"
        "from mingwu.bus.server import NatsServer\n"
        "from mingwu.bus.settings import ServerSettings\n"
        f"s = NatsServer(ServerSettings(directory={str(tmp_path)!r}, port=0, password='p'))\n"
        "s.start(); print(s.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while _state(child) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_server_that_cannot_start_says_where_to_read(tmp_path, server):
    settings = ServerSettings(directory=str(tmp_path / "b"), port=server.port, password="p")
    with pytest.raises(Unavailable) as caught:
        NatsServer(settings).start()
    assert caught.value.code == "bus.server-failed"
    assert "nats.log" in caught.value.next_step("en")
