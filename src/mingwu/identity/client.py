"""Client of any Handle server: UDP, TCP and HTTP, with retries and referrals.

``resolve`` is what ``mingwu resolve`` runs: it asks a server (or follows referrals from it, hop by
hop, never in circles) and returns a :class:`Resolution`; ``format_resolution`` renders it for
people or as JSON. ``HandleClient`` holds one TCP connection for many requests.
"""

import asyncio
import ipaddress
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Self

import orjson

from mingwu.identity import errors as _texts  # noqa: F401 - registers the texts
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.wire.handle.bodies import Body, ErrorBody, Record, Referral, Resolve, read_body
from mingwu.wire.handle.codes import DEFAULT_PORT, ENVELOPE_BYTES, Op, OpFlag, Rc
from mingwu.wire.handle.envelope import Reassembly
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.message import Message, decode, encode, message_length
from mingwu.wire.handle.site import Service, Site, Transport, read_site
from mingwu.wire.handle.values import HandleValue

_EXPIRY_S = 12 * 3600
_HOPS = 8
_UDP_TRIES = 3
_requests = itertools.count(secrets.randbits(30))


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name answered: code, values, and the servers asked on the way."""

    handle: str
    rc: int
    values: tuple[HandleValue, ...] = ()
    message: str = ""
    path: tuple[str, ...] = ()
    elapsed_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the name resolved."""
        return self.rc == Rc.SUCCESS


def request(
    op: int, body: bytes, *, flags: int = 0, session_id: int = 0, request_id: int | None = None
) -> Message:
    """A request with a fresh id and the usual expiration."""
    return Message(
        op=op,
        body=body,
        flags=flags,
        session_id=session_id,
        request_id=next(_requests) & 0x7FFF_FFFF if request_id is None else request_id,
        expiration=int(time.time()) + _EXPIRY_S,
    )


def parse_server(server: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """``host``, ``host:port`` or ``[v6]:port`` as (host, port)."""
    host, port = server, ""
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":")
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):  # noqa: PLR2004
        raise Unavailable("identity.unreachable", server=server, detail="bad port")
    return host, int(port) if port else default_port


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, request_id: int) -> None:
        self._id = request_id.to_bytes(4)
        self._parts = Reassembly()
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if data[8:12] != self._id or self.reply.done():
            return  # a late answer to an earlier question
        try:
            whole = self._parts.feed(data)
        except ProtocolError as error:
            self.reply.set_exception(error)
            return
        if whole is not None:
            self.reply.set_result(whole)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def ask_udp(host: str, port: int, message: Message, *, timeout_s: float = 2.0) -> Message:
    """One question by UDP, tried three times; raises Unavailable."""
    loop = asyncio.get_running_loop()
    detail = "no answer"
    for attempt in range(_UDP_TRIES):
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(message.request_id), remote_addr=(host, port)
            )
        except OSError as error:
            detail = error.strerror or str(error)
            break
        try:
            transport.sendto(encode(message))
            wait_s = timeout_s / 2 ** (_UDP_TRIES - 1 - attempt)
            return decode(await asyncio.wait_for(protocol.reply, wait_s))
        except TimeoutError:
            detail = f"no answer in {timeout_s:g} s"
        except OSError as error:
            detail = error.strerror or str(error)
        finally:
            transport.close()
    raise Unavailable("identity.unreachable", server=f"{host}:{port}", detail=f"UDP, {detail}")


