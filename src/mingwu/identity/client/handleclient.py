"""Client of any Handle server: UDP and TCP, with retries, referrals and aliases.

``resolve`` asks a server, follows referrals from it, hop by hop, and aliases (HS_ALIAS), never in
circles, and returns a :class:`Resolution`; ``identity.client.root`` starts at a root instead.
``HandleClient`` holds one TCP connection for many requests.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Self

from mingwu.identity import errors as _texts  # noqa: F401 - registers the texts
from mingwu.kernel.catalogue import Phrase, zh_of
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.names import fold
from mingwu.wire.handle.bodies import Body, ErrorBody, Record, Referral, Resolve, read_body
from mingwu.wire.handle.codes import DEFAULT_PORT, ENVELOPE_BYTES, Op, OpFlag, Rc
from mingwu.wire.handle.envelope import Reassembly, read_envelope
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, encode, message_length
from mingwu.wire.handle.site import Service, Site, Transport, read_site
from mingwu.wire.handle.values import HandleValue

_EXPIRY_S = 12 * 3600
_HOPS = 8
_ALIASES = 8
_SITES = 6
_ALIAS = "HS_ALIAS"
SITE_TYPES = frozenset({"HS_SITE", "HS_SITE.PREFIX"})
SERVICE_TYPES = frozenset({"HS_SERV", "HS_SERV.PREFIX"})
_UDP_TRIES = 3
_requests = itertools.count(secrets.randbits(30))
_source: ContextVar[str] = ContextVar("source", default="")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name answered: code, values, and the servers asked on the way.

    ``aliases`` are the names gone through before ``handle``, the one asked for first.
    """

    handle: str
    rc: int
    values: tuple[HandleValue, ...] = ()
    message: str = ""
    path: tuple[str, ...] = ()
    elapsed_ms: float = 0.0
    aliases: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the name resolved."""
        return self.rc == Rc.SUCCESS


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextmanager
def asking_from(address: str) -> Iterator[None]:
    """Within the block, ask from this address of the machine (empty: the system chooses)."""
    before = _source.set(address)
    try:
        yield
    finally:
        _source.reset(before)


def _local() -> tuple[str, int] | None:
    address = _source.get()
    return (address, 0) if address else None


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
    """``host``, ``host:port`` or ``[v6]:port`` as (host, port).

    Raises Unavailable ``identity.unreachable`` for what cannot be an address.
    """
    host, port = server, ""
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":")
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):  # noqa: PLR2004
        raise Unavailable(
            "identity.unreachable", server=server, detail=Phrase("bad port", "端口错误")
        )
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise Unavailable(
            "identity.unreachable", server=server, detail=Phrase("bad host name", "主机名错误")
        ) from error
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
    detail: str = Phrase("no answer", "没有应答")
    for attempt in range(_UDP_TRIES):
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(message.request_id),
                local_addr=_local(), remote_addr=(host, port),
            )  # fmt: skip
        except OSError as error:
            detail = told(error)
            break
        try:
            transport.sendto(encode(message))
            wait_s = timeout_s / 2 ** (_UDP_TRIES - 1 - attempt)
            return decode(await asyncio.wait_for(protocol.reply, wait_s))
        except TimeoutError:
            detail = Phrase(f"no answer in {timeout_s:g} s", f"{timeout_s:g} 秒内没有应答")
        except OSError as error:
            detail = told(error)
        finally:
            transport.close()
    raise Unavailable(
        "identity.unreachable",
        server=f"{host}:{port}",
        detail=Phrase(f"UDP, {detail}", f"UDP，{zh_of(detail)}"),
    )


class HandleClient:
    """A TCP connection to a server; requests are answered in order.

    The reference server closes the connection behind every reply, so the client connects again
    when it finds itself alone. ``session_id`` is that of a login (ops 2000, 2001) and ``flags``
    are op flags, for callers to put into their requests.
    """

    def __init__(self, streams: Streams, address: tuple[str, int], timeout_s: float) -> None:
        self._reader, self._writer = streams
        self._address = address
        self._answered = False
        self.server = f"{address[0]}:{address[1]}"
        self.session_id = 0
        self.flags = 0
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, host: str, port: int, *, timeout_s: float = 5.0) -> Self:
        """Connect; raises Unavailable ``identity.unreachable``."""
        return cls(await _streams(host, port, timeout_s), (host, port), timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, message: Message) -> Message:
        """Send a request and wait for its reply; raises Unavailable or ProtocolError."""
        return decode(await self.exchange(encode(message), message.request_id))

    async def following(self, reply: Message) -> Message:
        """The message behind a reply that is to be continued (op flag CONT)."""
        return decode(await self.exchange(b"", reply.request_id))

    async def exchange(self, data: bytes, request_id: int) -> bytes:
        """The same with whole messages as bytes, encrypted ones perhaps; nothing to send: read."""
        async with self._turn:
            try:
                return await asyncio.wait_for(self._exchange(data, request_id), self._timeout_s)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self._writer.close()
                raise Unavailable(
                    "identity.unreachable",
                    server=self.server,
                    detail=Phrase("TCP, connection lost", "TCP，连接中断"),
                ) from error

    async def _exchange(self, data: bytes, request_id: int) -> bytes:
        if data and (self._reader.at_eof() or self._writer.is_closing()):
            await self._connect_again()
        try:
            return await self._sent(data, request_id)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            # Closed behind the reply before, which was not noticed yet: nobody read this request.
            unread = not isinstance(error, asyncio.IncompleteReadError) or not error.partial
            if not (self._answered and data and unread):
                raise
        await self._connect_again()
        return await self._sent(data, request_id)

    async def _connect_again(self) -> None:
        await self.close()
        self._reader, self._writer = await _streams(*self._address, self._timeout_s)
        self._answered = False

    async def _sent(self, data: bytes, request_id: int) -> bytes:
        self._writer.write(data)
        await self._writer.drain()
        while True:
            envelope = await self._reader.readexactly(ENVELOPE_BYTES)
            rest = message_length(envelope) - ENVELOPE_BYTES
            reply = envelope + await self._reader.readexactly(rest)
            if read_envelope(reply).request_id == request_id:
                self._answered = True
                return reply


async def _streams(host: str, port: int, timeout_s: float) -> Streams:
    try:
        opening = asyncio.open_connection(host, port, local_addr=_local())
        return await asyncio.wait_for(opening, timeout_s)
    except (OSError, TimeoutError) as error:
        why = told(error)
        detail = Phrase(f"TCP, {why}", f"TCP，{why.zh}")
        raise Unavailable("identity.unreachable", server=f"{host}:{port}", detail=detail) from error


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
    aliases: bool = False,
) -> Resolution:
    """Resolve ``name`` at ``server`` ("host[:port]"), following referrals and, if told, aliases.

    Raises Unavailable when a server on the way does not answer; every answered code, also
    "not found", is a value in the result.
    """

    async def from_here(target: str, kinds: tuple[str, ...]) -> Resolution:
        return await _walk(
            target, parse_server(server), Resolve(target, indexes, kinds),
            transport=transport, timeout_s=timeout_s, follow=follow,
        )  # fmt: skip

    if not aliases:
        return await from_here(name, types)
    return await through_aliases(name, indexes, types, from_here)


async def _walk(
    name: str,
    start: tuple[str, int],
    body: Resolve,
    *,
    transport: str,
    timeout_s: float,
    follow: bool,
) -> Resolution:
    """Ask ``start`` and the servers that it refers to."""
    started = time.perf_counter()
    path: list[str] = []
    candidates = [start]
    flags = OpFlag.PUBLIC_ONLY | OpFlag.KEEP_ALIVE
    message = request(Op.RESOLVE, body.encode(), flags=flags)
    while True:
        host, port, reply = await _first_answer(
            candidates, path, message, transport=transport, timeout_s=timeout_s
        )
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
        following = await _next_servers(answer, name, host, port, timeout_s)
        candidates = [one for one in following if f"{one[0]}:{one[1]}" not in path]
        if not candidates or len(path) >= _HOPS:
            return replace(result, message=f"referred to {answer.handle}, which leads nowhere new")
        message = replace(message, request_id=next(_requests) & 0x7FFF_FFFF, raw=b"")


async def _first_answer(
    candidates: list[tuple[str, int]],
    path: list[str],
    message: Message,
    *,
    transport: str,
    timeout_s: float,
) -> tuple[str, int, Message]:
    """The answer of the first of some sites that gives one; sites that were asked join ``path``."""
    silent: Unavailable | None = None
    for host, port in candidates[:_SITES]:
        path.append(f"{host}:{port}")
        try:
            reply = await ask(host, port, message, transport=transport, timeout_s=timeout_s)
        except Unavailable as error:
            silent = error
        else:
            return host, port, reply
    raise silent or Unavailable(
        "identity.unreachable", server="?", detail=Phrase("no site to ask", "没有可询问的站点")
    )


async def _next_servers(
    referral: Referral, name: str, host: str, port: int, timeout_s: float
) -> list[tuple[str, int]]:
    """Where a referral points: sites in its values, or those of the service it names."""

    async def look(handle: str) -> tuple[HandleValue, ...]:
        message = request(Op.RESOLVE, Resolve(handle).encode(), flags=OpFlag.PUBLIC_ONLY)
        answer: Body = read_body(await ask(host, port, message, timeout_s=timeout_s))
        return answer.values if isinstance(answer, Record) else ()

    values = referral.values or await look(referral.handle)
    return await service_addresses(values, name, look)


async def service_addresses(
    values: tuple[HandleValue, ...],
    name: str,
    look: Callable[[str], Awaitable[tuple[HandleValue, ...]]],
    service: int = Service.QUERY,
) -> list[tuple[str, int]]:
    """Servers for ``name`` by sites among ``values``, or by the service records they name.

    ``look`` fetches the values of a service record (HS_SERV); at most eight are looked at. Changes
    (``Service.ADMIN``) go to primary sites only.
    """
    for _ in range(_HOPS):
        sites = [read_site(one.data) for one in values if one.type.upper() in SITE_TYPES]
        if service & Service.ADMIN:
            sites = [site for site in sites if site.primary]
        found = [address for site in sites if (address := site_address(site, name, service))]
        if found:
            return found
        services = [value for value in values if value.type.upper() in SERVICE_TYPES]
        if not services:
            return []
        values = await look(services[0].text())
    return []


# -- aliases ----------------------------------------------------------------------------------

OneName = Callable[[str, tuple[str, ...]], Awaitable[Resolution]]
"""Resolves one name for these types."""


async def through_aliases(
    name: str, indexes: tuple[int, ...], types: tuple[str, ...], one: OneName
) -> Resolution:
    """Resolve, and go on where a record only says HS_ALIAS (RFC 3651 §3.2.3), at most eight times.

    A circle or a longer chain is code 6 (recursion too high). Who asks for HS_ALIAS gets it.
    """
    if _ALIAS in {fold(kind) for kind in types}:
        return await one(name, types)
    # A question by type or index would not see the alias: ask for it in the same breath.
    kinds = (*types, _ALIAS) if types or indexes else types
    gone: list[str] = []
    path: tuple[str, ...] = ()
    elapsed_ms = 0.0
    while True:
        found = await one(name, kinds)
        path, elapsed_ms = path + found.path, elapsed_ms + found.elapsed_ms
        target = _alias_in(found, asked_all=not kinds)
        found = replace(found, aliases=tuple(gone), path=path, elapsed_ms=elapsed_ms)
        if not target:
            return _without_alias(found) if kinds else found
        gone.append(name)
        if fold(target) in {fold(item) for item in gone} or len(gone) > _ALIASES:
            chain = " > ".join((*gone, target))
            return replace(
                found, rc=int(Rc.RECURSION_TOO_HIGH), values=(), message=f"aliases {chain}"
            )
        name = target


def _alias_in(found: Resolution, *, asked_all: bool) -> str:
    """The name a record stands for; empty when it has something to say itself."""
    aliases = [value for value in found.values if fold(value.type) == _ALIAS]
    others = [value for value in found.values if value not in aliases]
    says = [value for value in others if not (asked_all and fold(value.type).startswith("HS_"))]
    return aliases[0].text() if aliases and not says else ""


def _without_alias(found: Resolution) -> Resolution:
    values = tuple(value for value in found.values if fold(value.type) != _ALIAS)
    return replace(found, values=values)


def site_address(site: Site, name: str, service: int = Service.QUERY) -> tuple[str, int] | None:
    """(host, port) of the server of ``site`` that serves ``name`` by TCP or UDP."""
    if not site.servers:
        return None
    server = site.server_for(name)
    for wanted in (Transport.TCP, Transport.UDP):
        for item in server.interfaces:
            if item.transport == wanted and item.service & service:
                return site.host_of(server), item.port
    return None
