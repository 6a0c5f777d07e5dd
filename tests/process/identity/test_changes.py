"""Our own client changes records over TCP, and checks signed replies."""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import stat
import urllib.request
from dataclasses import replace

import pytest
import trustme

from mingwu.identity.access.serverkey import ServerKey, is_certified_by
from mingwu.identity.client import adminclient
from mingwu.identity.client.credentials import SecretCredentials
from mingwu.identity.client.handleclient import ask, connected, request, resolve
from mingwu.identity.client.sessionclient import open_session
from mingwu.identity.records import Record as StoredName
from mingwu.kernel.errors import ConfigError, PeerError
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.bodies import (
    ChallengeAnswer,
    Login,
    OneHandle,
    Record,
    Resolve,
    read_body,
)
from mingwu.wire.handle.codes import EnvelopeFlag, Op, OpFlag, Rc
from mingwu.wire.handle.message import decode, encode, message_length, split_digest
from mingwu.wire.handle.site import read_site
from mingwu.wire.handle.values import HandleValue, Reference

pytestmark = pytest.mark.anyio
ADMIN = Reference("0.NA/88.888.101", 301)
GOOD = SecretCredentials(ADMIN, b"correct horse")
NAME = "88.888.101/LOT.2509"
OWNER = HandleValue(100, "HS_ADMIN", encode_admin(Admin(ADMIN.handle, ADMIN.index)))


async def test_the_life_of_a_name(serving):
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        url = HandleValue(1, "URL", b"https://example.org/lot")
        assert await adminclient.create(client, GOOD, NAME, [url, OWNER]) == NAME
        with pytest.raises(PeerError) as caught:
            await adminclient.create(client, GOOD, NAME, [url])
        assert caught.value.params["code"] == Rc.HANDLE_EXISTS
        note = HandleValue(2, "NOTE", b"first")
        await adminclient.add_values(client, GOOD, NAME, [note])
        await adminclient.modify_values(client, GOOD, NAME, [replace(note, data=b"second")])
        found = await resolve(NAME, f"127.0.0.1:{server.port}")
        assert {value.type: value.text() for value in found.values}["NOTE"] == "second"
        assert NAME in await adminclient.list_names(client, GOOD, "88.888.101")
        await adminclient.remove_values(client, GOOD, NAME, [2])
        minted = await adminclient.create(client, GOOD, "88.888.101/", [url, OWNER], mint=True)
        for name in (NAME, minted):
            await adminclient.delete(client, GOOD, name)
            gone = await resolve(name, f"127.0.0.1:{server.port}")
            assert gone.rc == Rc.HANDLE_NOT_FOUND


def is_continued(reply):
    encrypted = reply[2] & EnvelopeFlag.ENCRYPTED
    return not encrypted and decode(reply).wants(OpFlag.CONTINUOUS)


@contextlib.asynccontextmanager
async def closing_behind_each_reply(port):
    """A server as the reference one is: it closes the connection behind every reply."""

    async def serve(reader, writer):
        async def message(source):
            envelope = await source.readexactly(20)
            return envelope + await source.readexactly(message_length(envelope) - 20)

        behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.IncompleteReadError):
            ahead.write(await message(reader))
            while is_continued(reply := await message(behind)):
                writer.write(reply)
            writer.write(reply)
        for side in (ahead, writer):
            side.close()
            await side.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as front:
        yield front.sockets[0].getsockname()[1]


async def test_servers_that_close_behind_every_reply_are_changed_too(serving):
    names = [StoredName(f"88.888.101/LOT.{number:04}", ()) for number in range(500)]
    async with serving() as server, closing_behind_each_reply(server.port) as port:
        server.store.put_many(names)
        async with connected("127.0.0.1", port) as client:
            for _ in range(3):
                assert await adminclient.create(client, GOOD, NAME, [OWNER]) == NAME
                await adminclient.delete(client, GOOD, NAME)
            listed = await adminclient.list_names(client, GOOD, "88.888.101")
            assert len(listed) == 501
            secured = await open_session(client)
            await adminclient.create(secured, GOOD, NAME, [OWNER])
        assert server.store.get(NAME) is not None


