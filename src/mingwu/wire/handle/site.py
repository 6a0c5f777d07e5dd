"""HS_SITE data and the body of a site-info reply: where a service's servers are.

===================  =====  ==============================================================
field                size   meaning
===================  =====  ==============================================================
format               2      1 (some mirrors write 0)
protocol             1+1    major, minor
serial               2      version of the site; requests carry it back
flags                1      0x80 primary, 0x40 multi-primary
hash option          1      0 by prefix, 1 by suffix, 2 by the whole handle
hash filter          block  unused, empty
attributes           list   (name block, value block)
servers              list   (id 4, address 16: IPv4 right-aligned, public key block,
                            interfaces: list of (type 1, protocol 1, port 4))
===================  =====  ==============================================================

A site with several servers is partitioned: MD5 of the upper-cased part picks the server. A server
whose address is all zeros stands where the attribute ``domain.N`` (N counts from 0) or ``domain``
says, as deployed sites in clouds have it.
"""

import hashlib
import ipaddress
import re
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from mingwu.kernel.names import fold
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import Reader, block, text, u32

_HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_FIXED = struct.Struct(">HBBHBB")
ADDRESS_BYTES = 16
_IPV4_MAPPED = b"\0" * 10 + b"\xff\xff"
_IPV4_PLAIN = b"\0" * 12


class Service(IntFlag):
    """What an interface serves."""

    NONE = 0
    ADMIN = 1
    QUERY = 2


class Transport(IntEnum):
    """How an interface is reached."""

    UDP = 0
    TCP = 1
    HTTP = 2
    HTTPS = 3


class HashOption(IntEnum):
    """Which part of a handle picks the server of a partitioned site."""

    PREFIX = 0
    SUFFIX = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Interface:
    """One port of a server; ``transport`` 0 UDP, 1 TCP, 2 HTTP, 3 HTTPS."""

    service: int
    transport: int
    port: int


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a site; ``public_key`` is encoded as in HS_PUBKEY, or empty."""

    id: int
    address: bytes
    public_key: bytes = b""
    interfaces: tuple[Interface, ...] = ()

    @property
    def host(self) -> str:
        """The address as people write it."""
        head, tail = self.address[:12], self.address[12:]
        if head in {_IPV4_PLAIN, _IPV4_MAPPED} and self.address != b"\0" * 15 + b"\x01":
            return str(ipaddress.IPv4Address(tail))
        return str(ipaddress.IPv6Address(self.address))


@dataclass(frozen=True, slots=True)
class Site:
    """A site: one copy of a service, on one or more servers."""

    servers: tuple[Server, ...]
    serial: int = 1
    version: tuple[int, int] = (2, 11)
    primary: bool = True
    multi_primary: bool = False
    hash_option: int = HashOption.ALL
    attributes: tuple[tuple[str, str], ...] = ()
    format: int = 1
    hash_filter: bytes = b""

    def host_of(self, server: Server) -> str:
        """Where one of the servers is: its address, or the host name told instead of one."""
        if any(server.address):
            return server.host
        told = dict(self.attributes)
        named = told.get(f"domain.{self.servers.index(server)}") or told.get("domain", "")
        return named if _HOST_NAME.fullmatch(named) else server.host

    def server_for(self, handle: str) -> Server:
        """The server responsible for ``handle``; raises ProtocolError for a site without one."""
        if not self.servers:
            raise ProtocolError("site without servers")
        if len(self.servers) == 1:
            return self.servers[0]
        prefix, _, suffix = handle.partition("/")
        part = {HashOption.PREFIX: prefix, HashOption.SUFFIX: suffix}.get(
            HashOption(self.hash_option) if self.hash_option in set(HashOption) else HashOption.ALL,
            handle,
        )
        digest = hashlib.md5(fold(part).encode(), usedforsecurity=False).digest()
        number = int.from_bytes(digest[-4:], signed=True)
        return self.servers[abs(number) % len(self.servers)]


def pack_address(host: str) -> bytes:
    """16 bytes of an IPv4 or IPv6 address given as text."""
    return ipaddress.ip_address(host).packed.rjust(ADDRESS_BYTES, b"\0")


def _encode_server(server: Server) -> bytes:
    interfaces = b"".join(
        struct.pack(">BBI", item.service & 0xFF, item.transport & 0xFF, item.port)
        for item in server.interfaces
    )
    return b"".join(
        (
            u32(server.id),
            server.address.rjust(ADDRESS_BYTES, b"\0"),
            block(server.public_key),
            u32(len(server.interfaces)),
            interfaces,
        )
    )


def encode_site(site: Site) -> bytes:
    """Data of an HS_SITE value."""
    flags = (0x80 if site.primary else 0) | (0x40 if site.multi_primary else 0)
    fixed = _FIXED.pack(site.format, *site.version, site.serial, flags, site.hash_option)
    return b"".join(
        (
            fixed,
            block(site.hash_filter),
            u32(len(site.attributes)),
            *(text(name) + text(value) for name, value in site.attributes),
            u32(len(site.servers)),
            *(_encode_server(server) for server in site.servers),
        )
    )


def _read_server(reader: Reader) -> Server:
    number, address, key = reader.u32(), reader.take(ADDRESS_BYTES), reader.block()
    interfaces = tuple(
        Interface(reader.u8(), reader.u8(), reader.u32()) for _ in range(reader.count(6))
    )
    return Server(number, address, key, interfaces)


def read_site(data: bytes) -> Site:
    """Read HS_SITE data."""
    reader = Reader(data)
    form, major, minor, serial, flags, option = _FIXED.unpack(reader.take(_FIXED.size))
    hash_filter = reader.block()
    attributes = tuple((reader.text(), reader.text()) for _ in range(reader.count(8)))
    servers = tuple(_read_server(reader) for _ in range(reader.count(28)))
    if reader.left:
        raise ProtocolError(f"{reader.left} bytes after a site record")
    return Site(
        servers=servers,
        serial=serial,
        version=(major, minor),
        primary=bool(flags & 0x80),
        multi_primary=bool(flags & 0x40),
        hash_option=option,
        attributes=attributes,
        format=form,
        hash_filter=hash_filter,
    )
