"""A five-axis machining centre: operations, tool wear, spindle and axis temperatures, power.

One program is a sequence of operations, each with its tool. A tool wears with its cutting time;
wear raises the spindle load and the vibration, and a worn-out tool stops the machine until it is
changed. Heat follows load with first-order lags; power follows spindle and axes.
"""

from dataclasses import dataclass, field

from mingwu.lab.physics.diecasting import State
from mingwu.lab.physics.laws import Readings, ambient_c, generator, lag, staffing

AXES = ("x", "y", "z", "b")
TOOLS = 14
PROGRAMS = ("EAH3-OP10", "EAH3-OP20", "EAH3-OP30")


@dataclass(frozen=True, slots=True)
class Operation:
    """One tool's cut: duration, spindle speed, load on a sharp tool in %, feed."""

    tool: int
    seconds: float
    rpm: float
    load: float
    feed_mm_min: float


def program(number: int) -> tuple[Operation, ...]:
    """The operations of a program (number 0..2); about three minutes of cutting."""
    speeds = (4_200.0, 9_000.0, 12_500.0, 6_800.0, 15_000.0)
    loads = (62.0, 38.0, 21.0, 47.0, 16.0)
    return tuple(
        Operation(
            tool=(number * 3 + index) % TOOLS + 1,
            seconds=14.0 + 7.0 * ((index * 5 + number) % 3),
            rpm=speeds[(index + number) % 5],
            load=loads[(index + number) % 5],
            feed_mm_min=800.0 + 300.0 * ((index + number) % 4),
        )
        for index in range(9)
    )


def _new_tools() -> list[float]:
    return [0.0] * TOOLS


def _at_hall() -> list[float]:
    return [26.0] * len(AXES)


