"""The rows a checked plant should have in the registry's tables, section by section."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mingwu.kernel.names import fold
from mingwu.registry.check import Plant
from mingwu.registry.model import ConnectionDef, ThingDef
from mingwu.registry.schema import ACTIVE

Row = dict[str, Any]

SECTIONS = ("places", "gateways", "types", "things", "relations", "devices", "tags")


def wanted_rows(plant: Plant) -> dict[str, list[Row]]:
    """The rows the plant should have, per section, without what the database adds."""
    file = plant.file
    common = {"plant": file.name}
    rows: dict[str, list[Row]] = {section: [] for section in SECTIONS}
    for at, place in enumerate(file.place):
        row = {"path": place.path, "level": place.level.value, "en": place.en, "zh": place.zh}
        rows["places"].append(common | row | {"position": at})
    for at, gateway in enumerate(file.gateway):
        rows["gateways"].append(
            common
            | {"name": gateway.name, "en": gateway.en, "zh": gateway.zh, "place": gateway.place}
            | {"position": at}
        )
    for at, kind in enumerate(file.type):
        declaration = msgspec.json.encode(kind).decode()
        rows["types"].append(
            common | {"name": kind.name, "declaration": declaration, "position": at}
        )
    _add_things(plant, rows, common)
    return rows


def _add_things(plant: Plant, rows: dict[str, list[Row]], common: Mapping[str, str]) -> None:
    file = plant.file
    kinds = {kind.name: kind.kind for kind in file.type}
    # One simulated rider makes the whole device simulated: the mark may spread, never fade.
    simulated = {
        (thing.connection.gateway, thing.connection.device)
        for thing in file.thing
        if thing.connection is not None and thing.simulated
    }
    for at, thing in enumerate(file.thing):
        name = file.full_id(thing.id)
        key = fold(name)
        kind = thing.kind or kinds[thing.type]
        rows["things"].append(
            {**common, "key": key, "id": name, "kind": kind.value, **_thing_row(thing, at)}
        )
        for relation in thing.relation:
            rows["relations"].append(
                {
                    **common,
                    "source": key,
                    "kind": relation.kind.value,
                    "target": fold(file.full_id(relation.target)),
                    "position": len(rows["relations"]),
                }
            )
        link = thing.connection
        if link is None:
            continue
        source = {**common, "thing": key, "gateway": link.gateway}
        if link.driver:
            is_simulated = (link.gateway, link.device) in simulated
            rows["devices"].append(source | _device_row(link, at, simulated=is_simulated))
        source["device"] = link.device
        rows["tags"] += _tag_rows(plant, at, source, len(rows["tags"]))


def _thing_row(thing: ThingDef, at: int) -> Row:
    return {
        "type": thing.type,
        "en": thing.en,
        "zh": thing.zh,
        "place": thing.place,
        "documentation": thing.documentation,
        "simulated": thing.simulated,
        "state": ACTIVE,
        "declaration": msgspec.json.encode(thing).decode(),
        "position": at,
    }


def _device_row(link: ConnectionDef, at: int, *, simulated: bool) -> Row:
    return {
        "name": link.device,
        "driver": link.driver,
        "settings": msgspec.json.encode(link.settings).decode(),
        "line": link.line,
        "start": link.start.value,
        "simulated": simulated,
        "position": at,
    }


def _tag_rows(plant: Plant, at: int, source: Mapping[str, str], first: int) -> Iterable[Row]:
    for position, item in enumerate(plant.tags[at], start=first):
        yield {
            **source,
            "name": item.name,
            "property": item.property,
            "en": item.en,
            "zh": item.zh,
            "address": item.address,
            "type": item.type.value,
            "unit": item.unit,
            "low": item.low,
            "high": item.high,
            "period_ms": item.period_ms,
            "raw_scale": item.scale,
            "raw_offset": item.offset,
            "deadband": msgspec.json.encode(item.deadband).decode(),
            "writable": item.writable,
            "exposed": item.exposed,
            "nanoseconds": item.nanoseconds,
            "state": ACTIVE,
            "position": position,
        }
