"""Settings of the secure access platform for carriers. Defaults serve one plant on one machine."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings
from mingwu.store.settings import StoreSettings


class BearerKind(StrEnum):
    """What carries frames between carriers and platform."""

    HTTPS = "https"
    MQTT = "mqtt"
    COAP = "coap"


class CarrierSettings(Settings, frozen=True, kw_only=True):
    """What the platform accepts from carriers, and for how long it believes it."""

    # Where carriers, events and signed reports lie; commits wait for the disk.
    store: StoreSettings = StoreSettings(durable=True)
    # Bearers at work: https is a route of the web processes; mqtt needs a broker (the bus'
    # own MQTT listener, or the one that carriers_mqtt names); coap is a UDP port of its own.
    bearers: tuple[BearerKind, ...] = (BearerKind.HTTPS,)
    # Seconds a challenge waits for its answer.
    challenge_s: Annotated[float, Meta(gt=0)] = 30.0
    # Most seconds a carrier's clock may differ from ours.
    window_s: Annotated[float, Meta(gt=0)] = 120.0
    # Seconds after which the last report is too old for a discovery query.
    fresh_s: Annotated[float, Meta(gt=0)] = 300.0
    # Readings that only those are told whom the enterprise node granted them, and engineers (a
    # position, say); granted as items MW.LIVE.<reading>.
    unpublished_readings: tuple[str, ...] = ()
    # Most bytes of one message.
    frame_bytes: Annotated[int, Meta(ge=1024)] = 64 * 1024
    # Most challenges that wait for their answers at once.
    open_sessions: Annotated[int, Meta(ge=1)] = 20_000
    # Signed reports kept per carrier; those that prove an event stay for ever.
    keep_reports: Annotated[int, Meta(ge=1)] = 1000
    # Events of one carrier and cause within so many seconds are counted in one row.
    collapse_s: Annotated[float, Meta(ge=0)] = 60.0


class MqttBearerSettings(Settings, frozen=True, kw_only=True):
    """The broker between carriers and platform (MQTT 3.1.1), seen from either side."""

    # Host name or address of the broker.
    host: str = "127.0.0.1"
    # TCP port of its MQTT listener; 8883 is usual with TLS.
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    # User name; empty connects without one.
    user: str = ""
    # Password of that user.
    password: str = ""
    # Whether to use TLS; without it frames are protected by their signatures but not secret.
    tls: bool = False
    # PEM file with the authorities of the broker's certificate; empty takes the system's.
    tls_ca: str = ""
    # Seconds to wait for the broker, and for a reply.
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    # Seconds between two attempts of the platform to reach the broker.
    retry_s: Annotated[float, Meta(gt=0)] = 2.0
    # Most frames that wait for the platform; more are dropped, their carriers ask again.
    waiting: Annotated[int, Meta(ge=1)] = 2000
    # Frames the platform works on at once.
    workers: Annotated[int, Meta(ge=1, le=64)] = 4


class CoapSettings(Settings, frozen=True, kw_only=True):
    """The platform's CoAP port for carriers; only OSCORE-protected requests are answered."""

    # Address to listen at.
    host: str = "127.0.0.1"
    # UDP port; 5683 is CoAP's.
    port: Annotated[int, Meta(ge=1, le=65_535)] = 5683
    # Most datagrams of one source in a second; more are dropped, carriers repeat theirs.
    source_datagrams_per_s: Annotated[int, Meta(ge=1)] = 200
    # Most datagrams of all sources in a second: the port must not starve the pages beside it.
    datagrams_per_s: Annotated[int, Meta(ge=1)] = 2000
    # Seconds for which a frame that comes again gets the same reply.
    replies_s: Annotated[float, Meta(ge=1)] = 120.0
    # Seconds between two attempts to take a port that is not free.
    retry_s: Annotated[float, Meta(gt=0)] = 5.0


class CoapBearerSettings(Settings, frozen=True, kw_only=True):
    """The platform's CoAP port as a carrier reaches it."""

    # Host name or address of the platform.
    host: str = "127.0.0.1"
    # Its UDP port.
    port: Annotated[int, Meta(ge=1, le=65_535)] = 5683
    # Seconds before the first repetition of an unacknowledged message (RFC 7252: 2).
    ack_timeout_s: Annotated[float, Meta(gt=0)] = 2.0
    # Seconds to wait for a reply, with all repetitions and blocks.
    timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    # How often a frame is sent anew before the platform counts as unreachable.
    attempts: Annotated[int, Meta(ge=1, le=10)] = 2
