"""A 2,500 t cold-chamber die-casting cell: cycle, shot end, clamp, die temperature, porosity.

The cycle of 75 s runs through ten phases. The die is a set of zones, each first order: heat of
the melt comes in while the part solidifies, the oil circuits and the spray take it away. The
circuits' effectiveness belongs to the mould (scale in its bores), which is where the
die-temperature drift lives. Porosity (vol %) follows die temperature, intensification and vacuum.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from mingwu.lab.physics.laws import Readings, ambient_c, generator, lag, staffing

ZONES = 16  # thermocouples: 8 in the fixed half, 8 in the moving half
OIL_C = 170.0  # set point of the die's oil heating/cooling unit
DIE_TAU_S = 600.0
DIE_RISE_K = 30.0  # mean die temperature above the oil in steady production
SCRAP_POROSITY = 1.5  # vol %: above it the X-ray station rejects the casting
PLUNGER_STROKE_MM = 900.0


class Phase(IntEnum):
    """Phases of the cycle in their order."""

    CLOSING = 0
    DOSING = 1
    SLOW_SHOT = 2
    FAST_SHOT = 3
    INTENSIFICATION = 4
    SOLIDIFICATION = 5
    OPENING = 6
    EXTRACTION = 7
    SPRAYING = 8
    BLOWING = 9


PHASE_S = (5.0, 9.0, 1.8, 0.2, 6.0, 16.0, 5.0, 9.0, 15.0, 8.0)
CYCLE_S = sum(PHASE_S)
_HEATING_S = PHASE_S[Phase.INTENSIFICATION] + PHASE_S[Phase.SOLIDIFICATION]
_SPRAY_K_PER_S = 0.05


class State(IntEnum):
    """Operating state, the same numbers for every machine of the plant."""

    IDLE = 0
    RUN = 1
    ALARM = 2
    CHANGEOVER = 3


def porosity(die_c: float, intensification_mpa: float, vacuum_mbar: float) -> float:
    """Expected porosity in vol %: hot dies, weak intensification and poor vacuum all raise it."""
    hot = max(0.0, die_c - 200.0)
    cold = max(0.0, 185.0 - die_c)
    weak = max(0.0, 80.0 - intensification_mpa)
    leaky = max(0.0, vacuum_mbar - 80.0)
    return 0.55 + 0.0009 * hot * hot + 0.0005 * cold * cold + 0.02 * weak + 0.002 * leaky


@dataclass
class Mould:
    """A mould with its shot counter; ``drift_k_per_min`` is the fault (0 = healthy)."""

    number: int
    shots: int
    drift_k_per_min: float = 0.0
    extra_k: float = 0.0

    def step(self, dt_s: float) -> None:
        """Scale grows while drifting and is gone when the fault is taken away."""
        if self.drift_k_per_min:
            self.extra_k = min(self.extra_k + self.drift_k_per_min * dt_s / 60, 120.0)
        else:
            self.extra_k = 0.0

    @property
    def effectiveness(self) -> float:
        """Share of the healthy cooling left: the equilibrium lies ``extra_k`` higher."""
        return DIE_RISE_K / (DIE_RISE_K + self.extra_k)


@dataclass
class Shot:
    """What is known of a finished shot."""

    number: int = 0
    slow_m_s: float = 0.3
    fast_m_s: float = 4.5
    intensification_mpa: float = 88.0
    rise_ms: float = 22.0
    fill_ms: float = 92.0
    biscuit_mm: float = 38.0
    vacuum_mbar: float = 60.0
    clamp_kn: float = 24_500.0
    cycle_s: float = CYCLE_S
    die_c: float = 200.0
    dose_kg: float = 21.4
    porosity: float = 0.55
    good: bool = True


@dataclass
class Setpoints:
    """What the operator sets; the cell's holding registers write here."""

    slow_m_s: float = 0.30
    fast_m_s: float = 4.50
    intensification_mpa: float = 88.0
    oil_c: float = OIL_C
    melt_c: float = 660.0
    dose_kg: float = 21.4
    clamp_kn: float = 24_500.0


