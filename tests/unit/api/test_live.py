"""The live hub: snapshots, deltas, one encoding per topic, slow clients."""

import asyncio

import numpy as np
import orjson
import pytest

from mingwu.api.live import CONTROL_FRAMES, LiveHub
from mingwu.bus.lastvalue import LastValues
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.quality import GOOD, SIMULATED

pytestmark = pytest.mark.anyio


class Feed:
    def __init__(self, live: LastValues) -> None:
        self.live, self.seq = live, 0

    def say(self, values: dict[int, float | str], ms: int = 1000) -> None:
        self.seq += 1
        texts = {row: v for row, v in enumerate(values.values()) if isinstance(v, str)}
        columns = Columns(
            np.array(list(values), np.uint32),
            np.full(len(values), ms * 1_000_000, np.int64),
            np.array([np.nan if isinstance(v, str) else v for v in values.values()]),
            np.full(len(values), GOOD | SIMULATED, np.uint8),
            texts,
        )
        self.live.apply(Batch("g/d", 1, self.seq, 0, columns))


@pytest.fixture
def live() -> LastValues:
    return LastValues()


@pytest.fixture
def feed(live: LastValues) -> Feed:
    return Feed(live)


def numbers(*tags: int) -> np.ndarray:
    return np.array(tags, np.uint32)


async def take(subscriber) -> dict:
    return orjson.loads(await asyncio.wait_for(subscriber.next_frame(), 5))


async def test_snapshot_first_then_only_what_changed(live, feed) -> None:
    hub = LiveHub(live)
    feed.say({1: 1.0, 2: 2.0})
    client = hub.connect()
    hub.subscribe_tags(client, numbers(2, 1, 3, 1))
    first = await take(client)
    assert (first["k"], first["n"], first["v"], first["q"]) == (
        "s", [1, 2, 3], [1.0, 2.0, None], [GOOD | SIMULATED, GOOD | SIMULATED, 0],
    )  # fmt: skip
    assert first["ms"] == [1000, 1000, 0]
    hub.tick()
    feed.say({2: 7.5}, ms=1100)
    feed.say({9: 9.0})
    hub.tick()
    hub.tick()
    delta = await take(client)
    assert (delta["k"], delta["n"], delta["v"], delta["ms"]) == ("d", [2], [7.5], [1100])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.next_frame(), 0.01)


async def test_texts_travel_beside_the_columns(live, feed) -> None:
    hub = LiveHub(live)
    feed.say({1: "running", 2: float("nan")})
    client = hub.connect()
    hub.subscribe_tags(client, numbers(1, 2))
    frame = await take(client)
    assert frame["v"] == [None, None]
    assert frame["x"] == {"1": "running"}


async def test_same_tags_share_one_topic_and_one_encoding(live, feed) -> None:
    hub = LiveHub(live)
    clients = [hub.connect() for _ in range(30)]
    topics = {hub.subscribe_tags(client, numbers(1, 2)).key for client in clients}
    assert len(topics) == 1
    for client in clients:
        await take(client)
    before = hub.frames
    feed.say({1: 1.0})
    hub.tick()
    assert hub.frames == before + 1
    frames = [await client.next_frame() for client in clients]
    assert all(frame is frames[0] for frame in frames)


async def test_slow_client_gets_the_latest_not_the_backlog(live, feed) -> None:
    hub = LiveHub(live, backlog=4)
    slow, quick = hub.connect(), hub.connect()
    for client in (slow, quick):
        hub.subscribe_tags(client, numbers(1, 2))
        await take(client)
    feed.say({2: 2.0})
    for value in range(20):
        feed.say({1: float(value)}, ms=1000 + value)
        hub.tick()
        assert (await take(quick))["v"][0] == value
    frame = await take(slow)
    assert (frame["k"], frame["v"]) == ("s", [19.0, 2.0])
    assert slow.skipped > 0
    feed.say({1: 99.0})
    hub.tick()
    assert (await take(slow))["v"] == [99.0]


async def test_backlog_is_bounded_for_control_frames_too(live) -> None:
    hub = LiveHub(live, backlog=4)
    client = hub.connect()
    for _ in range(1000):
        client.offer_control(b"{}")
    count = 0
    while True:
        try:
            await asyncio.wait_for(client.next_frame(), 0.01)
        except TimeoutError:
            break
        count += 1
    assert count == 4 + CONTROL_FRAMES


async def test_documents_last_one_first(live) -> None:
    hub = LiveHub(live)
    hub.publish("gateway.gw1", {"n": 1})
    client = hub.connect()
    hub.subscribe_document(client, "gateway.gw1")
    hub.subscribe_document(client, "gateway.nobody")
    docs = [await take(client), await take(client)]
    assert {frame["k"] for frame in docs} == {"doc"}
    assert sorted(str(frame["doc"]) for frame in docs) == ["None", "{'n': 1}"]
    hub.publish("gateway.gw1", {"n": 2})
    assert (await take(client))["doc"] == {"n": 2}


async def test_topics_without_subscribers_are_gone(live, feed) -> None:
    hub = LiveHub(live)
    one, two = hub.connect(), hub.connect()
    topic = hub.subscribe_tags(one, numbers(1))
    hub.subscribe_tags(two, numbers(1))
    hub.subscribe_document(one, "status")
    hub.unsubscribe(one, topic.key)
    hub.unsubscribe(one, 12345)
    assert hub.statistics()["topics"] == 2
    hub.disconnect(one)
    hub.disconnect(two)
    assert hub.statistics() | {"frames": 0, "sends": 0} == {
        "clients": 0, "topics": 0, "frames": 0, "sends": 0, "skipped": 0,
    }  # fmt: skip
    feed.say({1: 1.0})
    hub.tick()
    assert hub.frames == 0


async def test_resubscribing_gives_a_fresh_snapshot(live, feed) -> None:
    hub = LiveHub(live)
    client = hub.connect()
    topic = hub.subscribe_tags(client, numbers(1))
    await take(client)
    hub.unsubscribe(client, topic.key)
    feed.say({1: 5.0})
    hub.tick()
    hub.subscribe_tags(client, numbers(1))
    assert (await take(client))["v"] == [5.0]


async def test_run_ticks_until_stopped(live, feed) -> None:
    hub = LiveHub(live, hz=50)
    stop = asyncio.Event()
    running = asyncio.create_task(hub.run(stop))
    client = hub.connect()
    hub.subscribe_tags(client, numbers(1))
    await take(client)
    feed.say({1: 3.0})
    assert (await take(client))["v"] == [3.0]
    stop.set()
    await asyncio.wait_for(running, 5)
