"""An automated guided vehicle on a loop of nodes, as VDA 5050 sees it: position, battery, order.

The vehicle drives from node to node, stands for loading, and goes to the charger when the battery
is low. Positions are metres in the hall's map, the heading is in radians.
"""

import math
from dataclasses import dataclass, field

from mingwu.lab.physics.laws import Readings, generator, lag

# Node name -> x, y in metres: die casting, machining, assembly and the charger.
NODES = {
    "DC1": (8.0, 6.0),
    "DC2": (24.0, 6.0),
    "MC1": (52.0, 10.0),
    "MC2": (88.0, 10.0),
    "AS1": (88.0, 38.0),
    "ST1": (52.0, 42.0),
    "CH1": (8.0, 42.0),
}
ROUTE = ("DC1", "DC2", "MC1", "MC2", "AS1", "ST1")
CHARGER = "CH1"
_LOW = 22.0
_FULL = 96.0


@dataclass
class Vehicle:
    """One vehicle; ``step`` once a second."""

    name: str
    seed: int
    time_s: float
    start: int = 0
    x_m: float = 0.0
    y_m: float = 0.0
    theta_rad: float = 0.0
    speed_m_s: float = 0.0
    battery: float = 80.0
    charging: bool = False
    loaded: bool = False
    stand_s: float = 0.0
    distance_m: float = 0.0
    orders: int = 0
    motor_c: float = 28.0
    target: str = ROUTE[0]
    last: str = ROUTE[0]
    sequence: int = 0
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.last = ROUTE[self.start % len(ROUTE)]
        self.target = ROUTE[(self.start + 1) % len(ROUTE)]
        self.x_m, self.y_m = NODES[self.last]
        self.battery = self.random.uniform(35.0, 95.0)
        self.distance_m = self.random.uniform(1e5, 9e5)
        self.orders = self.random.randrange(4_000, 9_000)

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s)."""
        self.time_s += dt_s
        if self.charging:
            self.battery = min(100.0, self.battery + 0.06 * dt_s)
            self.charging = self.battery < _FULL
            self.speed_m_s = 0.0
        elif self.stand_s > 0:
            self.stand_s -= dt_s
            self.speed_m_s = 0.0
        else:
            self._drive(dt_s)
        drain = 0.004 + 0.008 * self.speed_m_s * (1.3 if self.loaded else 1.0)
        self.battery = max(0.0, self.battery - drain * dt_s * (0.0 if self.charging else 1.0))
        self.motor_c = lag(self.motor_c, 28.0 + 14 * self.speed_m_s, 300.0, dt_s)

    def _drive(self, dt_s: float) -> None:
        goal_x, goal_y = NODES[self.target]
        dx, dy = goal_x - self.x_m, goal_y - self.y_m
        left = math.hypot(dx, dy)
        self.speed_m_s = lag(self.speed_m_s, min(1.4, 0.3 + left / 4), 1.0, dt_s)
        way = min(left, self.speed_m_s * dt_s)
        if left > 0:
            self.theta_rad = math.atan2(dy, dx)
            self.x_m += dx / left * way
            self.y_m += dy / left * way
        self.distance_m += way
        if left - way < 0.05:  # noqa: PLR2004 — metres: arrived
            self._arrive()

    def _arrive(self) -> None:
        self.last, self.sequence = self.target, self.sequence + 1
        if self.last == CHARGER:
            self.charging = True
            self.target = ROUTE[0]
            return
        self.stand_s = self.random.uniform(8, 22)
        self.loaded = not self.loaded
        self.orders += not self.loaded
        low = self.battery < _LOW and not self.loaded
        following = ROUTE[(ROUTE.index(self.last) + 1) % len(ROUTE)]
        self.target = CHARGER if low else following

    def refresh(self) -> None:
        """Fill the readings (names follow the state message of VDA 5050 2.0)."""
        out = self.readings
        out["x"] = self.x_m
        out["y"] = self.y_m
        out["theta"] = self.theta_rad
        out["velocity"] = self.speed_m_s
        out["battery_charge"] = self.battery
        out["battery_voltage"] = 46.0 + 0.06 * self.battery
        out["charging"] = self.charging
        out["driving"] = self.speed_m_s > 0.05  # noqa: PLR2004 — m/s
        out["paused"] = False
        out["loaded"] = self.loaded
        out["order_id"] = f"TO-{self.orders:06d}"
        out["order_update"] = self.sequence % 8
        out["last_node"] = self.last
        out["last_node_sequence"] = self.sequence
        out["operating_mode"] = "AUTOMATIC"
        out["distance"] = self.distance_m / 1000
        out["motor_temperature"] = self.motor_c
        out["errors"] = 0
