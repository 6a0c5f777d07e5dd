"""One replica of the plant as a whole: its machines, coupled, on one simulated clock.

Castings of the cells are graded by the X-ray station, feed the machining lines' orders and colour
the leak test; what the machines draw is what the meters read. The clock advances in steps of
0.1 s; one-second models are spread over the ten steps of a second so that the work is even.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mingwu.lab.layout import UTILITIES, Layout
from mingwu.lab.physics import cellsensors
from mingwu.lab.physics.agv import Vehicle
from mingwu.lab.physics.assembly import LeakTester, Nutrunner
from mingwu.lab.physics.diecasting import DieCastingCell, Mould
from mingwu.lab.physics.inspection import XrayStation
from mingwu.lab.physics.laws import Readings, ambient_c, local_hour, staffing
from mingwu.lab.physics.machining import MachiningCentre
from mingwu.lab.physics.metering import EnergyMeter
from mingwu.lab.physics.orders import Line

STEP_S = 0.1
STEPS_PER_SECOND = 10
FIRST_SHOT = 48_150


class Model(Protocol):
    """A one-second model."""

    readings: Readings

    def step(self, dt_s: float) -> None: ...
    def refresh(self) -> None: ...


@dataclass(slots=True)
class Station:
    """A device's view of the world: readings, how to bring them up to date, how to set one.

    ``refresh`` runs once a second, ``refresh_fast`` every step (None without fast channels).
    ``write`` applies a set point; it refuses unknown names and impossible values with False.
    """

    device: str
    readings: Readings
    refresh: Callable[[], None]
    refresh_fast: Callable[[], None] | None = None
    write: Callable[[str, float], bool] | None = None


class World:
    """The coupled models of one replica. ``time_s`` is simulated seconds since the epoch."""

    def __init__(self, layout: Layout, start_s: float) -> None:
        self.layout, self.start_s, self.steps = layout, start_s, 0
        seed = layout.settings.seed
        self.cells = {
            unit.device: DieCastingCell(
                unit.device, seed, start_s, Mould(layout.mould(unit), FIRST_SHOT)
            )
            for unit in layout.cells()
        }
        self.machines = {
            unit.device: MachiningCentre(unit.device, seed, start_s, unit.number % 3)
            for unit in layout.machines()
        }
        self.xray = XrayStation(layout.xray.device, seed, start_s)
        self.leak = LeakTester(layout.leak.device, seed, start_s)
        self.nutrunners = {
            unit.device: Nutrunner(unit.device, seed, start_s) for unit in layout.nutrunners()
        }
        self.vehicles = {
            unit.device: Vehicle(unit.device, seed, start_s, start=index)
            for index, unit in enumerate(layout.vehicles())
        }
        number = layout.replica + 1
        self.lines = {
            key: Line(key, product, recipe, quantity, start_s)
            for key, product, recipe, quantity in (
                (f"DC{number}", "EAH3-C", "PRC.DC-EAH3.r07", 1_200),
                (f"MC{number}", "EAH3-M", "PRC.MC-EAH3.r03", 1_000),
                (f"AS{number}", "EAH3", "PRC.AS-EAH3.r02", 800),
            )
        }
        self.meters = self._meters(seed, start_s)
        self._tested = self.leak.tested, self.leak.rejected
        self.stations = self._stations()
        self._warm_up()

    @property
    def time_s(self) -> float:
        """Simulated time."""
        return self.start_s + self.steps * STEP_S

    def advance(self) -> None:
        """One step of 0.1 s."""
        self.steps += 1
        for cell in self.cells.values():
            cell.step(STEP_S)
        for machine in self.machines.values():
            machine.step(STEP_S)
        phase = self.steps % STEPS_PER_SECOND
        if phase == 0:
            self._flow()
        for model in self._slow[phase]:
            model.step(1.0)

    def _warm_up(self) -> None:
        """Every reading has a value before the first poll."""
        for station in self.stations.values():
            if station.refresh_fast:
                station.refresh_fast()
            station.refresh()

    def _flow(self) -> None:
        """Finished parts move on and are booked."""
        casting, machining, assembly = self.lines.values()
        for cell in self.cells.values():
            for shot in cell.take_shots():
                self.xray.inspect(shot)
                casting.book(int(shot.good), int(not shot.good))
        made = sum(machine.take_parts() for machine in self.machines.values())
        if made:
            machining.book(made, 0)
        self.leak.porosity = sum(self.xray.recent) / len(self.xray.recent)
        tested, rejected = self.leak.tested, self.leak.rejected
        if tested != self._tested[0]:
            scrap = rejected - self._tested[1]
            assembly.book(tested - self._tested[0] - scrap, scrap)
            self._tested = tested, rejected

    def _meters(self, seed: int, start_s: float) -> dict[str, EnergyMeter]:
        sources: list[tuple[float, Callable[[], float]]] = []
        sources += [(220.0, _power_of(cell)) for cell in self.cells.values()]
        sources += [(30.0, _power_of(machine)) for machine in self.machines.values()]
        sources += [(rated, self._utility(name, rated)) for name, _, _, rated in UTILITIES]
        units = self.layout.meters()
        return {
            unit.device: EnergyMeter(unit.device, seed, start_s, rated, load)
            for unit, (rated, load) in zip(units, sources, strict=True)
        }

    def _casting_kw(self) -> float:
        return sum(cell.power_kw for cell in self.cells.values()) + 14.0

    def _milling_kw(self) -> float:
        return sum(machine.power_kw for machine in self.machines.values()) + 42.0

    def _utility(self, name: str, rated_kw: float) -> Callable[[], float]:
        """What a utility draws, as a function of the rest of the plant."""

        def working() -> float:
            return rated_kw * (0.25 + 0.55 * staffing(self.time_s))

        def dark() -> float:
            hour = local_hour(self.time_s)
            return rated_kw * (0.35 if 8 <= hour < 17 else 0.95)  # noqa: PLR2004 — daylight hours

        def cooling() -> float:
            heat = (ambient_c(self.time_s) - 15) / 15
            return rated_kw * min(1.0, 0.2 + 0.4 * heat + self._casting_kw() / 2_000)

        def charging() -> float:
            return 0.4 + 3.2 * sum(vehicle.charging for vehicle in self.vehicles.values())

        def office() -> float:
            return rated_kw * (0.8 if 8 <= local_hour(self.time_s) < 18 else 0.15)  # noqa: PLR2004

        special: dict[str, Callable[[], float]] = {
            "em-agv": charging,
            "em-chiller": cooling,
            "em-hvac": cooling,
            "em-light1": dark,
            "em-light2": dark,
            "em-office": office,
            "em-cast": self._casting_kw,
            "em-mill": self._milling_kw,
            "em-main": lambda: self._casting_kw() + self._milling_kw() + 260.0 + working() * 0.1,
        }
        return special.get(name, working)

    def _stations(self) -> dict[str, Station]:
        found = [_cell_station(cell) for cell in self.cells.values()]
        found += [
            Station(name, machine.readings, machine.refresh, machine.refresh_fast)
            for name, machine in self.machines.items()
        ]
        slow: dict[str, Model] = {
            self.layout.xray.device: self.xray,
            **self.meters,
            self.layout.leak.device: self.leak,
            **self.nutrunners,
            **self.vehicles,
            **self.lines,
        }
        self._slow: list[list[Model]] = [[] for _ in range(STEPS_PER_SECOND)]
        for index, model in enumerate(slow.values()):
            self._slow[index % STEPS_PER_SECOND].append(model)
        found += [Station(name, model.readings, model.refresh) for name, model in slow.items()]
        return {station.device: station for station in found}


def _power_of(machine: DieCastingCell | MachiningCentre) -> Callable[[], float]:
    return lambda: machine.power_kw


_SETPOINTS = {
    "set_slow_velocity": ("slow_m_s", 0.2, 0.8),
    "set_fast_velocity": ("fast_m_s", 1.0, 6.0),
    "set_intensification_pressure": ("intensification_mpa", 60.0, 100.0),
    "set_oil_temperature": ("oil_c", 120.0, 220.0),
    "set_melt_temperature": ("melt_c", 640.0, 700.0),
    "set_dose": ("dose_kg", 5.0, 40.0),
    "set_clamp_force": ("clamp_kn", 10_000.0, 25_000.0),
}


def _cell_station(cell: DieCastingCell) -> Station:
    def write(name: str, value: float) -> bool:
        field, low, high = _SETPOINTS.get(name, ("", 1.0, 0.0))
        if not low <= value <= high:
            return False
        setattr(cell.set, field, value)
        return True

    return Station(
        cell.name,
        cell.readings,
        lambda: cellsensors.slow(cell),
        lambda: cellsensors.fast(cell),
        write,
    )
