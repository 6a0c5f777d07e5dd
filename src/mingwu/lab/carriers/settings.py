"""Settings of the simulated carriers (S2): how many, whose platform, what goes wrong when."""

from typing import Annotated

from msgspec import Meta

from mingwu.identity.carriers.settings import (
    BearerKind,
    CoapBearerSettings,
    MqttBearerSettings,
)
from mingwu.kernel.settings import Settings


class CarrierLabSettings(Settings, frozen=True, kw_only=True):
    """Moulds of 模通 at three moulders, each with the reference agent."""

    # Folder of the carriers' profiles, sealed keys and buffers.
    directory: str = "lab/carriers"
    # What carries the reports: https, mqtt or coap.
    bearer: BearerKind = BearerKind.HTTPS
    # The broker, for mqtt.
    mqtt: MqttBearerSettings = MqttBearerSettings()
    # The platform's CoAP port, for coap.
    coap: CoapBearerSettings = CoapBearerSettings()
    # Base address of the platform's HTTPS bearer.
    platform: str = "https://127.0.0.1:8443"
    # PEM file with the authorities of the platform's TLS; empty takes the system's.
    tls_ca: str = ""
    # Folder with the platform's identity; the demo's authority issues the carriers' certificates.
    authority: str = "var/secrets"
    # Prefix of the identifiers; 88.888.102 lies in the demonstration space.
    prefix: str = "88.888.102"
    # Library of the PKCS#11 token that makes and keeps the keys, e.g. libsofthsm2.so or
    # libtpm2_pkcs11.so.1; empty keeps them in sealed files, which is weaker.
    token_module: str = ""
    # Label of that token.
    token: str = "mingwu-carriers"  # noqa: S105 — a label
    # File with the token's user PIN, mode 600.
    token_pin_file: str = "lab/carriers/token.pin"  # noqa: S105 — a path
    # How many moulds are lent.
    moulds: Annotated[int, Meta(ge=1, le=10_000)] = 24
    # Seconds between two reports of a carrier.
    period_s: Annotated[float, Meta(gt=0)] = 10.0
    # Seconds of the moulds' life that pass in one second.
    speed: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    # Seed of all random streams.
    seed: int = 1
    # Seconds after the start when the first mould is carried away while it works; 0 for never.
    stray_after_s: Annotated[float, Meta(ge=0)] = 0.0
    # Seconds after the start when somebody tries a copy of the second carrier; 0 for never.
    clone_after_s: Annotated[float, Meta(ge=0)] = 0.0
