"""Business rule on reports: a lent thing works only at its agreed place (S2, clause I1.4)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mingwu.identity.carriers.frames import Sample
from mingwu.identity.carriers.model import Fence

_EARTH_RADIUS_M = 6_371_008.8  # mean radius of WGS 84 (IUGG)


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance of two points in degrees (haversine), in metres."""
    a, b = math.radians(lat1), math.radians(lat2)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


@dataclass(frozen=True, slots=True)
class Crossing:
    """What samples say about the fence: ``worked`` outside, how far, and where it ended."""

    is_outside: bool
    worked: bool
    distance_m: int


def _number(readings: Mapping[str, float | str], name: str) -> float | None:
    value = readings.get(name)
    if isinstance(value, str) or value is None or not math.isfinite(value):
        return None
    return float(value)


def judge(fence: Fence, before: Mapping[str, float | str], samples: Iterable[Sample]) -> Crossing:
    """Whether the thing worked outside; ``before`` are the readings of the sample before.

    Samples without a position are skipped: no conclusion is drawn from a missing fix.
    """
    work = _number(before, fence.work)
    outside, worked, farthest = False, False, 0.0
    for sample in samples:
        latitude = _number(sample.readings, fence.latitude_of)
        longitude = _number(sample.readings, fence.longitude_of)
        now = _number(sample.readings, fence.work)
        if latitude is not None and longitude is not None:
            far = distance_m(fence.latitude, fence.longitude, latitude, longitude)
            outside = far > fence.radius_m
            if outside and now is not None and work is not None and now > work:
                worked, farthest = True, max(farthest, far)
        work = now if now is not None else work
    return Crossing(outside, worked, round(farthest))
