"""Mappings: how the rows of a table become registrations, as data, kept in the node's store.

Patterns such as ``88.888.101/PRT.{model}.{serial}`` put columns into the name and the items. A
date as spreadsheets give it (YYYY-MM-DD) is written as its item asks.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import Engine, delete, insert, select

from mingwu.identity.enterprise import importerrors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.model import DataType, Registration, Template, TemplateRef
from mingwu.identity.enterprise.tables import Row
from mingwu.identity.enterprise.validation import date_pattern
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.plant import Kind
from mingwu.store.engine import reading, writing

_PLACE = re.compile(r"\{([^{}]*)\}")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2}))?")
_PLAIN_DAY = "YYYY-MM-DD"
NAME = r"^[\w.-]+$"


class Existing(StrEnum):
    """What to do with a name that is known with other values, or was deregistered."""

    SKIP = "skip"
    CHANGE = "change"
    FAULT = "fault"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rows become registrations.

    ``values``: item type → pattern; what comes out empty is left out of a new name and taken out
    of a known one; items that are not named here keep their values. ``head``: the row that names
    the columns.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=NAME)]
    prefix: str
    version: str
    identifier: Annotated[str, Meta(min_length=3, max_length=255)]
    values: Annotated[dict[str, str], Meta(max_length=500)]
    kind: Kind | None = None
    existing: Existing = Existing.SKIP
    sheet: Annotated[str, Meta(max_length=100)] = ""
    head: Annotated[int, Meta(ge=1, le=1000)] = 1

    @property
    def template(self) -> TemplateRef:
        """The template its names are made with."""
        return TemplateRef(self.prefix, self.version)

    def columns(self) -> list[str]:
        """The columns it takes, in the order of its patterns."""
        patterns = (self.identifier, *self.values.values())
        return list(dict.fromkeys(name for one in patterns for name in _PLACE.findall(one)))

    def name_columns(self) -> tuple[str, ...]:
        """The columns that the identifier is made of."""
        return tuple(dict.fromkeys(_PLACE.findall(self.identifier)))


class KeptMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A stored mapping, who changed it last and when."""

    mapping: Mapping
    changed_by: str
    changed_at_ms: int


class Mappings:
    """The mappings of one node."""

    def __init__(self, engine: Engine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms

    def put(self, mapping: Mapping, *, actor: str) -> None:
        """Store a mapping under its name; raises InvalidInput ``enterprise.mapping-pattern``."""
        check_patterns(mapping)
        table = schema.mapping
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.name == mapping.name))
            connection.execute(
                insert(table).values(
                    name=mapping.name,
                    definition=msgspec.json.encode(mapping).decode(),
                    changed_by=actor,
                    changed_at_ms=self._now_ms(),
                )
            )

    def remove(self, name: str) -> None:
        """Forget a mapping; NotFound ``enterprise.mapping-unknown``."""
        table = schema.mapping
        with writing(self._engine) as connection:
            gone = connection.execute(delete(table).where(table.c.name == name)).rowcount
        if not gone:
            raise NotFound("enterprise.mapping-unknown", mapping=name)

    def kept(self) -> list[KeptMapping]:
        """All mappings by name, with who changed them."""
        table = schema.mapping
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).order_by(table.c.name)).mappings()
            return [
                KeptMapping(
                    mapping=msgspec.json.decode(row["definition"], type=Mapping),
                    changed_by=row["changed_by"],
                    changed_at_ms=row["changed_at_ms"],
                )
                for row in rows
            ]

    def list(self) -> list[Mapping]:
        """All mappings by name."""
        return [one.mapping for one in self.kept()]

    def get(self, name: str) -> Mapping:
        """One mapping; NotFound ``enterprise.mapping-unknown``."""
        found = next((one for one in self.list() if one.name == name), None)
        if found is None:
            raise NotFound("enterprise.mapping-unknown", mapping=name)
        return found


def check_patterns(mapping: Mapping) -> None:
    """Raise InvalidInput ``enterprise.mapping-pattern`` for braces that do not pair."""
    for pattern in (mapping.identifier, *mapping.values.values()):
        rest = _PLACE.sub("", pattern)
        if "{" in rest or "}" in rest or "{}" in pattern:
            raise InvalidInput("enterprise.mapping-pattern", pattern=pattern[:100])


def check_mapping(mapping: Mapping, template: Template, columns: Sequence[str]) -> None:
    """Raise InvalidInput when patterns, items or columns of the mapping do not fit."""
    check_patterns(mapping)
    types = {item.type for item in template.definition.items}
    for item in mapping.values:
        if item not in types:
            raise InvalidInput("enterprise.mapping-item", item=item, template=template.label)
    for column in mapping.columns():
        if column not in columns:
            known = ", ".join(columns[:20]) + (" …" if len(columns) > 20 else "")  # noqa: PLR2004
            raise InvalidInput("enterprise.table-column", column=column, columns=known)


def renderer(mapping: Mapping, template: Template) -> Callable[[Row], Registration]:
    """What makes a registration of a row; values that come out empty are empty texts."""
    items = {item.type: item for item in template.definition.items}
    name = _pattern(mapping.identifier)
    values = []
    for kind, pattern in mapping.values.items():
        fill, item = _pattern(pattern), items.get(kind)
        if item and item.data_type is DataType.DATE and item.date_format != _PLAIN_DAY:
            fill = _dated(fill, date_pattern(item.date_format))
        values.append((kind, fill))
    ref, of_kind = mapping.template, mapping.kind

    def render(row: Row) -> Registration:
        texts = {kind: fill(row) for kind, fill in values}
        return Registration(name=name(row), template=ref, values=texts, kind=of_kind)

    return render


def _pattern(pattern: str) -> Callable[[Row], str]:
    parts = _PLACE.split(pattern)
    if len(parts) == 1:
        return lambda _: pattern
    if len(parts) == 3 and not parts[0] and not parts[2]:  # noqa: PLR2004 - one column alone
        column = parts[1]
        return lambda row: row[column]
    pieces = [(part, bool(at % 2)) for at, part in enumerate(parts) if part]

    def fill(row: Row) -> str:
        return "".join([row[part] if is_column else part for part, is_column in pieces])

    return fill


def _dated(fill: Callable[[Row], str], form: str) -> Callable[[Row], str]:
    """Dates of spreadsheets in the item's form; everything else as it stands."""

    def written(row: Row) -> str:
        value = fill(row)
        match = _DAY.fullmatch(value)
        if not match:
            return value
        try:
            moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00:00'}")
        except ValueError:
            return value
        return moment.strftime(form)

    return written
