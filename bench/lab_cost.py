"""What the simulated plant costs while every device is read on schedule by the platform's drivers.

Starts a broker and the plant (scale 1) as processes of their own, reads all devices on schedule
and prints CPU and memory of the plant beside the points it delivered. Budget: 20 % of a core and
250 MB. There is no rival: the figure tells how much of a demo's load is the plant's.

    ./dev bench lab_cost
"""

import asyncio
import contextlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusUser, ServerSettings
from mingwu.field.catalogue import kind
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.settings import build
from mingwu.lab.settings import Broker, LabSettings
from mingwu.registry.model import ConnectionDef
from mingwu.registry.plantfile import parse

SECONDS = 20
WARM_UP_S = 15
BUDGET_CORE, BUDGET_MB = 0.20, 250
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((ln.partition(": ")[2] for ln in lines if ln.startswith("model name")), "?")


class Reader:
    """One device, read as the gateway would."""

    points = 0

    def __init__(self, link: ConnectionDef) -> None:
        self.link = link
        self.tags: list[TagSpec] = []

    async def run(self) -> None:
        driver_kind = kind(self.link.driver)
        driver: Any = driver_kind.create(build(driver_kind.settings, self.link.settings), True)
        while True:
            try:
                await driver.open()
                break
            except Unavailable:
                await asyncio.sleep(1)
        if driver_kind.subscribes:
            await driver.subscribe(driver.compile(self.tags), self.take)
            await asyncio.Event().wait()
        periods = {tag.period_ms for tag in self.tags}
        await asyncio.gather(*(self.poll(driver, period) for period in periods))

    def take(self, columns: Any) -> None:
        Reader.points += len(columns)

    async def poll(self, driver: Any, period_ms: int) -> None:
        plan = driver.compile([tag for tag in self.tags if tag.period_ms == period_ms])
        await asyncio.sleep(random.random() * period_ms / 1000)
        due = time.monotonic()
        while True:
            self.take(await driver.read(plan))
            due += period_ms / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def readers(directory: Path) -> list[Reader]:
    plant = parse((directory / "plant.toml").read_text())
    found: dict[str, Reader] = {}
    for thing, tags in zip(plant.file.thing, plant.tags, strict=True):
        link = thing.connection
        if link is None:
            continue
        reader = found.setdefault(link.device, Reader(link))
        reader.link = link if link.driver else reader.link
        reader.tags += [
            TagSpec(
                number=len(reader.tags) + index, thing="x", name=tag.name, address=tag.address,
                type=tag.type, scale=tag.scale, period_ms=tag.period_ms,
            )
            for index, tag in enumerate(tags)
        ]  # fmt: skip
    return list(found.values())


async def measure(pid: int, directory: Path) -> int:
    tasks = [asyncio.create_task(reader.run()) for reader in readers(directory)]
    await asyncio.sleep(WARM_UP_S)
    Reader.points = 0
    cpu, begun = cpu_s(pid), time.monotonic()
    await asyncio.sleep(SECONDS)
    took = time.monotonic() - begun
    core, memory = (cpu_s(pid) - cpu) / took, rss_mb(pid)
    failed = [task.exception() for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rate = Reader.points / took
    print(f"machine  {os.cpu_count()} cores, {cpu_model()}, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"{'devices':>8} {'points/s':>9} {'core %':>7} {'µs/point':>9} {'RSS MB':>7}")
    print(f"{len(tasks):>8} {rate:>9.0f} {100 * core:>7.1f} {1e6 * core / rate:>9.1f} "
          f"{memory:>7.0f}")  # fmt: skip
    print(f"of the budget: {core / BUDGET_CORE:.2f} of CPU, {memory / BUDGET_MB:.2f} of memory")
    for fault in failed:
        print(f"reader ended: {fault}")
    return int(bool(failed) or core > BUDGET_CORE or memory > BUDGET_MB)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    with contextlib.ExitStack() as stack:
        secret = secrets.token_hex(8)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        user = BusUser(name="plant", password=secret, publish=("plant.>",), subscribe=("plant.>",))
        broker = stack.enter_context(
            NatsServer(
                ServerSettings(
                    directory=str(directory / "bus"), port=0, mqtt_port=free_port(),
                    password=secret, users=(user,),
                )
            )
        )  # fmt: skip
        settings = LabSettings(
            directory=str(directory),
            first_port=0,
            broker=Broker(port=broker.settings.mqtt_port, user="plant", password=secret),
        )
        order = {"settings": settings, "replicas": [0], "control_port": 0}
        plant = subprocess.Popen([sys.executable, "-m", "mingwu.lab.worker"], stdin=subprocess.PIPE)
        assert plant.stdin is not None
        try:
            plant.stdin.write(msgspec.json.encode(order) + b"\n")
            plant.stdin.flush()
            wait_for_steps(directory / "lab.json")
            return asyncio.run(measure(plant.pid, directory))
        finally:
            plant.stdin.close()
            plant.wait(20)


def wait_for_steps(status: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if json.loads(status.read_text())["steps"] > 10:
                return
        time.sleep(0.1)
    raise SystemExit("the plant does not start")


if __name__ == "__main__":
    raise SystemExit(main())
