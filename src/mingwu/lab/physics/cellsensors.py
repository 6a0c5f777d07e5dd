"""What a die-casting cell's PLC shows of the model: fast channels at 100 ms, the rest at 1 s.

Auxiliary sensors (oil circuits, accumulators, sprayer, lubrication) are computed here from the
cell's state, so that they move with it: circuit outlet temperatures follow the die, pump currents
the power, tank temperatures the hydraulic oil.
"""

from mingwu.lab.physics.diecasting import (
    OIL_C,
    PLUNGER_STROKE_MM,
    ZONES,
    DieCastingCell,
    Phase,
    State,
)
from mingwu.lab.physics.laws import Readings, ambient_c

CIRCUITS = 12
HALF = ZONES // 2


def fast(cell: DieCastingCell) -> None:
    """Fill the readings that change within a shot."""
    out, noise, phase = cell.readings, cell.random.gauss, cell.phase
    velocity, pressure, position = cell.velocity_m_s, cell.pressure_mpa, cell.position_mm
    previous = out.get("plunger_velocity", 0.0)
    out["plunger_acceleration"] = (velocity - float(previous)) / 0.1
    out["plunger_position"] = position
    out["plunger_velocity"] = velocity
    out["head_pressure"] = 0.14 * pressure * 10 + 1.2
    out["rod_pressure"] = max(0.5, 0.02 * pressure * 10 + noise(0, 0.05))
    out["accumulator_pressure"] = 16.0 - (2.4 if phase is Phase.FAST_SHOT else 0.0)
    out["intensification_pressure"] = pressure
    for n in range(1, 5):
        full = phase in (Phase.INTENSIFICATION, Phase.SOLIDIFICATION)
        out[f"cavity_pressure_{n}"] = pressure * (0.95 - 0.06 * n) if full else 0.0
        share = 0.25 + 0.004 * (n - 2.5)
        out[f"tie_bar_force_{n}"] = max(0.0, cell.clamp_kn * share + noise(0, 3.0))
    out["vacuum_pressure_1"] = cell.vacuum_mbar
    out["vacuum_pressure_2"] = cell.vacuum_mbar * 1.04
    glow = 18.0 if phase in (Phase.INTENSIFICATION, Phase.SOLIDIFICATION) else 0.0
    spray = -14.0 if phase is Phase.SPRAYING else 0.0
    for n in range(1, 9):
        out[f"die_surface_temperature_{n}"] = cell.zones[n - 1] + glow + spray + noise(0, 0.2)
    moving = phase in (Phase.SLOW_SHOT, Phase.FAST_SHOT)
    out["servo_valve_command"] = min(100.0, velocity * 21.0) if moving else 0.0
    out["servo_valve_opening"] = min(100.0, velocity * 20.6) if moving else 0.0
    out["hydraulic_flow"] = velocity * 240.0 if moving else cell.power_kw * 1.1
    out["ladle_position"] = min(100.0, cell.phase_s * 12) if phase is Phase.DOSING else 0.0
    open_share = _open_share(cell)
    out["die_position"] = 950.0 * open_share
    ejecting = phase is Phase.EXTRACTION and 1.0 < cell.phase_s < 3.0  # noqa: PLR2004 — seconds
    out["ejector_position"] = 120.0 if ejecting else 0.0
    out["ejector_force"] = 180.0 + noise(0, 4.0) if ejecting else 0.0
    out["clamp_force"] = cell.clamp_kn
    out["spray_flow"] = 14.0 + noise(0, 0.3) if phase is Phase.SPRAYING else 0.0
    out["pump_pressure"] = 16.0 - cell.power_kw / 120 + noise(0, 0.05)
    out["tip_temperature"] = 150.0 + 0.06 * position
    out["hydraulic_vibration"] = 0.6 + cell.power_kw / 90 + abs(noise(0, 0.05))
    out["platen_vibration"] = 0.3 + (2.2 if phase is Phase.FAST_SHOT else 0.0) + abs(noise(0, 0.04))


def _open_share(cell: DieCastingCell) -> float:
    if cell.phase is Phase.CLOSING:
        return max(0.0, 1 - cell.phase_s / 5)
    if cell.phase is Phase.OPENING:
        return min(1.0, cell.phase_s / 5)
    return 1.0 if cell.phase > Phase.OPENING else 0.0


def slow(cell: DieCastingCell) -> None:
    """Fill the readings that are shown once a second."""
    _status(cell, cell.readings)
    _thermal(cell, cell.readings)
    _hydraulics(cell, cell.readings)
    _last_shot(cell, cell.readings)
    _setpoints(cell, cell.readings)
    _auxiliaries(cell, cell.readings)


def _status(cell: DieCastingCell, out: Readings) -> None:
    running = cell.state is State.RUN
    out["state"] = int(cell.state)
    out["phase"] = int(cell.phase)
    out["cycle_elapsed"] = cell.cycle_s
    out["shot_counter"] = cell.mould.shots
    out["parts_good"] = cell.good
    out["parts_scrap"] = cell.scrap
    out["alarm_code"] = cell.alarm
    out["mould_number"] = cell.mould.number
    out["recipe_revision"] = 7
    out["operating_hours"] = cell.hours
    out["running"] = running
    out["automatic_mode"] = True
    out["alarm_active"] = cell.state is State.ALARM
    out["guard_closed"] = cell.state is not State.ALARM
    out["emergency_stop_released"] = True
    out["die_closed"] = Phase.DOSING <= cell.phase <= Phase.SOLIDIFICATION
    out["part_present"] = Phase.SOLIDIFICATION <= cell.phase <= Phase.EXTRACTION
    out["vacuum_valve_open"] = cell.phase in (Phase.SLOW_SHOT, Phase.FAST_SHOT)
    out["furnace_heating"] = cell.melt_c < cell.set.melt_c
    out["pump_running"] = True


