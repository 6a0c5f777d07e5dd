"""The registry's questions as Core selects: filters, sorting, paging, counts.

Text filters match case-insensitively for ASCII on both engines; ``%`` and ``_`` in what a person
types are plain characters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.registry import schema
from mingwu.registry.rows import Filter, Page, TagRow, ThingRow
from mingwu.registry.schema import ACTIVE

_thing = schema.thing
_tag = schema.tag

_TAG_COLUMNS: dict[str, ColumnElement[Any]] = {
    "number": _tag.c.number,
    "thing": _thing.c.id,
    "name": _tag.c.name,
    "en": _tag.c.en,
    "zh": _tag.c.zh,
    "thing_en": _thing.c.en,
    "thing_zh": _thing.c.zh,
    "kind": _thing.c.kind,
    "place": _thing.c.place,
    "property": _tag.c.property,
    "type": _tag.c.type,
    "unit": _tag.c.unit,
    "low": _tag.c.low,
    "high": _tag.c.high,
    "period_ms": _tag.c.period_ms,
    "gateway": _tag.c.gateway,
    "device": _tag.c.device,
    "address": _tag.c.address,
    "scale": _tag.c.raw_scale,
    "offset": _tag.c.raw_offset,
    "deadband": _tag.c.deadband,
    "writable": _tag.c.writable,
    "exposed": _tag.c.exposed,
    "simulated": _thing.c.simulated,
    "state": _tag.c.state,
}
_TAG_COUNT = (
    select(func.count())
    .select_from(_tag)
    .where(_tag.c.thing == _thing.c.key, _tag.c.state == ACTIVE)
    .scalar_subquery()
)
_THING_COLUMNS: dict[str, ColumnElement[Any]] = {
    "id": _thing.c.id,
    "kind": _thing.c.kind,
    "type": _thing.c.type,
    "en": _thing.c.en,
    "zh": _thing.c.zh,
    "place": _thing.c.place,
    "documentation": _thing.c.documentation,
    "simulated": _thing.c.simulated,
    "state": _thing.c.state,
    "plant": _thing.c.plant,
    "tags": _TAG_COUNT,
    "added_at_ms": _thing.c.added_at_ms,
    "changed_at_ms": _thing.c.changed_at_ms,
}

R = TypeVar("R", bound=msgspec.Struct)


def tag_rows(connection: Connection, wanted: Filter, page: Page) -> tuple[list[TagRow], int]:
    """A page of tags and how many there are in all."""
    joined = _tag.join(_thing, _tag.c.thing == _thing.c.key)
    where = [*_thing_terms(wanted), *_tag_terms(wanted)]
    where += _words(
        wanted.text,
        (
            _tag.c.name,
            _tag.c.en,
            _tag.c.zh,
            _tag.c.address,
            _thing.c.id,
            _thing.c.en,
            _thing.c.zh,
        ),
    )
    query = select(*(column.label(name) for name, column in _TAG_COLUMNS.items()))
    query = query.select_from(joined).where(*where)
    order = [_thing.c.plant, _tag.c.position, _tag.c.number]
    total = select(func.count()).select_from(joined).where(*where)
    rows = _page(connection, query, page, _TAG_COLUMNS, order)
    decoded = [{**row, "deadband": msgspec.json.decode(row["deadband"])} for row in rows]
    return structs(TagRow, decoded), connection.execute(total).scalar_one()


def thing_rows(connection: Connection, wanted: Filter, page: Page) -> tuple[list[ThingRow], int]:
    """A page of things and how many there are in all."""
    where = _thing_terms(wanted)
    terms = _tag_terms(wanted)
    if len(terms) > 1 or wanted.numbers:  # more than the state: the thing must have such a tag
        where.append(select(_tag.c.number).where(_tag.c.thing == _thing.c.key, *terms).exists())
    where += _words(wanted.text, (_thing.c.id, _thing.c.en, _thing.c.zh, _thing.c.type))
    if not wanted.retired:
        where.append(_thing.c.state == ACTIVE)
    query = select(*(column.label(name) for name, column in _THING_COLUMNS.items()))
    query = query.where(*where)
    total = select(func.count()).select_from(_thing).where(*where)
    order = [_thing.c.plant, _thing.c.position, _thing.c.key]
    rows = _page(connection, query, page, _THING_COLUMNS, order)
    return structs(ThingRow, rows), connection.execute(total).scalar_one()


def below(column: ColumnElement[str], place: str) -> ColumnElement[bool]:
    """The place itself or anything below it."""
    return or_(column == place, column.startswith(place + "/", autoescape=True))


def _thing_terms(wanted: Filter) -> list[ColumnElement[bool]]:
    terms: list[ColumnElement[bool]] = []
    if wanted.place:
        terms.append(below(_thing.c.place, wanted.place))
    if wanted.thing:
        terms.append(_thing.c.key == fold(wanted.thing))
    if wanted.kind is not None:
        terms.append(_thing.c.kind == wanted.kind.value)
    if wanted.type:
        terms.append(_thing.c.type == wanted.type)
    if wanted.plant:
        terms.append(_thing.c.plant == wanted.plant)
    if wanted.simulated is not None:
        terms.append(_thing.c.simulated.is_(wanted.simulated))
    return terms


def _tag_terms(wanted: Filter) -> list[ColumnElement[bool]]:
    terms: list[ColumnElement[bool]] = []
    if not wanted.retired:
        terms.append(_tag.c.state == ACTIVE)
    if wanted.gateway:
        terms.append(_tag.c.gateway == wanted.gateway)
    if wanted.device:
        terms.append(_tag.c.device == wanted.device)
    if wanted.unit:
        terms.append(_tag.c.unit == wanted.unit)
    if wanted.value_type is not None:
        terms.append(_tag.c.type == wanted.value_type.value)
    if wanted.exposed is not None:
        terms.append(_tag.c.exposed.is_(wanted.exposed))
    if wanted.numbers:
        terms.append(_tag.c.number.in_(wanted.numbers))
    return terms


def _words(text: str, columns: Sequence[ColumnElement[str]]) -> list[ColumnElement[bool]]:
    return [
        or_(*(column.icontains(word, autoescape=True) for column in columns))
        for word in text.split()
    ]


def _page(
    connection: Connection,
    query: Select[Any],
    page: Page,
    columns: dict[str, ColumnElement[Any]],
    order: Sequence[ColumnElement[Any]],
) -> Sequence[Mapping[Any, Any]]:
    if page.sort:
        if page.sort not in columns:
            known = ", ".join(columns)
            raise InvalidInput("registry.bad-sort", key=page.sort, known=known)
        column = columns[page.sort]
        # NULLs (no range) come last either way; the file's order decides between equals.
        nulls = column.is_(None)
        query = query.order_by(nulls, column.desc() if page.descending else column, *order)
    else:
        query = query.order_by(*order)
    return connection.execute(query.offset(page.offset).limit(page.limit)).mappings().all()


def structs(cls: type[R], rows: Iterable[Mapping[Any, Any]]) -> list[R]:
    """Rows as structs of the same field names."""
    # SQLAlchemy's keys are a subclass of str, which msgspec does not take for field names.
    data = [{str(name): value for name, value in row.items()} for row in rows]
    return msgspec.convert(data, list[cls])  # type: ignore[valid-type]
