"""Who asked, and why: from an address and a name to a client id, a network and a cause.

Causes are decided in this order: the console's own questions, probes (by network or by name), the
operator's own machines, the owner of the prefix, and everybody else. Only the last are what a
resolver exists for; the statistics keep the others apart. Everything is remembered per address, so
the common case is two dictionary look-ups.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from enum import IntEnum

from mingwu.identity.usage.settings import UsageSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.names import fold

_V4_BITS, _V6_BITS = 24, 48
_MOST_REMEMBERED = 100_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Cause(IntEnum):
    """Why a question was asked."""

    CLIENT = 0
    OWNER = 1
    HEALTH = 2
    OWN = 3
    CONSOLE = 4


def networks(texts: Iterable[str], path: str) -> tuple[Network, ...]:
    """CIDR texts as networks; raises ConfigError ``config.invalid``."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise ConfigError("config.invalid", path=path, fault=told(error)) from error


def network_of(address: str) -> str:
    """The /24 or /48 of an address; ``?`` for what is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "?"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    bits = _V4_BITS if ip.version == 4 else _V6_BITS  # noqa: PLR2004 — IP version
    return str(ipaddress.ip_network((ip, bits), strict=False))


def name_id(folded: bytes, salt: bytes) -> int:
    """A keyed hash of a folded name, never 0; ``salt`` is the node's secret."""
    digest = hashlib.blake2b(folded, digest_size=8, key=salt, person=b"name").digest()
    return int.from_bytes(digest, "little") or 1


def _inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, ranges: tuple[Network, ...]) -> bool:
    return any(ip.version == one.version and ip in one for one in ranges)


class Classifier:
    """Decides causes and makes ids; ``salt`` is the node's secret of 32 bytes."""

    def __init__(self, settings: UsageSettings, salt: bytes) -> None:
        self._salt = salt
        self._health = networks(settings.health_networks, "$.health_networks")
        self._own = networks(settings.own_networks, "$.own_networks")
        self._probes = frozenset(fold(name).encode() for name in settings.health_names)
        self._settled = {
            fold(owner.prefix): networks(owner.networks, "$.owners") for owner in settings.owners
        }
        self._told: Mapping[str, tuple[str, ...]] = {}
        self._owners = self._settled
        self._by_address: dict[str, Cause] = {}
        self._by_pair: dict[tuple[str, str], Cause] = {}

    def follow(self, told: Mapping[str, tuple[str, ...]]) -> None:
        """Owners' networks by folded prefix, beside those of the settings; from any thread."""
        if told != self._told:
            self._owners = self._settled | {
                prefix: self._settled.get(prefix, ()) + networks(some, prefix)
                for prefix, some in told.items()
            }
            self._by_pair = {}
            self._told = told

    def client_id(self, address: str) -> str:
        """A keyed hash of an address: 8 bytes in hex."""
        return hashlib.blake2b(
            address.encode(), digest_size=8, key=self._salt, person=b"client"
        ).hexdigest()

    def name_id(self, folded: bytes) -> int:
        """A keyed hash of a folded name, never 0."""
        return name_id(folded, self._salt)

    def cause(self, address: str, prefix: str, folded: bytes) -> Cause:
        """Why ``address`` asked for a name of ``prefix`` (both folded)."""
        if folded in self._probes:
            return Cause.HEALTH
        cause = self._by_address.get(address)
        if cause is None:
            cause = self._of_address(address)
        if cause is not Cause.CLIENT:
            return cause
        pairs = self._by_pair  # before the owners: what is remembered is never older than they
        ranges = self._owners.get(prefix)
        return cause if ranges is None else self._of_pair(address, prefix, ranges, pairs)

    def _of_address(self, address: str) -> Cause:
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return Cause.CLIENT
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        ip = mapped or ip
        if _inside(ip, self._health):
            cause = Cause.HEALTH
        elif _inside(ip, self._own):
            cause = Cause.OWN
        else:
            cause = Cause.CLIENT
        if len(self._by_address) >= _MOST_REMEMBERED:
            self._by_address.clear()
        self._by_address[address] = cause
        return cause

    @staticmethod
    def _of_pair(
        address: str,
        prefix: str,
        ranges: tuple[Network, ...],
        pairs: dict[tuple[str, str], Cause],
    ) -> Cause:
        pair = address, prefix
        cause = pairs.get(pair)
        if cause is None:
            try:
                ip = ipaddress.ip_address(address.partition("%")[0])
            except ValueError:
                return Cause.CLIENT
            cause = Cause.OWNER if _inside(ip, ranges) else Cause.CLIENT
            if len(pairs) >= _MOST_REMEMBERED:
                pairs.clear()
            pairs[pair] = cause
        return cause
