"""The whole platform as a newcomer starts it, and what is left of it after kill -9.

One platform serves all tests of this module: the simulated plant, every role, real sockets. The
tests find processes by the supervisor's own children and count what arrived in the history itself.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mingwu.cli.main import main
from mingwu.history.client import History
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.records import RecordStore
from mingwu.node.backup import take
from mingwu.node.config import Config, load
from mingwu.node.demo import s1
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.settings import StoreSettings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(420)]

NAME = "88.888.101/DEV.DCM2500.01"
# What is promised; a machine with more to do than it has cores is given as much again.
RECOVERY_S = 10.0 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 20.0


class Platform:
    """A running demonstration."""

    def __init__(self, folder: Path) -> None:
        self.config: Config = load(s1.write(folder / "demo"))
        self.output = (folder / "output.txt").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mingwu", "up", str(self.config.file)],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        self.history: History | None = None

    def pid_of(self, child: str) -> int:
        """The process of a child, found among the supervisor's children by its arguments."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in children.read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            is_bus = child == "bus" and any(word.endswith("nats-server") for word in words[:1])
            if is_bus or ("run" in words and child in words):
                return int(pid)
        raise AssertionError(f"no child {child}")

    async def newest_ns(self) -> int:
        """Time of the newest point in the history."""
        registry = Registry.open(self.config.registry)
        numbers = [tag.number for tag in registry.all_tags()]
        registry.close()
        return int((await self.engine.last(numbers)).time_ns.max())

    @property
    def engine(self) -> History:
        assert self.history is not None
        return self.history

    async def stop(self) -> None:
        if self.history is not None:
            await self.history.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, 40)
        finally:
            self.process.kill()
            self.output.close()


async def until(condition: Callable[[], Awaitable[bool]], deadline_s: float, what: str) -> float:
    """Seconds until the condition held; errors of engines that are down count as not yet."""
    began = time.monotonic()
    last: Exception | None = None
    while time.monotonic() - began < deadline_s:
        try:
            if await condition():
                return time.monotonic() - began
        except Exception as error:  # noqa: BLE001 — a killed engine may fail in any way
            last = error
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {deadline_s} s (last error: {last!r})")


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    running = Platform(tmp_path_factory.mktemp("platform"))
    try:

        async def answered() -> bool:
            if running.history is None:
                running.history = await History.open(running.config.history)
            return await running.newest_ns() > 0

        await until(answered, 120, "the first point in the history")
        yield running
    finally:
        await running.stop()


async def test_a_name_answers_with_live_simulated_values(platform: Platform):
    server = f"127.0.0.1:{platform.config.resolver.port}"

    async def live() -> bool:
        result = await resolve(NAME, server, types=("MW.LIVE.melt_temperature",))
        data = result.values[0].data.decode()
        assert '"simulated":true' in data
        return '"quality":"good"' in data

    await until(live, 60, "a good live value behind the name")


@pytest.mark.parametrize("child", ["bus", "writer", "gateway", "historian"])
async def test_killed_process_is_back_within_ten_seconds(platform: Platform, child: str):
    pid = platform.pid_of(child)
    killed_ns = time.time_ns()
    os.kill(pid, signal.SIGKILL)

    async def flows() -> bool:
        return await platform.newest_ns() > killed_ns

    took = await until(flows, RECOVERY_S, f"new points after kill -9 of {child}")
    print(f"{child}: points flow {took:.1f} s after kill -9")
    assert platform.pid_of(child) != pid


async def test_nothing_is_lost_and_nothing_is_there_twice(platform: Platform):
    """Every batch of every boot, in one unbroken row of sequence numbers, each point once."""

    async def settled() -> bool:
        found = await platform.engine.select(
            "SELECT CAST(source, 'String') AS origin, boot, min(first_seq) AS low,"
            " max(last_seq) AS high, sum(last_seq - first_seq + 1) AS messages"
            " FROM batches GROUP BY source, boot"
        )
        assert len(found["origin"]) > 0
        return bool(
            (found["low"] == 1).all()
            and (found["high"] - found["low"] + 1 == found["messages"]).all()
        )

    await until(settled, 30, "unbroken sequences of all sources")
    twice = await platform.engine.select(
        "SELECT count() - uniqExact(source, boot, first_seq) AS twice FROM batches"
    )
    assert int(twice["twice"][0]) == 0
    rows = await platform.engine.select("SELECT sum(points) AS sent FROM batches")
    stored = 0
    for table in ("points", "points_ns", "texts"):
        found = await platform.engine.select(f"SELECT count() AS stored FROM {table}")
        stored += int(found["stored"][0])
    # the writer goes on while this counts: what is stored is at most a block ahead of the sum
    later = await platform.engine.select("SELECT sum(points) AS sent FROM batches")
    assert int(rows["sent"][0]) <= stored <= int(later["sent"][0])
    plain = await platform.engine.select("SELECT count() AS stored FROM points")
    rolled = await platform.engine.select("SELECT sum(points) AS stored FROM minute")
    again = await platform.engine.select("SELECT count() AS stored FROM points")
    assert int(plain["stored"][0]) <= int(rolled["stored"][0]) <= int(again["stored"][0])


async def test_a_copy_is_taken_while_everything_runs(platform: Platform, tmp_path: Path):
    lines = await asyncio.to_thread(take, platform.config, tmp_path, "copy")
    assert not [line for line in lines if "NOT copied" in line], lines
    store = StoreSettings(url=f"sqlite:///{tmp_path / 'copy' / 'registry.db'}")
    copied, running = (
        Registry.open(settings)
        for settings in (RegistrySettings(store=store), platform.config.registry)
    )
    assert copied.export_plant("s1") == running.export_plant("s1")
    copied.close()
    running.close()
    records = RecordStore(tmp_path / "copy" / "identity")
    assert records.get(NAME) is not None
    records.close()


async def test_every_part_speaks_of_itself(platform: Platform, capsys):
    parts = await asyncio.to_thread(main, ["status", "--config", str(platform.config.file)])
    said = capsys.readouterr().out
    assert parts == 0
    for part in ("gateway.gw1", "writer.writer", "resolver.demo", "console.demo"):
        assert part in said
