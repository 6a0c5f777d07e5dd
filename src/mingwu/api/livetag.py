"""A registered tag joined with what it last said."""

import math
from collections.abc import Sequence

from mingwu.api.ports import TagRow, ThingRow
from mingwu.api.records import LiveTag
from mingwu.api.services import Services
from mingwu.api.tagindex import PlantIndex, stale_after_s
from mingwu.kernel import units
from mingwu.kernel.names import fold
from mingwu.kernel.quality import is_simulated, reason_of


def live_tags(
    rows: Sequence[TagRow], index: PlantIndex, services: Services, now_ns: int
) -> list[LiveTag]:
    """The rows with value, time, quality, state and age as of ``now_ns``."""
    states = index.states_of(rows, services.live, now_ns)
    return [
        _live_tag(row, index.things.get(fold(row.thing)), state, services, now_ns)
        for row, state in zip(rows, states, strict=True)
    ]


def _live_tag(
    row: TagRow, thing: ThingRow | None, state: str, services: Services, now_ns: int
) -> LiveTag:
    value, time_ns, quality = services.live.get(row.number) or (None, 0, 0)
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    return LiveTag(
        number=row.number,
        thing=row.thing,
        thing_en=thing.name_en if thing else "",
        thing_zh=thing.name_zh if thing else "",
        name=row.name,
        name_en=row.name_en,
        name_zh=row.name_zh,
        type=row.type,
        unit=row.unit,
        unit_shown=units.display(row.unit),
        low=row.low,
        high=row.high,
        period_ms=row.period_ms,
        exposed=row.exposed,
        writable=row.writable,
        value=value,
        time_ms=time_ns // 1_000_000,
        quality=quality,
        state=state,
        reason=reason_of(quality).name.lower() if time_ns else "",
        simulated=bool(time_ns) and is_simulated(quality),
        age_s=round((now_ns - time_ns) / 1e9, 3) if time_ns else None,
        stale_s=stale_after_s(row),
    )
