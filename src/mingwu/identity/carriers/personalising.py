"""Personalising a carrier: key, certificate and profile into it, and what the platform is told.

The key is made in the carrier's store; only its public half comes out, and the certificate says
where it was seen being made. A personalising that was cut is done anew: whatever it left behind is
in no profile. A carrier that is personalised is opened as it is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.keystore import CarrierKey, SealedKey, open_key
from mingwu.identity.carriers.keyuri import KeyUri
from mingwu.identity.carriers.profile import Profile, ProfileFile
from mingwu.identity.carriers.secrecy import CarrierSecret
from mingwu.identity.carriers.settings import BearerKind
from mingwu.identity.carriers.setup import PLATFORM
from mingwu.identity.carriers.tokens import Token, pin_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError
from mingwu.trust.keys import Algorithm
from mingwu.trust.secrets import load_or_create

_DAY_S, _YEAR_S = 86_400, 365 * 86_400


class KeyMaker(Protocol):
    """Makes a carrier's key where it will stay."""

    def make(
        self, directory: Path, serial: str, secret: bytes, algorithm: Algorithm
    ) -> tuple[CarrierKey, str]:
        """A new key and its handle; what a cut personalising left behind is replaced."""
        ...


class SealedFiles:
    """Keys in sealed files beside the profiles."""

    def make(
        self, directory: Path, serial: str, secret: bytes, algorithm: Algorithm
    ) -> tuple[CarrierKey, str]:
        """See :class:`KeyMaker`."""
        del serial
        path = directory / "key.mws"
        path.unlink(missing_ok=True)
        return SealedKey.create(path, secret, algorithm), path.name


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """Keys in one PKCS#11 token, named after the serial numbers; ``pin_file`` is absolute."""

    module: str
    token: str
    pin_file: Path

    def make(
        self, directory: Path, serial: str, secret: bytes, algorithm: Algorithm
    ) -> tuple[CarrierKey, str]:
        """See :class:`KeyMaker`."""
        del directory, secret
        if algorithm is not Algorithm.P256:
            fault = Phrase(
                f"{algorithm} keys are not made in tokens", f"安全芯片中不生成 {algorithm} 密钥"
            )
            raise ConfigError("carriers.token-key", token=self.token, key=serial, fault=fault)
        token = Token(self.module, self.token, lambda: pin_of(self.pin_file))
        token.forget(serial)
        uri = KeyUri(token=self.token, key=serial, module=self.module, pin_file=str(self.pin_file))
        return token.make(serial), str(uri)


@dataclass(frozen=True, slots=True)
class Opened:
    """A personalised carrier; ``oscore_secret`` is what the platform is told of one on CoAP."""

    profile: Profile
    key: CarrierKey
    device_secret: bytes
    oscore_secret: bytes


def opened(directory: Path) -> Opened:
    """The carrier in ``directory``.

    Raises ConfigError ``carriers.bad-profile``, ``carriers.bad-key``, ``carriers.token-…``.
    """
    profile = ProfileFile(directory / "profile.mwp").load()
    secret = load_or_create(directory, "seal.bin")
    on_coap = profile.bearer == BearerKind.COAP.value
    shared = CarrierSecret(directory, secret).master if on_coap else b""
    return Opened(profile, open_key(directory, profile.key_handle, secret), secret, shared)


@dataclass(frozen=True, slots=True)
class Personaliser:
    """Personalises carriers for a platform at ``address`` with certificates of ``authority``."""

    authority: Authority
    address: str
    prefix: str
    now_s: int
    years: float
    bearer: str
    keys: KeyMaker

    def open(
        self,
        directory: Path,
        serial: str,
        *,
        form: str = "module",
        simulated: bool = False,
        algorithm: Algorithm = Algorithm.P256,
    ) -> Opened:
        """Personalise the carrier in ``directory`` once; later calls open it as it is."""
        secret = load_or_create(directory, "seal.bin")
        file = ProfileFile(directory / "profile.mwp")
        if not file.path.exists():
            key, handle = self.keys.make(directory, serial, secret, algorithm)
            if self.bearer == BearerKind.COAP.value:
                CarrierSecret.create(directory, secret)
            file.save(self._profile(serial, key, handle, form, simulated=simulated))
        return opened(directory)

    def _profile(
        self, serial: str, key: CarrierKey, handle: str, form: str, *, simulated: bool
    ) -> Profile:
        end_s = self.now_s + int(self.years * _YEAR_S)
        certificate = self.authority.issue(
            serial, key.public(), start_s=self.now_s - _DAY_S, end_s=end_s,
            protection=key.protection,
        )  # fmt: skip
        return Profile(
            serial=serial,
            form=form,
            bearer=self.bearer,
            prefix=self.prefix,
            key_handle=handle,
            certificate=certificate,
            platform=PLATFORM,
            address=self.address,
            anchors=(self.authority.certificate,),
            simulated=simulated,
            protection=key.protection,
        )