@dataclass
class MachiningCentre:
    """One machine; ``step`` every 0.1 s. ``wear`` is per tool, 0 new … 1 at the end of life."""

    name: str
    seed: int
    time_s: float
    program: int
    state: State = State.RUN
    step_no: int = 0
    elapsed_s: float = 0.0
    cycle_s: float = 0.0
    last_cycle_s: float = 190.0
    pause_s: float = 0.0
    changing_s: float = 0.0
    load: float = 0.0
    rpm: float = 0.0
    vibration: float = 0.4
    front_c: float = 32.0
    rear_c: float = 30.0
    motor_c: float = 38.0
    power_kw: float = 3.0
    energy_kwh: float = 0.0
    good: int = 0
    scrap: int = 0
    parts: int = 0
    alarm: int = 0
    wear: list[float] = field(default_factory=_new_tools)
    axis_c: list[float] = field(default_factory=_at_hall)
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = generator(self.seed, self.name)
        self.operations = program(self.program)
        self.step_no = self.random.randrange(len(self.operations))
        self.wear = [self.random.uniform(0.05, 0.9) for _ in range(TOOLS)]
        self.parts = self.good = self.random.randrange(8_000, 40_000)
        self._waiting = False
        self._done = 0

    @property
    def operation(self) -> Operation:
        """The operation being cut, or the next one."""
        return self.operations[self.step_no]

    def take_parts(self) -> int:
        """Parts finished since the last call."""
        done, self._done = self._done, 0
        return done

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (0.1 s)."""
        self.time_s += dt_s
        cutting = self._advance(dt_s)
        self._cut(dt_s, cutting=cutting)
        self._warm(dt_s, cutting=cutting)

    def _advance(self, dt_s: float) -> bool:
        """Walk through states and operations; whether metal is being cut."""
        if self.state is not State.RUN:
            self.pause_s -= dt_s
            if self.pause_s <= 0:
                self._resume()
            return False
        self.cycle_s += dt_s
        if self.changing_s > 0:
            self.changing_s -= dt_s
            return False
        self.elapsed_s += dt_s
        operation = self.operation
        worn = self.wear[operation.tool - 1]
        self.wear[operation.tool - 1] = worn + dt_s / (3_600 * (4 + operation.tool % 5))
        if worn >= 1:
            self._stop(State.ALARM, 700_000 + operation.tool, self.random.uniform(90, 240))
        elif self.elapsed_s >= operation.seconds:
            self.elapsed_s, self.changing_s = 0.0, 3.2
            self.step_no = (self.step_no + 1) % len(self.operations)
            if self.step_no == 0:
                self._finish()
        return True

    def _finish(self) -> None:
        self.last_cycle_s, self.cycle_s = self.cycle_s, 0.0
        self.parts += 1
        self._done += 1
        bad = self.random.random() < 0.004 + 0.01 * max(0.0, max(self.wear) - 0.9)
        self.scrap += bad
        self.good += not bad
        if self.random.random() < 1 / 120:
            self._stop(State.CHANGEOVER, 0, self.random.uniform(200, 500))
        else:
            self._stop(State.IDLE, 0, 12.0 / staffing(self.time_s))

    def _stop(self, state: State, alarm: int, seconds: float) -> None:
        self.state, self.alarm, self.pause_s = state, alarm, seconds

    def _resume(self) -> None:
        if self.alarm > 700_000:  # noqa: PLR2004 — alarm number = 700000 + tool
            self.wear[self.alarm - 700_001] = 0.0
        self.state, self.alarm = State.RUN, 0

    def _cut(self, dt_s: float, *, cutting: bool) -> None:
        operation, noise = self.operation, self.random.gauss
        worn = self.wear[operation.tool - 1]
        rpm = operation.rpm if cutting else 0.0
        load = operation.load * (1 + 0.35 * worn**3) + noise(0, 1.2) if cutting else 0.0
        self.rpm = lag(self.rpm, rpm, 0.4, dt_s)
        self.load = max(0.0, lag(self.load, load, 0.25, dt_s))
        shake = 0.35 + self.load * 0.022 * (1 + 1.4 * worn**4) + self.rpm / 60_000
        self.vibration = max(0.05, lag(self.vibration, shake + noise(0, 0.03), 0.3, dt_s))

    def _warm(self, dt_s: float, *, cutting: bool) -> None:
        hall = ambient_c(self.time_s)
        self.front_c = lag(self.front_c, hall + 6 + self.rpm / 900 + 0.08 * self.load, 500, dt_s)
        self.rear_c = lag(self.rear_c, hall + 4 + self.rpm / 1_100 + 0.05 * self.load, 700, dt_s)
        self.motor_c = lag(self.motor_c, hall + 10 + 0.45 * self.load, 900, dt_s)
        for index in range(len(AXES)):
            heat = (7.0 + 2.0 * index) if cutting else 2.0
            self.axis_c[index] = lag(self.axis_c[index], hall + heat, 1_200, dt_s)
        awake = 2.6 if self.state is State.RUN else 1.4
        power = awake + 0.24 * self.load + (1.8 if cutting else 0.0)
        self.power_kw = lag(self.power_kw, power, 0.6, dt_s)
        self.energy_kwh += self.power_kw * dt_s / 3600

    def refresh_fast(self) -> None:
        """Readings that change within an operation."""
        self.readings["spindle_load"] = self.load
        self.readings["spindle_vibration"] = self.vibration
        cutting = self.rpm > 500  # noqa: PLR2004 — spindle turning means the axes work
        for index, axis in enumerate(AXES):
            self.readings[f"axis_{axis}_load"] = (
                6 + 0.3 * self.load + 2.0 * index if cutting else 2.0
            )

    def refresh(self) -> None:
        """Readings that are shown once a second."""
        self._status(self.readings)
        self._spindle(self.readings)
        self._axes(self.readings)
        self._supplies(self.readings)

    def _status(self, out: Readings) -> None:
        operation = self.operation
        out["state"] = int(self.state)
        out["running"] = self.state is State.RUN
        out["alarm_active"] = self.state is State.ALARM
        out["alarm_code"] = self.alarm
        out["alarm_text"] = f"T{self.alarm - 700_000} life expired" if self.alarm else ""
        out["program_name"] = PROGRAMS[self.program]
        out["operation_number"] = self.step_no + 1
        out["tool_number"] = operation.tool
        out["feed_rate"] = operation.feed_mm_min if self.rpm > 500 else 0.0  # noqa: PLR2004
        out["feed_override"] = 100
        out["rapid_override"] = 100
        out["part_counter"] = self.parts
        out["parts_good"] = self.good
        out["parts_scrap"] = self.scrap
        out["cycle_elapsed"] = self.cycle_s
        out["cycle_time"] = self.last_cycle_s
        out["door_closed"] = self.state is State.RUN
        for tool in range(TOOLS):
            out[f"tool_life_{tool + 1}"] = max(0.0, 100.0 * (1 - self.wear[tool]))

    def _spindle(self, out: Readings) -> None:
        out["spindle_speed"] = self.rpm
        out["spindle_speed_command"] = self.operation.rpm if self.state is State.RUN else 0.0
        out["spindle_power"] = 0.24 * self.load
        out["spindle_torque"] = 0.24 * self.load * 9_549 / self.rpm if self.rpm > 500 else 0.0  # noqa: PLR2004
        out["spindle_temperature_front"] = self.front_c
        out["spindle_temperature_rear"] = self.rear_c
        out["spindle_motor_temperature"] = self.motor_c
        out["spindle_override"] = 100
        out["tool_clamped"] = self.changing_s <= 0

    def _axes(self, out: Readings) -> None:
        cutting = self.rpm > 500  # noqa: PLR2004 — spindle turning means the axes work
        for index, axis in enumerate(AXES):
            travel = 400.0 / (1 + index)
            sweep = ((self.cycle_s * (7 + 3 * index)) % (2 * travel)) - travel
            out[f"axis_{axis}_position"] = sweep if cutting else 0.0
            out[f"axis_{axis}_motor_temperature"] = self.axis_c[index]
            out[f"axis_{axis}_following_error"] = 0.8 + 0.02 * self.load if cutting else 0.1
            out[f"axis_{axis}_current"] = 1.2 + 0.05 * self.load if cutting else 0.4

    def _supplies(self, out: Readings) -> None:
        hall, running = ambient_c(self.time_s), self.state is State.RUN
        used = self.parts * 0.31 % 45
        out["coolant_level"] = 92.0 - used
        out["coolant_temperature"] = hall - 1.0 + 0.05 * self.power_kw
        out["coolant_pressure"] = 42.0 + self.random.gauss(0, 0.4) if running else 0.0
        out["coolant_flow"] = 28.0 if running else 0.0
        out["coolant_concentration"] = 8.2 - used / 40
        out["hydraulic_pressure"] = 6.1 + self.random.gauss(0, 0.02)
        out["lubricant_level"] = 95.0 - self.parts * 0.07 % 70
        out["air_pressure"] = 6.3 + self.random.gauss(0, 0.02)
        out["cabinet_temperature"] = hall + 7 + 0.2 * self.power_kw
        out["power"] = self.power_kw
        out["energy"] = self.energy_kwh