@pytest.mark.parametrize("secure", [False, True])
async def test_long_lists_come_in_many_messages(serving, secure):
    names = [f"88.888.101/LOT.{number:04}" for number in range(2000)]
    async with serving() as server:
        server.store.put_many([StoredName(name, ()) for name in names])
        async with connected("127.0.0.1", server.port) as client:
            asking = await open_session(client) if secure else client
            listed = await adminclient.list_names(asking, GOOD, "88.888.101")
            assert [name for name in listed if "/LOT." in name] == names
            # the connection goes on behind a list
            values = await adminclient.read_values(asking, GOOD, "0.NA/88.888.101", [301])
            assert values[0].text() == "correct horse"


async def test_a_list_in_many_messages_as_deployed_clients_read_it(serving):
    """Every message within 256 KiB, all but the last with op flag CONT, same request id."""
    long = ["88.888.101/" + "壳" * 240 + f"{number:03}" for number in range(450)]
    async with serving() as server:
        server.store.put_many([StoredName(name, ()) for name in long])
        for way in ("tcp", "http", "udp"):
            async with connected("127.0.0.1", server.port) as client:
                asked = request(Op.LIST_HANDLES, OneHandle("0.NA/88.888.101").encode())
                challenge = await client.ask(asked)
                digest, _ = split_digest(challenge)
                kind, proof = GOOD.prove(read_body(challenge).nonce + digest[1:])
                answer = ChallengeAnswer(kind, ADMIN.handle, ADMIN.index, proof).encode()
                shown = request(Op.CHALLENGE_ANSWER, answer, session_id=challenge.session_id)
                if way == "udp":
                    told = await ask("127.0.0.1", server.port, shown, transport="udp")
                    assert (told.rc, "TCP" in read_body(told).message) == (Rc.ERROR, True)
                    continue
                if way == "tcp":
                    replies = [await client.ask(shown)]
                    while replies[-1].wants(OpFlag.CONTINUOUS):
                        replies.append(await client.following(replies[-1]))
                else:
                    replies = await asyncio.to_thread(tunnelled, server.http_port, shown)
                assert {reply.request_id for reply in replies} == {shown.request_id}
                assert max(len(encode(reply)) for reply in replies) < 262_144
                assert [reply.wants(OpFlag.CONTINUOUS) for reply in replies] == [True, True, False]
                told = [name for reply in replies for name in read_body(reply).handles]
                assert sorted(name for name in told if "壳" in name) == long


async def test_who_asks_for_a_list_and_does_not_read_it_is_cut(serving):
    names = [f"88.888.101/{'N' * 200}.{number:05}" for number in range(30_000)]
    async with serving(message_timeout_s=0.5) as server:
        server.store.put_many([StoredName(name, ()) for name in names])
        async with connected("127.0.0.1", server.port) as client:
            asked = request(Op.LIST_HANDLES, OneHandle("0.NA/88.888.101").encode())
            challenge = await client.ask(asked)
            digest, _ = split_digest(challenge)
            kind, proof = GOOD.prove(read_body(challenge).nonce + digest[1:])
            answer = ChallengeAnswer(kind, ADMIN.handle, ADMIN.index, proof).encode()
            sock = client._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel reads no more
            client._writer.transport.pause_reading()
            shown = request(Op.CHALLENGE_ANSWER, answer, session_id=challenge.session_id)
            client._writer.write(encode(shown))
            for _ in range(1200):
                if server.statistics.slow_cut:
                    break
                await asyncio.sleep(0.05)
            assert server.statistics.slow_cut == 1
        # the others are served as before
        assert (await resolve("88.888.101/DEV.DCM2500.01", f"127.0.0.1:{server.port}")).ok


