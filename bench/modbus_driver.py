"""Modbus driver: CPU per read of 1,000 tags, against pymodbus in the same run.

The servers run in a process of their own (pre-encoded replies, so that they are no bottleneck).
Ten devices with 1,000 uint16 tags each are read every 100 ms (100,000 points/s), first by the
driver, then by pymodbus's async client with the same block reads and its own decoding, then by
pymodbus with one request per tag at the rate it reaches. CPU is that of the reading process.
"""

import asyncio
import gc
import multiprocessing
import os
import platform
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from pymodbus.client import AsyncModbusTcpClient

from mingwu.field.modbus.driver import KIND
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.settings import build

DEVICES = 10
TAGS = 1000
PERIOD_S = 0.1
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))


class Server(asyncio.Protocol):
    """Answers function 3 from a constant register table."""

    TABLE = struct.pack(">4000H", *range(4000))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), 12):
            transaction, start, count = struct.unpack(">H6xHH", data[at : at + 12])
            body = self.TABLE[2 * start : 2 * (start + count)]
            head = struct.pack(">HHHBBB", transaction, 0, 3 + len(body), data[at + 6], 3, len(body))
            self.transport.write(head + body)


def serve(pipe: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for device in range(2, DEVICES + 1):
            await loop.create_server(Server, f"127.0.0.{device}", port)
        pipe.send(port)
        await asyncio.Event().wait()

    uvloop.run(run())


def machine() -> str:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [r for r in cpuinfo.read_text("utf-8").splitlines() if r.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, load {load}"


async def paced(work: Callable[[], Awaitable[object]]) -> tuple[float, float, int]:
    """(points/s, CPU seconds per second, cycles behind) of ``work`` for each device each period."""
    behind = done = 0
    gc.collect()
    start, cpu = time.perf_counter(), time.process_time()
    while (now := time.perf_counter() - start) < SECONDS:
        await work()
        done += 1
        rest = done * PERIOD_S - (time.perf_counter() - start)
        if rest > 0:
            await asyncio.sleep(rest)
        else:
            behind += 1
    elapsed = time.perf_counter() - start
    del now
    return done * DEVICES * TAGS / elapsed, (time.process_time() - cpu) / elapsed, behind


def tags(step: int, type_name: str) -> list[TagSpec]:
    return [
        TagSpec(number=n, thing="x", name=f"t{n}", address=f"holding:{n * step}:{type_name}")
        for n in range(TAGS)
    ]


async def ours(port: int, type_name: str, step: int, window: int = 1) -> tuple[float, float, int]:
    drivers = []
    for unit in range(1, DEVICES + 1):
        # the host name makes each device a line of its own, as ten devices are
        place = {"host": f"127.0.0.{unit}", "port": port, "unit": unit, "in_flight": window}
        drivers.append(KIND.create(build(KIND.settings, place), True))
    plans = [driver.compile(tags(step, type_name)) for driver in drivers]
    for driver in drivers:
        await driver.open()
    columns = await drivers[0].read(plans[0])
    assert len(columns) == TAGS
    assert type_name != "uint16" or (columns.value == range(TAGS)).all()
    pairs = list(zip(drivers, plans, strict=True))
    result = await paced(lambda: asyncio.gather(*[d.read(p) for d, p in pairs]))  # type: ignore[arg-type]
    for driver in drivers:
        await driver.close()
    return result


async def pymodbus_blocks(port: int) -> tuple[float, float, int]:
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for _ in range(DEVICES)]
    for client in clients:
        await client.connect()

    async def read(client: AsyncModbusTcpClient) -> list[int]:
        values: list[int] = []
        for start in range(0, TAGS, 125):
            reply = await client.read_holding_registers(start, count=125, device_id=1)
            values += client.convert_from_registers(reply.registers, client.DATATYPE.UINT16)  # type: ignore[arg-type, operator]
        return values

    assert await read(clients[0]) == list(range(TAGS))
    result = await paced(lambda: asyncio.gather(*[read(client) for client in clients]))  # type: ignore[arg-type]
    for client in clients:
        client.close()
    return result


async def pymodbus_single(port: int) -> tuple[float, float, int]:
    """One request per tag, as fast as it goes on one connection; scaled to points/s."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    count = 0
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < SECONDS / 2:
        await client.read_holding_registers(count % TAGS, count=1, device_id=1)
        count += 1
    elapsed = time.perf_counter() - start
    client.close()
    return count / elapsed, (time.process_time() - cpu) / elapsed, 0


def main() -> int:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    print(machine())
    print(f"{DEVICES} devices x {TAGS} tags every {PERIOD_S * 1000:.0f} ms, {SECONDS:.0f} s each\n")
    runs = [
        ("mingwu, uint16", lambda: ours(port, "uint16", 1)),
        ("mingwu, uint16, 8 in flight", lambda: ours(port, "uint16", 1, 8)),
        ("mingwu, float32", lambda: ours(port, "float32", 2)),
        ("pymodbus async, blocks of 125", lambda: pymodbus_blocks(port)),
        ("pymodbus async, one tag each", lambda: pymodbus_single(port)),
    ]
    print(f"{'':32}{'points/s':>10}{'core %':>9}{'us/1000 tags':>14}{'late':>6}{'ratio':>8}")
    base = 0.0
    for name, run in runs:
        rate, cpu, behind = uvloop.run(run())
        cost = cpu / rate * 1e9
        base = base or cost
        print(f"{name:32}{rate:10.0f}{100 * cpu:9.1f}{cost:14.0f}{behind:6d}{cost / base:8.1f}")
    server.terminate()
    server.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
