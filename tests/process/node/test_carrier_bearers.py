"""The carriers' bearers in a running node: MQTT with TLS on its own bus, CoAP with OSCORE, HTTP.

One API process (uvloop, as in a plant) and the bus' nats-server; the lab's carriers come over each
bearer and are registered by the enterprise node.
"""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import pytest
import trustme

from mingwu.bus.server import NatsServer
from mingwu.identity.carriers.settings import BearerKind, CoapBearerSettings, MqttBearerSettings
from mingwu.lab.carriers.run import run_carriers, write_units
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.node.carriersections import CARRIER_USER
from mingwu.node.config import Config, load
from mingwu.node.demo import s1
from mingwu.node.platform import prepare
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX = "88.888.101"


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Node:
    """A demonstration's configuration with carriers, its API process and its bus."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        for at, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(folder / "cert.pem", append=at > 0)
        file = s1.write(folder / "demo")
        text = file.read_text().replace(
            '"bus", "historian", "writer", "gateway", "resolver", "console", "lab"', '"bus", "api"'
        )
        text = text.replace(
            "[bus_server]",
            'identity = ["enterprise", "carriers"]\n\n[bus_server]\n'
            f'mqtt_tls_cert = "{folder}/cert.pem"\nmqtt_tls_key = "{folder}/key.pem"',
            1,
        )
        port = load(file).console.port
        text += f"\n[api]\nport = {port}\n"
        text += '\n[carriers]\nbearers = ["https", "mqtt", "coap"]\n'
        text += f'\n[carriers_mqtt]\ntls_ca = "{self.ca}"\nretry_s = 0.2\n'
        text += f"\n[carriers_coap]\nport = {free_udp_port()}\n"
        file.write_text(text)
        self.config: Config = load(file)
        prepare(self.config)
        trust = Trust.open(self.config.trust)
        trust.accounts.create("eve", "a long enough password 7", Role.ENGINEER)
        self.token = trust.sessions.create_token("eve", "test")
        trust.close()
        self.bus = NatsServer(self.config.bus_server)
        self.bus.start()
        self.file, self.output = file, (folder / "output.txt").open("wb")
        self.start()

    def start(self) -> None:
        self.api = subprocess.Popen(
            [sys.executable, "-m", "mingwu", "run", "api", "--config", str(self.file)],
            stdout=self.output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def kill(self) -> None:
        self.api.kill()
        self.api.wait(20)

    async def answers(self) -> None:
        async with asyncio.timeout(60), self.client() as client:
            while True:
                try:
                    if (await client.get("/api/identity/carriers")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.config.api.port}"

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.door, headers=headers, timeout=20)

    def stop(self) -> None:
        self.kill()
        self.bus.stop()
        self.output.close()


@pytest.fixture(scope="module")
async def node(tmp_path_factory):
    running = Node(tmp_path_factory.mktemp("bearers"))
    try:
        await running.answers()
        yield running
    finally:
        running.stop()


def settings(node: Node, folder: Path, bearer: BearerKind, seed: int) -> CarrierLabSettings:
    secret = node.config.data / "secrets" / "carriers-mqtt"
    server = node.config.bus_server
    return CarrierLabSettings(
        directory=str(folder), authority=str(node.config.data / "secrets"), platform=node.door,
        bearer=bearer, prefix=PREFIX, moulds=2, period_s=0.3, seed=seed,
        mqtt=MqttBearerSettings(
            port=server.mqtt_port, user=CARRIER_USER, password=secret.read_bytes().hex(),
            tls=True, tls_ca=str(node.ca),
        ),
        coap=CoapBearerSettings(port=node.config.carriers_coap.port),
    )  # fmt: skip


@pytest.mark.parametrize("bearer", list(BearerKind))
async def test_carriers_over_each_bearer_of_a_running_node(node, tmp_path, bearer, monkeypatch):
    offset = 100 * (1 + list(BearerKind).index(bearer))
    monkeypatch.setattr(
        "mingwu.lab.carriers.personalise.serial_of", lambda mould: f"MWC-{mould.number + offset}"
    )
    monkeypatch.setattr(
        "mingwu.lab.carriers.run.serial_of", lambda mould: f"MWC-{mould.number + offset}"
    )
    lab = settings(node, tmp_path, bearer, seed=offset)
    units = await asyncio.to_thread(write_units, lab)
    assert (tmp_path / "units.json").stat().st_mode & 0o077 == 0
    assert bool(units[0].oscore_secret) is (bearer is BearerKind.COAP)
    async with node.client() as client:
        for unit in units:
            other = msgspec.structs.replace(unit, suffix=f"{unit.suffix}-{bearer.value}")
            told = await client.post("/api/identity/carriers", content=msgspec.json.encode(other))
            assert told.status_code == 200, told.text
            assert "oscore_secret" not in told.text
        stop = asyncio.Event()
        running = asyncio.create_task(run_carriers(lab, stop))
        try:
            async with asyncio.timeout(60):
                while True:
                    found = [
                        (await client.get(f"/api/identity/carriers/{unit.serial}")).json()
                        for unit in units
                    ]
                    if all(one["carrier"]["reports"] >= 2 for one in found):
                        break
                    await asyncio.sleep(0.2)
        finally:
            stop.set()
            await running
        for one in found:
            carrier = one["carrier"]
            assert (carrier["bearer"], carrier["state"]) == (bearer.value, "active")
            assert carrier["identifier"].endswith(f"-{bearer.value}")
            assert carrier["address"].partition(":")[0] == (
                "127.0.0.1" if bearer is BearerKind.HTTPS else bearer.value
            )
            assert {event["severity"] for event in one["events"]} == {"info"}
            name = carrier["identifier"]
            detail = await client.get("/api/identity/names/detail", params={"name": name})
            assert detail.json()["state"] == "registered"
            live = (await client.get(f"/api/identity/carriers/discover/{name}")).json()
            assert live["is_trusted"]


async def test_the_broker_restarts_and_carriers_go_on(node, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mingwu.lab.carriers.personalise.serial_of", lambda mould: f"MWC-{mould.number + 900}"
    )
    monkeypatch.setattr(
        "mingwu.lab.carriers.run.serial_of", lambda mould: f"MWC-{mould.number + 900}"
    )
    lab = settings(node, tmp_path, BearerKind.MQTT, seed=900)
    lab = msgspec.structs.replace(
        lab, moulds=1, mqtt=msgspec.structs.replace(lab.mqtt, timeout_s=2)
    )
    (unit,) = await asyncio.to_thread(write_units, lab)
    unit = msgspec.structs.replace(unit, suffix="MLD.RESTART")
    async with node.client() as client:
        await client.post("/api/identity/carriers", content=msgspec.json.encode(unit))

        async def samples() -> int:
            one = await client.get(f"/api/identity/carriers/{unit.serial}")
            return one.json()["carrier"]["samples"]

        stop = asyncio.Event()
        running = asyncio.create_task(run_carriers(lab, stop))
        try:
            async with asyncio.timeout(90):
                while await samples() < 2:
                    await asyncio.sleep(0.2)
                await asyncio.to_thread(node.bus.kill)
                await asyncio.sleep(1.5)
                before = await samples()
                await asyncio.to_thread(node.bus.start)
                while await samples() < before + 4:  # those that waited, and new ones
                    await asyncio.sleep(0.2)
        finally:
            stop.set()
            await running
        one = (await client.get(f"/api/identity/carriers/{unit.serial}")).json()["carrier"]
        assert one["samples"] == one["sequence"]
        assert one["dropped"] == 0


@pytest.mark.parametrize("bearer", [BearerKind.COAP, BearerKind.HTTPS])
async def test_a_platform_killed_again_and_again_loses_and_doubles_nothing(
    node, tmp_path, monkeypatch, bearer
):
    offset = 700 + list(BearerKind).index(bearer)
    for place in ("personalise", "run"):
        monkeypatch.setattr(
            f"mingwu.lab.carriers.{place}.serial_of", lambda mould: f"MWC-{mould.number + offset}"
        )
    lab = settings(node, tmp_path, bearer, seed=offset)
    lab = msgspec.structs.replace(
        lab, moulds=1, period_s=0.05,
        coap=msgspec.structs.replace(lab.coap, timeout_s=3, ack_timeout_s=0.2, attempts=1),
    )  # fmt: skip
    (unit,) = await asyncio.to_thread(write_units, lab)
    unit = msgspec.structs.replace(unit, suffix=f"MLD.KILLED-{bearer.value}")
    async with node.client() as client:
        await client.post("/api/identity/carriers", content=msgspec.json.encode(unit))

        async def carrier() -> dict:
            answer = await client.get(f"/api/identity/carriers/{unit.serial}")
            return answer.json()

        stop = asyncio.Event()
        running = asyncio.create_task(run_carriers(lab, stop))
        try:
            for _ in range(3):
                before = (await carrier())["carrier"]["samples"]
                async with asyncio.timeout(60):
                    while (await carrier())["carrier"]["samples"] < before + 10:
                        await asyncio.sleep(0.05)
                await asyncio.to_thread(node.kill)  # -9, in the middle of whatever it does
                await asyncio.sleep(0.3)
                node.start()
                await node.answers()
            before = (await carrier())["carrier"]["samples"]
            async with asyncio.timeout(60):
                while (await carrier())["carrier"]["samples"] < before + 10:
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await running
        found = await carrier()
    assert found["carrier"]["samples"] == found["carrier"]["sequence"]
    assert found["carrier"]["dropped"] == 0
    assert {event["code"] for event in found["events"]} == {
        "carriers.registered", "carriers.written-back",
    }  # fmt: skip
