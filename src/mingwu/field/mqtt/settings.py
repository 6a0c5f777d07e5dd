"""Settings of a device that publishes over MQTT."""

from typing import Annotated

from msgspec import Meta

from mingwu.calc.convert import TimeFormat
from mingwu.kernel.settings import Settings


class MqttSettings(Settings, frozen=True, kw_only=True):
    """One broker connection and how to read what comes over it."""

    host: str = "127.0.0.1"
    """Name or address of the broker."""

    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    """TCP port of the broker (8883 is usual with TLS)."""

    user: str = ""
    """User name; empty = none."""

    password: str = ""
    """Password; needs a user."""

    tls: bool = False
    """Encrypt the connection and verify the broker's certificate."""

    ca_file: str = ""
    """PEM file of the authority that signed the broker's certificate; empty = the system's."""

    certificate: str = ""
    """PEM file of our own certificate, for brokers that ask for one."""

    private_key: str = ""
    """PEM file of our certificate's key."""

    client_id: str = ""
    """Client identifier; empty = a new one at every start. Must be unique on the broker."""

    qos: Annotated[int, Meta(ge=0, le=1)] = 1
    """Quality of service asked for: 0 at most once, 1 at least once."""

    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 15
    """Ping interval; a broker silent for two of them is lost."""

    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 5000
    """How long connecting and subscribing may take."""

    time_field: str = ""
    """Path of the time in the payload, e.g. ``ts`` or ``head.time``; empty = time of arrival."""

    time_format: TimeFormat = TimeFormat.AUTO
    """Format of ``time_field``; ``auto`` tells numbers by their size."""

    partial: bool = False
    """Payloads may leave fields out (unchanged). Else a missing field is a bad point."""

    max_payload_bytes: Annotated[int, Meta(ge=1, le=64 * 1024 * 1024)] = 1024 * 1024
    """Larger messages count as malformed."""
