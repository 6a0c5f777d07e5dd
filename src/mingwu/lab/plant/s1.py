"""Plant S1 put together: the plant file, and the same declarations resolved for the simulator."""

import os
from collections.abc import Mapping, Sequence

from mingwu.lab.layout import Layout, layouts
from mingwu.lab.plant import casting, energy, floor, milling, objects
from mingwu.lab.plant.connections import Connections, Sockets, tty_file
from mingwu.lab.plant.places import FIXED, UTILITIES, places
from mingwu.lab.plant.things import things
from mingwu.lab.settings import LabSettings
from mingwu.registry.check import check
from mingwu.registry.expand import ResolvedTag
from mingwu.registry.model import GatewayDef, PlantFile, TypeDef

NAME = "s1"

DeviceTags = Mapping[str, tuple[ResolvedTag, ...]]


def types() -> tuple[TypeDef, ...]:
    """All thing types of the plant."""
    cell = casting.cell_type()
    return (
        cell,
        casting.mould_type(cell),
        casting.xray_type(),
        milling.machining_type(),
        energy.meter_type(),
        floor.leak_type(),
        floor.nutrunner_type(),
        floor.vehicle_type(),
        floor.line_type(),
        *objects.TYPES,
    )


def uses_pty(settings: LabSettings) -> bool:
    """Whether the second meter bus is a pseudo-terminal pair."""
    return settings.serial == "pty" or (settings.serial == "auto" and hasattr(os, "openpty"))


def planned_sockets(layout: Layout) -> Sockets:
    """Where a replica will listen, before it does."""
    tty = str(tty_file(layout)) if uses_pty(layout.settings) else ""
    return Sockets(layout.endpoints(), tty)


def plant_file(settings: LabSettings, sockets: Sequence[Sockets] | None = None) -> PlantFile:
    """The plant as users would write it. ``sockets`` per replica; planned ones without."""
    found = [*objects.shared()]
    where = list(FIXED)
    for index, layout in enumerate(layouts(settings)):
        links = Connections(layout, sockets[index] if sockets else planned_sockets(layout))
        where += places(layout)
        found += things(links)
        found += objects.made(layout)
    return PlantFile(
        name=NAME,
        prefix=settings.prefix,
        zh="江洲精密电驱壳体工厂",
        en="Jiangzhou Precision, e-axle housings",
        place=tuple(where),
        gateway=(
            GatewayDef(name=settings.gateway, zh="边缘网关1", en="Edge gateway 1", place=UTILITIES),
        ),
        type=types(),
        thing=tuple(found),
    )


def device_tags(file: PlantFile) -> DeviceTags:
    """The resolved tags of every device, things riding on it included."""
    plant = check(file)
    found: dict[str, tuple[ResolvedTag, ...]] = {}
    for thing, tags in zip(plant.file.thing, plant.tags, strict=True):
        if thing.connection is not None:
            found[thing.connection.device] = found.get(thing.connection.device, ()) + tags
    return found
