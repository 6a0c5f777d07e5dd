"""The resolver process: one loop that serves UDP, TCP and HTTP from one store, and one worker.

``run_resolver`` is the role's entry; ``ResolverServer`` is the same for tests and for hosts that
bring their own stop. The loop thread only reads; every change goes through the worker.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mingwu.identity.access.administration import Administration, Journal, ReadGrants
from mingwu.identity.access.elsewhere import Verdicts
from mingwu.identity.access.gate import Gate
from mingwu.identity.access.serverkey import ServerKey
from mingwu.identity.cards import prefix_admin
from mingwu.identity.live import LiveGetter
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.clientcert import parse_key_name
from mingwu.identity.server.door import Doorkeeper
from mingwu.identity.server.exchange import HttpReply, HttpRequest
from mingwu.identity.server.http import HttpFace, code_reply
from mingwu.identity.server.httpd import HttpConnection
from mingwu.identity.server.httpwrite import HttpWriter
from mingwu.identity.server.tcp import TcpConnection
from mingwu.identity.server.udp import UdpService
from mingwu.identity.server.usagenote import UsageNotes
from mingwu.identity.server.worker import Worker
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.statistics import Statistics
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.wire.handle.codes import ALL_RIGHTS, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.site import (
    ADDRESS_BYTES,
    Interface,
    Server,
    Service,
    Site,
    Transport,
    encode_site,
    pack_address,
)
from mingwu.wire.handle.values import HandleValue

if TYPE_CHECKING:
    from OpenSSL.SSL import Context

log = logging.getLogger(__name__)

_SITE_INDEX = 1
_OWNER_INDEX = 5
_KEY_FILE = "server-key.pem"
_ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - recognised, not bound
_BACKLOG = 1024
_ACCEPTED_AT_ONCE = 32  # by one listener, before the door has looked at any of them

Dress = Callable[[Resolver], None]
"""Adds to a resolver's handlers; called once for each thread that answers."""


def open_store(settings: ResolverSettings) -> RecordStore:
    """The record store that the settings name."""
    return RecordStore(
        Path(settings.directory), map_bytes=settings.map_bytes, durable=settings.durable
    )


def site_of(
    settings: ResolverSettings,
    port: int,
    http_port: int,
    *,
    public_key: bytes = b"",
    https_port: int = 0,
) -> Site:
    """The site record of this server; ``public_key`` in HS_PUBKEY form, ``https_port`` 0: none."""
    host = settings.public_host or ("127.0.0.1" if settings.host in _ANYWHERE else settings.host)
    both = Service.ADMIN | Service.QUERY
    attributes = [("desc", settings.site_description)]
    try:
        address = pack_address(host)
    except ValueError:  # a host name: clients look it up
        address = bytes(ADDRESS_BYTES)
        attributes.append(("domain", host))
    return Site(
        servers=(
            Server(
                id=1,
                address=address,
                public_key=public_key,
                interfaces=(
                    Interface(both, Transport.TCP, port),
                    Interface(Service.QUERY, Transport.UDP, port),
                    Interface(both, Transport.HTTP, http_port),
                    *((Interface(both, Transport.HTTPS, https_port),) if https_port else ()),
                ),
            ),
        ),
        attributes=tuple(attributes),
    )


def home_prefixes(
    store: RecordStore, prefixes: tuple[str, ...], site: Site, owner: str = ""
) -> None:
    """Take responsibility for prefixes; keep site and owner in their records current.

    Without ``owner`` what stands there about the owner stays.
    """
    told = {_SITE_INDEX: ("HS_SITE", encode_site(site))}
    if owner:
        told[_OWNER_INDEX] = ("OWNER", owner.encode())
    for prefix in prefixes:
        name = f"{PREFIX_HOME}/{prefix}"
        record = store.get(name) or Record(name, (prefix_admin(prefix, ALL_RIGHTS),))
        have = {value.index: (value.type, value.data) for value in record.values}
        fresh = {index: told[index] for index in told if have.get(index) != told[index]}
        if fresh:
            now = int(time.time())
            made = [HandleValue(index, *fresh[index], timestamp=now) for index in fresh]
            kept = [value for value in record.values if value.index not in fresh]
            store.put(Record(name, (*made, *kept), record.live))
        if not store.is_homed(prefix):
            store.home(prefix)


