"""The place hierarchy with counts, as a tree."""

from typing import Any

from sqlalchemy import Connection, func, select

from mingwu.registry import schema
from mingwu.registry.model import Level
from mingwu.registry.rows import PlaceNode
from mingwu.registry.schema import ACTIVE


def tree(connection: Connection) -> list[PlaceNode]:
    """Roots in file order, each with its children; counts of active things and tags."""
    place, thing, tag = schema.place, schema.thing, schema.tag
    things = _counts(
        connection,
        select(thing.c.place, func.count()).where(thing.c.state == ACTIVE).group_by(thing.c.place),
    )
    tags = _counts(
        connection,
        select(thing.c.place, func.count())
        .join(tag, tag.c.thing == thing.c.key)
        .where(thing.c.state == ACTIVE, tag.c.state == ACTIVE)
        .group_by(thing.c.place),
    )
    rows = connection.execute(select(place).order_by(place.c.plant, place.c.position)).all()
    children: dict[str, list[Any]] = {}
    for row in rows:
        children.setdefault(row.path.rpartition("/")[0], []).append(row)

    def node(row: Any) -> PlaceNode:
        below = tuple(node(child) for child in children.get(row.path, ()))
        here = things.get(row.path, 0)
        return PlaceNode(
            path=row.path,
            level=Level(row.level),
            en=row.en,
            zh=row.zh,
            things=here,
            all_things=here + sum(child.all_things for child in below),
            all_tags=tags.get(row.path, 0) + sum(child.all_tags for child in below),
            children=below,
        )

    return [node(row) for row in children.get("", ())]


def _counts(connection: Connection, query: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}
