"""The CoAP bearer with OSCORE over real UDP: lossy links, repetitions, replays, nonsense."""

import asyncio
import contextlib
import random
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiocoap
import msgspec
import pytest

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.coap import CoapBearer, serve_coap
from mingwu.identity.carriers.frames import Hello, Refused, digest_of, pack, read
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.secrecy import CarrierSecret, kid_of
from mingwu.identity.carriers.settings import CarrierSettings, CoapBearerSettings, CoapSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Conflict, InvalidInput, Unavailable
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Plant:
    """A platform in a folder, and the carriers personalised for it."""

    def __init__(self, base: Path) -> None:
        self.base, self.identity = base, prepare(base / "secrets")
        self.records = RecordStore(base / "records", map_bytes=2**24)
        self.agents: list[CarrierAgent] = []
        self.open()

    def open(self) -> None:
        self.platform = CarrierPlatform.open(
            CarrierSettings(store=StoreSettings(url=sqlite_url(self.base / "carriers.sqlite"))),
            RecordRegistrar(self.records), key=self.identity.key,
            certificate=self.identity.certificate, anchors=self.identity.anchors,
            store_key=self.identity.store_key,
        )  # fmt: skip

    def personalise(self, number: int = 1):
        mould = moulds(number, 1)[number - 1]
        factory = Factory(
            self.identity.authority, "coap", "88.888.102", int(time.time()), bearer="coap"
        )
        directory = self.base / f"carrier{number}"
        return directory, *factory.open(directory, mould), mould

    def carrier(self, port: int, number: int = 1, **more):
        directory, key, new, mould = self.personalise(number)
        bearer = self.bearer(port, new.serial, directory)
        agent = CarrierAgent(directory, key, bearer, accept=mould.apply, **more)
        self.agents.append(agent)
        return agent, new, mould

    def bearer(self, port: int, serial: str, directory: Path, **more) -> CoapBearer:
        secret = (directory / "seal.bin").read_bytes()
        given = {"port": port, "ack_timeout_s": 0.05, "timeout_s": 20} | more
        return CoapBearer(CoapBearerSettings(**given), serial, CarrierSecret(directory, secret))

    @asynccontextmanager
    async def served(self, port: int, **more):
        stop, started = asyncio.Event(), asyncio.Event()
        given = {"port": port, "source_datagrams_per_s": 2000} | more
        door = asyncio.create_task(serve_coap(self.platform, CoapSettings(**given), stop, started))
        async with asyncio.timeout(60):
            await started.wait()
        try:
            yield
        finally:
            stop.set()
            await door

    async def close(self) -> None:
        for agent in self.agents:
            await agent.bearer.close()
            agent.close()
        self.platform.close()
        self.records.close()


@pytest.fixture
async def plant(tmp_path):
    made = Plant(tmp_path)
    yield made
    await made.close()


@dataclass
class Relay(asyncio.DatagramProtocol):
    """A link that loses and doubles datagrams, and keeps what went over it."""

    port: int
    lose: float = 0.0
    double: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    seen: list[bytes] = field(default_factory=list)
    lost: int = 0

    def connection_made(self, transport):
        self.near = transport
        self.far: dict = {}
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, sender):
        asyncio.get_running_loop().create_task(self._there(data, sender))

    async def _there(self, data, sender):
        if sender not in self.far:
            relay = self

            class Back(asyncio.DatagramProtocol):
                def datagram_received(self, data, _sender):
                    for _ in range(relay._copies(data)):
                        relay.near.sendto(data, sender)

            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                Back, remote_addr=("127.0.0.1", self.port)
            )
            self.far[sender] = transport
        for _ in range(self._copies(data)):
            self.far[sender].sendto(data)

    def _copies(self, data) -> int:
        self.seen.append(data)
        if self.chance.random() < self.lose:
            self.lost += 1
            return 0
        return 2 if self.chance.random() < self.double else 1

    def close(self):
        self.near.close()
        for transport in self.far.values():
            transport.close()


@asynccontextmanager
async def relayed(port: int, **more):
    transport, relay = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay(port, **more), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay, transport.get_extra_info("sockname")[1]
    finally:
        relay.close()


async def test_the_whole_life_over_coap(plant):
    port = free_port()
    async with plant.served(port), relayed(port) as (relay, near):
        agent, new, mould = plant.carrier(near, report_samples=200)
        plant.platform.provision(new)
        assert await agent.power_on() == NAME
        for _ in range(150):
            mould.step(30)
            agent.measure(mould.readings())
        plant.platform.set_parameters(new.serial, {"name": "r12", "set_point": 70}, actor="eve")
        assert await agent.report() == 150
        unit = plant.platform.unit(new.serial)
        assert (unit.samples, unit.reports, unit.address) == (150, 1, f"coap:{new.serial}")
        assert mould.parameter_set == "r12"
        assert plant.platform.discover(NAME).is_trusted
    assert len(relay.seen) > 30  # blockwise: the report alone is 20 KB
    assert max(map(len, relay.seen)) < 1400
    told = b"".join(relay.seen)
    for secret in (new.serial.encode(), b"MLD.M0001", b"cavity_temperature", b"exchange"):
        assert secret not in told  # nobody on the way reads who says what
    assert plant.base.joinpath("carriers.sqlite").read_bytes().count(new.oscore_secret) == 0


