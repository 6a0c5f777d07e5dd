"""Walking down from a root with every answer signed: the Handle System's own chain of trust.

The root's site record carries the keys of its servers; an answer is taken only with a signature of
the server that was asked and with the digest of our request in it, so the sites it names (and
their keys) are as good as the root's. :func:`record_at_home` returns a record and the servers that
spoke for it. Steps are bounded; the caller bounds the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mingwu.identity.access.serverkey import is_certified_by
from mingwu.identity.client.handleclient import SERVICE_TYPES, SITE_TYPES, ask, request
from mingwu.identity.client.root import Root
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.names import fold
from mingwu.wire.handle.bodies import Body, Record, Referral, Resolve, read_body
from mingwu.wire.handle.codes import DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import request_digest, split_digest
from mingwu.wire.handle.site import Service, Site, Transport, read_site
from mingwu.wire.handle.values import HandleValue

_STEPS = 8
_MOST_SITES = 4
_FLAGS = int(OpFlag.CERTIFY | OpFlag.REQUEST_DIGEST)

Values = tuple[HandleValue, ...]


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server and the key that its answers are signed with (HS_PUBKEY form)."""

    host: str
    port: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Vouched:
    """A record, as the servers that are responsible for it signed it."""

    values: Values
    servers: tuple[KnownServer, ...]


def known_servers(sites: Sequence[Site], name: str) -> tuple[KnownServer, ...]:
    """Servers of the sites that answer for ``name`` by TCP and have a key."""
    found = []
    for site in sites:
        if not site.servers:
            continue
        server = site.server_for(name)
        for item in server.interfaces:
            usable = item.transport == Transport.TCP and item.service & Service.QUERY
            if usable and server.public_key:
                found.append(KnownServer(site.host_of(server), item.port, server.public_key))
                break
    return tuple(found[:_MOST_SITES])


async def ask_certified(
    server: KnownServer, op: int, body: bytes, *, flags: int = 0, timeout_s: float = 3.0
) -> tuple[int, Body]:
    """(code, body) of a reply that ``server`` signed for this very request.

    Raises ProtocolError for a reply that is not so signed, Unavailable for none.
    """
    message = request(op, body, flags=flags | _FLAGS)
    reply = await ask(server.host, server.port, message, transport="tcp", timeout_s=timeout_s)
    digest, _ = split_digest(reply)
    if not is_certified_by(reply, server.key):
        raise ProtocolError("the reply is not signed by the server that was asked")
    if not digest or digest != request_digest(message, DigestAlgorithm(digest[0])):
        raise ProtocolError("the signed reply answers another request")
    return reply.rc, read_body(reply)


async def _first(servers: Sequence[KnownServer], name: str, timeout_s: float) -> tuple[int, Body]:
    """The signed answer of the first server that gives one."""
    last: Unavailable | ProtocolError = Unavailable(
        "identity.unreachable",
        server="?",
        detail=Phrase("no server with a key", "没有带密钥的服务器"),
    )
    body = Resolve(name).encode()
    for server in servers:
        try:
            return await ask_certified(
                server, Op.RESOLVE, body, flags=int(OpFlag.PUBLIC_ONLY), timeout_s=timeout_s
            )
        except (Unavailable, ProtocolError) as error:
            last = error
    raise last


async def walk(root: Root, name: str, *, timeout_s: float = 3.0) -> Vouched | None:
    """The record of ``name`` as the tree above it tells it, referrals followed; None if none."""
    servers = known_servers(root.sites, name)
    for _ in range(_STEPS):
        rc, body = await _first(servers, name, timeout_s)
        if rc == Rc.SUCCESS and isinstance(body, Record):
            return Vouched(body.values, servers)
        if not isinstance(body, Referral):
            return None
        servers = await _sites(root, body.values, name, timeout_s)
        if not servers:
            return None
    return None


async def _sites(
    root: Root, values: Values, name: str, timeout_s: float, steps: int = _STEPS
) -> tuple[KnownServer, ...]:
    """Servers for ``name`` by signed site values, or by the service record that they name."""
    sites = [read_site(value.data) for value in values if value.type.upper() in SITE_TYPES]
    found = known_servers(sites, name)
    services = [value.text() for value in values if value.type.upper() in SERVICE_TYPES]
    if found or not services or steps <= 0:
        return found
    service = await walk_service(root, services[0], timeout_s=timeout_s)
    return await _sites(root, service, name, timeout_s, steps - 1) if service else ()


async def walk_service(root: Root, handle: str, *, timeout_s: float) -> Values:
    """Values of a service record at the root; referrals are not followed for these."""
    rc, body = await _first(known_servers(root.sites, handle), handle, timeout_s)
    return body.values if rc == Rc.SUCCESS and isinstance(body, Record) else ()


async def home_servers(root: Root, prefix: str, *, timeout_s: float = 3.0
                       ) -> tuple[KnownServer, ...]:  # fmt: skip
    """The servers of a prefix, known by signed answers from the root down."""
    name = f"{PREFIX_HOME}/{prefix}"
    record = await walk(root, name, timeout_s=timeout_s)
    return await _sites(root, record.values, name, timeout_s) if record else ()


async def record_at_home(
    servers: Sequence[KnownServer], name: str, *, timeout_s: float = 3.0
) -> Values:
    """The public values of ``name`` at its own servers; empty when there is no such name."""
    rc, body = await _first(servers, name, timeout_s)
    return body.values if rc == Rc.SUCCESS and isinstance(body, Record) else ()


def is_prefix_record(name: str) -> bool:
    """Whether the tree above tells about ``name`` itself (``0.NA/…``)."""
    return fold(name.partition("/")[0]) == PREFIX_HOME
