"""The carrier factory of the lab: key, certificate and profile into the carrier, and what the
platform is told about it. The key is made in the carrier's store; only its public half comes out.
"""

from dataclasses import dataclass
from pathlib import Path

from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.keystore import SealedKey
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.profile import Profile, ProfileFile
from mingwu.identity.carriers.setup import PLATFORM
from mingwu.lab.carriers.moulds import Mould
from mingwu.trust.keys import Algorithm
from mingwu.trust.secrets import load_or_create

_DAY_S, _YEAR_S = 86_400, 365 * 86_400
OWNER = "模通模具（模拟）"


def serial_of(mould: Mould) -> str:
    """The serial number of a mould's carrier."""
    return f"MWC-{mould.number:06d}"


@dataclass(frozen=True, slots=True)
class Factory:
    """Personalises carriers for a platform at ``address`` with certificates of ``authority``."""

    authority: Authority
    address: str
    prefix: str
    now_s: int
    years: float = 5

    def open(
        self, directory: Path, mould: Mould, algorithm: Algorithm = Algorithm.P256
    ) -> tuple[SealedKey, NewUnit]:
        """Personalise the carrier in ``directory`` once; later calls open it as it is."""
        secret = load_or_create(directory, "seal.bin")
        path = directory / "key.mws"
        file = ProfileFile(directory / "profile.mwp")
        if not file.path.exists():
            path.unlink(missing_ok=True)  # a personalising that was cut: its key is in no profile
            self._make(SealedKey.create(path, secret, algorithm), file, mould)
        key = SealedKey.load(path, secret)
        return key, self._unit(file.load(), mould)

    def _make(self, key: SealedKey, file: ProfileFile, mould: Mould) -> None:
        serial = serial_of(mould)
        end_s = self.now_s + int(self.years * _YEAR_S)
        certificate = self.authority.issue(
            serial, key.public(), start_s=self.now_s - _DAY_S, end_s=end_s
        )
        file.save(
            Profile(
                serial=serial,
                form="module",
                bearer="https",
                prefix=self.prefix,
                key_handle="key.mws",
                certificate=certificate,
                platform=PLATFORM,
                address=self.address,
                anchors=(self.authority.certificate,),
                simulated=True,
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
