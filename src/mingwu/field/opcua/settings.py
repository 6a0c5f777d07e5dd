"""Settings of one OPC UA device: where it is, how the channel is protected, how it is watched.

Invariant: a protected channel names a certificate and its key; a password needs a user.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class Policy(StrEnum):
    """Security policies (OPC 10000-7) this driver offers; the deprecated ones are left out."""

    NONE = "none"
    BASIC256SHA256 = "Basic256Sha256"
    AES128 = "Aes128_Sha256_RsaOaep"
    AES256 = "Aes256_Sha256_RsaPss"


class Protection(StrEnum):
    """Message security mode of a channel whose policy is not ``none``."""

    SIGN = "sign"
    ENCRYPT = "sign_and_encrypt"


class Mode(StrEnum):
    """Whether the server pushes changes or the gateway polls."""

    SUBSCRIBE = "subscribe"
    POLL = "poll"


class OpcuaSettings(Settings, frozen=True, kw_only=True):
    """One session with one server."""

    # Endpoint URL without credentials, e.g. opc.tcp://192.168.0.10:4840.
    endpoint: Annotated[
        str, Meta(pattern=r"^opc\.tcp://(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+):\d{1,5}(/\S*)?$")
    ]
    # Security policy of the channel.
    policy: Policy = Policy.NONE
    # Sign only, or sign and encrypt; meaningless with policy none.
    protection: Protection = Protection.ENCRYPT
    # Own application certificate (.der or .pem), needed by every policy but none.
    certificate: str = ""
    # Private key of that certificate (.der or .pem, without a password).
    private_key: str = ""
    # Certificate the server must show (.der or .pem); empty accepts what the endpoint offers.
    server_certificate: str = ""
    # Application URI; empty takes the one in the certificate, else urn:mingwu:gateway.
    application_uri: str = ""
    # User name; empty logs in anonymously.
    user: str = ""
    # Password of the user.
    password: str = ""
    # Answer time of one request, ms; beyond it the device counts as lost.
    timeout_ms: Annotated[int, Meta(ge=50, le=120_000)] = 4000
    # Subscribe to changes, or be polled every period of the tag.
    mode: Mode = Mode.SUBSCRIBE
    # Publishing interval of subscriptions, ms; 0 takes the shortest period of the tags.
    publishing_interval_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 0
    # A silent server must send a keep-alive at least this often, ms; lost after 2.5 times that.
    keepalive_ms: Annotated[int, Meta(ge=100, le=60_000)] = 2000
    # Lost when the server's own clock stands still for this long, ms; 0 does not watch it.
    heartbeat_ms: Annotated[int, Meta(ge=0, le=600_000)] = 10_000
    # Tags the server refused to monitor are offered again after this time, s.
    retry_refused_s: Annotated[float, Meta(gt=0, le=86_400)] = 30.0
    # Limits and workarounds by name (server_profiles.toml); auto matches the server's own name.
    profile: str = "auto"
    # Nodes in one Read request; 0 takes the smallest of profile and server limit.
    nodes_per_read: Annotated[int, Meta(ge=0, le=100_000)] = 0
    # Read requests on their way at the same time; 0 takes the profile's.
    in_flight: Annotated[int, Meta(ge=0, le=32)] = 0
    # Session timeout asked for, s; idle sessions are kept alive within it.
    session_timeout_s: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    # Life of the channel's keys, s; they are renewed after three quarters of it.
    channel_lifetime_s: Annotated[float, Meta(ge=10, le=86_400)] = 3600.0

    def __post_init__(self) -> None:
        if self.policy is not Policy.NONE and not (self.certificate and self.private_key):
            raise ValueError(f"policy {self.policy} needs `certificate` and `private_key`")
        if self.password and not self.user:
            raise ValueError("`password` without `user`")
        if not 0 < int(self.netloc.rpartition(":")[2]) <= 65535:  # noqa: PLR2004 — TCP ports
            raise ValueError("the port of `endpoint` must be 1 to 65535")

    @property
    def netloc(self) -> str:
        """Host and port: the physical line."""
        return self.endpoint.removeprefix("opc.tcp://").partition("/")[0]
