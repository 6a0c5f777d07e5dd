"""The MQTT bearer through the bus' own broker: a real nats-server child, plain and with TLS."""

import asyncio
import socket
import ssl
import time
import uuid
from contextlib import AsyncExitStack

import msgspec
import pytest
import trustme
from gmqtt import Client
from gmqtt import Subscription as TopicFilter
from gmqtt.mqtt.constants import MQTTv311

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusUser, ServerSettings
from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.mqtt import DOWN, UP, MqttBearer, serve_mqtt
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings, MqttBearerSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Unavailable
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.node.carriersections import CARRIER_USER, PLATFORM_USER
from mingwu.node.carriersections import DOWN as DOWN_SUBJECTS
from mingwu.node.carriersections import UP as UP_SUBJECTS
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def tls_files(tmp_path) -> tuple[str, str, str]:
    """Certificate and key for the broker, and the authority that carriers believe."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for at, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(tmp_path / "cert.pem", append=at > 0)
    return str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), str(tmp_path / "ca.pem")


async def listener(port: int, user: str, ca: str, topic: str) -> tuple[Client, list[bytes]]:
    """Somebody else at the broker, subscribed to ``topic`` (or not, if he may not)."""
    client, heard = Client(f"somebody-{uuid.uuid4().hex}"), []
    client.set_auth_credentials(user, "own")
    client.set_config({"reconnect_retries": 0})
    client.on_message = lambda _c, _t, payload, *_: heard.append(bytes(payload))
    context = ssl.create_default_context(cafile=ca) if ca else False
    await client.connect("127.0.0.1", port, ssl=context, version=MQTTv311)
    client.subscribe(TopicFilter(topic, qos=0))
    return client, heard


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
    cert, cert_key, ca = tls_files(tmp_path) if tls else ("", "", "")
    server = ServerSettings(
        directory=str(tmp_path / "nats"), port=0, user="mingwu", password="own",
        mqtt_port=free_port(), mqtt_tls_cert=cert, mqtt_tls_key=cert_key,
        users=(
            BusUser(name=PLATFORM_USER, password="own", subscribe=(UP_SUBJECTS,),
                    publish=(DOWN_SUBJECTS,)),
            BusUser(name=CARRIER_USER, password="own", publish=(UP_SUBJECTS,),
                    subscribe=(DOWN_SUBJECTS,)),
        ),
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        stack.enter_context(NatsServer(server))
        mine = MqttBearerSettings(
            port=server.mqtt_port, user=PLATFORM_USER, password="own", timeout_s=15, tls=tls,
            tls_ca=ca,
        )  # fmt: skip
        settings = msgspec.structs.replace(mine, user=CARRIER_USER)
        stop, started = asyncio.Event(), asyncio.Event()
        door = asyncio.create_task(serve_mqtt(platform, mine, stop, started))
        noise, _ = await listener(server.mqtt_port, "mingwu", ca, "nothing")
        spy, overheard = await listener(server.mqtt_port, CARRIER_USER, ca, UP + "+")
        liar, _ = await listener(server.mqtt_port, CARRIER_USER, ca, DOWN + "+")
        down, answers = await listener(server.mqtt_port, "mingwu", ca, DOWN + "+")
        bearer = MqttBearer(settings, new.serial)
        agent = CarrierAgent(tmp_path / "carrier", key, bearer, accept=mould.apply)
        try:
            async with asyncio.timeout(60):
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
            liar.publish(DOWN + new.serial, b"a carrier in the platform's place", qos=0)
            noise.publish(DOWN + new.serial, b"the last", qos=0)
            async with asyncio.timeout(60):
                while b"the last" not in answers:
                    await asyncio.sleep(0.02)
            assert not any(b"place" in answer for answer in answers)
            assert overheard == []  # carriers may not read what carriers say
        finally:
            stop.set()
            await door
            for client in (noise, spy, liar, down):
                await client.disconnect()
        late = MqttBearer(msgspec.structs.replace(settings, timeout_s=0.5), new.serial)
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