def _tls(settings: ResolverSettings) -> "Context | None":
    """TLS of the HTTP interface, if configured; raises ConfigError ``identity.tls``."""
    if not settings.tls_certificate or not settings.tls_key:
        return None
    from mingwu.identity.server.tls import server_context

    return server_context(settings.tls_certificate, settings.tls_key)


def _bind(host: str, port: int, kind: socket.SocketKind, *, share: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise Unavailable(
            "identity.port-taken", address=f"{host}:{port}", detail=told(error)
        ) from error
    return sock


class ResolverServer:
    """A running resolver; ``async with`` or ``start``/``close``."""

    def __init__(
        self,
        settings: ResolverSettings,
        store: RecordStore,
        live: LiveGetter | None = None,
        journal: Journal | None = None,
        statistics: Statistics | None = None,
        *,
        usage: UsageNotes | None = None,
        dress: Dress | None = None,
        grants: ReadGrants | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.statistics = statistics or Statistics()
        self.port = 0
        self.http_port = 0
        self.https_port = 0
        self._live = live
        self._journal = journal
        self._usage = usage
        self._dress = dress
        self._grants = grants
        self._verdicts = verdicts
        self._writer = HttpWriter(
            plain_writes=settings.plain_http_writes, live_ttl_s=settings.live_ttl_s
        )
        self._sockets: list[socket.socket] = []
        self._udp: list[UdpService] = []
        self._servers: list[asyncio.Server] = []
        self._door = Doorkeeper(settings)
        self._resolver: Resolver | None = None
        self._worker: Worker | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Bind and serve; raises Unavailable ``identity.port-taken`` or ConfigError."""
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        settings = self.settings
        self._door.look_at_limits()
        tls = _tls(settings)
        pairs = [self._pair(port) for port in (settings.port, *settings.extra_ports)]
        http = self._bind(settings.http_port, socket.SOCK_STREAM)
        https = self._bind(settings.https_port, socket.SOCK_STREAM) if tls else None
        self.port = pairs[0][1].getsockname()[1]
        self.http_port = http.getsockname()[1]
        self.https_port = https.getsockname()[1] if https else 0
        key = await asyncio.to_thread(
            ServerKey.load_or_create, Path(settings.directory) / _KEY_FILE
        )
        site = site_of(
            settings, self.port, self.http_port, public_key=key.public, https_port=self.https_port
        )
        await asyncio.to_thread(home_prefixes, self.store, settings.prefixes, site, settings.owner)
        self._resolver = self._make_resolver(site)
        gate = self._make_gate(site, key)
        if self._dress:
            self._dress(self._resolver)
            self._dress(gate.resolver)
        self._worker = Worker(gate, self._verdicts)
        for datagrams, stream in pairs:
            service = UdpService(self._resolver, self._worker.answer, settings, self._usage)
            service.start(datagrams)
            self._udp.append(service)
            await self._serve(stream, self._tcp_connection)
        self._face = HttpFace(self._resolver, live_ttl_s=settings.live_ttl_s)
        await self._serve(http, partial(self._either, tls) if tls else self._http_connection)
        if https and tls:
            await self._serve(https, partial(self._https_connection, tls))
        log.info("resolver up port=%d http=%d names=%d", self.port, self.http_port,
                 self.store.count())  # fmt: skip

    def _make_resolver(self, site: Site, key: ServerKey | None = None) -> Resolver:
        return Resolver(
            self.store,
            site,
            live=self._live,
            live_ttl_s=self.settings.live_ttl_s,
            statistics=self.statistics,
            certify=key.certify if key else None,
        )

    def _make_gate(self, site: Site, key: ServerKey) -> Gate:
        try:
            admins = tuple(parse_key_name(text) for text in self.settings.server_admins)
        except ProtocolError as error:
            raise ConfigError(
                "config.invalid", path="$.server_admins", fault=told(error)
            ) from error
        administration = Administration(
            self.store,
            writable=self.settings.writable,
            server_admins=admins,
            journal=self._journal,
            grants=self._grants,
        )
        return Gate(
            self._make_resolver(site, key),
            administration,
            server_key=key,
            challenge_timeout_s=self.settings.challenge_timeout_s,
        )

    def _bind(self, port: int, kind: socket.SocketKind) -> socket.socket:
        sock = _bind(self.settings.host, port, kind, share=self.settings.reuse_port)
        self._sockets.append(sock)
        return sock

    def _pair(self, port: int) -> tuple[socket.socket, socket.socket]:
        """UDP and TCP on one port number; for port 0 the system's choice for TCP decides."""
        stream = self._bind(port, socket.SOCK_STREAM)
        number = stream.getsockname()[1]
        return self._bind(number, socket.SOCK_DGRAM), stream

    async def _serve(self, sock: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, sock=sock, backlog=_ACCEPTED_AT_ONCE)
        sock.listen(_BACKLOG)  # the loop takes its number for both
        self._servers.append(server)

    def _tcp_connection(self) -> TcpConnection:
        assert self._resolver and self._worker  # noqa: S101, PT018 - set before the first server starts
        return TcpConnection(
            self._resolver, self._worker.answers, self.settings, self._door, self._usage
        )

    def _http_connection(self) -> HttpConnection:
        assert self._resolver  # noqa: S101 - set before the first server starts
        return HttpConnection(
            self._resolver, self._face, self._careful_http, self.settings, self._door, self._usage
        )

    def _https_connection(self, context: "Context") -> asyncio.Protocol:
        from mingwu.identity.server.tls import TlsConnection

        return TlsConnection(context, self._http_connection, self.settings.message_timeout_s)

    def _either(self, context: "Context") -> asyncio.Protocol:
        from mingwu.identity.server.tls import EitherConnection

        secure = partial(self._https_connection, context)
        wait_s = self.settings.message_timeout_s
        return EitherConnection(self._http_connection, secure, self._door, wait_s)

    async def _careful_http(self, request: HttpRequest) -> HttpReply:
        if self._worker is None or self._worker.is_busy_for(request.source):
            return code_reply(Rc.TOO_BUSY, "", "try again soon")
        try:
            return await self._worker.carry_out(
                lambda gate: self._writer.answer(gate, request), request.source
            )
        except Exception:  # noqa: BLE001 - a full disk or a bug must answer, not hang the client
            log.exception("worker failed source=%s", request.source)
            return code_reply(Rc.ERROR, "", "internal error, see the log")

    async def close(self) -> None:
        """Stop serving; the store stays open."""
        for server in self._servers:
            server.close()
        for service in self._udp:
            await service.close()
        for transport in tuple(self._door.open):
            transport.abort()
        for server in self._servers:
            await server.wait_closed()
        for sock in self._sockets:
            sock.close()  # those that no service took over before a start failed
        self._sockets.clear()
        if self._worker:
            await asyncio.to_thread(self._worker.close)
        self._servers, self._udp, self._worker, self._resolver = [], [], None, None


async def run_resolver(
    settings: ResolverSettings,
    store: RecordStore,
    live: LiveGetter | None,
    stop: asyncio.Event,
    journal: Journal | None = None,
    statistics: Statistics | None = None,
    *,
    usage: UsageNotes | None = None,
    dress: Dress | None = None,
) -> None:
    """Serve until ``stop``. The caller opened the store (``open_store``) and closes it.

    ``journal`` is called in the worker thread with every change that was asked for;
    ``statistics`` is counted into, so a host that passes it can publish its ``snapshot``;
    ``usage`` gets a note of every answer; ``dress`` adds handlers to each thread's resolver.
    """
    server = ResolverServer(settings, store, live, journal, statistics, usage=usage, dress=dress)
    async with server:
        await stop.wait()
