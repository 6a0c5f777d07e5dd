"""What other packages see of the registry: gateways' work, resolver cards, relations.

Each function answers from the connection's snapshot.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, func, or_, select

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import NotFound
from mingwu.kernel.plant import (
    CardTag,
    DeviceSpec,
    GatewaySpec,
    Kind,
    TagSpec,
    ThingCard,
    ValueType,
)
from mingwu.registry import schema
from mingwu.registry.model import RelationKind, ThingDef
from mingwu.registry.queries import structs
from mingwu.registry.rows import RELATION_LABELS, GatewayRow, RelationEdge, RelationRow
from mingwu.registry.schema import ACTIVE

Row = dict[str, Any]


def edges(connection: Connection) -> list[RelationEdge]:
    """Every relation between active things, in file order."""
    table = schema.relation
    source, target = schema.thing.alias("source"), schema.thing.alias("target")
    query = (
        select(source.c.id.label("source"), table.c.kind, target.c.id.label("target"))
        .select_from(table)
        .join(source, source.c.key == table.c.source)
        .join(target, target.c.key == table.c.target)
        .where(source.c.state == ACTIVE, target.c.state == ACTIVE)
        .order_by(table.c.plant, table.c.position)
    )
    return structs(RelationEdge, connection.execute(query).mappings())


def relations(connection: Connection, key: str) -> list[RelationRow]:
    """The relations of the thing with the folded identifier ``key``, both directions."""
    table, other = schema.relation, schema.thing
    query = (
        select(table.c.source, table.c.kind, other.c.id, other.c.en, other.c.zh)
        .add_columns(other.c.kind.label("thing_kind"))
        .join(
            other,
            or_(
                (table.c.source == key) & (other.c.key == table.c.target),
                (table.c.target == key) & (other.c.key == table.c.source),
            ),
        )
        .where(other.c.state == ACTIVE)
        .order_by(table.c.plant, table.c.position)
    )
    return [_relation(row, key) for row in connection.execute(query)]


def gateways(connection: Connection) -> list[GatewayRow]:
    """The gateways, with how many devices and tags each serves."""
    table = schema.gateway

    def amount(of: Any, *terms: Any) -> Any:
        count = select(func.count()).select_from(of)
        return count.where(of.c.gateway == table.c.name, *terms).scalar_subquery()

    query = select(
        *(table.c[name] for name in ("name", "en", "zh", "place", "plant")),
        amount(schema.device).label("devices"),
        amount(schema.tag, schema.tag.c.state == ACTIVE).label("tags"),
    ).order_by(table.c.plant, table.c.position)
    return structs(GatewayRow, connection.execute(query).mappings())


def gateway_spec(connection: Connection, name: str) -> GatewaySpec:
    """All a gateway needs; NotFound ``registry.unknown`` for an unknown one."""
    device, tag, thing = schema.device, schema.tag, schema.thing
    known = select(schema.gateway.c.name).where(schema.gateway.c.name == name)
    if connection.execute(known).first() is None:
        raise NotFound("registry.unknown", what=Phrase("gateway", "网关"), name=name)
    devices = connection.execute(
        select(device, thing.c.id.label("thing_id"))
        .join(thing, thing.c.key == device.c.thing)
        .where(device.c.gateway == name)
        .order_by(device.c.plant, device.c.position)
    ).mappings()
    tags: dict[str, list[TagSpec]] = {}
    for row in connection.execute(
        select(tag, thing.c.id.label("thing_id"))
        .join(thing, thing.c.key == tag.c.thing)
        .where(tag.c.gateway == name, tag.c.state == ACTIVE)
        .order_by(tag.c.plant, tag.c.position)
    ).mappings():
        tags.setdefault(row["device"], []).append(_tag_spec(dict(row)))
    return GatewaySpec(
        name=name,
        devices=tuple(_device_spec(dict(row), tuple(tags.get(row["name"], ()))) for row in devices),
    )


def cards(connection: Connection, key: str = "") -> list[ThingCard]:
    """Cards of all active things in file order, or of the one with folded identifier ``key``."""
    thing, tag = schema.thing, schema.tag
    terms = [thing.c.state == ACTIVE] + ([thing.c.key == key] if key else [])
    things = connection.execute(
        select(thing).where(*terms).order_by(thing.c.plant, thing.c.position)
    ).all()
    exposed: dict[str, list[CardTag]] = {}
    for row in connection.execute(
        select(tag)
        .join(thing, thing.c.key == tag.c.thing)
        .where(tag.c.state == ACTIVE, tag.c.exposed.is_(True), *terms)
        .order_by(tag.c.plant, tag.c.position)
    ):
        card = CardTag(number=row.number, name=row.name, unit=row.unit, type=ValueType(row.type))
        exposed.setdefault(row.thing, []).append(card)
    leads = _leads(connection, key)
    return [
        ThingCard(
            id=row.id,
            kind=Kind(row.kind),
            type=row.type,
            name_en=row.en,
            name_zh=row.zh,
            place=row.place,
            documentation=row.documentation,
            simulated=row.simulated,
            relations=tuple(leads.get(row.key, ())),
            codes=msgspec.json.decode(row.declaration, type=ThingDef).codes,
            tags=tuple(exposed.get(row.key, ())),
        )
        for row in things
    ]


def _leads(connection: Connection, key: str) -> dict[str, list[tuple[str, str]]]:
    """By folded source: what each thing (or the one of ``key``) leads to, in file order."""
    table, target = schema.relation, schema.thing
    query = (
        select(table.c.source, table.c.kind, target.c.id)
        .join(target, target.c.key == table.c.target)
        .where(target.c.state == ACTIVE, *([table.c.source == key] if key else []))
        .order_by(table.c.plant, table.c.position)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.source, []).append((row.kind, row.id))
    return found


def _relation(row: Any, key: str) -> RelationRow:
    outward = row.source == key
    kind = RelationKind(row.kind)
    label_en, label_zh = RELATION_LABELS[kind][0 if outward else 1]
    return RelationRow(
        kind=kind,
        outward=outward,
        id=row.id,
        en=row.en,
        zh=row.zh,
        thing_kind=Kind(row.thing_kind),
        label_en=label_en,
        label_zh=label_zh,
    )


def _tag_spec(row: Row) -> TagSpec:
    same = (
        "number",
        "name",
        "address",
        "type",
        "unit",
        "low",
        "high",
        "period_ms",
        "writable",
        "nanoseconds",
    )
    fields = {field: row[field] for field in same} | {
        "thing": row["thing_id"],
        "scale": row["raw_scale"],
        "offset": row["raw_offset"],
        "deadband": msgspec.json.decode(row["deadband"]),
    }
    return msgspec.convert(fields, TagSpec)


def _device_spec(row: Row, tags: tuple[TagSpec, ...]) -> DeviceSpec:
    same = ("name", "driver", "line", "start", "simulated")
    fields = {field: row[field] for field in same} | {
        "thing": row["thing_id"],
        "settings": msgspec.json.decode(row["settings"]),
        "tags": tags,
    }
    return msgspec.convert(fields, DeviceSpec)
