"""A bus in memory, drivers that do as they are told, and a clock the test moves."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from mingwu.bus import envelope
from mingwu.bus.acks import Ack
from mingwu.field.base import DriverKind, WriteResult
from mingwu.kernel.batch import Columns
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import DeviceSpec, TagSpec
from mingwu.kernel.quality import GOOD
from mingwu.kernel.settings import Settings


class FakeTime:
    """Clock and sleep; :meth:`advance` moves it and lets everything due happen, in order."""

    START = 1_760_000_000_000_000_000

    def __init__(self):
        self._now = 0
        self._sleepers = []
        self._count = itertools.count()

    def time_ns(self):
        return self.START + self._now

    def monotonic_ns(self):
        return self._now

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        due = self._now + round(seconds * 1e9)
        heapq.heappush(self._sleepers, (due, next(self._count), future))
        await future

    async def settle(self):
        for _ in range(30):
            await asyncio.sleep(0)

    async def advance(self, seconds):
        end = self._now + round(seconds * 1e9)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
            await self.settle()
        self._now = end


@dataclass
class MemoryBus:
    """Stores what is posted, once per message id. ``fault`` is what posting meets."""

    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    documents: list[tuple[str, object]] = field(default_factory=list)
    served: dict[str, Callable] = field(default_factory=dict)
    heard: dict[str, Callable] = field(default_factory=dict)
    fault: Callable[[str], Exception | None] = lambda _id: None
    late: bool = False

    @property
    def connected(self):
        return True

    async def wait_connected(self, seconds):
        await asyncio.sleep(0)
        return True

    async def post(self, subject, payload, message_id):
        self.posts.append(message_id)
        error = self.fault(message_id)
        future = asyncio.get_running_loop().create_future()
        if error is not None:
            if not self.late:
                raise error
            asyncio.get_running_loop().call_soon(future.set_exception, error)
            return future
        duplicate = message_id in self.stored
        self.stored.setdefault(message_id, (subject, payload))
        future.set_result(Ack("S", len(self.stored), duplicate))
        return future

    async def publish_json(self, subject, document):
        self.documents.append((subject, document))

    async def subscribe_json(self, subject, callback, kind):
        self.heard[subject] = callback
        return _Interest()

    async def serve(self, subject, answer, *, queue=""):
        self.served[subject] = answer
        return _Interest()

    def batches(self):
        return [
            envelope.decode(payload)
            for subject, payload in self.stored.values()
            if subject.startswith("mw.telemetry.")
        ]

    def points(self):
        """(device, tag, value, quality) in the order of storing."""
        return [
            (batch.source.split("/")[1], *row)
            for batch in self.batches()
            for row in zip(
                batch.columns.tag.tolist(),
                batch.columns.value.tolist(),
                batch.columns.quality.tolist(),
                strict=True,
            )
        ]

    def events(self):
        return [
            msgspec.json.decode(payload)
            for subject, payload in self.stored.values()
            if subject.startswith("mw.event.")
        ]


class _Interest:
    async def close(self):
        pass


class FakeSettings(Settings, frozen=True, kw_only=True):
    line: str = ""
    key: str = "d"


class FakeDriver:
    """``world[key]`` decides: ``up``, ``value``, ``reads``, ``open_error``, ``hang``, ``crash``."""

    def __init__(self, settings, simulated, world):
        self.state = world.setdefault(settings.key, World())
        self.is_open = False

    def compile(self, tags):
        for tag in tags:
            if tag.address == "wrong":
                raise ConfigError("config.invalid", path=tag.name, fault="no such address")
        return np.array([tag.number for tag in tags], np.uint32)

    async def open(self):
        self.state.opens += 1
        if not self.state.up:
            raise Unavailable("bus.disconnected")
        self.is_open = True

    async def close(self):
        self.is_open = False
        self.state.closes += 1

    async def read(self, plan):
        state = self.state
        state.reads.append(state.now())
        if state.crash:
            raise ZeroDivisionError("a bug of the driver")
        if state.hang:
            await asyncio.Event().wait()
        if state.takes_s:
            await state.sleep(state.takes_s)
        if not state.up or not self.is_open:
            raise Unavailable("bus.disconnected")
        return self.columns(plan)

    def columns(self, plan):
        count = len(plan)
        self.state.value += self.state.step
        return Columns(
            plan,
            np.full(count, self.state.time_ns(), np.int64),
            np.full(count, self.state.value),
            np.full(count, GOOD, np.uint8),
        )

    async def write(self, requests):
        self.state.written += [(one.tag.name, one.value) for one in requests]
        return [WriteResult(ok=True) for _ in requests]

    async def subscribe(self, plan, sink):
        sink(self.columns(plan))
        self.state.sink = lambda: sink(self.columns(plan))
        self.state.subscription = FakeSubscription(self.state)
        return self.state.subscription


class FakeSubscription:
    def __init__(self, state):
        self.lost = asyncio.Event()
        self.state = state

    async def wait(self):
        await self.lost.wait()
        raise Unavailable("bus.disconnected")

    async def close(self):
        self.state.unsubscribed += 1


@dataclass
class World:
    up: bool = True
    value: float = 0.0
    step: float = 1.0
    reads: list = field(default_factory=list)
    opens: int = 0
    closes: int = 0
    unsubscribed: int = 0
    hang: bool = False
    crash: bool = False
    takes_s: float = 0.0
    written: list = field(default_factory=list)
    sink: Callable | None = None
    subscription: FakeSubscription | None = None
    now: Callable = time.monotonic_ns
    time_ns: Callable = time.time_ns
    sleep: Callable = asyncio.sleep


def make_kinds(world):
    def create(settings, simulated):
        return FakeDriver(settings, simulated, world)

    def line(settings):
        return settings.line

    def kind(name):
        return DriverKind(
            name=name,
            settings=FakeSettings,
            create=create,
            line=line,
            subscribes=name == "pushing",
        )

    return kind


def make_device(name="d", *, tags=3, period_ms=100, number=0, driver="fake", **more):
    return DeviceSpec(
        name=name,
        thing=f"p/{name}",
        driver=driver,
        settings={"key": name} | more.pop("settings", {}),
        tags=tuple(
            TagSpec(
                number=number + n,
                thing=f"p/{name}",
                name=f"t{n}",
                address="x",
                period_ms=period_ms,
                writable=True,
            )
            for n in range(tags)
        ),
        **more,
    )


def finite(points):
    return [one for one in points if not math.isnan(one[2])]


@pytest.fixture
def world():
    return {}


@pytest.fixture
def kinds(world):
    return make_kinds(world)


@pytest.fixture
def device_spec():
    return make_device


@pytest.fixture
def memory_bus():
    return MemoryBus()


@pytest.fixture
def fake_time():
    return FakeTime()


@pytest.fixture
def new_world():
    return World
