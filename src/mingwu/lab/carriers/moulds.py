"""Injection moulds at work: shots, cavity temperature, vibration, position.

A mould makes a shot per cycle; its cavity warms toward the set point with a time constant of some
minutes; vibration follows the machine. Parameter sets (S2: "r12") change set point and limits.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from mingwu.identity.carriers.model import Fence

_AMBIENT_C = 24.0
_WARMING_S = 240.0
_METRES_PER_DEGREE = 111_195.0
_LEAST_SET_C, _MOST_SET_C = 20.0, 180.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a carrier measures: unit (UCUM, empty for a text) and what people call it."""

    unit: str
    zh: str
    en: str


READINGS = {
    "shots": Reading("1", "模次", "Shots"),
    "latitude": Reading("deg", "纬度", "Latitude"),
    "longitude": Reading("deg", "经度", "Longitude"),
    "cavity_temperature": Reading("Cel", "型腔温度", "Cavity temperature"),
    "vibration_rms": Reading("mm/s", "振动速度有效值", "Vibration velocity (rms)"),
    "parameter_set": Reading("", "工艺参数组", "Parameter set"),
}


@dataclass(frozen=True, slots=True)
class Moulder:
    """Who borrowed moulds, and where the shop is (WGS 84)."""

    name: str
    latitude: float
    longitude: float
    radius_m: float = 300.0

    @property
    def fence(self) -> Fence:
        return Fence(self.latitude, self.longitude, self.radius_m)


MOULDERS = (
    Moulder("华塑注塑（模拟）", 30.2741, 120.1551),
    Moulder("江宁精密注塑（模拟）", 31.9522, 118.8399),
    Moulder("嘉禾塑业（模拟）", 30.7469, 120.7555),
)


@dataclass(slots=True)
class Mould:
    """One mould; :meth:`step` moves it in time, :meth:`readings` is what its carrier measures."""

    number: int
    moulder: Moulder
    random: random.Random
    cycle_s: float = 32.0
    set_point_c: float = 62.0
    shots: float = 0.0
    cavity_c: float = _AMBIENT_C
    works: bool = True
    east_m: float = 0.0
    north_m: float = 0.0
    parameter_set: str = field(default="factory")

    def step(self, seconds: float) -> None:
        """Go on by ``seconds``."""
        goal = self.set_point_c if self.works else _AMBIENT_C
        self.cavity_c += (goal - self.cavity_c) * (1 - math.exp(-seconds / _WARMING_S))
        if self.works:
            self.shots += seconds / self.cycle_s

    def carry_away(self, metres: float) -> None:
        """Move the mould north, out of its moulder's shop."""
        self.north_m += metres

    def apply(self, parameters: Mapping[str, float | str]) -> str:
        """Take a parameter set; the fault, or an empty text."""
        wanted = parameters.get("set_point", self.set_point_c)
        if isinstance(wanted, str) or not _LEAST_SET_C <= wanted <= _MOST_SET_C:
            return f"set_point: {_LEAST_SET_C:g}–{_MOST_SET_C:g} °C"
        self.set_point_c = float(wanted)
        self.parameter_set = str(parameters.get("name", self.parameter_set))
        return ""

    def readings(self) -> dict[str, float | str]:
        """Shots (1), position (degrees), cavity temperature (°C), vibration (mm/s rms)."""
        noise = self.random.gauss
        north = (self.north_m + noise(0, 3)) / _METRES_PER_DEGREE
        east = (self.east_m + noise(0, 3)) / _METRES_PER_DEGREE
        base = 1.9 if self.works else 0.2
        return {
            "shots": float(math.floor(self.shots)),
            "latitude": round(self.moulder.latitude + north, 6),
            "longitude": round(
                self.moulder.longitude + east / math.cos(math.radians(self.moulder.latitude)), 6
            ),
            "cavity_temperature": round(self.cavity_c + noise(0, 0.3), 2),
            "vibration_rms": round(max(0.0, base + noise(0, 0.1)), 3),
            "parameter_set": self.parameter_set,
        }


def moulds(count: int, seed: int) -> list[Mould]:
    """``count`` moulds, spread over the moulders, the same for the same seed."""
    made = []
    for number in range(1, count + 1):
        noise = random.Random(f"{seed}-{number}")
        made.append(
            Mould(
                number,
                MOULDERS[number % len(MOULDERS)],
                noise,
                cycle_s=noise.uniform(24, 40),
                shots=float(noise.randrange(20_000, 90_000)),
            )
        )
    return made
