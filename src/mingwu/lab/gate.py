"""What is wrong with a device at the moment: the one object that faults write and servers read."""

from dataclasses import dataclass, field

from mingwu.lab.physics.laws import Readings


@dataclass
class Gate:
    """Faults of one device or endpoint.

    ``dead`` no answer at all; ``garbage`` answers are noise; ``delay_s`` answers come late;
    ``skew_s`` its clock is off by so much; ``stuck`` readings that do not move any more.
    """

    dead: bool = False
    garbage: bool = False
    delay_s: float = 0.0
    skew_s: float = 0.0
    stuck: Readings = field(default_factory=dict)

    def shown(self, readings: Readings) -> Readings:
        """What the device shows of ``readings``."""
        return {**readings, **self.stuck} if self.stuck else readings
