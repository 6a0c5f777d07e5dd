"""Settings of the OID answers over DNS."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

ZoneName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$")]


class OidDnsSettings(Settings, frozen=True, kw_only=True):
    """A small authoritative name server for object identifiers, beside the resolver."""

    # Whether the resolver role answers over DNS at all.
    listen: bool = False
    # Address to listen on, by UDP and TCP.
    host: str = "127.0.0.1"
    # Port; 53 where the node is the zone's server itself, another where a name server forwards.
    port: Annotated[int, Meta(ge=0, le=65535)] = 8053
    # Domain below which names are OIDs, arcs from right to left (X.672 puts them at oid-res.org).
    root: ZoneName = "oid-res.org"
    # Zone that this server answers for: the root itself, or what was delegated to it below the
    # root, e.g. 3001.156.2.1.oid-res.org.
    zone: ZoneName = "oid-res.org"
    # Name of this server in the zone's NS and SOA; empty: ns below the zone.
    name_server: str = ""
    # Seconds that others may remember that nothing is known.
    negative_ttl_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    # Longest answer by UDP, in bytes; longer ones are asked for again by TCP.
    udp_answer_bytes: Annotated[int, Meta(ge=512, le=4096)] = 1232
    # Most bytes sent by UDP to one network (IPv4 /24, IPv6 /56) in a second; beyond it answers
    # only say “ask by TCP” and are no longer than the question.
    source_bytes_per_s: Annotated[int, Meta(ge=1024)] = 64 * 1024
    # Most open TCP connections, a quarter of them from one address.
    max_connections: Annotated[int, Meta(ge=4)] = 200
    # Seconds an idle TCP connection is kept.
    idle_timeout_s: Annotated[float, Meta(gt=0)] = 10.0
