"""The gateway process: Modbus TCP to the bus, with quality, times and report by exception on.

Server, gateway, bus and rival are processes of their own; what is printed is the CPU and memory of
the gateway process alone (the figure an edge box has to pay), beside the points it read, reported
and had acknowledged. Targets: 10 × 1,000 tags at 100 ms (100,000 points/s) at ≤ 15 % of a core and
≤ 80 MiB. The rivals poll with pymodbus: one only reads, one does the same work in plain Python.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from mingwu.bus.client import Bus
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusSettings, ServerSettings
from mingwu.edge.gateway import Gateway
from mingwu.edge.settings import EdgeSettings
from mingwu.field import catalogue
from mingwu.kernel.clock import SystemClock
from mingwu.kernel.plant import DeviceSpec, GatewaySpec, TagSpec

TAGS = 1000
PERIOD_MS = 100
WARM_S = 3.0


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "?",
    )  # fmt: skip
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{os.cpu_count()} cores, {model}, load {load}, Python {sys.version.split()[0]}"


# ---------------------------------------------------------------- the devices


class Unit(asyncio.Protocol):
    """A Modbus TCP server whose answers are encoded beforehand, so that it is not measured."""

    PHASES = 16

    def __init__(self, answers: dict[tuple[int, bytes], bytes]) -> None:
        self._answers = answers
        self._phase = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        out = []
        while len(data) >= 12:
            request, tid, data = data[7:12], data[:2], data[12:]
            if request[1:3] == b"\0\0":
                self._phase = (self._phase + 1) % self.PHASES
            out.append(tid + self._answers[self._phase, request])
        self._rest = data
        self._transport.write(b"".join(out))


def answers(share: float) -> dict[tuple[int, bytes], bytes]:
    """(phase, PDU) -> reply without its transaction id; ``share`` of the registers change."""
    found = {}
    step = max(1, round(1 / share)) if share else TAGS * 2
    for phase in range(Unit.PHASES):
        words = [(n * 7 + (phase * 11 if n % step == 0 else 0)) % 65536 for n in range(TAGS + 125)]
        for start in range(0, TAGS, 125):
            count = min(125, TAGS - start)
            body = b"".join(w.to_bytes(2, "big") for w in words[start : start + count])
            pdu = bytes([1, 3, 2 * count]) + body
            request = bytes([3]) + start.to_bytes(2, "big") + count.to_bytes(2, "big")
            found[phase, request] = b"\0\0" + len(pdu).to_bytes(2, "big") + pdu
    return found


async def serve(devices: int, share: float) -> None:
    table = answers(share)
    loop = asyncio.get_running_loop()
    ports = []
    for _ in range(devices):
        server = await loop.create_server(lambda: Unit(table), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


# ---------------------------------------------------------------- the gateway


def specification(ports: list[int]) -> GatewaySpec:
    return GatewaySpec(
        name="bench",
        devices=tuple(
            DeviceSpec(
                name=f"d{at}",
                thing=f"88.888.101/BENCH.{at}",
                driver="modbus",
                settings={"port": port},
                tags=tuple(
                    TagSpec(
                        number=at * TAGS + n,
                        thing=f"88.888.101/BENCH.{at}",
                        name=f"t{n}",
                        address=f"holding:{n}",
                        low=0,
                        high=65535,
                        period_ms=PERIOD_MS,
                    )
                    for n in range(TAGS)
                ),
            )
            for at, port in enumerate(ports)
        ),
    )


async def gateway(ports: list[int], bus_settings: BusSettings, seconds: float) -> None:
    bus = await Bus.open(bus_settings, name="bench")
    stop = asyncio.Event()
    it = Gateway(specification(ports), bus, EdgeSettings(), catalogue.kind, SystemClock())
    running = asyncio.create_task(it.run(stop))
    await asyncio.sleep(WARM_S)
    before, cpu, start = it.status(1.0), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    elapsed = time.monotonic() - start
    after, cpu = it.status(1.0), time.process_time() - cpu
    read = sum(d.read for d in after.devices) - sum(d.read for d in before.devices)
    reported = sum(d.reported for d in after.devices) - sum(d.reported for d in before.devices)
    print(
        json.dumps(
            {
                "read": read / elapsed,
                "reported": reported / elapsed,
                "acked": (after.buffer.acked_points - before.buffer.acked_points) / elapsed,
                "messages": (after.buffer.acked_batches - before.buffer.acked_batches) / elapsed,
                "cpu": cpu / elapsed,
                "rss": after.rss_mib,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "overruns": sum(d.overruns for d in after.devices),
                "p99": max(d.latency_p99_ms for d in after.devices),
                "ack_p99": after.buffer.ack_p99_ms,
                "dropped": after.buffer.dropped_points + after.buffer.thinned_points,
            }
        ),
        flush=True,
    )
    stop.set()
    await running
    await bus.close()


async def rival(ports: list[int], seconds: float, bus: str) -> None:
    """What a script on pymodbus does: read; with a bus also quality, changes only, JSON, acks."""
    import nats
    import orjson
    from pymodbus.client import AsyncModbusTcpClient

    logging.getLogger("pymodbus").setLevel(logging.ERROR)
    points = 0
    stream = None
    if bus:
        where = msgspec.json.decode(bus, type=BusSettings)
        client = await nats.connect(where.urls[0], user=where.user, password=where.password)
        stream = client.jetstream()
        await stream.add_stream(name="RIVAL", subjects=["rival.*"])

    async def poll(port: int) -> None:
        nonlocal points
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        deadline = time.monotonic()
        last: dict[int, int] = {}
        while True:
            now = time.time_ns()
            row = []
            for start in range(0, TAGS, 125):
                reply = await client.read_holding_registers(start, count=125, device_id=1)
                for n, value in enumerate(reply.registers, start):
                    if last.get(n) != value or not stream:
                        last[n] = value
                        row.append({"tag": n, "value": value, "time": now, "quality": 192})
            points += TAGS
            if stream and row:
                await stream.publish_async(f"rival.{port}", orjson.dumps(row))
            deadline = max(deadline + PERIOD_MS / 1000, time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, deadline - time.monotonic()))

    tasks = [asyncio.create_task(poll(port)) for port in ports]
    await asyncio.wait(tasks, timeout=1.5)
    before, cpu, start = points, time.process_time(), time.monotonic()
    await asyncio.wait(tasks, timeout=seconds)
    elapsed, cpu = time.monotonic() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"read": (points - before) / elapsed, "cpu": cpu / elapsed, "rss": peak}
    print(json.dumps(found), flush=True)
    os._exit(0)  # its clients take cancellation for a lost answer and try again


# ---------------------------------------------------------------- the run


def child(role: str, *words: str, stdin: str | None = None) -> dict[str, float]:
    argv = [sys.executable, __file__, role, *words]
    done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def with_devices(
    devices: int, share: float, role: str, seconds: float, bus: str
) -> dict[str, float]:
    argv = [sys.executable, __file__, "serve", str(devices), str(share)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        ports = server.stdout.readline().strip()
        try:
            return child(role, ports, str(seconds), stdin=bus)
        finally:
            server.stdin.close()


def one(devices: int, share: float, seconds: float, who: str = "gateway") -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        NatsServer(ServerSettings(directory=folder, port=0, password="bench")) as server,  # noqa: S106
    ):
        bus = msgspec.json.encode(server.client_settings()).decode()
        found = with_devices(devices, share, who, seconds, bus)
        clock = os.sysconf("SC_CLK_TCK")
        stat = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
        found["bus_cpu_s"] = (int(stat[11]) + int(stat[12])) / clock
        return found


def show(label: str, offered: int, found: dict[str, float]) -> None:
    cost = found["cpu"] / found["read"] * 1e9 if found["read"] else 0.0
    line = f"{label:<34}{offered:>10,}{found['read']:>11,.0f}"
    line += f"{found['reported']:>11,.0f}{found['acked']:>11,.0f}" if "acked" in found else " " * 22
    line += f"{found['cpu']:>8.1%}{cost:>8.0f}{found['rss']:>7.0f}"
    if "overruns" in found:
        line += f"{found['overruns']:>6.0f}{found['p99']:>8.1f}{found['ack_p99']:>8.1f}"
        line += f"{found['messages']:>7.0f}"
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--quick", action="store_true", help="the 100,000 points/s rows only")
    options = parser.parse_args()
    print(machine())
    print(
        f"{'':<34}{'offered':>10}{'read/s':>11}{'reported/s':>11}{'acked/s':>11}"
        f"{'core':>8}{'ns/pt':>8}{'MiB':>7}{'over':>6}{'rd p99':>8}{'ackp99':>8}{'msg/s':>7}"
    )
    rows = [(10, 1.0), (10, 0.1)]
    if not options.quick:
        rows += [(30, 1.0), (30, 0.1), (100, 1.0), (100, 0.1)]
    ours = None
    for devices, share in rows:
        found = one(devices, share, options.seconds)
        ours = ours or found
        show(f"{devices} x 1,000 @ 100 ms, {share:.0%} change", devices * TAGS * 10, found)
    assert ours
    bare = with_devices(10, 1.0, "rival", options.seconds, "")
    show("rival: pymodbus, read only", 100_000, bare)
    same = one(10, 1.0, options.seconds, "rival")
    show("rival: pymodbus, JSON to the bus", 100_000, same)
    for label, theirs in (("only reading", bare), ("doing the same work", same)):
        ratio = (theirs["cpu"] / theirs["read"]) / (ours["cpu"] / ours["read"])
        print(f"CPU per point, rival {label} / ours: {ratio:.1f}")
    good = ours["cpu"] <= 0.15 and ours["rss"] <= 80
    print(
        f"target 100,000 points/s at <= 15 % of a core and <= 80 MiB: {'met' if good else 'MISSED'}"
    )
    return 0 if good else 1


def role(words: list[str]) -> None:
    if words[0] == "serve":
        uvloop.run(serve(int(words[1]), float(words[2])))
    elif words[0] == "gateway":
        settings = msgspec.json.decode(sys.stdin.read(), type=BusSettings)
        uvloop.run(gateway(json.loads(words[1]), settings, float(words[2])))
    else:
        uvloop.run(rival(json.loads(words[1]), float(words[2]), sys.stdin.read()))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in {"serve", "gateway", "rival"}:
        role(sys.argv[1:])
    else:
        sys.exit(main())
