"""Client certificates on the HTTPS interface, shown by real TLS clients."""

import asyncio
import base64
import contextlib
import datetime as dt
import http.client
import json
import socket
import ssl
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from mingwu.identity.client.credentials import wire_key
from mingwu.identity.records import Record
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.keys import encode_key
from mingwu.wire.handle.values import HandleValue

pytestmark = [
    pytest.mark.anyio,
    # PyHandle's own source has escape sequences that Python warns about when it compiles them.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning"),
]
PREFIX = "88.888.101"
HOME = f"0.NA/{PREFIX}"
NAME = f"{PREFIX}/CERT.1"
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
BODY = json.dumps([{"index": 1, "type": "URL", "data": "https://example.org"}]).encode()


def certificate(subject, key=KEY, *, days=1, began=-1):
    """A self-signed certificate; ``subject``: (UID or CN, text) pairs."""
    oids = {"UID": NameOID.USER_ID, "CN": NameOID.COMMON_NAME}
    name = x509.Name([x509.NameAttribute(oids[kind], text) for kind, text in subject])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=began))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM) + private


@pytest.fixture
def https(serving, tls_files):
    """A server with TLS whose prefix record has KEY at 302, an administrator."""

    @contextlib.asynccontextmanager
    async def serve(**more):
        async with serving(**tls_files.settings, **more) as server:
            added = (
                HandleValue(302, "HS_PUBKEY", encode_key(wire_key(KEY.public_key()))),
                HandleValue(112, "HS_ADMIN", encode_admin(Admin(HOME, 302))),
            )
            server.store.change(HOME, lambda r: Record(r.name, (*r.values, *added), r.live))
            yield SimpleNamespace(server=server, port=server.https_port, trusted=tls_files.trusted)

    return serve


def context_for(https, tmp_path, pem=None, version=None):
    context = ssl.create_default_context(cafile=str(https.trusted))
    if version:
        context.minimum_version = context.maximum_version = version
    if pem:
        file = tmp_path / "client.pem"
        file.write_bytes(pem)
        context.load_cert_chain(file)
    return context


def ask(https, context, method="PUT", path=f"/api/handles/{NAME}", headers=None, body=BODY):
    connection = http.client.HTTPSConnection("127.0.0.1", https.port, context=context, timeout=8)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


async def test_one_port_serves_tls_and_plain_http(https, tmp_path):
    async with https() as running:
        both = SimpleNamespace(port=running.server.http_port, trusted=running.trusted)
        context = context_for(running, tmp_path, certificate([("UID", f"302:{HOME}")]))
        assert (await asyncio.to_thread(ask, both, context))[0] == 201
        assert (await asyncio.to_thread(ask_plainly, both.port))[0] == 200
        silent = [socket.create_connection(("127.0.0.1", both.port)) for _ in range(3)]
        while len(running.server._door.open) != 3:
            await asyncio.sleep(0.01)
        for one in silent:
            one.close()
        while running.server._door.open:
            await asyncio.sleep(0.01)


async def test_a_silent_connection_is_cut_and_counted(https):
    async with https(message_timeout_s=0.3, max_connections_per_source=2) as running:
        port = running.server.http_port
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in streams:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        assert (await asyncio.to_thread(ask_plainly, port))[0] == 200


def ask_plainly(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    try:
        connection.request("GET", "/api/site")
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["UID", "CN"])
async def test_a_self_signed_certificate_administers(https, tmp_path, kind, version):
    async with https() as running:
        pem = certificate([(kind, f"302:{HOME}")])
        context = context_for(running, tmp_path, pem, version)
        status, _ = await asyncio.to_thread(ask, running, context)
        assert status == 201
        assert running.server.store.get(NAME) is not None


