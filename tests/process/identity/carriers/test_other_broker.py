"""The MQTT bearer over somebody else's broker: a real Mosquitto with TLS, passwords and an ACL."""

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress

import msgspec
import pytest
import trustme

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.connecting import Ways
from mingwu.identity.carriers.mqtt import serve_mqtt
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

ACL = """user platform
topic read carriers/up/+
topic write carriers/down/+

user {serial}
topic write carriers/up/{serial}
topic read carriers/down/{serial}
"""


@contextmanager
def mosquitto(base, port: int, serial: str):
    program, passwd = shutil.which("mosquitto"), shutil.which("mosquitto_passwd")
    program = program or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None or passwd is None:
        pytest.skip("Debian's mosquitto is not installed")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(base / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(base / "key.pem")
    issued.cert_chain_pems[0].write_to_path(base / "cert.pem")
    (base / "users").write_text(f"platform:platform-pw\n{serial}:carrier-pw\n")
    subprocess.run([passwd, "-U", str(base / "users")], check=True, timeout=30)
    (base / "acl").write_text(ACL.format(serial=serial))
    (base / "broker.conf").write_text(
        f"user root\nlistener {port} 127.0.0.1\ncertfile {base}/cert.pem\nkeyfile {base}/key.pem\n"
        f"allow_anonymous false\npassword_file {base}/users\nacl_file {base}/acl\n"
        f"log_dest file {base}/log\n"
    )
    process = subprocess.Popen([program, "-c", str(base / "broker.conf")])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    try:
        yield str(base / "ca.pem")
    finally:
        process.terminate()
        process.wait(20)


async def test_a_carrier_over_mosquitto_with_tls_and_its_own_two_topics(tmp_path):
    identity = prepare(tmp_path / "secrets")
    records = RecordStore(tmp_path / "records", map_bytes=2**24)
    platform = CarrierPlatform.open(
        CarrierSettings(store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"))),
        RecordRegistrar(records), key=identity.key, certificate=identity.certificate,
        anchors=identity.anchors,
    )  # fmt: skip
    mould = moulds(1, 1)[0]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    address = f"mqtts://127.0.0.1:{port}"
    factory = Factory(identity.authority, address, "88.888.102", int(time.time()), bearer="mqtt")
    key, new = factory.open(tmp_path / "carrier", mould)
    platform.provision(new)
    with mosquitto(tmp_path, port, new.serial) as ca:
        mine = MqttBearerSettings(
            port=port, user="platform", password="platform-pw", tls=True, tls_ca=ca, retry_s=0.2
        )
        stop, started = asyncio.Event(), asyncio.Event()
        door = asyncio.create_task(serve_mqtt(platform, mine, stop, started))
        async with asyncio.timeout(60):
            await started.wait()
        ways = Ways.of(address, tls_ca=ca, user=new.serial, password="carrier-pw")
        bearer = ways.open(new.serial, tmp_path / "carrier", b"")
        agent = CarrierAgent(tmp_path / "carrier", key, bearer, accept=mould.apply)
        assert await agent.power_on() == "88.888.102/MLD.M0001"
        for _ in range(3):
            agent.measure(mould.readings())
            assert await agent.report() == 1
        assert platform.unit(new.serial).reports == 3
        # another carrier's topic is not its own: the broker lets nothing through
        ways = msgspec.structs.replace(ways, mqtt=msgspec.structs.replace(ways.mqtt, timeout_s=1.0))
        astray = ways.open("MWC-000002", tmp_path / "carrier", b"")
        with pytest.raises(Unavailable):
            await astray.exchange(b"x")
        await astray.close()
        wrong = Ways.of(address, tls_ca=ca, user=new.serial, password="nonsense")
        with pytest.raises(Unavailable):
            await wrong.open(new.serial, tmp_path / "carrier", b"").exchange(b"x")
        stop.set()
        await door
        await bearer.close()
        agent.close()
    assert platform.events(name=new.serial)[0].code == "carriers.written-back"

    platform.close()
    records.close()
