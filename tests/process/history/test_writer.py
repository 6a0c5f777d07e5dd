"""The writer against a real historian and a bus in memory: whatever fails when, everything once.

The bus here keeps messages until they are acknowledged and hands out what was not acknowledged to
the next reader, as JetStream does; so a "crash" is a writer that is cancelled.
"""

import asyncio
import contextlib

import msgspec
import numpy as np
import pytest

from mingwu.bus import envelope
from mingwu.bus.consumer import Delivery
from mingwu.history import memory
from mingwu.history.settings import WriterSettings
from mingwu.history.status import WriterStatus
from mingwu.history.writer import Writer
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.clock import SystemClock
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.quality import GOOD

pytestmark = pytest.mark.anyio

START = 1_790_000_000_000_000_000
ROWS = 10
DEADLINE_S = 30.0


def batch(seq: int, *, boot: int = 1, source: str = "gw1/d1", text: bool = False) -> Batch:
    time_ns = START + seq * 1_000_000_000
    return Batch(
        source,
        boot,
        seq,
        time_ns,
        Columns(
            np.arange(ROWS, dtype=np.uint32),
            np.full(ROWS, time_ns, np.int64),
            np.full(ROWS, float(seq)),
            np.full(ROWS, GOOD, np.uint8),
            {0: f"text {seq}"} if text else {},
        ),
    )


class MemoryConsumer:
    def __init__(self, bus: "MemoryBus") -> None:
        self._bus = bus
        self._last = bus.floor
        self.missed = 0

    async def fetch(self, *, max_messages: int = 5000, wait_s: float = 1.0) -> list[Delivery]:
        fresh = [m for m in self._bus.messages if m[0] > self._last][: self._bus.at_once]
        if not fresh:
            await asyncio.sleep(min(wait_s, 0.02))
            return []
        await asyncio.sleep(0)
        self._last = fresh[-1][0]
        waiting = len(self._bus.messages) - self._last
        return [Delivery("s", data, seq, 1, waiting, str(seq)) for seq, data in fresh]

    async def ack_through(self, delivery: Delivery) -> None:
        if self._bus.deaf:
            raise Unavailable("bus.disconnected")
        self._bus.floor = max(self._bus.floor, delivery.stream_sequence)

    async def close(self) -> None:
        pass


class MemoryBus:
    def __init__(self, at_once: int = 7) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self.floor = 0
        self.at_once = at_once
        self.deaf = False
        self.said: list[WriterStatus] = []

    def put(self, *batches: Batch | bytes) -> None:
        for one in batches:
            data = one if isinstance(one, bytes) else envelope.encode(one)
            self.messages.append((len(self.messages) + 1, data))

    async def consume(self, stream: str, durable: str, *, max_bytes: int) -> MemoryConsumer:
        return MemoryConsumer(self)

    async def request(self, subject, question, kind, *, timeout_s: float = 5.0):
        return kind()

    async def publish_json(self, subject: str, document) -> None:
        assert subject == "mw.status.writer.w1"
        self.said.append(document)

    @property
    def drained(self) -> bool:
        return self.floor == len(self.messages)


class FailingHistory:
    """A history whose insert number ``at`` fails before or after it was done, as a crash would."""

    def __init__(self, history, at: int = -1, *, done: bool = False) -> None:
        self._history = history
        self._at = at
        self._done = done
        self.inserts = 0
        self.crashed = asyncio.Event()

    def __getattr__(self, name: str):
        return getattr(self._history, name)

    async def insert_block(self, table, columns, body, token) -> None:
        self.inserts += 1
        crash = self.inserts == self._at
        if not crash or self._done:
            await self._history.insert_block(table, columns, body, token)
        if crash:
            self.crashed.set()
            await asyncio.Event().wait()  # the process is dead from here on


SETTINGS = WriterSettings(name="w1", block_rows=5 * ROWS, block_wait_s=0.05, retry_min_s=0.01)


