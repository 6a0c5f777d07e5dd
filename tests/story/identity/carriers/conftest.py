"""A platform, an authority and carriers in memory, with a clock the tests own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import PlatformIdentity, prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Unavailable
from mingwu.lab.carriers.moulds import Mould, moulds
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.keys import Algorithm

PREFIX = "88.888.102"
NOW_NS = 1_790_000_000_000_000_000
NS = 1_000_000_000


class Clock:
    def __init__(self):
        self.now_ns = NOW_NS

    def time_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def go(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS)


class Wire:
    """A bearer in memory: keeps what went over it, may lose replies or be down."""

    def __init__(self, platform: CarrierPlatform, address: str = "10.0.0.7"):
        self.platform, self.address = platform, address
        self.sent: list[bytes] = []
        self.is_down = False
        self.lose_reply_of = 0
        self.change = None

    async def exchange(self, frame: bytes) -> bytes:
        if self.is_down:
            raise Unavailable("carriers.unreachable", address=self.address, fault="down")
        self.sent.append(frame)
        if self.change is not None:
            frame = self.change(frame)
        reply = self.platform.access.handle(frame, self.address)
        if frame[4] == self.lose_reply_of:
            self.lose_reply_of = 0
            raise Unavailable("carriers.unreachable", address=self.address, fault="reply lost")
        return reply


@dataclass
class Scene:
    base: Path
    clock: Clock
    identity: PlatformIdentity
    records: RecordStore
    platform: CarrierPlatform
    samples: list

    def factory(self, **changes) -> Factory:
        given = {
            "authority": self.identity.authority, "address": "memory", "prefix": PREFIX,
            "now_s": NOW_NS // NS,
        }  # fmt: skip
        return Factory(**(given | changes))

    def personalise(self, mould: Mould, algorithm=Algorithm.P256, **changes) -> tuple:
        directory = self.base / serial_of(mould)
        return directory, *self.factory(**changes).open(directory, mould, algorithm)

    def carrier(self, number: int = 1, algorithm=Algorithm.P256, *, provision=True, **changes):
        mould = moulds(number, 1)[number - 1]
        directory, key, new = self.personalise(mould, algorithm, **changes)
        if provision:
            self.platform.provision(new)
        return Carrier(self, mould, directory, key, new, Wire(self.platform))

    def codes(self, serial: str = "") -> list[str]:
        return [event.code for event in self.platform.events(name=serial)]


class Carrier:
    def __init__(self, scene, mould, directory, key, new: NewUnit, wire: Wire):
        self.scene, self.mould, self.directory = scene, mould, directory
        self.key, self.new, self.wire, self.serial = key, new, wire, new.serial
        self.agent = self.another(directory, wire)

    def another(self, directory: Path, wire: Wire, **more) -> CarrierAgent:
        return CarrierAgent(
            directory, self.key, wire, clock=self.scene.clock, accept=self.mould.apply, **more
        )

    def work(self, seconds: float = 60) -> None:
        self.scene.clock.go(seconds)
        self.mould.step(seconds)
        self.agent.measure(self.mould.readings())


@pytest.fixture
def scene(tmp_path: Path):
    clock = Clock()
    identity = prepare(tmp_path / "secrets", now_s=NOW_NS // NS)
    records = RecordStore(
        tmp_path / "records", map_bytes=2**24, durable=False, now_ns=clock.time_ns
    )
    samples: list = []
    platform = CarrierPlatform.open(
        CarrierSettings(
            store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"), durable=False)
        ),
        RecordRegistrar(records),
        key=identity.key,
        certificate=identity.certificate,
        anchors=identity.anchors,
        clock=clock,
        on_samples=lambda unit, fresh: samples.append((unit.identifier, fresh)),
        table=records.carriers(),
    )
    made = Scene(tmp_path, clock, identity, records, platform, samples)
    agents: list[CarrierAgent] = []
    original = Carrier.another

    def remembered(self, *given, **more):
        agents.append(original(self, *given, **more))
        return agents[-1]

    Carrier.another = remembered
    yield made
    Carrier.another = original
    for agent in agents:
        agent.close()
    platform.close()
    records.close()
