"""The semantic half of judging a plant file: names, references, ranges, devices.

Every check appends faults and goes on; :func:`check` raises once with all of them.
"""

from collections.abc import Mapping

import msgspec

from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.kernel.names import parse as parse_name
from mingwu.registry.errors import Fault, PlantFaults
from mingwu.registry.expand import ResolvedTag, check_range, properties, tags
from mingwu.registry.model import RANK, GatewayDef, PlaceDef, PlantFile, ThingDef, TypeDef


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """A checked plant: the declarations and, per thing (same order), its resolved tags."""

    file: PlantFile
    tags: tuple[tuple[ResolvedTag, ...], ...]


def check(file: PlantFile, *, known: frozenset[str] = frozenset()) -> Plant:
    """Check declarations as a whole and resolve their tags; raises :class:`PlantFaults`.

    ``known`` holds folded identifiers of things elsewhere that relations may point at.
    """
    plant, faults = judge(file, known=known)
    if faults:
        raise PlantFaults(faults)
    return plant


def judge(file: PlantFile, *, known: frozenset[str] = frozenset()) -> tuple[Plant, list[Fault]]:
    """Like :func:`check`, but hands the faults over."""
    faults: list[Fault] = []
    _check_head(file, faults)
    _check_places(file.place, faults)
    places = {place.path for place in file.place}
    _check_gateways(file.gateway, places, faults)
    types = _check_types(file.type, faults)
    _check_things(file, places, types, faults)
    _check_relations(file, known, faults)
    _check_devices(file, faults)
    resolved = tuple(
        tuple(tags(file, index, types.get(thing.type), faults))
        for index, thing in enumerate(file.thing)
    )
    return Plant(file=file, tags=resolved), faults


def _check_head(file: PlantFile, faults: list[Fault]) -> None:
    try:
        parse_name(f"{file.prefix}/X")
    except InvalidInput:
        faults.append(Fault("$.prefix", "registry.bad-prefix", {"name": file.prefix}))


def _check_places(places: tuple[PlaceDef, ...], faults: list[Fault]) -> None:
    levels = {place.path: place.level for place in places}
    seen: set[str] = set()
    for index, place in enumerate(places):
        where = f"$.place[{index}]"
        if place.path in seen:
            faults.append(Fault(f"{where}.path", "registry.duplicate", {"name": place.path}))
        seen.add(place.path)
        above, _, _ = place.path.rpartition("/")
        if not above:
            continue
        parent = levels.get(above)
        if parent is None:
            faults.append(Fault(f"{where}.path", "registry.no-place", {"name": above}))
            continue
        upper, lower = RANK.get(parent), RANK.get(place.level)
        if upper is not None and lower is not None and lower < upper:
            params = {"level": place.level.value, "parent": parent.value}
            faults.append(Fault(f"{where}.level", "registry.bad-level", params))


def _check_gateways(
    gateways: tuple[GatewayDef, ...], places: set[str], faults: list[Fault]
) -> None:
    seen: set[str] = set()
    for index, gateway in enumerate(gateways):
        where = f"$.gateway[{index}]"
        if gateway.name in seen:
            faults.append(Fault(f"{where}.name", "registry.duplicate", {"name": gateway.name}))
        seen.add(gateway.name)
        if gateway.place and gateway.place not in places:
            faults.append(Fault(f"{where}.place", "registry.no-place", {"name": gateway.place}))


def _check_types(types: tuple[TypeDef, ...], faults: list[Fault]) -> dict[str, TypeDef]:
    found: dict[str, TypeDef] = {}
    for index, kind in enumerate(types):
        where = f"$.type[{index}]"
        if kind.name in found:
            faults.append(Fault(f"{where}.name", "registry.duplicate", {"name": kind.name}))
        found[kind.name] = kind
        _check_properties(kind, where, faults)
        for section in ("action", "event"):
            names: set[str] = set()
            for at, item in enumerate(getattr(kind, section)):
                if item.name in names:
                    path = f"{where}.{section}[{at}].name"
                    faults.append(Fault(path, "registry.duplicate", {"name": item.name}))
                names.add(item.name)
    return found