async def test_a_link_that_loses_a_fifth_loses_no_sample_and_raises_no_alarm(plant):
    port = free_port()
    async with plant.served(port), relayed(port, lose=0.2, double=0.1) as (relay, near):
        agent, new, mould = plant.carrier(near)
        plant.platform.provision(new)
        assert await agent.power_on() == NAME
        for _ in range(5):
            for _ in range(8):
                mould.step(30)
                agent.measure(mould.readings())
            assert await agent.report() == 8
    assert relay.lost > 10
    unit = plant.platform.unit(new.serial)
    assert (unit.samples, unit.sequence, unit.reports, unit.dropped) == (40, 40, 5, 0)
    codes = {event.code for event in plant.platform.events()}
    assert codes == {"carriers.registered", "carriers.written-back"}


async def test_a_frame_that_comes_twice_is_worked_once(plant):
    port = free_port()
    async with plant.served(port):
        agent, new, mould = plant.carrier(port)
        plant.platform.provision(new)
        await agent.power_on()
        original, replies = agent.bearer.exchange, []

        async def twice(frame):
            first, second = await asyncio.gather(original(frame), original(frame))
            replies.append(first == second == await original(frame))
            return first

        agent.bearer.exchange = twice
        agent.measure(mould.readings())
        assert await agent.report() == 1
        assert replies == [True, True]
        unit = plant.platform.unit(new.serial)
        assert (unit.reports, unit.counter) == (1, 1)
        assert "carriers.replayed" not in {event.code for event in plant.platform.events()}