@pytest.mark.parametrize(
    "pem",
    [
        certificate([("UID", f"302:{HOME}")], OTHER),
        certificate([("UID", f"301:{HOME}")]),
        certificate([("UID", "302:0.NA/99.1")]),
        certificate([("CN", "somebody")]),
        certificate([]),
        certificate([("UID", f"302:{HOME}")], began=-3, days=-1),
        certificate([("UID", f"302:{HOME}")], began=1, days=3),
        certificate([("UID", f"302:{HOME}")], ec.generate_private_key(ec.SECP256R1())),
        None,
    ],
    ids=["other-key", "other-index", "other-handle", "no-key-name", "no-subject", "expired",
         "not-yet", "other-kind", "none"],
)  # fmt: skip
async def test_certificates_that_prove_nothing(https, tmp_path, pem):
    async with https() as running:
        context = context_for(running, tmp_path, pem)
        status, reply = await asyncio.to_thread(ask, running, context)
        assert status in {401, 403}, reply
        assert running.server.store.get(NAME) is None


async def test_reading_restricted_values_needs_the_header(https, tmp_path):
    async with https() as running:
        hidden = HandleValue(9, "NOTE", b"inside", permissions=0x0C)
        admin = HandleValue(100, "HS_ADMIN", encode_admin(Admin(HOME, 302)))
        running.server.store.put(Record(NAME, (hidden, admin)))
        context = context_for(running, tmp_path, certificate([("UID", f"302:{HOME}")]))
        header = {"Authorization": 'Handle clientCert="true"'}
        path = f"/api/handles/{NAME}"
        with_it = await asyncio.to_thread(ask, running, context, "GET", path, header, None)
        assert with_it[0] == 200
        assert b"inside" in with_it[1]
        without = await asyncio.to_thread(ask, running, context, "GET", path, {}, None)
        assert (without[0], b"inside" in without[1]) == (200, False)


async def test_a_certificate_does_not_help_a_wrong_password(https, tmp_path):
    async with https() as running:
        context = context_for(running, tmp_path, certificate([("UID", f"302:{HOME}")]))
        login = base64.b64encode(b"301%3A0.NA/88.888.101:guess").decode()
        headers = {"Authorization": f"Basic {login}"}
        status, _ = await asyncio.to_thread(
            ask, running, context, "PUT", f"/api/handles/{NAME}", headers
        )
        assert status == 401


async def test_an_unmodified_pyhandle_shows_its_certificate(https, tmp_path):
    from pyhandle.client.resthandleclient import RESTHandleClient
    from pyhandle.clientcredentials import PIDClientCredentials

    async with https() as running:
        pem = tmp_path / "both.pem"
        pem.write_bytes(certificate([("UID", f"302:{HOME}")]))

        def work():
            credentials = PIDClientCredentials(
                client="rest",
                handle_server_url=f"https://127.0.0.1:{running.port}",
                certificate_and_key=str(pem),
                handleowner=f"302:{HOME}",
                HTTPS_verify=str(running.trusted),
            )
            client = RESTHandleClient.instantiate_with_credentials(
                credentials, HTTPS_verify=str(running.trusted)
            )
            client.register_handle(NAME, location="https://example.org/a", BATCH="B1")
            return client.get_value_from_handle(NAME, "BATCH")

        assert await asyncio.to_thread(work) == "B1"


async def test_large_bodies_pipelines_and_reuse_pass_through_tls(https, tmp_path):
    async with https() as running:
        values = tuple(HandleValue(n, "TEXT", b"x" * 3000) for n in range(1, 300))
        running.server.store.put(Record(NAME, values))
        context = context_for(running, tmp_path)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
        question = f"GET /api/handles/{NAME} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        writer.write(question * 3)
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert length > 900_000
            assert json.loads(await reader.readexactly(length))["responseCode"] == 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_garbage_slow_and_old_handshakes_are_ended(https, tmp_path):
    async with https(message_timeout_s=0.5) as running:
        for opening in (b"GET / HTTP/1.1\r\n\r\n", bytes(100), b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(opening)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with contextlib.suppress(ValueError):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

        def shake():
            with socket.create_connection(("127.0.0.1", running.port), 5) as sock:
                old.wrap_socket(sock)

        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(shake)
        # The others are served all the while.
        context = context_for(running, tmp_path)
        status, _ = await asyncio.to_thread(ask, running, context, "GET", "/api/site", {}, None)
        assert status == 200
        while running.server._door.open:
            await asyncio.sleep(0.01)