@dataclass
class DieCastingCell:
    """One cell; ``step`` every 0.1 s. Finished shots are handed to ``take_shots``."""

    name: str
    seed: int
    time_s: float
    mould: Mould
    set: Setpoints = field(default_factory=Setpoints)
    shot: Shot = field(default_factory=Shot)
    state: State = State.RUN
    phase: Phase = Phase.CLOSING
    phase_s: float = 0.0
    cycle_s: float = 0.0
    pause_s: float = 0.0
    position_mm: float = 0.0
    velocity_m_s: float = 0.0
    pressure_mpa: float = 0.0
    melt_c: float = 660.0
    oil_c: float = 45.0
    bath_kg: float = 2_400.0
    clamp_kn: float = 0.0
    vacuum_mbar: float = 1_013.0
    power_kw: float = 60.0
    good: int = 0
    scrap: int = 0
    hours: float = 12_480.0
    alarm: int = 0
    zones: list[float] = field(default_factory=list)
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.shot.number = self.mould.shots
        self._offsets = [self.random.uniform(-6.0, 6.0) for _ in range(ZONES)]
        self.zones = [OIL_C + DIE_RISE_K + offset for offset in self._offsets]
        self._finished: list[Shot] = []
        self._peak_mpa = 0.0
        self._peak_m_s = 0.0
        self._best_mbar = 60.0
        # Cells of one hall do not beat in step.
        self.phase = Phase(self.random.randrange(len(Phase)))

    @property
    def die_c(self) -> float:
        """Mean of the die's thermocouples in °C."""
        return sum(self.zones) / ZONES

    def take_shots(self) -> list[Shot]:
        """Shots finished since the last call."""
        shots, self._finished = self._finished, []
        return shots

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (0.1 s)."""
        self.time_s += dt_s
        self.mould.step(dt_s)
        if self.state is State.RUN:
            self._advance(dt_s)
        else:
            self._stand(dt_s)
        self._heat(dt_s)
        self._shot_end(dt_s)
        self._consume(dt_s)

    def _advance(self, dt_s: float) -> None:
        self.hours += dt_s / 3600
        self.cycle_s += dt_s
        self.phase_s += dt_s
        length = PHASE_S[self.phase]
        if self.phase is Phase.BLOWING:
            length /= staffing(self.time_s)  # the robot waits for somebody to empty the rack
        if self.phase_s + 1e-9 < length:
            return
        self.phase_s = 0.0
        if self.phase is Phase.BLOWING:
            self._finish()
            self.phase = Phase.CLOSING
        else:
            self.phase = Phase(self.phase + 1)
            if self.phase is Phase.FAST_SHOT:
                self._peak_mpa = self._peak_m_s = 0.0
                self._best_mbar = 1_013.0

    def _finish(self) -> None:
        """Close the cycle: fix the shot's record, now and then stop with an alarm."""
        noise = self.random.gauss
        self.mould.shots += 1
        pressure = self._peak_mpa or self.set.intensification_mpa
        vacuum = self._best_mbar
        grade = porosity(self.die_c, pressure, vacuum) + noise(0.0, 0.03)
        self.shot = Shot(
            number=self.mould.shots,
            slow_m_s=self.set.slow_m_s + noise(0, 0.004),
            fast_m_s=self._peak_m_s or self.set.fast_m_s,
            intensification_mpa=pressure,
            rise_ms=22.0 + noise(0, 0.8),
            fill_ms=92.0 * 4.5 / self.set.fast_m_s + noise(0, 1.2),
            biscuit_mm=38.0 + 12.0 * (self.shot.dose_kg - 21.4) + noise(0, 0.5),
            vacuum_mbar=vacuum,
            clamp_kn=self.set.clamp_kn + noise(0, 60),
            cycle_s=self.cycle_s,
            die_c=self.die_c,
            dose_kg=self.set.dose_kg + noise(0, 0.06),
            porosity=max(0.05, grade),
            good=grade <= SCRAP_POROSITY,
        )
        self.good += self.shot.good
        self.scrap += not self.shot.good
        self._finished.append(self.shot)
        self.cycle_s = 0.0
        if self.random.random() < 1 / 180:  # about one stop in four hours
            self.state, self.alarm = State.ALARM, self.random.choice((2103, 2217, 3305, 4102))
            self.pause_s = self.random.uniform(60, 240)

    def _stand(self, dt_s: float) -> None:
        self.pause_s -= dt_s
        if self.pause_s <= 0:
            self.state, self.alarm, self.phase, self.phase_s = State.RUN, 0, Phase.CLOSING, 0.0

    def _heat(self, dt_s: float) -> None:
        """Zones: melt heat in, oil circuits out; the mean over a cycle is OIL_C + DIE_RISE_K."""
        left = self.mould.effectiveness
        tau = DIE_TAU_S / left
        running = self.state is State.RUN
        melt = 0.0
        if running and self.phase in (Phase.INTENSIFICATION, Phase.SOLIDIFICATION):
            spray = _SPRAY_K_PER_S * PHASE_S[Phase.SPRAYING]
            melt = (DIE_RISE_K / DIE_TAU_S * CYCLE_S + spray) / _HEATING_S
        elif running and self.phase is Phase.SPRAYING:
            melt = -_SPRAY_K_PER_S
        melt *= 1 + (self.melt_c - 660.0) / 400
        oil, offsets, zones = self.set.oil_c, self._offsets, self.zones
        for zone in range(ZONES):
            zones[zone] = lag(zones[zone], oil + offsets[zone], tau, dt_s) + melt * dt_s
        heater = 3.0 * self.random.gauss(0.0, 1.0)
        self.melt_c = lag(self.melt_c, self.set.melt_c + heater, 120.0, dt_s)

    def _shot_end(self, dt_s: float) -> None:
        """Plunger, intensification, vacuum and clamp of the running phase."""
        phase, noise = self.phase, self.random.gauss
        running = self.state is State.RUN
        speed = pressure = 0.0
        vacuum = 1_013.0
        clamp = self.set.clamp_kn if Phase.DOSING <= phase <= Phase.SOLIDIFICATION else 0.0
        if running and phase is Phase.SLOW_SHOT:
            speed = self.set.slow_m_s * min(1.0, 0.6 + self.phase_s) + noise(0, 0.005)
            pressure, vacuum = 6.0 + noise(0, 0.2), 220.0
        elif running and phase is Phase.FAST_SHOT:
            speed = self.set.fast_m_s + noise(0, 0.05)
            pressure, vacuum = 28.0 + noise(0, 0.6), 55.0 + noise(0, 4)
            self._best_mbar = min(self._best_mbar, max(20.0, vacuum))
        elif running and phase is Phase.INTENSIFICATION:
            pressure = self.set.intensification_mpa + noise(0, 0.5)
            vacuum = 60.0
        elif running and phase is Phase.SOLIDIFICATION:
            pressure = self.set.intensification_mpa * max(0.3, 1 - self.phase_s / 20)
        self._peak_mpa = max(self._peak_mpa, pressure)
        self._peak_m_s = max(self._peak_m_s, speed)
        self.velocity_m_s, self.pressure_mpa = speed, pressure
        if Phase.SLOW_SHOT <= phase <= Phase.SOLIDIFICATION:
            travelled = self.position_mm + speed * dt_s * 1_000
            self.position_mm = min(PLUNGER_STROKE_MM, travelled)
        else:
            self.position_mm = lag(self.position_mm, 0.0, 2.0, dt_s)
        self.vacuum_mbar = lag(self.vacuum_mbar, vacuum, 0.3, dt_s)
        self.clamp_kn = lag(self.clamp_kn, clamp, 0.8, dt_s)

    def _consume(self, dt_s: float) -> None:
        """Pumps by phase, holding furnace by melt temperature; hydraulic oil warms with them."""
        pumps = 8.0
        if self.state is State.RUN:
            pumps = (95.0, 30.0, 110.0, 160.0, 140.0, 45.0, 90.0, 40.0, 35.0, 30.0)[self.phase]
        furnace = 55.0 + 2.0 * (self.set.melt_c - self.melt_c)
        self.power_kw = lag(self.power_kw, pumps + max(0.0, furnace), 1.0, dt_s)
        self.oil_c = lag(self.oil_c, ambient_c(self.time_s) + 0.16 * self.power_kw, 900.0, dt_s)
        self.bath_kg -= 21.4 / CYCLE_S * dt_s if self.state is State.RUN else 0.0
        if self.bath_kg < 1_400:  # noqa: PLR2004 — the ladle crane refills the holding furnace
            self.bath_kg += 1_000.0
            self.melt_c -= 4.0
