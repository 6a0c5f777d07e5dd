"""A carrier's way to its platform: the bearer that its profile names, opened."""

import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers.bearers import Bearer, HttpsBearer
from mingwu.identity.carriers.secrecy import CarrierSecret
from mingwu.identity.carriers.settings import BearerKind, CoapBearerSettings, MqttBearerSettings
from mingwu.kernel.errors import ConfigError

_PORTS = {"mqtt": 1883, "mqtts": 8883, "coap": 5683}
_KINDS = {
    "https": BearerKind.HTTPS,
    "http": BearerKind.HTTPS,
    "mqtt": BearerKind.MQTT,
    "mqtts": BearerKind.MQTT,
    "coap": BearerKind.COAP,
}


class OpenBearer(Bearer, Protocol):
    """A bearer with a connection of its own."""

    async def close(self) -> None: ...


class Ways(msgspec.Struct, frozen=True):
    """How the platform is reached by each bearer; ``tls_ca`` is for HTTPS, empty: the system's."""

    kind: BearerKind
    https: str = ""
    tls_ca: str = ""
    mqtt: MqttBearerSettings = MqttBearerSettings()
    coap: CoapBearerSettings = CoapBearerSettings()

    @classmethod
    def of(cls, address: str, *, tls_ca: str = "", user: str = "", password: str = "") -> "Ways":
        """From an address: https://…, mqtt://…, mqtts://… (with TLS), coap://….

        Raises ConfigError ``carriers.bad-address``.
        """
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise ConfigError("carriers.bad-address", address=address) from error
        kind = _KINDS.get(parts.scheme)
        if kind is None or not host:
            raise ConfigError("carriers.bad-address", address=address)
        if kind is BearerKind.MQTT:
            secure = parts.scheme == "mqtts"
            mqtt = MqttBearerSettings(
                host=host, port=port, user=user, password=password, tls=secure, tls_ca=tls_ca
            )
            return cls(kind, mqtt=mqtt)
        if kind is BearerKind.COAP:
            return cls(kind, coap=CoapBearerSettings(host=host, port=port))
        return cls(kind, https=address, tls_ca=tls_ca)

    def open(self, serial: str, directory: Path, device_secret: bytes) -> OpenBearer:
        """The bearer of a carrier in ``directory``; connects when it has to.

        Raises ConfigError ``carriers.no-coap``, ``carriers.bad-key``; OSError of ``tls_ca``.
        """
        if self.kind is BearerKind.MQTT:
            from mingwu.identity.carriers.mqtt import MqttBearer

            return MqttBearer(self.mqtt, serial)
        if self.kind is BearerKind.HTTPS:
            tls = ssl.create_default_context(cafile=self.tls_ca or None)
            return HttpsBearer(self.https, tls=tls)
        try:
            from mingwu.identity.carriers.coap import CoapBearer
        except ImportError as error:
            raise ConfigError("carriers.no-coap") from error
        return CoapBearer(self.coap, serial, CarrierSecret(directory, device_secret))