def send(port: int, data: bytes, wait_s: float = 10.0) -> bytes:
    """One datagram from a socket of its own, and the answer; a busy server acknowledges first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait_s)
        sock.sendto(data, ("127.0.0.1", port))
        answer = sock.recv(65_536)
        while answer[1] == aiocoap.EMPTY:
            answer = sock.recv(65_536)
        return answer


async def test_datagrams_played_again_are_refused_even_after_a_restart(plant):
    port = free_port()
    async with plant.served(port):
        async with relayed(port) as (relay, near):
            agent, new, mould = plant.carrier(near)
            plant.platform.provision(new)
            await agent.power_on()
            agent.measure(mould.readings())
            await agent.report()
        requests = [data for data in relay.seen if data[1] == aiocoap.POST]
        for data in requests:
            answer = await asyncio.to_thread(send, port, data)
            assert answer[1] == aiocoap.UNAUTHORIZED
    (event,) = [e for e in plant.platform.events() if e.code == "carriers.replayed"]
    assert (event.serial, event.severity, event.times) == (new.serial, "attack", 1)
    plant.platform.close()
    plant.open()
    async with plant.served(port):
        for data in requests:
            answer = await asyncio.to_thread(send, port, data)
            assert answer[1] == aiocoap.UNAUTHORIZED
        directory = plant.base / "carrier1"
        numbers = int((directory / "oscore.seq").read_text())
        again = plant.bearer(port, new.serial, directory)  # the carrier's power failed, too
        assert again._security._kept.next_number == numbers > len(requests)
        agent.bearer = again
        agent.measure(mould.readings())
        assert await agent.report() == 1
        assert plant.platform.unit(new.serial).reports == 2


async def test_what_is_not_protected_reaches_nothing(plant, monkeypatch):
    port = free_port()
    handled = []
    handle = plant.platform.access.handle
    monkeypatch.setattr(
        plant.platform.access, "handle", lambda *given: handled.append(1) or handle(*given)
    )
    async with plant.served(port):
        agent, new, _mould = plant.carrier(port)
        _, stranger, other, _ = plant.personalise(2)
        plant.platform.provision(new)
        client = await aiocoap.Context.create_client_context(transports=["udp6"])
        base = f"coap://127.0.0.1:{port}"
        for path in ("/carriers/exchange", "/.well-known/core", "/.well-known/edhoc"):
            plain = aiocoap.Message(code=aiocoap.POST, uri=base + path, payload=b"x")
            assert (await client.request(plain).response).code == aiocoap.UNAUTHORIZED
        await client.shutdown()
        unknown = plant.bearer(port, other.serial, plant.base / "carrier2", attempts=1)
        with pytest.raises(Unavailable, match=r"4\.01"):  # never provisioned
            await unknown.exchange(b"x")
        await unknown.close()
        liar = plant.bearer(port, other.serial, plant.base / "carrier2", attempts=1)
        liar._security.sender_id = kid_of(new.serial)  # another carrier's id, without its secret
        with pytest.raises(Unavailable, match=r"4\.00"):
            await liar.exchange(b"x")
        await liar.close()
        assert handled == []
        async with asyncio.timeout(60):
            while not (told := plant.platform.events()):
                await asyncio.sleep(0.02)
        assert [(e.code, e.serial, e.severity) for e in told] == [
            ("carriers.wrong-secret", new.serial, "attack")
        ]
        # behind the door nothing is believed either: a frame of another serial number is judged
        hello = Hello(
            serial=new.serial, nonce=bytes(32), time_ns=time.time_ns(), identifier="",
            address="", protection="sealed-file", certificate=other.certificate,
        )  # fmt: skip
        answer = read(await agent.bearer.exchange(pack(hello, stranger))).body
        assert isinstance(answer, Refused)
        assert answer.code == "carriers.cloned"
        (event,) = [e for e in plant.platform.events() if e.code == "carriers.cloned"]
        assert event.address == f"coap:{new.serial}"


async def test_nonsense_and_giants_are_refused_and_carriers_go_on(plant):
    port = free_port()
    async with plant.served(port):
        agent, new, mould = plant.carrier(port)
        plant.platform.provision(new)
        await agent.power_on()
        with pytest.raises(Unavailable, match=r"4\.13"):
            await agent.bearer.exchange(bytes(plant.platform.settings.frame_bytes + 1))
        body = read(await agent.bearer.exchange(b"nonsense")).body
        assert (body.code, body.request) == ("carriers.malformed", digest_of(b"nonsense"))
        chance = random.Random(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for length in (0, 1, 3, 4, 5, 20, 200, 1400, 60_000):
                for first in (b"", b"\x40\x02", b"\x48\x02", b"\x44\x02ab\x00\x00\x00\x00\x90"):
                    noise = (first + chance.randbytes(length))[: max(length, len(first))]
                    sock.sendto(noise, ("127.0.0.1", port))
        agent.measure(mould.readings())
        assert await agent.report() == 1
        # a block in the middle of nothing, and one far beyond the end
        for number in (5, 100_000):
            message = aiocoap.Message(
                code=aiocoap.POST, uri=f"{agent.bearer._base}/carriers/exchange", payload=b"x" * 16
            )
            message.opt.block1 = (number, False, 0)
            answer = await agent.bearer._client.request(message, handle_blockwise=False).response
            assert answer.code in {
                aiocoap.REQUEST_ENTITY_INCOMPLETE, aiocoap.REQUEST_ENTITY_TOO_LARGE,
            }  # fmt: skip
        agent.measure(mould.readings())
        assert await agent.report() == 1


async def test_a_platform_that_is_away_and_a_port_that_is_taken(plant):
    port = free_port()
    agent, new, mould = plant.carrier(port)
    plant.platform.provision(new)
    await agent.bearer.close()
    agent.bearer = plant.bearer(
        port, new.serial, plant.base / "carrier1", timeout_s=0.3, attempts=2
    )
    agent.measure(mould.readings())
    with pytest.raises(Unavailable):
        await agent.report()
    assert len(agent.buffer) == 1
    await agent.bearer.close()
    agent.bearer = plant.bearer(port, new.serial, plant.base / "carrier1")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as holder:
        holder.bind(("::ffff:127.0.0.1", port))
        stop, started = asyncio.Event(), asyncio.Event()
        settings = CoapSettings(port=port, retry_s=0.1)
        door = asyncio.create_task(serve_coap(plant.platform, settings, stop, started))
        await asyncio.sleep(0.3)
        assert not started.is_set()
    async with asyncio.timeout(60):
        await started.wait()
    assert await agent.report() == 1
    stop.set()
    await door


async def test_secrets_are_kept_once_and_whole(plant):
    _, _, new, _ = plant.personalise()
    short = msgspec.structs.replace(new, oscore_secret=b"short")
    with pytest.raises(InvalidInput) as told:
        plant.platform.provision(short)
    assert told.value.code == "carriers.bad-oscore-secret"
    assert plant.platform.units()[1] == 0
    plant.platform.provision(new)
    with pytest.raises(Conflict):
        plant.platform.provision(new)
    assert plant.platform.secrets.find(kid_of(new.serial)).master == new.oscore_secret
    assert plant.platform.secrets.find(b"1234567") is None


async def test_a_flood_is_dropped_and_carriers_get_through_when_it_ends(plant):
    port = free_port()
    async with plant.served(port, source_datagrams_per_s=20, replies_s=5):
        agent, new, mould = plant.carrier(port)
        plant.platform.provision(new)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            for number in range(300):  # confirmable POST without protection, each of its own id
                sock.sendto(b"\x40\x02" + number.to_bytes(2, "big"), ("127.0.0.1", port))
            await asyncio.sleep(0.3)
            answers = 0
            with contextlib.suppress(BlockingIOError):
                while sock.recv(2048):
                    answers += 1
        assert 0 < answers <= 40  # two seconds at most
        agent.measure(mould.readings())
        assert await agent.report() == 1
