"""The assembly line: a leak tester and eight nutrunners.

The tester fills to 200 kPa, settles, and measures mL/min against a limit of 3.0; what it finds
rises with the porosity of the castings of the day. A nutrunner tightens 22 N·m by angle-monitored
torque; its scatter is its socket's and grows slowly with use.
"""

import math
from dataclasses import dataclass, field
from enum import IntEnum

from mingwu.lab.physics.laws import Readings, generator, lag, shift_number, staffing

LEAK_LIMIT_ML_MIN = 3.0
TEST_PRESSURE_KPA = 200.0
TORQUE_NM = 22.0
TORQUE_BAND_NM = 1.1


class Test(IntEnum):
    """Phases of a leak test."""

    LOADING = 0
    FILLING = 1
    SETTLING = 2
    MEASURING = 3
    VENTING = 4


_TEST_S = (16.0, 6.0, 9.0, 10.0, 4.0)


@dataclass
class LeakTester:
    """One tester; ``step`` once a second. ``porosity`` is set by the world from recent castings."""

    name: str
    seed: int
    time_s: float
    porosity: float = 0.6
    phase: Test = Test.LOADING
    phase_s: float = 0.0
    pressure_kpa: float = 0.0
    leakage: float = 1.0
    tested: int = 0
    rejected: int = 0
    good: bool = True
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.tested = self.random.randrange(20_000, 60_000)
        self.rejected = self.tested // 240

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s)."""
        self.time_s += dt_s
        self.phase_s += dt_s
        length = _TEST_S[self.phase]
        if self.phase is Test.LOADING:
            length /= staffing(self.time_s)
        if self.phase_s >= length:
            if self.phase is Test.MEASURING:
                self._judge()
            self.phase, self.phase_s = Test((self.phase + 1) % len(Test)), 0.0
        full = self.phase in (Test.FILLING, Test.SETTLING, Test.MEASURING)
        target = TEST_PRESSURE_KPA if full else 0.0
        self.pressure_kpa = lag(self.pressure_kpa, target, 1.4, dt_s)

    def _judge(self) -> None:
        centre = 0.9 + 0.9 * max(0.0, self.porosity - 0.55)
        self.leakage = centre * math.exp(self.random.gauss(0, 0.22))
        self.good = self.leakage <= LEAK_LIMIT_ML_MIN
        self.tested += 1
        self.rejected += not self.good

    def refresh(self) -> None:
        """Fill the readings."""
        out = self.readings
        out["phase"] = int(self.phase)
        out["pressure"] = self.pressure_kpa
        out["leakage"] = self.leakage
        out["leakage_limit"] = LEAK_LIMIT_ML_MIN
        out["result_good"] = self.good
        out["tested"] = self.tested
        out["rejected"] = self.rejected
        out["first_pass_yield"] = 100.0 * (1 - self.rejected / self.tested)
        out["cycle_elapsed"] = sum(_TEST_S[: self.phase]) + self.phase_s
        out["supply_pressure"] = 540.0 + self.random.gauss(0, 0.8)
        out["part_temperature"] = 23.0 + 0.2 * self.random.gauss(0, 1)
        out["serial_number"] = f"EAH3.250711.{self.tested % 100_000:05d}"
        out["shift"] = shift_number(self.time_s)
        out["reference_leak"] = 1.0


@dataclass
class Nutrunner:
    """One spindle; ``step`` once a second. Each part gets ``bolts`` tightenings."""

    name: str
    seed: int
    time_s: float
    bolts: int = 12
    torque_nm: float = TORQUE_NM
    angle_deg: float = 64.0
    count: int = 0
    failed: int = 0
    bolt: int = 0
    wait_s: float = 0.0
    good: bool = True
    motor_c: float = 30.0
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.count = self.random.randrange(100_000, 400_000)
        self.failed = self.count // 700
        self.wait_s = self.random.uniform(0, 8)

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s)."""
        self.time_s += dt_s
        self.wait_s -= dt_s
        busy = self.wait_s <= 0
        if busy:
            self._tighten()
        self.motor_c = lag(self.motor_c, 52.0 if busy else 30.0, 240.0, dt_s)

    def _tighten(self) -> None:
        worn = (self.count % 250_000) / 250_000
        self.torque_nm = self.random.gauss(TORQUE_NM, 0.22 + 0.1 * worn)
        self.angle_deg = self.random.gauss(64.0, 3.0) - 6.0 * (self.torque_nm - TORQUE_NM)
        self.good = abs(self.torque_nm - TORQUE_NM) <= TORQUE_BAND_NM
        self.count += 1
        self.failed += not self.good
        self.bolt = self.bolt % self.bolts + 1
        # Between bolts 3 s; after the last one the line moves on.
        pause = 3.0 if self.bolt < self.bolts else 14.0 / staffing(self.time_s)
        self.wait_s = pause

    def refresh(self) -> None:
        """Fill the readings."""
        out = self.readings
        out["torque"] = self.torque_nm
        out["angle"] = self.angle_deg
        out["torque_target"] = TORQUE_NM
        out["torque_low"] = TORQUE_NM - TORQUE_BAND_NM
        out["torque_high"] = TORQUE_NM + TORQUE_BAND_NM
        out["result_good"] = self.good
        out["tightenings"] = self.count
        out["rejected"] = self.failed
        out["bolt_number"] = self.bolt
        out["program_number"] = 3
        out["motor_temperature"] = self.motor_c
        out["ready"] = self.wait_s > 0
