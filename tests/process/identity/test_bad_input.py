"""Bad input at the doors, line by line: a clear code each time, and the store unharmed.

Alias circles: ``test_following.py``; slow clients, floods, connection limits: ``test_server.py``;
kill -9: ``test_durability.py``; arbitrary bytes: ``tests/fuzz``.
"""

import asyncio
import base64
import contextlib
import gzip
import http.client
import json
import socket
import ssl
import unicodedata
import urllib.error
import urllib.request
import zlib
from dataclasses import replace
from urllib.parse import quote

import pytest

from mingwu.identity.client import adminclient
from mingwu.identity.client.credentials import SecretCredentials
from mingwu.identity.client.handleclient import connected, request, resolve
from mingwu.identity.records import Record
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.codes import EnvelopeFlag, Op, OpFlag, Rc
from mingwu.wire.handle.message import decode, encode, message_length
from mingwu.wire.handle.values import HandleValue, Reference

pytestmark = pytest.mark.anyio
PREFIX = "88.888.101"
NAME = f"{PREFIX}/DEV.DCM2500.01"
ADMIN = SecretCredentials(Reference(f"0.NA/{PREFIX}", 301), b"correct horse")
OWNER = HandleValue(100, "HS_ADMIN", encode_admin(Admin(ADMIN.who.handle, ADMIN.who.index)))
QUESTION = encode(
    request(Op.RESOLVE, Resolve(NAME).encode(), flags=OpFlag.PUBLIC_ONLY, request_id=77)
)


def local(server):
    return f"127.0.0.1:{server.port}"


@contextlib.asynccontextmanager
async def unharmed(server):
    """Afterwards the server answers as before and the store holds what it held."""
    before = server.store.get(NAME), server.store.count()
    yield
    assert (server.store.get(NAME), server.store.count()) == before
    for transport in ("udp", "tcp"):
        assert (await resolve(NAME, local(server), transport=transport)).ok


async def by_tcp(server, data, wait_s=3.0):
    """The reply to bytes, or b"" when the server closes without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(wait_s):
            head = await reader.read(20)
            if len(head) < 20:
                return head
            return head + await reader.readexactly(message_length(head) - 20)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def by_udp(server, data, wait_s=0.3):
    """The reply to a datagram, or b""."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", server.port))
        await loop.sock_sendall(sock, data)
        try:
            return await asyncio.wait_for(loop.sock_recv(sock, 65535), wait_s)
        except TimeoutError:
            return b""


