"""Sessions by Diffie-Hellman between our client and our server, with somebody listening."""

import asyncio
import contextlib
import json

import pytest

from mingwu.cli.main import main
from mingwu.identity.client import adminclient
from mingwu.identity.client.credentials import SecretCredentials
from mingwu.identity.client.handleclient import connected, request
from mingwu.identity.client.sessionclient import open_session, secured
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address
from mingwu.wire.handle.values import HandleValue, Reference

pytestmark = pytest.mark.anyio
PREFIX = "88.888.101"
NAME = f"{PREFIX}/DEV.DCM2500.01"
ADMIN = SecretCredentials(Reference(f"0.NA/{PREFIX}", 301), b"correct horse")
MARK = b"nobody-else-reads-this"


@contextlib.asynccontextmanager
async def wire_tap(port, change=lambda data: data):
    """A relay to ``port`` that keeps what passes, and may change the server's answers."""
    heard = bytearray()

    async def pump(reader, writer, edit):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                heard.extend(data)
                writer.write(edit(data))
                await writer.drain()
        writer.close()

    async def relay(reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            pump(reader, up_writer, lambda data: data), pump(up_reader, writer, change)
        )

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


async def test_changes_in_a_session_are_neither_readable_nor_in_the_open(serving):
    async with serving() as server, wire_tap(server.port) as (port, heard):
        key = server._resolver.site.servers[0].public_key
        async with connected("127.0.0.1", port) as client:
            async with secured(client, server_key=key) as secure:
                name = f"{PREFIX}/SECRET.1"
                admin = encode_admin(Admin(ADMIN.who.handle, ADMIN.who.index))
                values = [HandleValue(1, "NOTE", MARK), HandleValue(100, "HS_ADMIN", admin)]
                await adminclient.create(secure, ADMIN, name, values)
                reply = await secure.ask(request(Op.RESOLVE, Resolve(name).encode()))
                assert read_body(reply).values[0].data == MARK
                # One challenge serves the session: further changes need no further proof.
                before = server.statistics.tcp
                await adminclient.delete(secure, ADMIN, name)
                assert server.statistics.tcp == before + 1
            assert not server._worker.gate.sessions._open, "the session ended with the block"
        assert MARK not in heard
        assert b"SECRET.1" not in heard


async def test_a_session_with_a_server_that_somebody_stands_in_for_is_refused(serving):
    async with serving() as server:
        key = server._resolver.site.servers[0].public_key

        def other_half(data):
            return data.replace(b"DH_PUB_KEY", b"DH_PUB_KEX") if b"DH_PUB_KEY" in data else data

        async with (
            wire_tap(server.port, other_half) as (port, _),
            connected("127.0.0.1", port) as client,
        ):
            with pytest.raises(ProtocolError, match="not signed"):
                await open_session(client, server_key=key)


@pytest.mark.parametrize("at", [25, -3])
async def test_changed_answers_do_not_pass(serving, at):
    async with serving() as server:
        armed = []

        def flip(data):
            if not armed:
                return data
            changed = bytearray(data)
            changed[at] ^= 1
            return bytes(changed)

        async with wire_tap(server.port, flip) as (port, _), connected("127.0.0.1", port) as client:
            secure = await open_session(client)
            armed.append(1)
            with pytest.raises(ProtocolError):
                await secure.ask(request(Op.RESOLVE, Resolve(NAME).encode()))


async def test_an_ended_session_says_so(serving):
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        secure = await open_session(client)
        server._worker.gate.sessions.end(secure.session_id)
        with pytest.raises(ProtocolError, match="no such session"):
            await secure.ask(request(Op.RESOLVE, Resolve(NAME).encode()))


async def test_a_wrong_secret_in_a_session_is_refused(serving):
    wrong = SecretCredentials(ADMIN.who, b"guess")
    async with serving() as server, connected("127.0.0.1", server.port) as client:
        async with secured(client) as secure:
            with pytest.raises(PeerError) as caught:
                await adminclient.delete(secure, wrong, NAME)
        assert caught.value.params["code"] == Rc.AUTHENTICATION_FAILED
        assert server.store.get(NAME) is not None


async def test_the_command_encrypts_and_says_whose_key_it_knows(serving, tmp_path, capsys):
    secret = tmp_path / "secret"
    secret.write_text("correct horse")
    async with serving() as server:
        here = Server(1, pack_address("127.0.0.1"), server._resolver.site.servers[0].public_key,
                      (Interface(3, 1, server.port),))  # fmt: skip
        root = tmp_path / "root.json"
        value = HandleValue(1, "HS_SITE", encode_site(Site((here,))))
        root.write_text(json.dumps({"values": [value_to_json(value)]}))
        words = ["handle", "create", f"{PREFIX}/E", "1:NOTE=x", "--overwrite", "--encrypt",
                 "--as", f"301:0.NA/{PREFIX}", "--secret-file", str(secret)]  # fmt: skip
        for way, warned in ((["--server", f"127.0.0.1:{server.port}"], True),
                            (["--root", str(root)], False)):  # fmt: skip
            assert await asyncio.to_thread(main, [*words, *way]) == 0
            assert ("not verified" in capsys.readouterr().err) == warned
            server.store.delete_many([f"{PREFIX}/E"])
