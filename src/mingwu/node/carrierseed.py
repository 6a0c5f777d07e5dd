"""What the simulated moulds' lender tells the platform: serial numbers, and a parameter set.

A lender provisions his carriers before they are powered on, and later sends some of them another
parameter set. Both are done here by the leading web process, once, in the name of the lab.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mingwu.identity.carriers.model import NewUnit, Unit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.kernel.errors import Conflict
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.node.live import pause

log = logging.getLogger(__name__)

ACTOR = "lab"
R12: dict[str, float | str] = {"name": "r12", "set_point": 66.0}
R12_EVERY = 3
_LOOK_S = 1.0


def provision(platform: CarrierPlatform, settings: CarrierLabSettings) -> Sequence[NewUnit]:
    """Write down every carrier that the lab has personalised and the platform does not know."""
    listing = Path(settings.directory) / "units.json"
    if not listing.exists():
        return ()
    units = msgspec.json.decode(listing.read_bytes(), type=list[NewUnit])
    for unit in units:
        try:
            platform.provision(unit)
        except Conflict:  # from an earlier start
            continue
    return units


async def seed(
    platform: CarrierPlatform, settings: CarrierLabSettings, stop: asyncio.Event
) -> None:
    """Provision; once all carriers report, send every third one the parameter set r12."""
    while not stop.is_set():
        units = await asyncio.to_thread(provision, platform, settings)
        known = [await asyncio.to_thread(platform.unit, unit.serial) for unit in units]
        if units and all(unit.is_reported for unit in known):
            await asyncio.to_thread(_send_r12, platform, known)
            return
        await pause(stop, _LOOK_S)


def _send_r12(platform: CarrierPlatform, units: Sequence[Unit]) -> None:
    chosen = units[R12_EVERY - 1 :: R12_EVERY]
    for unit in chosen:
        if not unit.blocked and not platform.orders(unit.serial):
            platform.set_parameters(unit.serial, R12, actor=ACTOR)
    log.info("parameter set sent name=%s carriers=%d", R12["name"], len(chosen))