def ask_http(server, path, method="GET", body=None, headers=None):
    question = urllib.request.Request(  # noqa: S310
        f"http://127.0.0.1:{server.http_port}{path}", method=method, data=body,
        headers=headers or {},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(question, timeout=5) as reply:  # noqa: S310
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


BASIC = {"Authorization": "Basic " + base64.b64encode(
    b"301%3A0.NA/88.888.101:correct horse").decode()}  # fmt: skip


async def test_truncated_messages(serving):
    async with serving() as server, unharmed(server):
        for size in range(0, len(QUESTION), 7):
            assert not await by_tcp(server, QUESTION[:size])
        # Over 20 bytes there is an envelope to answer to; a datagram is never waited for.
        for size in (19, 20, 43, len(QUESTION) - 9):
            reply = await by_udp(server, QUESTION[:size])
            if size < 20:
                assert not reply
            else:
                assert decode(reply).rc == Rc.PROTOCOL_ERROR
                assert decode(reply).request_id == 77


async def test_compressed_bombs_are_refused_unopened(serving):
    bomb = zlib.compress(bytes(64 * 2**20), 9)
    inner = bomb[:60_000]
    flags = EnvelopeFlag.COMPRESSED
    packed = QUESTION[:2] + bytes((flags | 2,)) + QUESTION[3:16] + len(inner).to_bytes(4) + inner
    async with serving() as server, unharmed(server):
        assert decode(await by_tcp(server, packed)).rc == Rc.PROTOCOL_ERROR
        small = packed[:16] + (400).to_bytes(4) + inner[:400]
        assert decode(await by_udp(server, small)).rc == Rc.PROTOCOL_ERROR
        tunnel = {"Content-Type": "application/x-hdl-message"}
        status, _, body = await asyncio.to_thread(ask_http, server, "/", "POST", packed, tunnel)
        assert (status, decode(body).rc) == (400, Rc.PROTOCOL_ERROR)
        zipped = gzip.compress(b"[" + b" " * 2**20 + b"]")
        headers = BASIC | {"Content-Encoding": "gzip"}
        path = f"/api/handles/{PREFIX}/BOMB"
        status, _, _ = await asyncio.to_thread(ask_http, server, path, "PUT", zipped, headers)
        assert status == 400


# Length of the message, of the body, of the name; counts of indexes and types (0 is the truth).
@pytest.mark.parametrize("at", [16, 40, 44, 48 + len(NAME), 52 + len(NAME)])
@pytest.mark.parametrize("length", [1, 2**16, 2**31, 2**32 - 1])
async def test_lengths_and_counts_that_lie(serving, at, length):
    lying = QUESTION[:at] + length.to_bytes(4) + QUESTION[at + 4 :]
    async with serving() as server, unharmed(server):
        by_datagram = await by_udp(server, lying)
        by_stream = await by_tcp(server, lying)
        for reply in (by_datagram, by_stream):
            # Silence is right where the announced length has no end; success never is, unless
            # the change leaves a good question (no values asked for, one byte of name less).
            codes = {Rc.PROTOCOL_ERROR, Rc.HANDLE_NOT_FOUND, Rc.NOT_RESPONSIBLE}
            assert not reply or decode(reply).rc in codes


async def test_duplicate_indexes(serving):
    twice = [HandleValue(1, "URL", b"a"), HandleValue(1, "URL", b"b"), OWNER]
    async with serving() as server, unharmed(server):
        async with connected("127.0.0.1", server.port) as client:
            for act in (adminclient.create, adminclient.add_values, adminclient.modify_values):
                name = f"{PREFIX}/TWICE" if act is adminclient.create else f"0.NA/{PREFIX}"
                with pytest.raises(PeerError) as caught:
                    await act(client, ADMIN, name, twice)
                codes = {Rc.INVALID_VALUE, Rc.VALUE_EXISTS}
                assert caught.value.params["code"] in codes
        body = json.dumps([{"index": 1, "type": "A", "data": "x"}] * 2).encode()
        path = f"/api/handles/{PREFIX}/TWICE"
        status, _, reply = await asyncio.to_thread(ask_http, server, path, "PUT", body, BASIC)
        assert (status, json.loads(reply)["responseCode"]) == (400, Rc.INVALID_VALUE)


@pytest.mark.parametrize("letter", ["A", "标", "🧲"])
async def test_names_of_255_characters_and_one_more(serving, letter):
    name = f"{PREFIX}/" + letter * (255 - len(PREFIX) - 1)
    assert len(name) == 255
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        url = HandleValue(1, "URL", b"https://example.org")
        assert await adminclient.create(client, ADMIN, name, [url, OWNER]) == name
        for transport in ("udp", "tcp"):
            assert (await resolve(name, local(server), transport=transport)).ok
        path = f"/api/handles/{quote(name)}"
        assert (await asyncio.to_thread(ask_http, server, path))[0] == 200
        assert name in await adminclient.list_names(client, ADMIN, PREFIX)
        with pytest.raises(PeerError) as caught:
            await adminclient.create(client, ADMIN, name + letter, [url, OWNER])
        assert caught.value.params["code"] == Rc.INVALID_HANDLE
        assert (await resolve(name + letter, local(server))).rc == Rc.HANDLE_NOT_FOUND


async def test_case_and_unicode_forms_meet_as_written_down(serving):
    composed = f"{PREFIX}/Café.标.ß.ı"
    async with serving() as server:
        server.store.put(Record(composed, (HandleValue(1, "A", b"x"),)))
        decomposed = unicodedata.normalize("NFD", composed)
        assert decomposed != composed
        ascii_case = composed.replace("Caf", "cAF")
        for same in (composed, decomposed, ascii_case):
            found = await resolve(same, local(server))
            assert (found.ok, found.handle) == (True, same)
        # Only ASCII letters fold: É, SS, I and full-width forms are other names.
        for other in (
            composed.replace("é", "É"),
            composed.replace("ß", "SS"),
            composed.replace("ı", "I"),
            composed.replace("C", "\uff23"),
        ):
            assert (await resolve(other, local(server))).rc == Rc.HANDLE_NOT_FOUND


NASTY = (
    "'); DROP TABLE values;--", '" OR ""="', "*)(uid=*))(|(uid=*", "<script>alert(1)</script>",
    "{0.__class__}%s%n${jndi:ldap://x}", "../../etc/passwd", "a%00b%0d%0aSet-Cookie:x", "=1+1|cmd",
)  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY)
async def test_sql_ldap_html_and_the_like_are_text(serving, nasty):
    name = f"{PREFIX}/{nasty}"
    value = HandleValue(1, f"NOTE.{nasty}", nasty.encode())
    async with (
        serving() as server,
        unharmed(server),
        connected("127.0.0.1", server.port) as client,
    ):
        await adminclient.create(client, ADMIN, name, [value, OWNER])
        found = await resolve(name, local(server))
        assert replace(found.values[0], timestamp=0) == value
        path = f"/api/handles/{quote(name, safe='')}"
        status, headers, body = await asyncio.to_thread(ask_http, server, path)
        assert status == 200
        assert headers.get_content_type() == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Set-Cookie"] is None
        shown = json.loads(body)
        assert (shown["handle"], shown["values"][0]["data"]["value"]) == (name, nasty)
        # As a page's address it redirects nowhere and shows no page.
        status, headers, _ = await asyncio.to_thread(ask_http, server, "/" + quote(name, safe=""))
        assert (status, headers.get("Location")) == (200, None)
        assert headers.get_content_type() == "application/json"
        await adminclient.delete(client, ADMIN, name)