@contextlib.asynccontextmanager
async def writing(bus: MemoryBus, history, settings: WriterSettings = SETTINGS):
    stop = asyncio.Event()
    writer = Writer(bus, history, settings, ns_tags=frozenset, clock=SystemClock())
    task = asyncio.create_task(writer.run(stop))
    try:
        yield writer
        stop.set()
        await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def wait_until(condition) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 — the state of a double, nothing to wait on
            await asyncio.sleep(0.01)


async def stored(history) -> dict[str, int]:
    counts = {}
    for name, sql in {
        "points": "SELECT count() AS n FROM points",
        "distinct": "SELECT uniqExact(tag, time) AS n FROM points",
        "texts": "SELECT count() AS n FROM texts",
        "minute": "SELECT toUInt64(sum(points)) AS n FROM minute",
        "lineage": "SELECT toUInt64(sum(last_seq - first_seq + 1)) AS n FROM batches",
    }.items():
        counts[name] = int((await history.select(sql))["n"][0])
    return counts


def whole(messages: int, texts: int = 0) -> dict[str, int]:
    points = messages * ROWS - texts
    return {
        "points": points,
        "distinct": points,
        "texts": texts,
        "minute": points,
        "lineage": messages,
    }


async def test_everything_is_stored_once_and_acknowledged(history):
    bus = MemoryBus()
    bus.put(*(batch(seq, text=seq % 2 == 0) for seq in range(1, 41)))
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.points == 400
        await wait_until(lambda: any(s.state == "running" for s in bus.said))
    assert await stored(history) == whole(40, 20)


# A block with texts is five inserts: its announcement, points, texts, lineage; then the next one's.
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 10))
async def test_a_crash_at_any_insert_loses_and_doubles_nothing(history, at, done):
    bus = MemoryBus()
    bus.put(*(batch(seq, text=seq % 2 == 0) for seq in range(1, 21)))
    dying = FailingHistory(history, at, done=done)
    async with contextlib.AsyncExitStack() as stack:
        writer = Writer(bus, dying, SETTINGS, ns_tags=frozenset, clock=SystemClock())
        task = asyncio.create_task(writer.run(asyncio.Event()))
        stack.callback(task.cancel)
        async with asyncio.timeout(DEADLINE_S):
            await dying.crashed.wait()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    # Meanwhile more has come, and the next writer fetches in other portions.
    bus.put(*(batch(seq) for seq in range(21, 34)))
    bus.at_once = 3
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
    assert await stored(history) == whole(33, 10)


async def test_repeated_batches_are_passed_over_for_ever(history):
    bus = MemoryBus()
    first = [batch(seq) for seq in range(1, 11)]
    bus.put(*first, *first[3:6])
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.repeated == 3
    bus.put(*first, batch(12), batch(11), batch(12), batch(1, boot=2))
    async with writing(bus, history) as writer:  # a new process: the filter is read back
        await wait_until(lambda: bus.drained)
        assert writer.status.repeated == 11
    bus.put(batch(14), batch(13), batch(14), batch(15))
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
    bus.put(batch(13), batch(16))
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.repeated == 1
    found = await stored(history)
    assert (found["points"], found["lineage"], found["minute"]) == (170, 17, 170)


async def test_the_filter_is_written_down_and_read_back(history):
    often = msgspec.structs.replace(SETTINGS, remember_every_s=0.001)
    bus = MemoryBus(at_once=2)
    bus.put(*(batch(seq, source=f"gw1/d{seq % 3}") for seq in (*range(1, 30), *range(40, 60))))
    writer = Writer(bus, history, often, ns_tags=frozenset, clock=SystemClock())
    task = asyncio.create_task(writer.run(asyncio.Event()))
    await wait_until(lambda: bus.drained)
    task.cancel()  # no orderly end: what was written down is older than what is stored
    with contextlib.suppress(asyncio.CancelledError):
        await task
    recalled = await memory.recall(history, "w1", 30)
    found = {(f"gw1/d{n}", 1): recalled.seen.runs(f"gw1/d{n}", 1) for n in range(3)}
    for (source, _), runs in found.items():
        device = int(source[-1])
        numbers = {n for first, last in runs for n in range(first, last + 1)}
        assert numbers == {n for n in (*range(1, 30), *range(40, 60)) if n % 3 == device}
    bus.put(*(batch(seq, source=f"gw1/d{seq % 3}") for seq in range(1, 61)))
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.repeated == 49
    assert (await stored(history))["lineage"] == 60


