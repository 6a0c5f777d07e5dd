"""Resolving from a root: name, prefix record at the root, the prefix's service, the record.

A root is a JSON document: the bootstrap file that deployed clients ship (``handles`` by name, the
root's sites in ``0.NA/0.NA``), one record in the form of ``/api/handles``, the reply of
``/api/site`` or what ``mingwu handle site`` prints; or simply HOST:PORT of a server that knows the
way. Sites are tried in order. At every step referrals are followed; the number of steps and aliases
is bounded.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mingwu.identity.client.handleclient import (
    SERVICE_TYPES,
    SITE_TYPES,
    Resolution,
    parse_server,
    resolve,
    service_addresses,
    site_address,
    through_aliases,
)
from mingwu.identity.client.refusals import refused
from mingwu.identity.lookup import PREFIX_HOME, prefix_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, Unavailable
from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import data_from_json, value_from_json
from mingwu.wire.handle.site import Service, Site, read_site
from mingwu.wire.handle.values import HandleValue

_ROOT = f"{PREFIX_HOME}/{PREFIX_HOME}"
_SERVICES = tuple(sorted(SITE_TYPES | SERVICE_TYPES))
_MOST_SITES = 6


@dataclass(frozen=True, slots=True)
class Root:
    """Where the tree of prefixes begins; ``server`` ("host:port") where there are no sites."""

    sites: tuple[Site, ...] = ()
    server: str = ""

    def servers(self, name: str, service: int = Service.QUERY) -> list[str]:
        """The root's servers that answer for ``name``, as HOST:PORT."""
        if self.server:
            return [self.server]
        found = (site_address(site, name, service) for site in self.sites)
        return [_shown(address) for address in found if address]


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def root_at(server: str) -> Root:
    """A root that is one server; raises Unavailable for what is no address."""
    return Root(server=_shown(parse_server(server)))


def parse_root(document: bytes) -> Root:
    """The root in a JSON document; raises InvalidInput ``identity.root``."""
    try:
        sites = _sites(orjson.loads(document))
    except (orjson.JSONDecodeError, ProtocolError, AttributeError, TypeError) as error:
        raise InvalidInput("identity.root", fault=told(error)) from error
    if not sites:
        raise InvalidInput(
            "identity.root", fault=Phrase("no HS_SITE value in it", "其中没有 HS_SITE 值")
        )
    return Root(sites)


def _sites(content: Any) -> tuple[Site, ...]:
    site = content if "servers" in content else content.get("site")
    if site:
        return (read_site(data_from_json({"format": "site", "value": site})),)
    if "handles" in content:
        handles = {fold(name): record for name, record in content["handles"].items()}
        content = handles.get(fold(_ROOT)) or {}
    values = (value_from_json(item, 0) for item in content.get("values") or ())
    return tuple(read_site(value.data) for value in values if value.type.upper() == "HS_SITE")


async def home_of(
    root: Root, prefix: str, *, transport: str = "", timeout_s: float = 3.0
) -> Resolution:
    """What the tree says about a prefix: the record ``0.NA/<prefix>`` with its services.

    Raises Unavailable when no site of the root answers.
    """
    name = f"{PREFIX_HOME}/{prefix}"

    async def ask(server: str) -> Resolution:
        return await resolve(
            name, server, types=_SERVICES, transport=transport, timeout_s=timeout_s
        )

    return await _first(root.servers(name), ask)


async def _first(servers: list[str], ask: Callable[[str], Awaitable[Resolution]]) -> Resolution:
    """The answer of the first server that gives one."""
    silent: Unavailable | None = None
    for server in servers[:_MOST_SITES]:
        try:
            return await ask(server)
        except Unavailable as error:
            silent = error
    raise silent or Unavailable(
        "identity.unreachable", server="?", detail=Phrase("no site to ask", "没有可询问的站点")
    )


async def resolve_from(
    root: Root,
    name: str,
    *,
    indexes: tuple[int, ...] = (),
    types: tuple[str, ...] = (),
    transport: str = "",
    timeout_s: float = 3.0,
    aliases: bool = True,
) -> Resolution:
    """Resolve ``name`` beginning at the root; codes are values, silence raises Unavailable."""

    async def one(target: str, kinds: tuple[str, ...]) -> Resolution:
        async def ask(server: str) -> Resolution:
            return await resolve(
                target, server, indexes=indexes, types=kinds, transport=transport,
                timeout_s=timeout_s,
            )  # fmt: skip

        if fold(target.partition("/")[0]) == PREFIX_HOME:
            return await _first(root.servers(target), ask)
        home = await home_of(root, prefix_of(target), transport=transport, timeout_s=timeout_s)
        servers = await _servers(root, home, target, timeout_s)
        if not servers:
            return _homeless(home, target)
        found = await _first(servers, ask)
        return replace(
            found, path=home.path + found.path, elapsed_ms=home.elapsed_ms + found.elapsed_ms
        )

    if not aliases:
        return await one(name, types)
    return await through_aliases(name, indexes, types, one)


async def admin_server(root: Root, name: str, *, timeout_s: float = 3.0) -> str:
    """The server that takes changes of ``name``: of a primary site of its prefix.

    Names of prefixes (0.NA/…) are changed at the root. Raises PeerError when the tree knows none.
    """
    if fold(name.partition("/")[0]) == PREFIX_HOME:
        servers = root.servers(name, Service.ADMIN)
        if servers:
            return servers[0]
    home = await home_of(root, prefix_of(name) if "/" in name else name, timeout_s=timeout_s)
    servers = await _servers(root, home, name, timeout_s, Service.ADMIN)
    if not servers:
        lost = _homeless(home, name)
        raise refused(home.path[-1], lost.rc, name, lost.message)
    return servers[0]


async def _servers(
    root: Root, home: Resolution, name: str, timeout_s: float, service: int = Service.QUERY
) -> list[str]:
    """Servers that the prefix's record names for ``name``."""

    async def look(handle: str) -> tuple[HandleValue, ...]:
        async def ask(server: str) -> Resolution:
            return await resolve(handle, server, types=_SERVICES, timeout_s=timeout_s)

        return (await _first(root.servers(handle), ask)).values

    found = await service_addresses(home.values, name, look, service)
    return [_shown(one) for one in found]


def _homeless(home: Resolution, name: str) -> Resolution:
    """The answer when the tree knows no service for the prefix."""
    known = home.rc in {Rc.SUCCESS, Rc.VALUES_NOT_FOUND}
    message = f"{home.handle} names no service" if known else home.message or home.handle
    rc = int(Rc.NOT_RESPONSIBLE) if known else home.rc
    return replace(home, handle=name, rc=rc, values=(), message=message)
