"""The carrier factory of the lab: personalises the moulds' carriers, and says what the platform is
told about them.
"""

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.keystore import CarrierKey
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.personalising import KeyMaker, Personaliser, SealedFiles
from mingwu.identity.carriers.profile import Profile
from mingwu.identity.carriers.registrar import NAME_OF, UNIT_OF
from mingwu.lab.carriers.moulds import READINGS, Mould
from mingwu.trust.keys import Algorithm

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
    bearer: str = "https"
    keys: KeyMaker = SealedFiles()  # noqa: RUF009 — it has no state

    def open(
        self, directory: Path, mould: Mould, algorithm: Algorithm = Algorithm.P256
    ) -> tuple[CarrierKey, NewUnit]:
        """Personalise the carrier in ``directory`` once; later calls open it as it is."""
        personaliser = Personaliser(
            self.authority, self.address, self.prefix, self.now_s, self.years, self.bearer,
            self.keys,
        )  # fmt: skip
        made = personaliser.open(directory, serial_of(mould), simulated=True, algorithm=algorithm)
        unit = replace(self._unit(made.profile, mould), oscore_secret=made.oscore_secret)
        return made.key, unit

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
                **{f"{UNIT_OF}{key}": one.unit for key, one in READINGS.items() if one.unit},
                **{f"{NAME_OF['zh']}{key}": one.zh for key, one in READINGS.items()},
                **{f"{NAME_OF['en']}{key}": one.en for key, one in READINGS.items()},
            },
            fence=mould.moulder.fence,
            simulated=True,
        )
