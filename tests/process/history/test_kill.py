"""kill -9 of the writer, the historian and the bus under load: nothing lost, nothing twice.

What counts is what the bus acknowledged to the publisher. The publisher repeats what was not
acknowledged, as the gateway does.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mingwu.bus.client import Bus
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings
from mingwu.history.client import History
from mingwu.history.settings import WriterSettings
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.quality import GOOD

pytestmark = pytest.mark.timeout(180)

HERE = Path(__file__).parent
START = 1_790_000_000_000_000_000
ROWS = 200
SOURCES = 5
# What is promised; a machine with more to do than it has cores is given as much again.
RECOVERY_S = 10.0 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 20.0


class Plant:
    """Publishes batches of several sources until told to end, each until it is acknowledged."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ending = asyncio.Event()
        self.acknowledged = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for source in range(SOURCES):
                tasks.create_task(self._source(source))

    async def _source(self, source: int) -> None:
        seq = 0
        while not self._ending.is_set():
            seq += 1
            time_ns = START + seq * 100_000_000
            columns = Columns(
                np.arange(source * ROWS, (source + 1) * ROWS, dtype=np.uint32),
                np.full(ROWS, time_ns, np.int64),
                np.full(ROWS, float(seq)),
                np.full(ROWS, GOOD, np.uint8),
                {0: f"state {seq}"},
            )
            await self._publish(Batch(f"gw1/d{source}", 1, seq, time.time_ns(), columns))
            self.acknowledged += 1
            await asyncio.sleep(0.01)

    async def _publish(self, batch: Batch) -> None:
        while True:
            try:
                await self._bus.publish_batch(batch)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return

    def end(self) -> None:
        self._ending.set()


class WriterProcess:
    def __init__(self, bus, history) -> None:
        settings = WriterSettings(name="w1", block_wait_s=0.2, block_rows=20_000)
        self._argv = [
            sys.executable,
            str(HERE / "writer_main.py"),
            *(msgspec.json.encode(s).decode() for s in (bus, history, settings)),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._argv)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


async def points(history: History) -> int:
    return int((await history.select("SELECT count() AS n FROM points"))["n"][0])


async def newest_part(history: History, table: str) -> Path:
    """The folder of the rows that a table got last."""
    found = await history.select(
        "SELECT path FROM system.parts WHERE active AND database = currentDatabase()"
        f" AND table = '{table}' ORDER BY max_block_number DESC LIMIT 1"
    )
    return Path(found["path"][0])


async def wait_for_more(history: History, began: float) -> float:
    """Seconds since ``began`` until the history grows again."""
    before = None
    while time.monotonic() - began < 60:
        try:
            now = await points(history)
        except Unavailable:
            now = None
        if before is not None and now is not None and now > before:
            return time.monotonic() - began
        before = now if before is None else before
        await asyncio.sleep(0.05)
    raise AssertionError("the history does not grow any more")


@pytest.mark.anyio
async def test_kill_of_writer_historian_and_bus(own_historian, tmp_path):
    server = NatsServer(ServerSettings(directory=str(tmp_path / "bus"), port=0, password="pw"))
    server.start()
    settings = own_historian.client("mingwu")
    writer = WriterProcess(server.client_settings(), settings)
    writer.start()
    bus = await Bus.open(server.client_settings(), name="plant")
    history = await History.open(settings)
    await history.ensure_schema()
    plant = Plant(bus)
    publishing = asyncio.create_task(plant.run())
    recoveries = []
    try:
        await wait_for_more(history, time.monotonic())
        for victim in ("writer", "historian", "writer", "bus", "historian", "writer", "writer"):
            await asyncio.sleep(0.37)
            began = time.monotonic()
            if victim == "writer":
                writer.kill()
                writer.start()
            elif victim == "historian":
                own_historian.kill()
                own_historian.start()
            else:
                server.kill()
                server.start()
            recoveries.append((victim, round(await wait_for_more(history, began), 2)))
        plant.end()
        await asyncio.wait_for(publishing, 30)
        async with asyncio.timeout(90):
            while await points(history) < plant.acknowledged * (ROWS - 1):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        writer.stop()
        await _check(history, plant.acknowledged)
    finally:
        publishing.cancel()
        writer.stop()
        await history.close()
        await bus.close()
        server.stop()
    print(f"recoveries: {recoveries}")
    assert max(seconds for _, seconds in recoveries) < RECOVERY_S, recoveries


async def _check(history: History, messages: int) -> None:
    one_text = ROWS - 1
    counts = {
        "SELECT count() AS n FROM points": messages * one_text,
        "SELECT uniqExact(tag, time) AS n FROM points": messages * one_text,
        "SELECT count() AS n FROM texts": messages,
        "SELECT toUInt64(sum(points)) AS n FROM minute": messages * one_text,
        "SELECT toUInt64(sum(last_seq - first_seq + 1)) AS n FROM batches": messages,
        "SELECT toUInt64(sum(points)) AS n FROM batches": messages * ROWS,
        "SELECT uniqExact(tag) AS n FROM last": SOURCES * one_text,
    }
    found = {sql: int((await history.select(sql))["n"][0]) for sql in counts}
    assert found == counts


def test_one_directory_one_historian(own_historian):
    second = subprocess.run(
        [
            sys.executable,
            str(HERE / "historian_main.py"),
            msgspec.json.encode(msgspec.structs.replace(own_historian.settings, port=0)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert f"in use by process {own_historian.process.pid}" in second.stderr


@pytest.mark.anyio
async def test_a_stop_is_clean_and_the_data_stays(own_historian):
    history = await History.open(own_historian.client("mingwu"))
    await history.ensure_schema()
    columns = Columns(
        np.arange(10, dtype=np.uint32),
        np.full(10, START, np.int64),
        np.arange(10.0),
        np.full(10, GOOD, np.uint8),
        {},
    )
    await history.insert(columns, "a")
    assert own_historian.stop() == 0
    own_historian.start()
    await history.insert(columns, "a")  # the token is remembered over the restart
    assert await points(history) == 10
    await history.close()


@pytest.mark.anyio
async def test_a_block_killed_before_it_had_rows_is_stored_when_it_comes_again(own_historian):
    history = await History.open(own_historian.client("mingwu"))
    await history.ensure_schema()

    def block(seq: int) -> Columns:
        time_ns = np.full(10, START + seq * 1_000_000_000, np.int64)
        tags = np.arange(10, dtype=np.uint32)
        return Columns(tags, time_ns, np.full(10, float(seq)), np.full(10, GOOD, np.uint8), {})

    await history.insert(block(1), "a")
    await history.insert(block(2), "b")
    places = [await newest_part(history, table) for table in ("points", "minute")]
    own_historian.kill()
    for place in places:  # as if the kill had come between the token and the name of the rows
        place.rename(place.with_name(f"tmp_insert_{place.name}"))
    own_historian.start()
    assert await points(history) == 10
    await history.insert(block(1), "a")
    await history.insert(block(2), "b")
    for sql in (
        "SELECT count() AS n FROM points",
        "SELECT uniqExact(tag, time) AS n FROM points",
        "SELECT toUInt64(sum(points)) AS n FROM minute",
    ):
        assert int((await history.select(sql))["n"][0]) == 20, sql
    await history.close()
