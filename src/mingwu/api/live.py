"""The live hub: last values to many screens, each topic serialised once per tick.

A topic is a set of tags (or one named document such as ``gateways``). Invariants:

- a subscriber gets a snapshot of a topic first, then only what changed since;
- a frame is encoded once per topic and tick, whatever the number of subscribers;
- a slow subscriber's backlog is bounded: at the limit it is dropped whole and replaced by one
  snapshot per topic, made when the subscriber is ready to take it. Nobody waits for anybody;
- a topic without subscribers costs nothing.

Frames are JSON objects with columns: ``k`` kind (``s`` snapshot, ``d`` delta, ``doc`` document,
``t`` time only), ``topic``, ``t`` server time in ms, ``n`` tag numbers, ``v`` values (null where
there is none), ``ms`` source times in ms, ``q`` quality bytes, ``x`` tag number -> text.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import orjson

from mingwu.api.ports import LiveSource
from mingwu.kernel.batch import U32
from mingwu.kernel.clock import Clock, SystemClock

log = logging.getLogger(__name__)

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
KEEPALIVE_S = 10.0
CONTROL_FRAMES = 64


@dataclass(eq=False, slots=True)
class Topic:
    """What a group of subscribers shares; ``seen`` is the revision up to which it was sent.

    ``numbers`` is empty for a document topic.
    """

    key: int
    numbers: U32
    seen: int
    document: str = ""
    subscribers: set["Subscriber"] = field(default_factory=set)


class Subscriber:
    """One client's bounded outbox. ``next_frame`` is awaited by its connection only."""

    def __init__(self, hub: "LiveHub", backlog: int) -> None:
        self._hub = hub
        self._backlog = backlog
        self._frames: deque[bytes] = deque()
        self._stale: dict[int, Topic] = {}
        self._wake = asyncio.Event()
        self.topics: dict[int, Topic] = {}
        self.skipped = 0

    def offer(self, topic: Topic, frame: bytes) -> None:
        """Take a frame of ``topic``, or fall back to a snapshot when the backlog is full."""
        if topic.key in self._stale:
            return
        if len(self._frames) >= self._backlog:
            self.skipped += len(self._frames) + 1
            self._frames.clear()
            self._stale = dict(self.topics)
        else:
            self._frames.append(frame)
        self._wake.set()

    def offer_control(self, frame: bytes) -> None:
        """A frame outside topics (replies, time); dropped when nothing was taken for long."""
        if len(self._frames) < self._backlog + CONTROL_FRAMES:
            self._frames.append(frame)
            self._wake.set()

    def refresh(self, topic: Topic) -> None:
        """Send a snapshot of ``topic`` next."""
        self._stale[topic.key] = topic
        self._wake.set()

    def forget(self, topic: Topic) -> None:
        """``topic`` is no longer wanted."""
        self._stale.pop(topic.key, None)
        self.topics.pop(topic.key, None)

    async def next_frame(self) -> bytes:
        """The next frame to send: replies and deltas in order, then due snapshots."""
        while True:
            if self._frames:
                return self._frames.popleft()
            if self._stale:
                _, topic = self._stale.popitem()
                return self._hub.snapshot(topic)
            self._wake.clear()
            await self._wake.wait()