class HandleClient:
    """One TCP connection to a server; requests are answered in order."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: str,
        timeout_s: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.server = server
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, host: str, port: int, *, timeout_s: float = 5.0) -> Self:
        """Connect; raises Unavailable ``identity.unreachable``."""
        server = f"{host}:{port}"
        try:
            streams = await asyncio.wait_for(asyncio.open_connection(host, port), timeout_s)
        except (OSError, TimeoutError) as error:
            detail = f"TCP, {getattr(error, 'strerror', None) or 'timed out'}"
            raise Unavailable("identity.unreachable", server=server, detail=detail) from error
        return cls(*streams, server, timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, message: Message) -> Message:
        """Send a request and wait for its reply; raises Unavailable or ProtocolError."""
        async with self._turn:
            try:
                return await asyncio.wait_for(self._ask(message), self._timeout_s)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self._writer.close()
                raise Unavailable(
                    "identity.unreachable", server=self.server, detail="TCP, connection lost"
                ) from error

    async def _ask(self, message: Message) -> Message:
        self._writer.write(encode(message))
        await self._writer.drain()
        while True:
            envelope = await self._reader.readexactly(ENVELOPE_BYTES)
            rest = message_length(envelope) - ENVELOPE_BYTES
            reply = decode(envelope + await self._reader.readexactly(rest))
            if reply.request_id == message.request_id:
                return reply


@asynccontextmanager
async def connected(host: str, port: int, *, timeout_s: float = 5.0) -> AsyncIterator[HandleClient]:
    """A client that is closed at the end of the block."""
    client = await HandleClient.open(host, port, timeout_s=timeout_s)
    try:
        yield client
    finally:
        await client.close()


async def ask(
    host: str, port: int, message: Message, *, transport: str = "", timeout_s: float = 3.0
) -> Message:
    """Ask by ``transport`` ("udp", "tcp"), or by UDP and then, if that fails, by TCP."""
    if transport != "tcp":
        try:
            reply = await ask_udp(host, port, message, timeout_s=timeout_s)
        except (Unavailable, ProtocolError):
            if transport == "udp":
                raise
        else:
            if transport == "udp" or reply.rc not in {Rc.ERROR, Rc.TOO_BUSY}:
                return reply
    async with connected(host, port, timeout_s=timeout_s) as client:
        return await client.ask(message)


async def resolve(
    name: str,
    server: str = "127.0.0.1",
    *,
    indexes: tuple[int, ...] = (),
    types: tuple[str, ...] = (),
    transport: str = "",
    timeout_s: float = 3.0,
    follow: bool = True,
) -> Resolution:
    """Resolve ``name`` at ``server`` ("host[:port]"), following referrals.

    Raises Unavailable when a server on the way does not answer; every answered code, also
    "not found", is a value in the result.
    """
    started = time.perf_counter()
    host, port = parse_server(server)
    path: list[str] = []
    body = Resolve(name, indexes, types).encode()
    flags = OpFlag.PUBLIC_ONLY | OpFlag.KEEP_ALIVE
    while True:
        here = f"{host}:{port}"
        path.append(here)
        reply = await ask(
            host, port, request(Op.RESOLVE, body, flags=flags),
            transport=transport, timeout_s=timeout_s,
        )  # fmt: skip
        answer = read_body(reply)
        result = Resolution(
            name,
            reply.rc,
            answer.values if isinstance(answer, Record) else (),
            answer.message if isinstance(answer, ErrorBody) else "",
            tuple(path),
            (time.perf_counter() - started) * 1000,
        )
        if not follow or not isinstance(answer, Referral):
            return result
        following = await _next_server(answer, name, host, port, timeout_s)
        if following is None or f"{following[0]}:{following[1]}" in path or len(path) >= _HOPS:
            return replace(result, message=f"referred to {answer.handle}, which leads nowhere new")
        host, port = following


async def _next_server(
    referral: Referral, name: str, host: str, port: int, timeout_s: float
) -> tuple[str, int] | None:
    """Where a referral points: a site in its values, or the site of the service it names."""
    values = referral.values
    for _ in range(_HOPS):
        for value in values:
            if value.type.upper() in {"HS_SITE", "HS_SITE.PREFIX"}:
                found = site_address(read_site(value.data), name)
                if found:
                    return found
        services = [item for item in values if item.type.upper() in {"HS_SERV", "HS_SERV.PREFIX"}]
        target = services[0].text() if services else ("" if values else referral.handle)
        if not target:
            return None
        message = request(Op.RESOLVE, Resolve(target).encode(), flags=OpFlag.PUBLIC_ONLY)
        answer: Body = read_body(await ask(host, port, message, timeout_s=timeout_s))
        values = answer.values if isinstance(answer, Record) else ()
        if not values:
            return None
    return None


def site_address(site: Site, name: str) -> tuple[str, int] | None:
    """(host, port) of the server of ``site`` that answers for ``name`` by TCP or UDP."""
    if not site.servers:
        return None
    server = site.server_for(name)
    for wanted in (Transport.TCP, Transport.UDP):
        for item in server.interfaces:
            if item.transport == wanted and item.service & Service.QUERY:
                return str(ipaddress.ip_address(server.host)), item.port
    return None


def format_resolution(result: Resolution, form: str = "text") -> str:
    """The result for people (``text``) or programs (``json``)."""
    if form == "json":
        body: dict[str, object] = {"responseCode": result.rc, "handle": result.handle}
        if result.message:
            body["message"] = result.message
        if result.ok:
            body["values"] = [value_to_json(value) for value in result.values]
        return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    head = f"{result.handle}  code {result.rc}  {result.elapsed_ms:.1f} ms  via " + " > ".join(
        result.path
    )
    lines = [head, *([result.message] if result.message else [])]
    lines += [_line(value) for value in sorted(result.values, key=_by_index)]
    return "\n".join(lines)


def _by_index(value: HandleValue) -> int:
    return value.index


def _line(value: HandleValue) -> str:
    data = value_to_json(value)["data"]
    shown = (
        data["value"] if isinstance(data["value"], str) else orjson.dumps(data["value"]).decode()
    )
    # Control characters of a stranger's record must not reach the terminal.
    shown = "".join(char if char.isprintable() else "�" for char in shown)
    return f"{value.index:>9}  {value.type:<24}  {shown}"


def check(result: Resolution, server: str) -> Resolution:
    """The result if it resolved; raises PeerError ``identity.refused`` otherwise."""
    if not result.ok:
        raise PeerError(
            "identity.refused", server=server, code=result.rc, name=result.handle,
            detail=result.message,
        )  # fmt: skip
    return result
