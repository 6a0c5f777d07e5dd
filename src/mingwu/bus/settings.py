"""Settings of the bus: where the client connects, what the streams may hold, how the child runs.

``BusSettings`` is what every role needs; ``ServerSettings`` only concerns whoever starts the
nats-server child. With an external cluster only the first is used (``urls`` names it).
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

MIB = 1024 * 1024


class Sync(StrEnum):
    """What an acknowledgement of the bus means when the power fails.

    ``power-safe``: every acknowledged message is on the disk. ``throughput``: it is in the hands
    of the operating system, which survives kill -9, but the last two minutes may go with the
    power; this holds for all streams of the server (docs/adr: the server knows no third way).
    """

    POWER_SAFE = "power-safe"
    THROUGHPUT = "throughput"


class StreamLimits(Settings, frozen=True, kw_only=True):
    """What one stream may hold. Reaching a limit is an error for the publisher, never a silent
    loss, unless the stream is declared to forget its oldest messages.
    """

    # Largest size on disk, MiB.
    max_mib: Annotated[int, Meta(ge=1)] = 256
    # Messages older than this are forgotten, seconds.
    max_age_s: Annotated[float, Meta(gt=0)] = 30 * 86_400.0
    # Copies in a cluster; 1 on a single machine.
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1


class StreamsSettings(Settings, frozen=True, kw_only=True):
    """Limits of the four streams of the house."""

    # Points on their way to the history. Kept until the history has acknowledged them.
    telemetry: StreamLimits = StreamLimits(max_mib=4096, max_age_s=7 * 86_400.0)
    # Things that happened: devices lost and back, buffers thinned, values written.
    event: StreamLimits = StreamLimits(max_mib=256, max_age_s=90 * 86_400.0)
    # Requests to write values to devices, as they were sent.
    command: StreamLimits = StreamLimits(max_mib=128, max_age_s=365 * 86_400.0)
    # Audit records on their way to the journal.
    audit: StreamLimits = StreamLimits(max_mib=256, max_age_s=365 * 86_400.0)


class BusSettings(Settings, frozen=True, kw_only=True):
    """How a role reaches the bus."""

    # Servers to try, in any order, e.g. "nats://127.0.0.1:4222" or "tls://bus.example:4222".
    urls: Annotated[tuple[str, ...], Meta(min_length=1)] = ("nats://127.0.0.1:4222",)
    # User name; empty for a bus without users.
    user: str = ""
    # Password of the user; node fills it in from its secrets.
    password: str = ""
    # File with the certificate authority of a tls:// bus; empty for the machine's own list.
    tls_ca: str = ""
    # How long opening may wait for a bus that is not up yet, seconds.
    connect_wait_s: Annotated[float, Meta(gt=0)] = 20.0
    # First pause between two attempts to reconnect, seconds; doubles up to the next setting.
    reconnect_min_s: Annotated[float, Meta(gt=0)] = 0.1
    # Longest pause between two attempts to reconnect, seconds.
    reconnect_max_s: Annotated[float, Meta(gt=0)] = 3.0
    # A message not acknowledged after this time counts as failed and may be sent again, seconds.
    ack_timeout_s: Annotated[float, Meta(gt=0)] = 5.0
    # The server forgets after this time that it has seen a message, seconds.
    duplicate_window_s: Annotated[float, Meta(gt=0)] = 120.0
    # Whether opening creates missing streams and brings their limits up to date.
    manage_streams: bool = True
    # Durable consumers of the telemetry; a point is kept until all of them acknowledged it.
    telemetry_consumers: tuple[str, ...] = ("history",)
    # Limits of the streams.
    streams: StreamsSettings = StreamsSettings()


class BusUser(Settings, frozen=True, kw_only=True):
    """A user of the bus besides the platform itself, e.g. for MQTT devices."""

    # User name.
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    # Password; node fills it in from its secrets.
    password: Annotated[str, Meta(min_length=1)]
    # Subjects the user may publish to; empty means none.
    publish: tuple[str, ...] = ()
    # Subjects the user may subscribe to; empty means none.
    subscribe: tuple[str, ...] = ()


class ServerSettings(Settings, frozen=True, kw_only=True):
    """The nats-server child process."""

    # Directory that the child owns: configuration, streams, log.
    directory: Annotated[str, Meta(min_length=1)]
    # Address to listen at; anything but loopback needs a firewall or TLS in front.
    host: str = "127.0.0.1"
    # TCP port for clients; 0 takes a free one.
    port: Annotated[int, Meta(ge=0, le=65535)] = 4222
    # TCP port of the MQTT 3.1.1 listener; 0 for no listener.
    mqtt_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    # PEM file (absolute path) with the certificate chain of the MQTT listener, which then speaks
    # TLS only.
    mqtt_tls_cert: str = ""
    # PEM file (absolute path) with the key of that certificate.
    mqtt_tls_key: str = ""
    # Name of the server; must be unique in a cluster.
    name: str = "mingwu-bus"
    # User of the platform itself.
    user: str = "mingwu"
    # Password of that user; node fills it in from its secrets.
    password: Annotated[str, Meta(min_length=1)]
    # Further users.
    users: tuple[BusUser, ...] = ()
    # What an acknowledgement means when the power fails.
    sync: Sync = Sync.POWER_SAFE
    # Space all streams together may take on disk, MiB.
    max_file_mib: Annotated[int, Meta(ge=16)] = 8192
    # Memory that memory streams may take, MiB.
    max_memory_mib: Annotated[int, Meta(ge=1)] = 64
    # Largest message, bytes.
    max_payload_bytes: Annotated[int, Meta(ge=65_536, le=64 * MIB)] = 8 * MIB
    # Program to start; empty finds the one installed with Mingwu.
    binary: str = ""
    # How long the server may take to be ready, seconds.
    ready_wait_s: Annotated[float, Meta(gt=0)] = 20.0