async def test_long_answers_in_a_victims_name_end_soon(serving):
    async with serving(udp_long_bytes_per_s=20_000, udp_answer_bytes=16_384) as server:
        name = f"{PREFIX}/LONG"
        server.store.put(Record(name, (HandleValue(1, "TEXT", b"x" * 6000),)))
        question = encode(
            request(Op.RESOLVE, Resolve(name).encode(), flags=OpFlag.PUBLIC_ONLY, request_id=5)
        )
        received = refused = 0
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", server.port))
            for _ in range(30):
                await loop.sock_sendall(sock, question)
            with contextlib.suppress(TimeoutError):
                while True:
                    reply = await asyncio.wait_for(loop.sock_recv(sock, 65535), 0.2)
                    received += len(reply)
                    refused += reply[24:28] == Rc.ERROR.to_bytes(4)
        assert received < 20_000 + 30 * 200
        assert refused == 27
        assert server.statistics.rate_limited == 27
        # Short answers go on, and the client that is advised to ask by TCP does.
        assert (await resolve(NAME, local(server), transport="udp", types=("URL",))).ok
        assert len((await resolve(name, local(server))).values[0].data) == 6000


def put_slowly(make, headers, pieces):
    """PUT as ``http.client`` does it: everything is sent before the answer is looked at."""
    connection = make()
    try:
        chunked = "Content-Length" not in headers
        connection.request(
            "PUT", f"/api/handles/{PREFIX}/BIG", pieces, headers, encode_chunked=chunked
        )
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


@pytest.mark.parametrize("sending", ["declared", "chunked"])
@pytest.mark.parametrize("by", ["http", "https"])
async def test_a_body_of_40_megabytes_gets_a_readable_answer(serving, tls_files, sending, by):
    piece = b"x" * 2**20
    headers = {"Content-Length": str(40 * 2**20)} if sending == "declared" else {
        "Transfer-Encoding": "chunked"}  # fmt: skip
    async with serving(**tls_files.settings) as server, unharmed(server):

        def make():
            if by == "http":
                return http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
            context = ssl.create_default_context(cafile=str(tls_files.trusted))
            return http.client.HTTPSConnection(
                "127.0.0.1", server.https_port, timeout=60, context=context
            )

        status, body = await asyncio.to_thread(put_slowly, make, headers, [piece] * 40)
        assert status == 413
        assert body["code"] == "resolver.http-body-too-long"
        assert body["next"]
        assert str(server.settings.message_bytes) in body["message"]
