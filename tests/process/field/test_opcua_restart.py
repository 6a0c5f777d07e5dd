"""An OPC UA server that is killed and started again, frozen, and slow: what the gateway sees."""

import asyncio
import contextlib
import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mingwu.bus import envelope
from mingwu.edge.gateway import run_gateway
from mingwu.edge.settings import EdgeSettings
from mingwu.field.opcua.driver import KIND
from mingwu.field.opcua.settings import OpcuaSettings
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import DeviceSpec, GatewaySpec, TagSpec
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, is_simulated
from tests.waiting import until

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).with_name("opcua_server.py")
TAGS = 100
RESUMES_S = 5.0


class Server:
    """The server's process; the port stays the same over restarts."""

    def __init__(self):
        self.port = 0
        self.process = None

    def start(self):
        """Returns when it listens."""
        self.process = subprocess.Popen(
            [sys.executable, SERVER, str(self.port), str(TAGS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = int(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def signal(self, number):
        self.process.send_signal(number)


@pytest.fixture(scope="module")
def shared_server():
    found = Server()
    found.start()
    yield found
    found.kill()


@pytest.fixture
def server(shared_server):
    """The module's server; whatever a test does to it, it ends awake."""
    yield shared_server
    if shared_server.process.poll() is None:
        shared_server.signal(signal.SIGCONT)
    else:
        shared_server.start()


def driver_of(server, **settings):
    endpoint = f"opc.tcp://127.0.0.1:{server.port}/cell"
    return KIND.create(OpcuaSettings(endpoint=endpoint, timeout_ms=2000, **settings), True)


def tags():
    return [
        TagSpec(
            number=n, thing="t", name=f"v{n}", address=f"nsu=urn:test:cell;s=v{n}", period_ms=50
        )
        for n in range(TAGS)
    ]


class Gateway:
    """What the gateway does with a subscribed device, without its policy: reopen at once."""

    def __init__(self, driver):
        self.driver = driver
        self.latest = {}
        self.losses = []
        self.first_after_loss = None

    def sink(self, columns):
        if self.losses and self.first_after_loss is None:
            self.first_after_loss = time.monotonic()
        for number, value, quality in zip(
            columns.tag.tolist(), columns.value.tolist(), columns.quality.tolist(), strict=True
        ):
            self.latest[number] = (value, quality & 0xC0)

    async def run(self):
        plan = self.driver.compile(tags())
        while True:
            try:
                await self.driver.open()
                subscription = await self.driver.subscribe(plan, self.sink)
                await subscription.wait()
            except Unavailable as lost:
                if lost.code != "opcua.unreachable":
                    self.losses.append((time.monotonic(), lost))
                await self.driver.close()
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(gateway):
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await gateway.driver.close()


def all_good(gateway, beyond=0.0):
    return len(gateway.latest) == TAGS and all(
        quality == GOOD and value > beyond for value, quality in gateway.latest.values()
    )


async def test_subscriptions_resume_after_kill_and_restart(server):
    gateway = Gateway(driver_of(server))
    async with running(gateway):
        await until(lambda: all_good(gateway, beyond=5.0))
        server.kill()
        await until(lambda: gateway.losses, 2.0)  # a broken connection is noticed at once
        gateway.latest.clear()
        await asyncio.to_thread(server.start)
        listening = time.monotonic()
        await until(lambda: all_good(gateway), RESUMES_S)
        assert gateway.first_after_loss - listening < RESUMES_S
        assert len(gateway.losses) == 1


async def test_a_frozen_server_is_lost_and_taken_up_again(server):
    """SIGSTOP: the connection stays, nothing comes. Only silence tells."""
    gateway = Gateway(driver_of(server, keepalive_ms=400))
    async with running(gateway):
        await until(lambda: all_good(gateway))
        frozen = time.monotonic()
        server.signal(signal.SIGSTOP)
        await until(lambda: gateway.losses, 5.0)
        assert gateway.losses[0][1].code == "opcua.silent"
        assert gateway.losses[0][0] - frozen < 3.0
        gateway.latest.clear()
        server.signal(signal.SIGCONT)
        await until(lambda: all_good(gateway), 10.0)


async def test_polling_a_frozen_server_times_out_and_recovers(server):
    driver = driver_of(server)
    plan = driver.compile(tags())
    await driver.open()
    try:
        assert (await driver.read(plan)).quality[0] & 0xC0 == GOOD
        server.signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await driver.read(plan)
        assert caught.value.code == "opcua.timeout"
        assert time.monotonic() - started < 3.0
        server.signal(signal.SIGCONT)
        await driver.close()
        await driver.open()
        assert (await driver.read(plan)).quality[0] & 0xC0 == GOOD
    finally:
        await driver.close()


def story_bus():
    """The in-memory bus of the gateway's story tests."""
    path = Path(__file__).parents[2] / "story" / "edge" / "conftest.py"
    spec = importlib.util.spec_from_file_location("story_edge_bus", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MemoryBus()


class Heard:
    """Per tag, the statuses on the bus in the order they came, repetitions left out."""

    def __init__(self, bus):
        self.bus = bus
        self.seen = 0
        self.statuses = {n: [] for n in range(TAGS)}

    def listen(self):
        for subject, payload in list(self.bus.stored.values())[self.seen :]:
            self.seen += 1
            if not subject.startswith("mw.telemetry."):
                continue
            columns = envelope.decode(payload).columns
            for tag, quality in zip(columns.tag.tolist(), columns.quality.tolist(), strict=True):
                assert is_simulated(quality)
                if self.statuses[tag][-1:] != [quality & ~SIMULATED]:
                    self.statuses[tag].append(quality & ~SIMULATED)
        return self.statuses.values()

    def all_are(self, *expected):
        return all(statuses == list(expected) for statuses in self.listen())


async def test_through_the_gateway_a_loss_is_told_once_and_ends(server):
    """Driver and gateway together: one bad transition per tag, good again within the time."""
    device = DeviceSpec(
        name="mc01",
        thing="88.888.101/DEV.MC.01",
        driver="opcua",
        settings={"endpoint": f"opc.tcp://127.0.0.1:{server.port}/cell", "timeout_ms": 2000},
        simulated=True,
        tags=tuple(tags()),
    )
    settings = EdgeSettings(retry_max_s=3.0)
    bus, stop = story_bus(), asyncio.Event()
    heard = Heard(bus)
    running_gateway = asyncio.create_task(
        run_gateway(GatewaySpec(name="gw", devices=(device,)), bus, settings, stop)
    )
    try:
        await until(lambda: heard.all_are(GOOD))
        server.kill()
        lost = bad(Reason.NOT_CONNECTED)
        await until(lambda: heard.all_are(GOOD, lost), 5.0)
        await asyncio.to_thread(server.start)
        await until(lambda: heard.all_are(GOOD, lost, GOOD), RESUMES_S)
    finally:
        stop.set()
        await running_gateway