async def test_malformed_messages_are_counted_and_do_not_stop_the_others(history):
    bus = MemoryBus()
    bus.put(b"", batch(1), b"\x01garbage", batch(2), b"\xff" * 50)
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.malformed == 3
    assert (await stored(history))["points"] == 20


async def test_a_history_that_refuses_is_reported_and_tried_again(history):
    class Full(FailingHistory):
        full = True

        async def insert_block(self, *args) -> None:
            if self.full:
                raise Unavailable("history.disk-full", fault="no space")
            await super().insert_block(*args)

    bus, full = MemoryBus(), Full(history)
    bus.put(*(batch(seq) for seq in range(1, 200)))
    async with writing(bus, full) as writer:
        await wait_until(lambda: writer.status.state == "stalled")
        assert writer.status.error == "history.disk-full"
        assert writer.status.next
        await asyncio.sleep(0.1)
        assert writer.status.messages <= 3 * 5 + bus.at_once, "what waits stays on the bus"
        full.full = False
        await wait_until(lambda: bus.drained)
        assert (writer.status.state, writer.status.error) == ("running", "")
    assert await stored(history) == whole(199)


async def test_an_end_while_the_history_is_away_leaves_the_rest_to_the_bus(history, monkeypatch):
    monkeypatch.setattr("mingwu.history.writer._STOP_GRACE_S", 0.05)

    class Away(FailingHistory):
        async def insert_block(self, *args) -> None:
            raise Unavailable("history.unreachable", url="", fault="gone")

    bus = MemoryBus()
    bus.put(*(batch(seq) for seq in range(1, 100)))
    async with asyncio.timeout(DEADLINE_S):
        async with writing(bus, Away(history)) as writer:
            await wait_until(lambda: writer.status.state == "stalled")
    assert bus.floor == 0
    async with writing(bus, history):
        await wait_until(lambda: bus.drained)
    assert await stored(history) == whole(99)


async def test_a_lost_acknowledgement_is_said_again(history):
    bus = MemoryBus()
    bus.deaf = True
    bus.put(batch(1))
    async with writing(bus, history) as writer:
        await wait_until(lambda: writer.status.points == ROWS)
        bus.deaf = False
        await wait_until(lambda: bus.drained)


async def test_times_out_of_range_are_stored_as_suspect(history):
    bus = MemoryBus()
    wrong = batch(1)
    wrong.columns.time_ns[:3] = (0, -(2**62), 2**62)
    bus.put(wrong)
    async with writing(bus, history) as writer:
        await wait_until(lambda: bus.drained)
        assert writer.status.suspect == 3
    last = await history.last([0, 1, 2])
    assert set(last.time_ns.tolist()) == {wrong.gateway_ns}
    assert len(await history.raw(0, START, START + 10_000_000_000)) == 1


async def test_tags_of_nanoseconds(history):
    bus = MemoryBus()
    one = batch(1)
    one.columns.time_ns[:] += 123
    bus.put(one)
    stop = asyncio.Event()
    writer = Writer(bus, history, SETTINGS, ns_tags=lambda: {4}, clock=SystemClock())
    task = asyncio.create_task(writer.run(stop))
    await wait_until(lambda: bus.drained)
    stop.set()
    await task
    found = await history.raw(4, START, START + 10_000_000_000)
    assert found.time_ns.tolist() == [one.gateway_ns + 123]
    assert (await history.raw(5, START, START + 10_000_000_000)).time_ns.tolist() == [
        one.gateway_ns
    ]
