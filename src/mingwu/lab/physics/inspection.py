"""The X-ray station behind a die-casting cell: one picture per casting, graded by porosity."""

from collections import deque
from dataclasses import dataclass, field

from mingwu.lab.physics.diecasting import SCRAP_POROSITY, Shot
from mingwu.lab.physics.laws import Readings, ambient_c, generator

_WINDOW = 25  # castings: a subgroup chart's worth


@dataclass
class XrayStation:
    """One station; ``inspect`` per casting, ``step`` once a second."""

    name: str
    seed: int
    time_s: float
    inspected: int = 0
    rejected: int = 0
    tube_c: float = 41.0
    shot: int = 0
    grade: float = 0.55
    confidence: float = 0.97
    recent: deque[float] = field(default_factory=lambda: deque([0.55], maxlen=_WINDOW))
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)

    def inspect(self, shot: Shot) -> None:
        """Grade a casting; the algorithm sees the truth within ±0.03 vol %."""
        self.grade = max(0.05, shot.porosity + self.random.gauss(0, 0.03))
        self.confidence = min(0.999, 0.96 + abs(self.random.gauss(0, 0.015)))
        self.recent.append(self.grade)
        self.shot = shot.number
        self.inspected += 1
        self.rejected += self.grade > SCRAP_POROSITY
        self.tube_c += 0.4

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s): the tube cools."""
        self.time_s += dt_s
        self.tube_c += (ambient_c(self.time_s) + 16 - self.tube_c) * dt_s / 300

    def refresh(self) -> None:
        """Fill the readings."""
        out = self.readings
        out["porosity"] = self.grade
        out["porosity_mean"] = sum(self.recent) / len(self.recent)
        out["porosity_limit"] = SCRAP_POROSITY
        out["confidence"] = 100 * self.confidence
        out["inspected"] = self.inspected
        out["rejected"] = self.rejected
        out["shot_number"] = self.shot
        out["accepted"] = self.grade <= SCRAP_POROSITY
        out["tube_voltage"] = 160.0 + self.random.gauss(0, 0.05)
        out["tube_current"] = 4.2 + self.random.gauss(0, 0.01)
        out["tube_temperature"] = self.tube_c
        out["algorithm_revision"] = 12
