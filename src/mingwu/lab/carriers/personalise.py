"""The carrier factory of the lab: key, certificate and profile into the carrier, and what the
platform is told about it. The key is made in the carrier's store; only its public half comes out,
and the certificate says where the factory saw it being made.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.keystore import CarrierKey, SealedKey, open_key
from mingwu.identity.carriers.keyuri import KeyUri
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.profile import Profile, ProfileFile
from mingwu.identity.carriers.secrecy import CarrierSecret
from mingwu.identity.carriers.settings import BearerKind
from mingwu.identity.carriers.setup import PLATFORM
from mingwu.identity.carriers.tokens import Token, pin_of
from mingwu.kernel.errors import ConfigError
from mingwu.lab.carriers.moulds import Mould
from mingwu.trust.keys import Algorithm
from mingwu.trust.secrets import load_or_create

_DAY_S, _YEAR_S = 86_400, 365 * 86_400
OWNER = "模通模具（模拟）"
COAP = BearerKind.COAP.value


def serial_of(mould: Mould) -> str:
    """The serial number of a mould's carrier."""
    return f"MWC-{mould.number:06d}"


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
            fault = f"{algorithm} keys are not made in tokens"
            raise ConfigError("carriers.token-key", token=self.token, key=serial, fault=fault)
        token = Token(self.module, self.token, lambda: pin_of(self.pin_file))
        token.forget(serial)
        uri = KeyUri(token=self.token, key=serial, module=self.module, pin_file=str(self.pin_file))
        return token.make(serial), str(uri)


@dataclass(frozen=True, slots=True)
class Factory:
    """Personalises carriers for a platform at ``address`` with certificates of ``authority``."""

    authority: Authority
    address: str
    prefix: str
    now_s: int
    years: float = 5
    bearer: str = "https"
    keys: KeyMaker = SealedFiles()  # noqa: RUF009 — it has no state

    def open(
        self, directory: Path, mould: Mould, algorithm: Algorithm = Algorithm.P256
    ) -> tuple[CarrierKey, NewUnit]:
        """Personalise the carrier in ``directory`` once; later calls open it as it is."""
        secret = load_or_create(directory, "seal.bin")
        file = ProfileFile(directory / "profile.mwp")
        if not file.path.exists():
            key, handle = self.keys.make(directory, serial_of(mould), secret, algorithm)
            if self.bearer == COAP:
                CarrierSecret.create(directory, secret)
            self._make(key, handle, file, mould)
        profile = file.load()
        shared = CarrierSecret(directory, secret).master if profile.bearer == COAP else b""
        unit = replace(self._unit(profile, mould), oscore_secret=shared)
        return open_key(directory, profile.key_handle, secret), unit

    def _make(self, key: CarrierKey, handle: str, file: ProfileFile, mould: Mould) -> None:
        serial = serial_of(mould)
        end_s = self.now_s + int(self.years * _YEAR_S)
        certificate = self.authority.issue(
            serial, key.public(), start_s=self.now_s - _DAY_S, end_s=end_s,
            protection=key.protection,
        )  # fmt: skip
        file.save(
            Profile(
                serial=serial,
                form="module",
                bearer=self.bearer,
                prefix=self.prefix,
                key_handle=handle,
                certificate=certificate,
                platform=PLATFORM,
                address=self.address,
                anchors=(self.authority.certificate,),
                simulated=True,
                protection=key.protection,
            )
        )

    def _unit(self, profile: Profile, mould: Mould) -> NewUnit:
        return NewUnit(
            serial=profile.serial,
            certificate=profile.certificate,
            prefix=profile.prefix,
            suffix=f"MLD.M{mould.number:04d}",
            form=profile.form,
            bearer=profile.bearer,
            owner=OWNER,
            holder=mould.moulder.name,
            attributes={
                "DESC.zh": f"外借模具 M{mould.number:04d}（模拟）",
                "DESC.en": f"Lent mould M{mould.number:04d} (simulated)",
                "MW.SIMULATED": "true",
            },
            fence=mould.moulder.fence,
            simulated=True,
        )
