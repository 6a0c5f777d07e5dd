"""The buffer: nothing lost, order kept, bounded, and honest about what it left out."""

import asyncio
import itertools

import numpy as np
import pytest

from mingwu.edge.outbox import Outbox
from mingwu.edge.status import BufferState
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.errors import Unavailable

pytestmark = pytest.mark.anyio


def batch(seq, points=10):
    columns = Columns(
        np.arange(points, dtype=np.uint32),
        np.full(points, 1_760_000_000_000_000_000, np.int64),
        np.full(points, float(seq)),
        np.full(points, 0xC0, np.uint8),
    )
    return Batch("gw/d", 1, seq, 0, columns)


class Box:
    def __init__(self, bus, clock, **more):
        self.events, self.gaps = [], []
        more.setdefault("window", 4)
        more.setdefault("limit_bytes", 1 << 20)
        self.it = Outbox(
            bus,
            clock,
            on_gap=lambda: self.gaps.append(1),
            on_event=lambda error: self.events.append(error.code),
            **more,
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.it.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_everything_arrives_in_order(memory_bus, fake_time):
    async with Box(memory_bus, fake_time) as box:
        for seq in range(1, 51):
            assert box.it.put(batch(seq), False)
        assert await box.it.drain(5)
        assert [b.seq for b in memory_bus.batches()] == list(range(1, 51))
        status = box.it.status()
        assert (status.acked_batches, status.acked_points, status.bytes) == (50, 500, 0)
        assert status.state is BufferState.OK


@pytest.mark.parametrize("late", [False, True])
async def test_failures_are_sent_again_in_order_with_the_same_id(
    memory_bus, fake_time, late, monkeypatch
):
    monkeypatch.setattr("mingwu.edge.outbox._PAUSE_S", (0.01, 0.05))
    down = iter([True] * 7 + [False] * 10_000)
    memory_bus.late = late
    memory_bus.fault = lambda _id: Unavailable("bus.no-ack", seconds=5) if next(down) else None
    async with Box(memory_bus, fake_time) as box:
        for seq in range(1, 31):
            box.it.put(batch(seq), False)
        assert await box.it.drain(10)
        seqs = [b.seq for b in memory_bus.batches()]
        assert seqs == list(range(1, 31))
        assert box.it.status().retried
        assert memory_bus.posts.count("gw/d:1:1") > 1


async def test_a_holding_buffer_says_why_and_what_to_do(memory_bus, fake_time):
    full = Unavailable("bus.storage-full", fault="maximum bytes exceeded")
    memory_bus.fault = lambda _id: full
    async with Box(memory_bus, fake_time) as box:
        box.it.put(batch(1), False)
        for _ in range(20):
            await asyncio.sleep(0)
        status = box.it.status()
        assert status.state is BufferState.HOLDING
        assert status.batches == 1
        assert status.error.code == "bus.storage-full"
        assert "max_mib" in status.error.next_en
        memory_bus.fault = lambda _id: None
        assert await box.it.drain(5)
        assert box.it.status().state is BufferState.OK
        assert box.it.status().error is None


async def test_a_filling_buffer_thins_the_older_half_but_no_quality_changes(memory_bus, fake_time):
    memory_bus.fault = lambda _id: Unavailable("bus.disconnected")
    async with Box(memory_bus, fake_time, limit_bytes=40_000) as box:
        for seq in itertools.count(1):
            assert box.it.put(batch(seq, 50), seq % 10 == 0)
            if box.events:
                break
        assert box.events == ["edge.buffer-thinned"]
        status = box.it.status()
        assert status.state is BufferState.THINNING
        assert status.thinned_points % 50 == 0
        assert status.bytes < 40_000
        memory_bus.fault = lambda _id: None
        assert await box.it.drain(5)
        kept = [b.seq for b in memory_bus.batches()]
        assert kept == sorted(kept)
        assert set(range(10, seq, 10)) <= set(kept)  # every change of quality
        assert seq - len(kept) == status.thinned_points // 50  # all the rest is counted
        assert not box.gaps
        box.it.tick()
        assert box.gaps == [1]
        assert box.it.status().state is BufferState.OK


async def test_a_full_buffer_refuses_visibly_and_recovers(memory_bus, fake_time):
    memory_bus.fault = lambda _id: Unavailable("bus.disconnected")
    async with Box(memory_bus, fake_time, limit_bytes=20_000) as box:
        taken = [seq for seq in range(1, 101) if box.it.put(batch(seq, 50), True)]
        assert box.events == ["edge.buffer-full"]
        status = box.it.status()
        assert status.state is BufferState.FULL
        assert status.dropped_points == (100 - len(taken)) * 50
        assert status.bytes <= 20_000
        memory_bus.fault = lambda _id: None
        assert await box.it.drain(5)
        assert [b.seq for b in memory_bus.batches()] == taken
        box.it.tick()
        assert box.gaps == [1]
        assert box.it.put(batch(200), False)


async def test_a_batch_the_bus_will_never_take_does_not_stand_in_the_way(memory_bus, fake_time):
    def fault(message_id):
        return Unavailable("bus.rejected", fault="too large") if message_id == "gw/d:1:2" else None

    memory_bus.fault = fault
    async with Box(memory_bus, fake_time, window=1) as box:
        for seq in range(1, 5):
            box.it.put(batch(seq), False)
        assert await box.it.drain(30)
        assert [b.seq for b in memory_bus.batches()] == [1, 3, 4]
        assert box.it.status().dropped_points == 10