def _thermal(cell: DieCastingCell, out: Readings) -> None:
    noise = cell.random.gauss
    for n in range(HALF):
        out[f"die_temperature_fixed_{n + 1}"] = cell.zones[n] + noise(0, 0.1)
        out[f"die_temperature_moving_{n + 1}"] = cell.zones[HALF + n] + noise(0, 0.1)
    out["die_temperature_mean"] = cell.die_c
    left = cell.mould.effectiveness
    for n in range(1, CIRCUITS + 1):
        # Scale narrows the bores: less flow, and the oil comes out hotter.
        out[f"circuit_flow_{n}"] = (24.0 + 0.5 * n) * (0.35 + 0.65 * left) + noise(0, 0.1)
        out[f"circuit_outlet_temperature_{n}"] = (
            OIL_C + 0.14 * (cell.zones[n] - OIL_C) / left + noise(0, 0.05)
        )
    out["oil_unit_temperature_fixed"] = cell.set.oil_c + noise(0, 0.15)
    out["oil_unit_temperature_moving"] = cell.set.oil_c + 0.4 + noise(0, 0.15)
    out["melt_temperature"] = cell.melt_c + noise(0, 0.3)
    out["bath_mass"] = cell.bath_kg
    heating = max(0.0, 55.0 + 2.0 * (cell.set.melt_c - cell.melt_c))
    out["furnace_power"] = heating
    for n in range(1, 5):
        out[f"furnace_zone_temperature_{n}"] = cell.melt_c + 60 + 8 * n + noise(0, 0.4)


def _hydraulics(cell: DieCastingCell, out: Readings) -> None:
    noise = cell.random.gauss
    out["hydraulic_oil_temperature"] = cell.oil_c
    out["hydraulic_oil_level"] = 82.0 - 0.05 * (cell.oil_c - 45)
    out["hydraulic_filter_pressure_drop"] = 1.1 + cell.hours % 2_000 / 1_000
    out["system_pressure"] = 16.0 - cell.power_kw / 150 + noise(0, 0.03)
    for n in range(1, 5):
        out[f"nitrogen_pressure_{n}"] = 11.8 + 0.01 * (cell.oil_c - 45) - 0.05 * n
        out[f"tie_bar_temperature_{n}"] = 0.5 * (cell.oil_c + ambient_c(cell.time_s)) + 0.3 * n
    for n in range(1, 4):
        out[f"pump_current_{n}"] = 18.0 + cell.power_kw * 0.55 + noise(0, 0.6)
        out[f"pump_motor_temperature_{n}"] = cell.oil_c + 12 + 1.5 * n
    out["power"] = cell.power_kw


def _last_shot(cell: DieCastingCell, out: Readings) -> None:
    shot = cell.shot
    out["shot_number"] = shot.number
    out["shot_slow_velocity"] = shot.slow_m_s
    out["shot_fast_velocity"] = shot.fast_m_s
    out["shot_intensification_pressure"] = shot.intensification_mpa
    out["shot_rise_time"] = shot.rise_ms
    out["shot_fill_time"] = shot.fill_ms
    out["shot_biscuit_thickness"] = shot.biscuit_mm
    out["shot_vacuum"] = shot.vacuum_mbar
    out["shot_clamp_force"] = shot.clamp_kn
    out["shot_cycle_time"] = shot.cycle_s
    out["shot_die_temperature"] = shot.die_c
    out["shot_dose"] = shot.dose_kg
    out["shot_good"] = shot.good


def _setpoints(cell: DieCastingCell, out: Readings) -> None:
    wanted = cell.set
    out["set_slow_velocity"] = wanted.slow_m_s
    out["set_fast_velocity"] = wanted.fast_m_s
    out["set_intensification_pressure"] = wanted.intensification_mpa
    out["set_oil_temperature"] = wanted.oil_c
    out["set_melt_temperature"] = wanted.melt_c
    out["set_dose"] = wanted.dose_kg
    out["set_clamp_force"] = wanted.clamp_kn
    for n in range(1, 5):
        out[f"set_switch_position_{n}"] = PLUNGER_STROKE_MM * (0.3, 0.56, 0.86, 0.95)[n - 1]
    for n in range(1, 9):
        out[f"set_spray_time_{n}"] = 1.2 + 0.1 * n


def _auxiliaries(cell: DieCastingCell, out: Readings) -> None:
    noise, hall = cell.random.gauss, ambient_c(cell.time_s)
    spraying = cell.phase is Phase.SPRAYING
    for n in range(1, 9):
        out[f"spray_volume_{n}"] = (60.0 + 5 * n) * (1 + noise(0, 0.005)) if spraying else 0.0
    for n in range(1, 5):
        out[f"spray_pressure_{n}"] = 4.2 - (0.5 if spraying else 0.0) + noise(0, 0.02)
        out[f"bearing_temperature_{n}"] = hall + 0.11 * cell.power_kw + 0.8 * n
    out["release_agent_level"] = 90.0 - (cell.hours * 3.1) % 70
    out["release_agent_concentration"] = 1.2 + 0.02 * ((cell.hours * 3.1) % 70) / 70
    out["lubricant_level"] = 88.0 - (cell.hours * 0.6) % 60
    out["cabinet_temperature"] = hall + 9.0 + cell.power_kw / 40
    out["hall_temperature"] = hall
    out["hall_humidity"] = 62.0 - 1.4 * (hall - 24)
    out["compressed_air_pressure"] = 6.4 + noise(0, 0.03)
    out["cooling_water_temperature"] = 0.7 * hall + 8.0
    out["cooling_water_pressure"] = 3.6 + noise(0, 0.02)
