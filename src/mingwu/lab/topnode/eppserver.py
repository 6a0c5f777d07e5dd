"""The simulated top node's EPP service over TCP and over HTTP, one register behind both.

A session greets with a fresh challenge, wants a login signed with an admitted node's SM2 key, and
then takes commands. By TCP a session is a connection (RFC 5734). By HTTP it is a cookie
(draft-ietf-regext-epp-https as a model): GET begins one, POST brings one command; it ends at logout
or when nobody came for ``session_s``.
"""

import asyncio
import secrets
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from aiohttp import web

from mingwu.identity.secondlevel.epp.line import frame, read_frame
from mingwu.identity.secondlevel.epp.messages import (
    MOST_BYTES,
    NAMES,
    Command,
    Result,
    login_payload,
    read_command,
)
from mingwu.identity.secondlevel.epp.reply import greeting, respond, write_response
from mingwu.kernel.errors import InvalidInput
from mingwu.lab.topnode.registry import Registry
from mingwu.lab.topnode.settings import KnownNode
from mingwu.trust import sm2

SERVER = "simulated national top-level node"
_MOST_SESSIONS = 1000


class Session:
    """One client's session, whatever carries it."""

    def __init__(self, nodes: Mapping[str, KnownNode], registry: Registry) -> None:
        self._nodes = nodes
        self._registry = registry
        self._nonce = secrets.token_hex(16)
        self._node: KnownNode | None = None
        self.ended = False
        self.used_s = time.monotonic()

    def greeting(self) -> bytes:
        """The greeting with this session's challenge."""
        return greeting(SERVER, self._nonce)

    async def answer(self, document: bytes) -> bytes:
        """The reply to one document."""
        self.used_s = time.monotonic()
        try:
            command = read_command(document)
        except InvalidInput:
            return write_response(respond(Result.SYNTAX, server_id="SIM"))
        if command.verb == "hello":
            return self.greeting()
        if command.verb == "login":
            return await self._login(command)
        if self._node is None:
            return write_response(respond(Result.USE, command.id, server_id="SIM"))
        if command.verb == "logout":
            self.ended = True
            return write_response(respond(Result.BYE, command.id, server_id="SIM"))
        return write_response(self._registry.do(self._node, command))

    async def _login(self, command: Command) -> bytes:
        node = self._nodes.get(command.fields.get("app", ""))
        code = Result.AUTHENTICATION
        if self._node is not None:
            code = Result.USE
        elif node is not None and await asyncio.to_thread(self._is_signed, command, node):
            code, self._node = Result.OK, node
        return write_response(respond(code, command.id, server_id="SIM"))

    def _is_signed(self, command: Command, node: KnownNode) -> bool:
        try:
            signature = bytes.fromhex(command.fields.get("signature", ""))
        except ValueError:
            return False
        payload = login_payload(SERVER, self._nonce, node.app_id, command.prefix)
        return command.prefix == node.prefix and sm2.verify(
            bytes.fromhex(node.public_key), payload, signature
        )


class EppServer:
    """The service. ``registry`` is what it changes."""

    def __init__(
        self, nodes: Mapping[str, KnownNode], registry: Registry | None = None, *,
        session_s: float = 300.0,
    ) -> None:  # fmt: skip
        self._nodes = nodes
        self.registry = registry or Registry()
        self.port = 0
        self._session_s = session_s
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._sessions: dict[str, Session] = {}

    @property
    def registered(self) -> dict[str, dict[str, str]]:
        """Registered prefixes with their fields."""
        return self.registry.registered

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Listen by TCP, with TLS when a context is given."""
        self._server = await asyncio.start_server(self._connection, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop and drop sessions."""
        if self._server:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()
        self._sessions.clear()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        session = Session(self._nodes, self.registry)
        try:
            writer.write(frame(session.greeting()))
            while not session.ended:
                document = await read_frame(reader)
                writer.write(frame(await session.answer(document)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, InvalidInput):
            return
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def web_routes(self) -> list[web.RouteDef]:
        """The same over HTTP, for an application to take in."""
        path = NAMES["path"]
        return [web.get(path, self._begin), web.post(path, self._command)]

    async def _begin(self, request: web.Request) -> web.Response:
        del request
        session = Session(self._nodes, self.registry)
        key = self._keep(session)
        reply = _document(session.greeting())
        reply.set_cookie(NAMES["cookie"], key, httponly=True, path=NAMES["path"])
        return reply

    async def _command(self, request: web.Request) -> web.Response:
        if request.content_type != NAMES["media"]:
            raise web.HTTPUnsupportedMediaType
        if (request.content_length or 0) > MOST_BYTES:
            raise web.HTTPRequestEntityTooLarge(MOST_BYTES, request.content_length or 0)
        key = request.cookies.get(NAMES["cookie"], "")
        kept = self._sessions.get(key)
        if kept is not None and time.monotonic() - kept.used_s > self._session_s:
            kept = self._sessions.pop(key, None) and None
        # who has no session may say hello and is told that anything else comes too early
        session = kept or Session(self._nodes, self.registry)
        reply = _document(await session.answer(await request.read()))
        if session.ended:
            self._sessions.pop(key, None)
        elif kept is None:
            key = self._keep(session)
            reply.set_cookie(NAMES["cookie"], key, httponly=True, path=NAMES["path"])
        return reply

    def _keep(self, session: Session) -> str:
        while len(self._sessions) >= _MOST_SESSIONS:
            oldest = min(self._sessions, key=lambda key: self._sessions[key].used_s)
            del self._sessions[oldest]
        key = secrets.token_urlsafe(24)
        self._sessions[key] = session
        return key

    def expire(self) -> None:
        """End all sessions over HTTP now."""
        self._sessions.clear()


def _document(body: bytes) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=body, content_type=NAMES["media"], headers=headers)
