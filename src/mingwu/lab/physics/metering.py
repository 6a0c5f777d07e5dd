"""A three-phase energy meter fed by the active power of what hangs behind it.

Voltage follows the mains' daily pattern and sags with load, the power factor improves with load,
currents follow from both; energy integrates. Phases carry slightly unequal shares.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from mingwu.lab.physics.laws import Readings, generator, lag, mains_v

PHASES = (1, 2, 3)
_SHARES = (0.340, 0.329, 0.331)


@dataclass
class EnergyMeter:
    """One meter; ``load_kw`` gives the active power behind it, ``rated_kw`` scales sag and PF."""

    name: str
    seed: int
    time_s: float
    rated_kw: float
    load_kw: Callable[[], float]
    power_kw: float = 0.0
    energy_kwh: float = 0.0
    reactive_kvarh: float = 0.0
    demand_kw: float = 0.0
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.energy_kwh = self.random.uniform(20_000, 900_000)
        self.reactive_kvarh = 0.4 * self.energy_kwh
        self.power_kw = self.demand_kw = self.load_kw()

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s)."""
        self.time_s += dt_s
        self.power_kw = max(0.0, self.load_kw()) + 0.02
        self.demand_kw = lag(self.demand_kw, self.power_kw, 450.0, dt_s)
        self.energy_kwh += self.power_kw * dt_s / 3600

    def refresh(self) -> None:
        """Fill the readings from the power of the last step."""
        out, noise = self.readings, self.random.gauss
        use = min(1.2, self.power_kw / self.rated_kw)
        factor = min(0.99, 0.55 + 0.42 * math.sqrt(use))
        volts = mains_v(self.time_s) - 2.2 * use
        kvar = self.power_kw * math.tan(math.acos(factor))
        self.reactive_kvarh += kvar / 3600
        for phase, share in zip(PHASES, _SHARES, strict=True):
            voltage = volts + 0.4 * phase + noise(0, 0.08)
            active = self.power_kw * share
            out[f"voltage_{phase}"] = voltage
            out[f"current_{phase}"] = active * 1000 / (voltage * factor)
            out[f"active_power_{phase}"] = active
            out[f"power_factor_{phase}"] = factor - 0.004 * phase
        out["active_power"] = self.power_kw
        out["reactive_power"] = kvar
        out["apparent_power"] = math.hypot(self.power_kw, kvar)
        out["power_factor"] = factor
        out["frequency"] = 50.0 + noise(0, 0.01)
        out["active_energy"] = self.energy_kwh
        out["reactive_energy"] = self.reactive_kvarh
        out["demand"] = self.demand_kw