def _check_properties(kind: TypeDef, where: str, faults: list[Fault]) -> None:
    for at, item in enumerate(kind.property):
        path = f"{where}.property[{at}]"
        check_range(item, path, faults)
        if item.repeat is not None:
            if item.repeat.last < item.repeat.first:
                params = {"first": item.repeat.first, "last": item.repeat.last}
                faults.append(Fault(f"{path}.repeat", "registry.bad-repeat", params))
            if "{i}" not in item.name:
                faults.append(Fault(f"{path}.name", "registry.no-repeat"))
    names: set[str] = set()
    for at, item, _ in properties(kind):
        path = f"{where}.property[{at}].name"
        if item.name in names:
            faults.append(Fault(path, "registry.duplicate", {"name": item.name}))
        names.add(item.name)
        if "{" in item.name or "}" in item.name:
            fault = {"fault": f"braces in the name “{item.name}” without repeat"}
            faults.append(Fault(path, "registry.shape", fault))


def _check_things(
    file: PlantFile, places: set[str], types: Mapping[str, TypeDef], faults: list[Fault]
) -> None:
    gateways = {gateway.name for gateway in file.gateway}
    seen: set[str] = set()
    codes: set[str] = set()
    for index, thing in enumerate(file.thing):
        where = f"$.thing[{index}]"
        name = file.full_id(thing.id)
        try:
            parse_name(name)
        except InvalidInput as error:
            params = {"name": thing.id, "fault": error.params["fault"]}
            faults.append(Fault(f"{where}.id", "registry.bad-id", params))
        if fold(name) in seen:
            faults.append(Fault(f"{where}.id", "registry.duplicate", {"name": thing.id}))
        seen.add(fold(name))
        if thing.type and thing.type not in types:
            faults.append(Fault(f"{where}.type", "registry.no-type", {"name": thing.type}))
        if not thing.type and thing.kind is None:
            faults.append(Fault(f"{where}.kind", "registry.no-kind"))
        if thing.place and thing.place not in places:
            faults.append(Fault(f"{where}.place", "registry.no-place", {"name": thing.place}))
        if thing.documentation and not thing.documentation.startswith(("http://", "https://")):
            params = {"url": thing.documentation}
            faults.append(Fault(f"{where}.documentation", "registry.bad-url", params))
        for at, code in enumerate(thing.codes):
            if code in codes:
                path = f"{where}.codes[{at}]"
                faults.append(Fault(path, "registry.duplicate", {"name": code}))
            codes.add(code)
        link = thing.connection
        if link is not None and link.gateway not in gateways:
            path = f"{where}.connection.gateway"
            faults.append(Fault(path, "registry.no-gateway", {"name": link.gateway}))


def _check_relations(file: PlantFile, known: frozenset[str], faults: list[Fault]) -> None:
    names = known | {fold(file.full_id(thing.id)) for thing in file.thing}
    for index, thing in enumerate(file.thing):
        seen: set[tuple[str, str]] = set()
        for at, relation in enumerate(thing.relation):
            where = f"$.thing[{index}].relation[{at}]"
            key = fold(file.full_id(relation.target))
            if key not in names:
                params = {"name": relation.target}
                faults.append(Fault(f"{where}.target", "registry.no-target", params))
            if (relation.kind, key) in seen:
                faults.append(Fault(where, "registry.duplicate", {"name": relation.target}))
            seen.add((relation.kind, key))


def _check_devices(file: PlantFile, faults: list[Fault]) -> None:
    owners: dict[tuple[str, str], ThingDef] = {}
    for index, thing in enumerate(file.thing):
        link = thing.connection
        if link is None or not link.driver:
            continue
        owner = owners.setdefault((link.gateway, link.device), thing)
        if owner is not thing:
            params = {"device": link.device, "gateway": link.gateway, "owner": owner.id}
            where = f"$.thing[{index}].connection.device"
            faults.append(Fault(where, "registry.two-drivers", params))
    for index, thing in enumerate(file.thing):
        link = thing.connection
        if link is not None and (link.gateway, link.device) not in owners:
            params = {"device": link.device, "gateway": link.gateway}
            where = f"$.thing[{index}].connection.driver"
            faults.append(Fault(where, "registry.no-driver", params))
