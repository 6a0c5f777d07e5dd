"""Settings of the resolver. Defaults serve one plant on one machine."""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

Port = Annotated[int, Meta(ge=0, le=65535)]


class ResolverSettings(Settings, frozen=True, kw_only=True):
    """The name service: Handle protocol on UDP and TCP, JSON on HTTP.

    ``directory``: where the records lie. ``host``: address to listen on. ``port``: UDP and TCP
    port of the Handle protocol; ``http_port``: port of the HTTP interface; 0 lets the system
    choose. ``extra_ports``: further UDP and TCP ports with the same answers (1304 is usual in
    the national scheme).
    """

    directory: str = "var/identity"
    host: str = "127.0.0.1"
    port: Port = 2641
    http_port: Port = 8000
    extra_ports: tuple[Port, ...] = ()
    # PEM file with the certificate chain of the HTTP interface; empty means no TLS.
    tls_certificate: str = ""
    # PEM file with the certificate's key.
    tls_key: str = ""
    # Port served with TLS only when both files are given (http_port then serves both); changes may
    # come by TLS from other machines.
    https_port: Port = 8443
    # Prefixes this node answers for; each gets a record 0.NA/<prefix> naming this server.
    prefixes: tuple[str, ...] = ("88.888.101",)
    # Who owns these prefixes, as their records tell askers; empty to tell nothing.
    owner: str = ""
    # Address or host name that the site record tells clients; empty means ``host``.
    public_host: str = ""
    # What the site record says about this site.
    site_description: str = "Mingwu resolver"
    # How long a client may keep a live value, in seconds.
    live_ttl_s: Annotated[int, Meta(ge=0, le=3600)] = 1
    # Size of the store's memory map in bytes; the file grows only as it fills.
    map_bytes: Annotated[int, Meta(ge=2**20)] = 64 * 2**30
    # Wait for the disk at every commit.
    durable: bool = True
    # Most bytes sent by UDP to one source address in a second; beyond it only short refusals.
    udp_source_bytes_per_s: Annotated[int, Meta(ge=1024)] = 4 * 2**20
    # Longest answer sent by UDP, in bytes; longer ones are asked for again by TCP.
    udp_answer_bytes: Annotated[int, Meta(ge=512)] = 16_384
    # Most bytes a second in answers of several packets to one source; beyond it TCP is advised.
    udp_long_bytes_per_s: Annotated[int, Meta(ge=0)] = 256 * 2**10
    # Longest message accepted on TCP, and longest body of an HTTP request, in bytes.
    message_bytes: Annotated[int, Meta(ge=1024)] = 16_672_500
    # Most bytes of unfinished messages and unanswered HTTP bodies held for all connections.
    unfinished_bytes: Annotated[int, Meta(ge=2**20)] = 256 * 2**20
    # Most bytes of unanswered messages held per TCP connection before it is made to wait.
    tcp_backlog_bytes: Annotated[int, Meta(ge=4096)] = 2**20
    # Seconds from the first byte of a TCP message or HTTP request to its last (head and body); also
    # how long a new connection may say nothing, and a client take nothing of its answer.
    message_timeout_s: Annotated[float, Meta(gt=0)] = 15.0
    # Seconds an idle TCP or HTTP connection is kept; deployed national clients hold one for long.
    idle_timeout_s: Annotated[float, Meta(gt=0)] = 3600.0
    # Most open TCP and HTTP connections.
    max_connections: Annotated[int, Meta(ge=1)] = 4096
    # Most open TCP and HTTP connections from one address.
    max_connections_per_source: Annotated[int, Meta(ge=1)] = 512
    # Seconds a challenge waits for its answer.
    challenge_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    # Whether records may be changed over the protocol at all.
    writable: bool = True
    # Keys that administer this node (home prefixes, act on every name), as "index:handle".
    server_admins: tuple[str, ...] = ()
    # Whether HTTP writes are taken without TLS from other machines (never on an open net).
    plain_http_writes: bool = False
    # Where names of other nodes are looked up: HOST:PORT, or a JSON file with the root's record.
    root: str = ""
    # Share the ports with other resolver processes of this machine (SO_REUSEPORT).
    reuse_port: bool = False
