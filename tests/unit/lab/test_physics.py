"""The models: deterministic, plausible, and the die-temperature drift tells its story."""

import statistics

import pytest

from mingwu.lab.layout import Layout
from mingwu.lab.physics import diecasting, laws
from mingwu.lab.physics.agv import Vehicle
from mingwu.lab.physics.assembly import LEAK_LIMIT_ML_MIN, LeakTester, Nutrunner
from mingwu.lab.physics.diecasting import SCRAP_POROSITY, DieCastingCell, Mould
from mingwu.lab.physics.machining import MachiningCentre
from mingwu.lab.physics.metering import EnergyMeter
from mingwu.lab.physics.orders import Line
from mingwu.lab.settings import LabSettings
from mingwu.lab.world import World

START_S = 1_763_860_000.0  # 09:06 in the plant


def cell(seed=1):
    return DieCastingCell("dcm01", seed, START_S, Mould(187, 48_150))


def shots(machine, minutes):
    found = []
    for _ in range(int(minutes * 600)):
        machine.step(0.1)
        found += machine.take_shots()
    return found


def test_same_seed_same_plant_other_seed_another():
    def trajectory(seed):
        world = World(Layout(LabSettings(seed=seed, cells=1, machines=1)), START_S)
        for _ in range(3_000):
            world.advance()
        for station in world.stations.values():
            station.refresh()
        return {name: dict(station.readings) for name, station in world.stations.items()}

    assert trajectory(5) == trajectory(5)
    assert trajectory(5) != trajectory(6)


def test_a_cycle_takes_75_s_and_counts_on_the_mould():
    machine = cell()
    made = shots(machine, 30)
    assert statistics.median(shot.cycle_s for shot in made) == pytest.approx(75, abs=1)
    assert machine.mould.shots == 48_150 + len(made)
    assert [shot.number for shot in made] == list(range(48_151, 48_151 + len(made)))


def test_shots_stay_in_the_windows_of_the_process():
    made = shots(cell(), 60)
    assert all(0.2 <= shot.slow_m_s <= 0.5 for shot in made)
    assert all(4.0 <= shot.fast_m_s <= 6.0 for shot in made)
    assert all(60 <= shot.intensification_mpa <= 100 for shot in made)
    assert all(180 <= shot.die_c <= 220 for shot in made)
    assert all(shot.good for shot in made)


def test_drift_shows_on_the_control_chart_40_minutes_before_scrap():
    machine = cell()
    calm = [shot.die_c for shot in shots(machine, 120)]
    centre, sigma = statistics.fmean(calm), statistics.stdev(calm)
    machine.mould.drift_k_per_min = 1.0
    begun = machine.time_s
    warned = scrapped = 0.0
    for _ in range(180 * 600):
        machine.step(0.1)
        for shot in machine.take_shots():
            if not warned and shot.die_c > centre + 3 * sigma:
                warned = machine.time_s
            if not scrapped and not shot.good:
                scrapped = machine.time_s
        if scrapped:
            break
    assert begun < warned < scrapped
    assert scrapped - warned >= 40 * 60


def test_drift_ends_with_the_fault():
    machine = cell()
    machine.mould.drift_k_per_min = 20.0
    shots(machine, 3)
    assert machine.mould.extra_k > 30
    machine.mould.drift_k_per_min = 0.0
    shots(machine, 60)
    assert machine.die_c < 210


@pytest.mark.parametrize(
    ("die_c", "mpa", "mbar"), [(225, 88, 60), (170, 88, 60), (200, 65, 60), (200, 88, 400)]
)
def test_porosity_rises_with_heat_cold_weakness_and_leaks(die_c, mpa, mbar):
    healthy = diecasting.porosity(200, 88, 60)
    assert diecasting.porosity(die_c, mpa, mbar) > healthy
    assert healthy < SCRAP_POROSITY


def test_a_worn_tool_loads_the_spindle_and_is_changed():
    machine = MachiningCentre("mc01", 1, START_S, 0)
    tool = machine.operation.tool
    machine.wear[tool - 1] = 0.9999
    seen = set()
    for _ in range(6_000):
        machine.step(0.1)
        seen.add(machine.alarm)
    assert 700_000 + tool in seen
    assert machine.wear[tool - 1] < 0.5


def test_machining_power_follows_its_load():
    machine = MachiningCentre("mc02", 1, START_S, 1)
    points = []
    for _ in range(9_000):
        machine.step(0.1)
        points.append((machine.load, machine.power_kw))
    assert statistics.correlation(*zip(*points, strict=True)) > 0.8


def test_meter_agrees_with_itself():
    meter = EnergyMeter("em01", 1, START_S, 200.0, lambda: 120.0)
    before = meter.energy_kwh
    for _ in range(3_600):
        meter.step(1.0)
    meter.refresh()
    shown = meter.readings
    assert meter.energy_kwh - before == pytest.approx(120.02, rel=1e-6)
    phases = [shown[f"active_power_{n}"] for n in (1, 2, 3)]
    assert sum(phases) == pytest.approx(shown["active_power"], rel=1e-9)
    assert shown["apparent_power"] ** 2 == pytest.approx(
        shown["active_power"] ** 2 + shown["reactive_power"] ** 2
    )


def test_leakage_grows_with_porosity():
    def median(grade):
        tester, seen = LeakTester("leak01", 1, START_S, porosity=grade), []
        for _ in range(40_000):
            tester.step(1.0)
            seen.append(tester.leakage)
        return statistics.median(seen)

    assert median(0.6) < LEAK_LIMIT_ML_MIN / 2
    assert median(2.2) > 1.8 * median(0.6)


def test_nutrunner_stays_near_22_newton_metres():
    spindle, torques = Nutrunner("nut01", 1, START_S), []
    for _ in range(20_000):
        spindle.step(1.0)
        torques.append(spindle.torque_nm)
    assert statistics.fmean(torques) == pytest.approx(22.0, abs=0.1)
    assert 0 < spindle.failed < spindle.count / 100


def test_vehicle_charges_before_it_stops():
    vehicle, lowest, charged = Vehicle("agv01", 1, START_S), 100.0, False
    for _ in range(40_000):
        vehicle.step(1.0)
        lowest = min(lowest, vehicle.battery)
        charged |= vehicle.charging
    assert charged
    assert lowest > 5


def test_a_full_order_is_followed_by_the_next():
    line = Line("DC1", "EAH3-C", "PRC.DC-EAH3.r07", 4, START_S)
    for _ in range(5):
        line.book(1, 0)
    assert line.closed == [("ORD.DC1.00001", 4, 0)]
    assert (line.order, line.produced) == ("ORD.DC1.00002", 1)


def test_the_day_has_three_shifts_and_a_cool_morning():
    midnight = 1_763_827_200.0  # 2025-11-23 00:00 in the plant
    assert [laws.shift_number(midnight + hour * 3600) for hour in (1, 9, 17)] == [3, 1, 2]
    assert laws.ambient_c(midnight + 5 * 3600) < laws.ambient_c(midnight + 17 * 3600)
    assert laws.staffing(midnight + 11.6 * 3600) < laws.staffing(midnight + 10 * 3600)


def test_castings_flow_into_orders_and_inspection():
    world = World(Layout(LabSettings(cells=2, machines=1)), START_S)
    for _ in range(12_000):
        world.advance()
    made = sum(cell.good + cell.scrap for cell in world.cells.values())
    assert made > 20
    assert world.xray.inspected == made
    assert world.lines["DC1"].total + world.lines["DC1"].scrap == made
