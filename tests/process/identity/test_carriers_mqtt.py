"""The MQTT bearer through the bus' own broker: a real nats-server child."""

import asyncio
import socket
import ssl
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import msgspec
import pytest
import trustme
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings
from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.mqtt import DOWN, MqttBearer, serve_mqtt
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings, MqttBearerSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Unavailable
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@asynccontextmanager
async def tls_before(port: int, tmp_path):
    """TLS in front of the broker's listener: (port, file with the authority)."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def copy(reader, writer):
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], str(tmp_path / "ca.pem")
    finally:
        server.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_carrier_over_mqtt(tmp_path, tls):
    identity = prepare(tmp_path / "secrets")
    records = RecordStore(tmp_path / "records", map_bytes=2**24)
    platform = CarrierPlatform.open(
        CarrierSettings(store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"))),
        RecordRegistrar(records), key=identity.key, certificate=identity.certificate,
        anchors=identity.anchors,
    )  # fmt: skip
    mould = moulds(1, 1)[0]
    now_s = int(time.time())
    factory = Factory(identity.authority, "mqtt", "88.888.102", now_s)
    key, new = factory.open(tmp_path / "carrier", mould)
    platform.provision(new)
    server = ServerSettings(
        directory=str(tmp_path / "nats"), port=0, user="mingwu", password="own",
        mqtt_port=free_port(),
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        stack.enter_context(NatsServer(server))
        port, ca = server.mqtt_port, ""
        if tls:
            port, ca = await stack.enter_async_context(tls_before(port, tmp_path))
        settings = MqttBearerSettings(
            port=port, user="mingwu", password="own", timeout_s=15, tls=tls, tls_ca=ca
        )
        stop, started = asyncio.Event(), asyncio.Event()
        door = asyncio.create_task(serve_mqtt(platform, settings, stop, started))
        noise = Client("noise")
        noise.set_auth_credentials("mingwu", "own")
        await noise.connect("127.0.0.1", server.mqtt_port, version=MQTTv311)
        bearer = MqttBearer(settings, new.serial)
        agent = CarrierAgent(tmp_path / "carrier", key, bearer, accept=mould.apply)
        try:
            async with asyncio.timeout(30):
                await started.wait()
                assert await agent.power_on() == "88.888.102/MLD.M0001"
                platform.set_parameters(new.serial, {"name": "r12"}, actor="eve")
                for _ in range(3):
                    noise.publish(DOWN + new.serial, b"noise", qos=0)
                    agent.measure(mould.readings())
                    assert await agent.report() == 1
            unit = platform.unit(new.serial)
            assert (unit.reports, unit.address) == (3, f"mqtt:{new.serial}")
            assert mould.parameter_set == "r12"
            assert platform.discover(unit.identifier).is_trusted
        finally:
            stop.set()
            await door
            await noise.disconnect()
        late = MqttBearer(
            MqttBearerSettings(port=server.mqtt_port, user="mingwu", password="own", timeout_s=0.5),
            new.serial,
        )
        with pytest.raises(Unavailable):  # the broker is there, the platform is not
            await late.exchange(b"x")
        await late.close()
        if tls:  # an authority it was not given is not believed
            settings = msgspec.structs.replace(settings, tls_ca="")
            with pytest.raises(Unavailable):
                await MqttBearer(settings, new.serial).exchange(b"x")
        await bearer.close()
    agent.close()
    platform.close()
    records.close()