def tunnelled(port, message):
    """The messages of a reply that came by the HTTP tunnel."""
    kinds = {"Content-Type": "application/x-hdl-message", "Accept": "application/x-hdl-message"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", encode(message), kinds)
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - loopback
        rest = answer.read()
    replies = []
    while rest:
        size = message_length(rest)
        replies.append(decode(rest[:size]))
        rest = rest[size:]
    return replies


async def test_a_wrong_secret_is_refused(serving):
    wrong = SecretCredentials(ADMIN, b"guess")
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        with pytest.raises(PeerError) as caught:
            await adminclient.delete(client, wrong, "88.888.101/DEV.DCM2500.01")
        assert caught.value.params["code"] == Rc.AUTHENTICATION_FAILED
        assert server.store.get("88.888.101/DEV.DCM2500.01") is not None


async def test_a_national_sdk_works_on_its_one_connection(serving):
    """The flow of the deployed SDKs: a session id of their own in every message, one login."""
    values = [HandleValue(1, "URL", b"https://example.org/lot"), OWNER]
    async with serving() as server:
        async with connected("127.0.0.1", server.port) as sdk:

            async def ask_it(op, body):
                return await sdk.ask(request(op, body.encode(), session_id=10_001))

            assert (await ask_it(Op.SITE_INFO, OneHandle("/"))).rc == Rc.SUCCESS
            refused = await ask_it(Op.CREATE, Record(NAME, tuple(values)))
            assert refused.rc == Rc.IDIS_LOGIN_FIRST
            challenge = await ask_it(Op.IDIS_LOGIN_KEY, Login(ADMIN.handle, ADMIN.index))
            assert (challenge.rc, challenge.session_id) == (Rc.AUTHENTICATION_NEEDED, 10_001)
            digest, _ = split_digest(challenge)
            kind, proof = GOOD.prove(read_body(challenge).nonce + digest[1:])
            answer = ChallengeAnswer(kind, ADMIN.handle, ADMIN.index, proof)
            assert (await ask_it(Op.CHALLENGE_ANSWER, answer)).rc == Rc.SUCCESS
            assert (await ask_it(Op.CREATE, Record(NAME, tuple(values)))).rc == Rc.SUCCESS
            secret = await ask_it(Op.RESOLVE, Resolve(ADMIN.handle, (301,)))
            assert read_body(secret).values[0].text() == "correct horse"
            async with connected("127.0.0.1", server.port) as other:
                stolen = request(Op.DELETE, OneHandle(NAME).encode(), session_id=10_001)
                assert (await other.ask(stolen)).rc == Rc.IDIS_LOGIN_FIRST
        assert server.store.get(NAME) is not None


async def test_changes_reach_the_journal(serving, tmp_path):
    async with serving() as server:
        noted = []
        server._worker.gate.administration._journal = noted.append
        async with connected("127.0.0.1", server.port) as client:
            await adminclient.create(client, GOOD, NAME, [OWNER])
        assert [(change.operation, change.handle, change.source) for change in noted] == [
            ("create", NAME, "127.0.0.1")
        ]


@pytest.mark.parametrize(
    ("transport", "version"), [("udp", (2, 11)), ("tcp", (2, 11)), ("tcp", (2, 3))]
)
async def test_certified_replies_are_checked_against_the_site_record(serving, transport, version):
    async with serving() as server:
        prefix = await resolve("0.NA/88.888.101", f"127.0.0.1:{server.port}")
        site = next(value for value in prefix.values if value.type == "HS_SITE")
        key = read_site(site.data).servers[0].public_key
        message = request(
            Op.RESOLVE,
            Resolve("88.888.101/DEV.DCM2500.01").encode(),
            flags=OpFlag.CERTIFY | OpFlag.PUBLIC_ONLY,
        )
        reply = await ask("127.0.0.1", server.port, message, transport=transport)
        assert json.loads(read_body(reply).values[-1].data)["value"] == 201.5
        assert is_certified_by(reply, key)
        assert not is_certified_by(replace(reply, request_id=reply.request_id ^ 1), key)
        assert not is_certified_by(replace(reply, raw=reply.raw[:-1] + b"x"), key)
        assert not is_certified_by(replace(reply, credential=None), key)


def test_the_key_is_kept_and_kept_secret(tmp_path):
    path = tmp_path / "sub" / "server-key.pem"
    first = ServerKey.load_or_create(path)
    assert ServerKey.load_or_create(path).public == first.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("nonsense")
    with pytest.raises(ConfigError):
        ServerKey.load_or_create(path)


async def test_http_changes_by_tls(serving, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = {"tls_certificate": str(chain), "tls_key": str(key), "https_port": 0}
    async with serving(**files) as server:
        url = f"https://127.0.0.1:{server.https_port}/api/handles/{NAME}"
        login = base64.b64encode(b"301%3A0.NA/88.888.101:correct horse").decode()
        body = json.dumps([{"index": 1, "type": "URL", "data": "https://example.org"}]).encode()

        def put():
            question = urllib.request.Request(  # noqa: S310
                url, method="PUT", data=body, headers={"Authorization": f"Basic {login}"}
            )
            with urllib.request.urlopen(question, context=context, timeout=5) as reply:  # noqa: S310
                return reply.status

        assert await asyncio.to_thread(put) == 201
        assert server.store.get(NAME) is not None
    with pytest.raises(ConfigError, match="certificate"):
        async with serving("other", **files | {"tls_key": str(chain)}):
            pass
