"""The stored declarations of a plant as a plant file again."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import NotFound
from mingwu.registry import schema
from mingwu.registry.model import GatewayDef, PlaceDef, PlantFile, ThingDef, TypeDef
from mingwu.registry.schema import ACTIVE

Row = dict[str, Any]


def export(connection: Connection, name: str) -> PlantFile:
    """What was imported last, with later edits; NotFound for an unknown plant."""
    query = select(schema.plant).where(schema.plant.c.name == name)
    head = connection.execute(query).one_or_none()
    if head is None:
        raise NotFound("registry.unknown", what=Phrase("plant", "工厂"), name=name)
    types = _rows(connection, schema.thing_type, name)
    things = _rows(connection, schema.thing, name)
    return PlantFile(
        name=name,
        prefix=head.prefix,
        en=head.en,
        zh=head.zh,
        place=tuple(_columns(PlaceDef, row) for row in _rows(connection, schema.place, name)),
        gateway=tuple(_columns(GatewayDef, row) for row in _rows(connection, schema.gateway, name)),
        type=tuple(msgspec.json.decode(row["declaration"], type=TypeDef) for row in types),
        thing=tuple(msgspec.json.decode(row["declaration"], type=ThingDef) for row in things),
    )


def _rows(connection: Connection, table: Table, name: str) -> list[Row]:
    query = select(table).where(table.c.plant == name).order_by(table.c.position)
    if "state" in table.c:
        query = query.where(table.c.state == ACTIVE)
    return [
        {str(column): value for column, value in row.items()}
        for row in connection.execute(query).mappings()
    ]


def _columns(cls: type[Any], row: Row) -> Any:
    return msgspec.convert({field: row[field] for field in cls.__struct_fields__}, cls)
