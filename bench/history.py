"""History: bus to disk, stored size, queries while points arrive; DuckDB on the same data as rival.

The plant: 2,000 tags at 1 s; 40 % sine with noise rounded to 0.01, 30 % steps of 0.1, 20 %
counters, 10 % full-precision noise; times with 0-2 ms of jitter; quality good and simulated. The
historian, the writer and the nats-server are processes of their own, as in `mingwu up`.

1. Bus to disk: messages of 1,000 points wait in the stream; the writer drains it. Then the same
   with the publisher running at the same time.
2. The store is filled to ``--rows`` through the historian (rollups included); DuckDB gets the same
   columns in the same portions.
3. Queries, while 20,000 points/s are inserted into the engine that is asked.

    python bench/history.py [--rows 5000000] [--messages 5000] [--repeat 40]
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from mingwu.bus import envelope, subjects
from mingwu.bus.client import Bus
from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusSettings, ServerSettings, StreamLimits, StreamsSettings
from mingwu.history.client import History
from mingwu.history.settings import HistorianSettings, HistorySettings, WriterSettings
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.quality import GOOD, SIMULATED

TAGS = 2000
SECRET = "bench"  # noqa: S105 — of processes that live as long as this one
PORTION = 100_000
START_MS = 1_788_220_800_000  # the first of a month: all points in one partition
ARRIVING_PER_S = 20_000
ASKED_TAG = 7
ARRIVING_CPU_SHARE = ARRIVING_PER_S * 1.2e-6  # of a core
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


# ---------------------------------------------------------------- the plant
class PlantData:
    """Rows in the order of their arrival, made as they are asked for."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(20)
        tag = np.arange(TAGS)
        self._kind = tag % 10
        self._phase = tag * 0.37
        self._noise = self._rng.normal(0, 1, 1_000_003)

    def rows(self, first: int, count: int) -> tuple[np.ndarray, ...]:
        """tag u32, time ms i64, value f64, quality u8 of rows [first, first + count)."""
        index = np.arange(first, first + count)
        tag = (index % TAGS).astype(np.uint32)
        second = index // TAGS
        noise = self._noise[index % len(self._noise)]
        kind, phase = self._kind[tag], self._phase[tag]
        value = np.select(
            [kind < 4, kind < 7, kind < 9],
            [
                np.round(50 + 20 * np.sin(second / 300 + phase) + 0.3 * noise, 2),
                np.round(100 + 5 * np.sin(second / 900 + phase) + 0.1 * np.round(noise), 1),
                second // 7 + np.floor(phase),
            ],
            noise * 12.34567,
        )
        time_ms = START_MS + second * 1000 + (index * 7919 % 3)
        quality = np.full(count, GOOD | SIMULATED, np.uint8)
        return tag, time_ms.astype(np.int64), value, quality

    def batch(self, seq: int, points: int) -> Batch:
        tag, time_ms, value, quality = self.rows((seq - 1) * points, points)
        columns = Columns(tag, time_ms * 1_000_000, value, quality, {})
        return Batch("gw1/bench", 1, seq, int(columns.time_ns[-1]), columns)