class LiveHub:
    """Broadcasts :class:`LiveSource` and status documents; one per process."""

    def __init__(
        self,
        source: LiveSource,
        *,
        hz: float = 10.0,
        backlog: int = 16,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._period_s = 1.0 / hz
        self._backlog = backlog
        self._clock = clock or SystemClock()
        self._by_tags: dict[bytes, Topic] = {}
        self._by_document: dict[str, Topic] = {}
        self._documents: dict[str, object] = {}
        self._next_key = 1
        self.clients: set[Subscriber] = set()
        self.frames = 0
        self.sends = 0

    # ------------------------------------------------------------ clients
    def connect(self) -> Subscriber:
        """A new client without topics."""
        subscriber = Subscriber(self, self._backlog)
        self.clients.add(subscriber)
        return subscriber

    def disconnect(self, subscriber: Subscriber) -> None:
        """Forget a client and the topics only it wanted."""
        self.clients.discard(subscriber)
        for topic in list(subscriber.topics.values()):
            self.unsubscribe(subscriber, topic.key)

    def subscribe_tags(self, subscriber: Subscriber, numbers: U32) -> Topic:
        """Subscribe to a set of tags; the snapshot is on its way when this returns."""
        wanted = np.unique(numbers)
        name = wanted.tobytes()
        topic = self._by_tags.get(name)
        if topic is None:
            topic = Topic(self._take_key(), wanted, self._source.revision)
            self._by_tags[name] = topic
        return self._join(subscriber, topic)

    def subscribe_document(self, subscriber: Subscriber, name: str) -> Topic:
        """Subscribe to a named document; the last one published comes first."""
        topic = self._by_document.get(name)
        if topic is None:
            none = np.empty(0, np.uint32)
            topic = Topic(self._take_key(), none, 0, document=name)
            self._by_document[name] = topic
        return self._join(subscriber, topic)

    def unsubscribe(self, subscriber: Subscriber, key: int) -> None:
        """Leave a topic; unknown keys are ignored (the client may be late)."""
        topic = subscriber.topics.get(key)
        if topic is None:
            return
        subscriber.forget(topic)
        topic.subscribers.discard(subscriber)
        if not topic.subscribers:
            if topic.document:
                del self._by_document[topic.document]
            else:
                del self._by_tags[topic.numbers.tobytes()]

    def _take_key(self) -> int:
        key = self._next_key
        self._next_key += 1
        return key

    def _join(self, subscriber: Subscriber, topic: Topic) -> Topic:
        topic.subscribers.add(subscriber)
        subscriber.topics[topic.key] = topic
        subscriber.refresh(topic)
        return topic

    # ------------------------------------------------------------ frames
    def _now_ms(self) -> int:
        return self._clock.time_ns() // 1_000_000

    def _columns(self, kind: str, topic: Topic, numbers: U32) -> bytes:
        value, time_ns, quality = self._source.columns(numbers)
        frame: dict[str, object] = {
            "k": kind,
            "topic": topic.key,
            "t": self._now_ms(),
            "n": numbers,
            "v": value,
            "ms": time_ns // 1_000_000,
            "q": quality,
        }
        texts = self._texts(numbers[np.isnan(value) & (time_ns > 0)])
        if texts:
            frame["x"] = texts
        self.frames += 1
        return orjson.dumps(frame, option=_OPTIONS)

    def _texts(self, numbers: U32) -> dict[int, str]:
        texts: dict[int, str] = {}
        for number in numbers.tolist():
            last = self._source.get(number)
            if last is not None and isinstance(last[0], str):
                texts[number] = last[0]
        return texts

    def _document_frame(self, topic: Topic) -> bytes:
        self.frames += 1
        document = self._documents.get(topic.document)
        frame = {"k": "doc", "topic": topic.key, "t": self._now_ms(), "doc": document}
        return orjson.dumps(frame, option=_OPTIONS)

    def snapshot(self, topic: Topic) -> bytes:
        """All of a topic, as it is now."""
        if topic.document:
            return self._document_frame(topic)
        return self._columns("s", topic, topic.numbers)

    # ------------------------------------------------------------ broadcast
    def publish(self, name: str, document: object) -> None:
        """Set a document (plain data) and send it to those who watch it, encoded once."""
        self._documents[name] = document
        topic = self._by_document.get(name)
        if topic is not None:
            self._send(topic, self._document_frame(topic))

    def tick(self) -> None:
        """Send what changed since the last tick."""
        revision = self._source.revision
        for topic in self._by_tags.values():
            if topic.seen == revision:
                continue
            changed = self._source.changed(topic.numbers, topic.seen)
            topic.seen = revision
            if changed.any():
                self._send(topic, self._columns("d", topic, topic.numbers[changed]))

    def _send(self, topic: Topic, frame: bytes) -> None:
        for subscriber in topic.subscribers:
            subscriber.offer(topic, frame)
        self.sends += len(topic.subscribers)

    async def run(self, stop: asyncio.Event) -> None:
        """Tick at absolute deadlines until ``stop``; late ticks are skipped, never made up for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        keepalive = due + KEEPALIVE_S
        while not stop.is_set():
            self.tick()
            now = loop.time()
            if now >= keepalive:
                keepalive = now + KEEPALIVE_S
                frame = orjson.dumps({"k": "t", "t": self._now_ms()})
                for subscriber in self.clients:
                    subscriber.offer_control(frame)
            due = max(due + self._period_s, now)
            try:
                await asyncio.wait_for(stop.wait(), due - now)
            except TimeoutError:
                continue

    def statistics(self) -> dict[str, int]:
        """Counters for the health page."""
        return {
            "clients": len(self.clients),
            "topics": len(self._by_tags) + len(self._by_document),
            "frames": self.frames,
            "sends": self.sends,
            "skipped": sum(subscriber.skipped for subscriber in self.clients),
        }
