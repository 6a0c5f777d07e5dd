"""The few laws all models share: first-order lag, seeded noise, the plant's daily pattern.

Invariants: nothing here reads a clock or global random state. Times are simulated seconds since
the epoch (UTC); the plant lives in UTC+8 and does not know summer time.
"""

import math
from random import Random

Value = float | int | bool | str
Readings = dict[str, Value]

UTC_OFFSET_S = 8 * 3600
DAY_S = 86_400

# Meal breaks and shift changes of a three-shift plant: (from hour, to hour, staffing).
_PAUSES = (
    (0.0, 0.15, 0.6),
    (3.5, 4.0, 0.5),
    (8.0, 8.15, 0.6),
    (11.5, 12.0, 0.5),
    (16.0, 16.15, 0.6),
    (19.5, 20.0, 0.5),
)


def generator(seed: int, thing: str) -> Random:
    """A random stream of its own for ``thing``, so that adding a machine moves no other."""
    return Random(f"{seed}:{thing}")


def lag(value: float, target: float, tau_s: float, dt_s: float) -> float:
    """First-order approach of ``value`` to ``target`` over ``dt_s`` (exact, not Euler)."""
    return target + (value - target) * math.exp(-dt_s / tau_s)


def local_hour(time_s: float) -> float:
    """Hour of the plant's day, 0 ≤ h < 24."""
    return (time_s + UTC_OFFSET_S) % DAY_S / 3600


def shift_number(time_s: float) -> int:
    """1 early (08–16), 2 late (16–24), 3 night (00–08)."""
    return (3, 1, 2)[int(local_hour(time_s) // 8)]


def staffing(time_s: float) -> float:
    """Share of the crew at work, 0..1; waiting times between parts are divided by it."""
    hour = local_hour(time_s)
    for start, end, share in _PAUSES:
        if start <= hour < end:
            return share
    return 0.9 if hour < 8 else 1.0  # noqa: PLR2004 — the night shift runs with nine tenths


def ambient_c(time_s: float) -> float:
    """Temperature in the hall in °C: coolest about five in the morning."""
    return 24.0 + 4.5 * math.sin((local_hour(time_s) - 11.0) / 24 * 2 * math.pi)


def mains_v(time_s: float) -> float:
    """Line-to-neutral voltage at the incomer: high at night, low in the working day."""
    return 230.5 - 2.8 * math.sin((local_hour(time_s) - 8.0) / 24 * 2 * math.pi)
