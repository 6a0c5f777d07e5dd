"""What is registered under hosted prefixes: queries over templates, single names, counts.

Only names under prefixes in use and hosted here are found; who registers them is
:mod:`mingwu.identity.secondlevel.hosted`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Row, func, select

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.prefixes import served
from mingwu.identity.secondlevel.tenants import may, require
from mingwu.kernel.names import fold
from mingwu.store.engine import reading

_I, _V = schema.identifier, schema.value
_ANY_PREFIX = "*/"
_MOST_TEMPLATES = 1000
_MOST_ROWS = 2000


class HostedLookup:
    """Finds hosted identifiers. Synchronous, for use in threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def query(
        self,
        asker: str,
        template: str,
        conditions: Mapping[str, str],
        *,
        after: str = "",
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Identifiers of a template whose items have these values ("text*" matches beginnings).

        ``*/T.1`` asks over the templates T.1 of all prefixes.
        ``asker`` is a tenant's credit code and sees its own prefixes, or all of them when its
        group may ``query-all``; empty means the node's operator. In key order, behind ``after``.
        """
        query = select(_I).where(~_I.c.deleted, _I.c.key > fold(after))
        mine = ""
        with reading(self._engine) as connection:
            over = [template]
            of: ColumnElement[str] = _I.c.template
            if template.startswith(_ANY_PREFIX):
                over = _templates(connection, template[1:])
                of = of.concat("")
            query = query.where(of.in_(over))
            for item, wanted in conditions.items():
                query = query.where(_I.c.key.in_(_having(over, item, wanted)))
            if asker:
                require(connection, asker, "query")
                if not may(connection, asker, "query-all"):
                    mine = asker
            # an expression, here and above: the index whose order is asked for shall be walked
            query = query.where(_I.c.prefix.concat("").in_(served(mine)))
            rows = connection.execute(query.order_by(_I.c.key).limit(min(limit, _MOST_ROWS))).all()
        return [_shown(row) for row in rows]

    def templates(self) -> list[str]:
        """Templates that names were registered with, in their order."""
        with reading(self._engine) as connection:
            return _templates(connection)

    def get(self, name: str) -> dict[str, Any] | None:
        """One hosted identifier as in :meth:`query`, or None."""
        query = select(_I).where(_I.c.key == fold(name), ~_I.c.deleted, _I.c.prefix.in_(served()))
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return _shown(row) if row is not None else None

    def names(self, prefix: str, *, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Identifiers of a prefix hosted here, in key order behind ``after``; see :meth:`query`."""
        query = select(_I).where(
            ~_I.c.deleted, _I.c.key > fold(after), _I.c.prefix == prefix, _I.c.prefix.in_(served())
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_I.c.key).limit(min(limit, _MOST_ROWS))).all()
        return [_shown(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Registered identifiers by prefix."""
        query = select(_I.c.prefix, func.count()).where(~_I.c.deleted, _I.c.prefix.in_(served()))
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(_I.c.prefix))}


def _shown(row: Row[tuple[object, ...]]) -> dict[str, Any]:
    return {
        "name": row.name,
        "prefix": row.prefix,
        "template": row.template,
        "values": msgspec.json.decode(row.content),
        "at_ms": row.at_ms,
    }


def _templates(connection: Connection, end: str = "") -> list[str]:
    """Templates in use that end so; each step jumps to the next in the index."""
    found: list[str] = []
    last = ""
    while len(found) < _MOST_TEMPLATES:
        following = select(func.min(_I.c.template)).where(_I.c.template > last)
        step = connection.execute(following).scalar()
        if step is None:
            break
        last = step
        if last.endswith(end):
            found.append(last)
    return found


def _having(over: Sequence[str], item: str, wanted: str) -> ColumnElement[object]:
    query = select(_V.c.key).where(_V.c.template.in_(over), _V.c.item == item)
    if wanted.endswith("*"):
        start = wanted[:-1]
        return query.where(_V.c.value >= start, _V.c.value < start + "\U0010ffff")  # type: ignore[return-value]
    return query.where(_V.c.value == wanted)  # type: ignore[return-value]
