"""The bus from Python: envelope, publishing with acknowledgement, durable reading.

Rivals in the same run: for the envelope an Arrow IPC stream of the same columns; for publishing and
reading nats-py's own `publish_async` and `fetch` on the same server. Targets: envelope ≤ 1 µs a
point at 100 points and ≤ 0.05 µs at 1,000.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nats
import numpy as np
import pyarrow as pa
import uvloop
from nats.js import api

from mingwu.bus import envelope, subjects
from mingwu.bus.client import Bus
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings, Sync
from mingwu.kernel.batch import Batch, Columns

MESSAGES = 3000


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "?",
    )  # fmt: skip
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, load {load}, Python {sys.version.split()[0]}"


def batch(points: int, seq: int = 1, *, runs: int = 1) -> Batch:
    times = np.repeat(1_760_000_000_000_000_000 + np.arange(runs) * 100_000_000, points // runs)
    columns = Columns(
        np.arange(points, dtype=np.uint32),
        times.astype(np.int64),
        np.linspace(0, 1, points) + seq,
        np.full(points, 0xC0, np.uint8),
    )
    return Batch("gw1/device-1", 1_760_000_000_000, seq, 1_760_000_000_000_000_000, columns)


def arrow(one: Batch) -> bytes:
    c = one.columns
    names = ["tag", "time_ns", "value", "quality"]
    record = pa.record_batch([c.tag, c.time_ns, c.value, c.quality], names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_batch(record)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def arrow_back(data: bytes) -> list[np.ndarray]:
    table = pa.ipc.open_stream(data).read_all()
    return [column.to_numpy() for column in table.columns]


def cost_us(work: Callable[[], object], seconds: float = 0.4) -> float:
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for _ in range(50):
            work()
        count += 50
    return (time.process_time() - start) / count * 1e6


def codec() -> bool:
    print("CPU per point, ns: envelope (encode, decode, bytes a point), Arrow IPC (the same)")
    good = True
    for points, runs, limit_ns in ((100, 1, 1000), (100, 10, 1000), (1000, 1, 50), (1000, 10, 50)):
        one = batch(points, runs=runs)
        data, other = envelope.encode(one), arrow(one)
        ours = [
            cost_us(lambda one=one: envelope.encode(one)) / points * 1e3,
            cost_us(lambda data=data: envelope.decode(data)) / points * 1e3,
        ]
        theirs = [
            cost_us(lambda one=one: arrow(one)) / points * 1e3,
            cost_us(lambda other=other: arrow_back(other)) / points * 1e3,
        ]
        good &= max(ours) <= limit_ns
        print(
            f"{points:>7}{ours[0]:>9.1f}{ours[1]:>9.1f}{len(data) / points:>7.1f}        "
            f"{theirs[0]:>9.1f}{theirs[1]:>9.1f}{len(other) / points:>7.1f}   {runs} times"
        )
    return good


class Meter:
    """Rate and CPU of this process over a block."""

    def __init__(self, label: str, messages: int, points: int) -> None:
        self.label, self.messages, self.points = label, messages, points

    def __enter__(self) -> None:
        self.start, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.start
        cpu = time.process_time() - self.cpu
        print(
            f"{self.label:<46}{self.messages / seconds:>9,.0f} msg/s"
            f"{self.messages * self.points / seconds / 1e6:>8.2f} M points/s"
            f"{cpu / self.messages * 1e6:>8.0f} µs CPU/msg"
        )


async def windowed(bus: Bus, payload: bytes) -> None:
    subject = subjects.telemetry("gw1/device-1")
    pending: list[asyncio.Future[object]] = []
    for seq in range(1, MESSAGES + 1):
        pending.append(await bus.post(subject, payload, f"gw1/device-1:1:{seq}"))
        if len(pending) >= 64:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


async def traffic(sync: Sync, points: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        NatsServer(ServerSettings(directory=folder, port=0, password="b", sync=sync)) as server,  # noqa: S106
    ):
        settings = server.client_settings()
        bus = await Bus.open(settings, name="bench")
        with Meter(f"{sync.value}, {points} points: post, ack", MESSAGES, points):
            await windowed(bus, envelope.encode(batch(points)))
        consumer = await bus.consume(subjects.TELEMETRY, "history")
        count = 0
        with Meter(f"{sync.value}, {points} points: fetch, decode, ack", MESSAGES, points):
            while count < MESSAGES:
                found = await consumer.fetch(wait_s=0.2)
                count += sum(1 for one in found if one.batch())
                await consumer.ack_through(found[-1])
        await rival(settings.urls[0], settings.password, sync, points)
        await bus.close()


async def rival(url: str, password: str, sync: Sync, points: int) -> None:
    """nats-py's own calls, on a stream of its own."""
    client = await nats.connect(url, user="mingwu", password=password)
    stream = client.jetstream()
    await stream.add_stream(name="RIVAL", subjects=["rival"], storage=api.StorageType.FILE)
    payload = envelope.encode(batch(points))
    with Meter(f"  rival nats-py publish_async, {sync.value}", MESSAGES, points):
        for at in range(0, MESSAGES, 64):
            many = range(at, min(at + 64, MESSAGES))
            futures = [
                await stream.publish_async("rival", payload, headers={"Nats-Msg-Id": str(n)})
                for n in many
            ]
            await asyncio.gather(*futures)
    reader = await stream.pull_subscribe("rival", "r")
    count = 0
    with Meter("  rival nats-py fetch(500), decode, ack each", MESSAGES, points):
        while count < MESSAGES:
            for message in await reader.fetch(min(500, MESSAGES - count)):
                envelope.decode(message.data)
                await message.ack()
                count += 1
    await client.close()


def main() -> int:
    print(machine())
    good = codec()
    for sync in (Sync.POWER_SAFE, Sync.THROUGHPUT):
        uvloop.run(traffic(sync, 1000))
    print(f"envelope targets: {'met' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