# ---------------------------------------------------------------- processes
@dataclass
class Child:
    """A role in a process of its own."""

    process: subprocess.Popen[str]
    first_line: str = ""

    @classmethod
    def start(cls, role: str, *settings: object, waits: bool = False) -> "Child":
        argv = [sys.executable, __file__, "--role", role]
        argv += [msgspec.json.encode(one).decode() for one in settings]
        child = cls(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
        if waits:
            assert child.process.stdout is not None
            child.first_line = child.process.stdout.readline().strip()
        return child

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mib(pid: int) -> tuple[float, float]:
    """Resident memory in MiB: all, and without pages of files."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    found = {
        line.split(":")[0]: line.split()[1] for line in text.splitlines() if line[:3] in "VmRRss"
    }
    return int(found["VmRSS"]) / 1024, int(found["RssAnon"]) / 1024


async def role(name: str, settings: list[str]) -> None:
    """What a child process does."""
    import signal

    from mingwu.history.server import run_historian
    from mingwu.history.writer import run_writer

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if name == "historian":
        own = msgspec.json.decode(settings[0], type=HistorianSettings)
        await run_historian(own, stop, ready=lambda port: print(port, flush=True))
        return
    bus = await Bus.open(msgspec.json.decode(settings[0], type=BusSettings), name="writer")
    history = await History.open(msgspec.json.decode(settings[1], type=HistorySettings))
    writer = msgspec.json.decode(settings[2], type=WriterSettings)
    await run_writer(bus, history, writer, stop)
    await history.close()
    await bus.close()


# ---------------------------------------------------------------- 1. bus to disk
async def publish(bus: Bus, data: PlantData, first: int, count: int, points: int) -> None:
    """Batches ``first``… into the stream, 256 acknowledgements in flight."""
    flying: list[asyncio.Future[object]] = []
    for seq in range(first, first + count):
        batch = data.batch(seq, points)
        payload = envelope.encode(batch)
        flying.append(await bus.post(subjects.telemetry(batch.source), payload, batch.message_id))
        if len(flying) >= 256:
            await asyncio.gather(*flying)
            flying.clear()
    await asyncio.gather(*flying)


async def stored(history: History) -> int:
    found = await history.select("SELECT toUInt64(sum(last_seq - first_seq + 1)) AS n FROM batches")
    return int(found["n"][0]) if len(found.get("n", [])) else 0


async def wait_stored(history: History, messages: int) -> float:
    """When the history has them all."""
    while await stored(history) < messages:  # noqa: ASYNC110 — another process's state
        await asyncio.sleep(0.2)  # asking costs the historian too
    return time.perf_counter()


@dataclass
class Pids:
    nats: int
    writer: int
    historian: int

    def cpu(self) -> list[float]:
        return [cpu_s(p) for p in (self.nats, self.writer, self.historian)]


def report_flow(what: str, points: int, seconds: float, used: list[float], extra: str = "") -> None:
    rate = points / seconds / 1e6
    per = [u / points * 1e6 for u in used]
    print(
        f"{what:42} {rate:6.2f} M points/s   CPU s per M points: "
        f"nats {per[0]:.2f}  writer {per[1]:.2f}  historian {per[2]:.2f}{extra}"
    )


async def bus_to_disk(messages: int, points: int, directory: Path) -> None:
    limits = StreamsSettings(telemetry=StreamLimits(max_mib=6000))
    server = NatsServer(
        ServerSettings(directory=str(directory / "bus"), port=0, password=SECRET, max_file_mib=8000)
    )
    server.start()
    historian = Child.start(
        "historian",
        HistorianSettings(directory=str(directory / "history1"), port=0, password=SECRET),
        waits=True,
    )
    settings = HistorySettings(url=f"http://127.0.0.1:{historian.first_line}", password=SECRET)
    bus_settings = msgspec.structs.replace(server.client_settings(), streams=limits)
    bus = await Bus.open(bus_settings, name="plant")
    history = await History.open(settings)
    await history.ensure_schema()
    data = PlantData()
    began = time.perf_counter()
    await publish(bus, data, 1, messages, points)
    print(
        f"(the publisher alone: {messages * points / (time.perf_counter() - began) / 1e6:.2f} M/s)"
    )
    writer = Child.start("writer", bus_settings, settings, WriterSettings())
    while await stored(history) == 0:  # noqa: ASYNC110 — another process's state
        await asyncio.sleep(0.05)
    pids = Pids(server.pid, writer.process.pid, historian.process.pid)
    before, done, began = pids.cpu(), await stored(history), time.perf_counter()
    seconds = await wait_stored(history, messages) - began
    used = [b - a for a, b in zip(before, pids.cpu(), strict=True)]
    report_flow("stream filled, writer drains", (messages - done) * points, seconds, used)

    before, began = pids.cpu(), time.perf_counter()
    own = time.process_time()
    await publish(bus, data, messages + 1, messages, points)
    seconds = await wait_stored(history, 2 * messages) - began
    used = [b - a for a, b in zip(before, pids.cpu(), strict=True)]
    own = (time.process_time() - own) / (messages * points) * 1e6
    report_flow(
        "publisher, bus and history together",
        messages * points,
        seconds,
        used,
        f"  publisher {own:.2f}",
    )
    rows = (await history.statistics()).points
    assert rows == 2 * messages * points, f"{rows} of {2 * messages * points}"
    for name, pid in (("writer", pids.writer), ("historian", pids.historian)):
        resident, anonymous = rss_mib(pid)
        print(f"RSS of the {name}: {resident:.0f} MiB, of it anonymous {anonymous:.0f} MiB")
    await history.close()
    await bus.close()
    writer.stop()
    historian.stop()
    server.stop()


# ---------------------------------------------------------------- 2. and 3. store and queries
class Duck:
    """The rival: a native table, filled in the same portions."""

    def __init__(self, path: Path) -> None:
        import duckdb

        self.version = duckdb.__version__
        self._connection = duckdb.connect(str(path))
        self._connection.execute(
            "CREATE TABLE points (tag UINTEGER, time TIMESTAMP_MS, value DOUBLE, quality UTINYINT)"
        )

    def cursor(self):  # noqa: ANN201 — duckdb has no types
        return self._connection.cursor()

    def insert(self, rows: tuple[np.ndarray, ...], cursor=None) -> None:  # noqa: ANN001
        import pyarrow as pa

        tag, time_ms, value, quality = rows
        table = pa.table(
            {"tag": tag, "time": time_ms.view("M8[ms]"), "value": value, "quality": quality}
        )
        cursor = cursor or self._connection
        cursor.register("incoming", table)
        cursor.execute("INSERT INTO points SELECT * FROM incoming")
        cursor.unregister("incoming")

    def checkpoint(self) -> None:
        self._connection.execute("CHECKPOINT")


def portions(rows: int) -> Iterator[int]:
    yield from range(0, rows, PORTION)


async def fill(history: History, duck: Duck, rows: int) -> None:
    data = PlantData()
    ours = theirs = 0.0
    for number, first in enumerate(portions(rows)):
        tag, time_ms, value, quality = data.rows(first, PORTION)
        columns = Columns(tag, time_ms * 1_000_000, value, quality, {})
        began = time.perf_counter()
        await history.insert(columns, f"fill{number}")
        middle = time.perf_counter()
        duck.insert((tag, time_ms, value, quality))
        ours += middle - began
        theirs += time.perf_counter() - middle
    print(
        f"{'insert of 100,000 rows each':42} {rows / ours / 1e6:6.2f} M points/s (with last values "
        f"and minutes)   DuckDB {rows / theirs / 1e6:.2f} M points/s (bare)"
    )


Query = Callable[[], object]


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


async def measure_ours(
    ask: Callable[[], Awaitable[object]], repeat: int, pid: int
) -> tuple[float, float, float]:
    """p50 and p95 in ms; CPU of the historian per query in ms, less what arriving points cost."""
    times = []
    before, began_all = cpu_s(pid), time.perf_counter()
    for _ in range(repeat):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    arriving = (time.perf_counter() - began_all) * ARRIVING_CPU_SHARE
    used = max(0.0, cpu_s(pid) - before - arriving) / repeat * 1000
    return percentile(times, 0.5), percentile(times, 0.95), used


def measure_theirs(ask: Query, repeat: int) -> tuple[float, float]:
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return percentile(times, 0.5), percentile(times, 0.95)


async def arrive(history: History, first: int, stop: asyncio.Event) -> None:
    """20,000 points a second."""
    data, number = PlantData(), 0
    while not stop.is_set():
        began = time.perf_counter()
        tag, time_ms, value, quality = data.rows(first + number * ARRIVING_PER_S, ARRIVING_PER_S)
        await history.insert(Columns(tag, time_ms * 1_000_000, value, quality, {}), f"more{number}")
        number += 1
        await asyncio.sleep(max(0, 1 - (time.perf_counter() - began)))


def arrive_duck(duck: Duck, first: int, stop: threading.Event) -> None:
    data, number = PlantData(), 0
    cursor = duck.cursor()
    while not stop.is_set():
        began = time.perf_counter()
        duck.insert(data.rows(first + number * ARRIVING_PER_S, ARRIVING_PER_S), cursor)
        number += 1
        stop.wait(max(0, 1 - (time.perf_counter() - began)))


async def questions(history: History, duck: Duck, rows: int, repeat: int, pid: int) -> None:
    seconds = rows // TAGS
    end_ms = START_MS + seconds * 1000
    hour_ms = max(START_MS, end_ms - 3_600_000)
    ns = 1_000_000
    buckets = 1000
    width = max(1, (end_ms - START_MS) // buckets)
    cursor = duck.cursor()

    def sql(text: str) -> Query:
        return lambda: cursor.execute(text).fetchnumpy()

    window = "tag = {tag} AND time >= make_timestamp_ms({a}) AND time < make_timestamp_ms({b})"
    hour = window.format(tag=ASKED_TAG, a=hour_ms, b=end_ms)
    every = window.format(tag=ASKED_TAG, a=START_MS, b=end_ms)
    start, end = START_MS * ns, end_ms * ns
    asked: list[tuple[str, str, Callable[[], Awaitable[object]], Query | None]] = [
        (
            f"1 tag, last hour raw ({(end_ms - hour_ms) // 1000:,} points)",
            "< 25 ms",
            lambda: history.raw(ASKED_TAG, hour_ms * ns, end),
            sql(f"SELECT time, value, quality FROM points WHERE {hour} ORDER BY time"),
        ),
        (
            f"1 tag, {seconds:,} points to 1,000 buckets",
            "< 40 ms",
            lambda: history.series(ASKED_TAG, start, end, buckets),
            sql(
                f"SELECT min(time), avg(value), min(value), max(value), count(*) FROM points "
                f"WHERE {every} GROUP BY (epoch_ms(time) - {START_MS}) // {width} ORDER BY 1"
            ),
        ),
        (
            f"1 tag, {seconds:,} points LTTB to 1,000",
            "",
            lambda: history.series(ASKED_TAG, start, end, buckets, "lttb"),
            None,
        ),
        (
            "2,000 last values",
            "< 20 ms",
            lambda: history.last(np.arange(TAGS, dtype=np.uint32)),
            sql("SELECT tag, arg_max(value, time), max(time) FROM points GROUP BY tag"),
        ),
        (
            f"as-of join of two tags, {seconds:,} points each",
            "",
            lambda: history.asof(7, 8, start, end),
            sql(
                "SELECT l.time, l.value, r.value FROM (SELECT * FROM points WHERE "
                f"{every}) l ASOF LEFT JOIN (SELECT * FROM points WHERE "
                f"{window.format(tag=8, a=START_MS, b=end_ms)}) r ON l.time >= r.time ORDER BY 1"
            ),
        ),
    ]
    stop = asyncio.Event()
    arriving = asyncio.create_task(arrive(history, rows, stop))
    ours = []
    for _, _, ask, _ in asked:
        ours.append(await measure_ours(ask, repeat, pid))
    stop.set()
    await arriving
    duck_stop = threading.Event()
    thread = threading.Thread(target=arrive_duck, args=(duck, rows, duck_stop))
    thread.start()
    theirs = [
        await asyncio.to_thread(measure_theirs, rival, max(5, repeat // 4)) if rival else None
        for _, _, _, rival in asked
    ]
    duck_stop.set()
    thread.join()
    print(
        f"\n{'query while 20,000 points/s arrive':48} goal     "
        "history p50/p95 ms  CPU ms   DuckDB p50/p95 ms"
    )
    for (name, goal, _, _), mine, other in zip(asked, ours, theirs, strict=True):
        ratio = f"{other[0]:8.1f} /{other[1]:8.1f}   x{other[0] / mine[0]:.1f}" if other else "none"
        print(f"{name:48} {goal:8} {mine[0]:8.1f} /{mine[1]:7.1f} {mine[2]:8.1f}   {ratio}")


async def store_and_ask(rows: int, repeat: int, directory: Path) -> None:
    historian = Child.start(
        "historian",
        HistorianSettings(directory=str(directory / "history2"), port=0, password=SECRET),
        waits=True,
    )
    settings = HistorySettings(url=f"http://127.0.0.1:{historian.first_line}", password=SECRET)
    history = await History.open(settings)
    await history.ensure_schema()
    duck = Duck(directory / "duck.db")
    before = cpu_s(historian.process.pid)
    await fill(history, duck, rows)
    used = cpu_s(historian.process.pid) - before
    duck.checkpoint()
    print(f"{'historian, merges so far included':42} {used / rows * 1e6:6.2f} CPU s per M points")
    await questions(history, duck, rows, repeat, historian.process.pid)
    found = await history.statistics()
    rollups = sum(t.bytes for t in found.tables if t.table != "points") / found.points
    points = next(t for t in found.tables if t.table == "points")
    print(
        f"\nbytes per point (goal <= 5.5): {found.bytes_per_point:.2f} in {points.parts} parts, as "
        f"merged so far; all other tables {rollups:.2f}; "
        f"DuckDB {(directory / 'duck.db').stat().st_size / rows:.2f}"
    )
    resident, anonymous = rss_mib(historian.process.pid)
    print(f"RSS of the historian: {resident:.0f} MiB, of it anonymous {anonymous:.0f} MiB")
    await history.close()
    historian.stop()


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text("ascii").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {model}, load {load:.1f}, Python {platform.python_version()}"


async def run(arguments: argparse.Namespace) -> None:
    import duckdb

    print(f"{machine()}; rival DuckDB {duckdb.__version__}\n")
    with tempfile.TemporaryDirectory(prefix="mingwu-bench-") as name:
        directory = Path(name)
        if arguments.messages:
            await bus_to_disk(arguments.messages, arguments.points, directory)
        if arguments.rows:
            await store_and_ask(arguments.rows, arguments.repeat, directory)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def main() -> int:
    if sys.argv[1:2] == ["--role"]:
        asyncio.run(role(sys.argv[2], sys.argv[3:]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, default=5_000_000, help="stored points; 0 leaves out 2, 3"
    )
    parser.add_argument("--messages", type=int, default=5_000, help="on the bus; 0 leaves out 1")
    parser.add_argument("--points", type=int, default=1_000, help="per message")
    parser.add_argument("--repeat", type=int, default=40, help="times each query is asked")
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
