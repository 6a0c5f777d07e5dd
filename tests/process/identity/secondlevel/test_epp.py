"""EPP between the node and the simulated top node, over TCP and TLS."""

import asyncio
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mingwu.identity.secondlevel import epp
from mingwu.identity.secondlevel.epp import Command, Result
from mingwu.identity.secondlevel.outbox import Entry
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.upstream import Upstream, read_frame
from mingwu.kernel.errors import ConfigError, PeerError, Unavailable
from mingwu.lab.topnode.eppserver import EppServer
from mingwu.lab.topnode.settings import KnownNode
from mingwu.trust import sm2

pytestmark = pytest.mark.anyio
SCALAR = bytes(31) + b"\x05"
FIELDS = {"uscc": "91330000MA2ABCDE51", "name": "企业 <1>"}


def entry(verb, prefix="88.101.1", fields=FIELDS):
    return Entry(
        number=1, channel="epp", subject=prefix, body={"verb": verb, "fields": fields},
        created_ms=0, attempts=0, acknowledged_ms=0, state="waiting", error="",
    )  # fmt: skip


@pytest.fixture
async def server():
    node = KnownNode(prefix="88.101", public_key=sm2.public_point(SCALAR).hex())
    made = EppServer({node.app_id: node})
    yield made
    await made.close()


def upstream(server, **more):
    settings = SecondLevelSettings(
        upstream_epp=f"127.0.0.1:{server.port}", upstream_timeout_s=20.0, **more
    )
    return Upstream(settings, SCALAR)


def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "top (simulated)")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "top.pem", tmp_path / "top.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


async def test_create_twice_update_and_delete(server):
    await server.start("127.0.0.1", 0)
    line = upstream(server)
    await line.send_prefix(entry("create"))
    assert server.registered["88.101.1"] == FIELDS
    await line.send_prefix(entry("create", fields=FIELDS | {"name": "b"}))
    assert server.registered["88.101.1"]["name"] == "b"
    await line.send_prefix(entry("delete", fields={}))
    await line.send_prefix(entry("delete", fields={}))
    assert server.registered == {}
    with pytest.raises(PeerError, match="2303"):
        await line.send_prefix(entry("update"))
    with pytest.raises(PeerError, match="2201"):
        await line.send_prefix(entry("create", "88.102.1"))
    with pytest.raises(PeerError, match="2005"):
        await line.send_prefix(entry("create", fields={}))


async def test_over_tls_with_the_right_authority_only(server, tmp_path):
    chain, secret = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, secret)
    await server.start("127.0.0.1", 0, context)
    await upstream(server, upstream_epp_ca=str(chain)).send_prefix(entry("create"))
    assert set(server.registered) == {"88.101.1"}
    other = tmp_path / "other"
    other.mkdir()
    stranger, _ = certificate(other)
    with pytest.raises(Unavailable):
        await upstream(server, upstream_epp_ca=str(stranger)).send_prefix(entry("create"))
    with pytest.raises(ConfigError):
        upstream(server, upstream_epp_ca=str(tmp_path / "none.pem"))


async def test_nothing_without_login_and_syntax_errors_are_answered(server):
    await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    epp.read_greeting(await read_frame(reader))
    create = epp.write_command(Command(verb="create", id="1", prefix="88.101.1", fields=FIELDS))
    for document, code in ((create, Result.AUTHENTICATION), (b"<nonsense>", Result.SYNTAX)):
        writer.write(epp.frame(document))
        assert epp.read_response(await read_frame(reader)).code == code
    writer.write(b"\xff\xff\xff\xff")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert server.registered == {}


async def test_a_login_cannot_be_replayed(server):
    await server.start("127.0.0.1", 0)

    async def session(signature=""):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        name, nonce = epp.read_greeting(await read_frame(reader))
        made = sm2.sign(SCALAR, epp.login_payload(name, nonce, "mingwu-demo")).hex()
        fields = {"app": "mingwu-demo", "signature": signature or made}
        writer.write(epp.frame(epp.write_command(Command(verb="login", id="1", fields=fields))))
        reply = epp.read_response(await read_frame(reader))
        writer.close()
        await writer.wait_closed()
        return reply.code, made

    code, signature = await session()
    assert code == Result.OK
    assert (await session(signature))[0] == Result.AUTHENTICATION
    assert (await session("zz"))[0] == Result.AUTHENTICATION
