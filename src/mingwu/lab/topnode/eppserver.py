"""The simulated top node's EPP service: prefixes of second-level nodes are registered here.

A session greets with a fresh nonce, wants a login signed with an admitted node's SM2 key, and then
takes create, update, delete and info for prefixes below that node's own.
"""

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from mingwu.identity.secondlevel import epp
from mingwu.identity.secondlevel.epp import Command, Response, Result
from mingwu.identity.secondlevel.upstream import read_frame
from mingwu.kernel.errors import InvalidInput
from mingwu.lab.topnode.settings import KnownNode
from mingwu.trust import sm2

SERVER = "simulated national top-level node"


class EppServer:
    """Registered prefixes: ``registered[prefix]`` holds their fields."""

    def __init__(self, nodes: Mapping[str, KnownNode]) -> None:
        self._nodes = nodes
        self.registered: dict[str, dict[str, str]] = {}
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Listen, with TLS when a context is given."""
        self._server = await asyncio.start_server(self._session, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop and drop sessions."""
        if self._server:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        nonce = secrets.token_hex(16)
        node: KnownNode | None = None
        try:
            await _send(writer, epp.greeting(SERVER, nonce))
            while True:
                document = await read_frame(reader)
                try:
                    command = epp.read_command(document)
                except InvalidInput as error:
                    reply = Response(code=Result.SYNTAX, text=str(error))
                    await _send(writer, epp.write_response(reply))
                    continue
                if command.verb == "login":
                    node = await asyncio.to_thread(self._login, command, nonce)
                    code = Result.OK if node else Result.AUTHENTICATION
                    reply = Response(code=code, id=command.id)
                elif command.verb == "logout":
                    bye = Response(code=Result.BYE, id=command.id)
                    await _send(writer, epp.write_response(bye))
                    return
                else:
                    reply = self._do(command, node)
                await _send(writer, epp.write_response(reply))
        except (asyncio.IncompleteReadError, OSError, InvalidInput):
            return
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _login(self, command: Command, nonce: str) -> KnownNode | None:
        app = command.fields.get("app", "")
        node = self._nodes.get(app)
        try:
            signature = bytes.fromhex(command.fields.get("signature", ""))
        except ValueError:
            return None
        payload = epp.login_payload(SERVER, nonce, app)
        good = node and sm2.verify(bytes.fromhex(node.public_key), payload, signature)
        return node if good else None

    def _do(self, command: Command, node: KnownNode | None) -> Response:
        code, fields = Result.OK, dict[str, str]()
        held = self.registered.get(command.prefix)
        if node is None:
            code = Result.AUTHENTICATION
        elif not command.prefix.startswith(node.prefix + "."):
            code = Result.AUTHORIZATION
        elif command.verb == "create" and held is not None:
            code = Result.EXISTS
        elif command.verb != "create" and held is None:
            code = Result.MISSING
        elif command.verb in {"create", "update"} and not command.fields.get("uscc"):
            code = Result.PARAMETER
        elif command.verb == "delete":
            del self.registered[command.prefix]
        elif command.verb == "info":
            fields = held or {}
        else:
            self.registered[command.prefix] = dict(command.fields)
        return Response(code=code, text=code.name.lower(), id=command.id, fields=fields)


async def _send(writer: asyncio.StreamWriter, document: bytes) -> None:
    writer.write(epp.frame(document))
    await writer.drain()
