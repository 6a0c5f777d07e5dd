"""What searches of the data access service ask, and the rows they find.

Patterns as in RFC 9082 section 4.1: one asterisk, at the end (it stands for any text). Order and
pages as in RFC 8977: ``sort``, ``count`` and an opaque ``cursor`` that says behind which object the
next page begins, so pages stay right while names come and go. A cursor gives no rights.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Engine, Row, Select, and_, exists, func, or_, select

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.iiidap.names import FIELDS, NAMES
from mingwu.identity.secondlevel.model import Mode
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.kernel.names import MAX_CHARS, fold
from mingwu.store.engine import reading

_I, _P, _E = schema.identifier, schema.prefix, schema.enterprise
_LAST = "\U0010ffff"
_MOST_CURSOR = 2000
_MOST_MS = 1 << 53
_REGISTERED, _CHANGED = "registration", "last changed"


class Unprocessable(MingwuError):
    """A search of a style that is not offered (RFC 9082 4.1, RFC 9110 15.5.21)."""

    status = 422


class _Sort(NamedTuple):
    column: Any
    path: str
    number: bool = False


class _Kind(NamedTuple):
    """What can be searched for: columns of the kind's FIELDS, sorts by name; ``key`` is unique."""

    object: str
    key: Any
    fields: Sequence[Any]
    sorts: Mapping[str, _Sort]


def _date(column: Any, action: str) -> _Sort:
    return _Sort(column, f'events[?(@.eventAction=="{action}")].eventDate', number=True)


# The first sort of each is what it is sorted by when nothing is said.
KINDS: Mapping[str, _Kind] = {
    NAMES["identifiers"]: _Kind(
        NAMES["identifier"], _I.c.key, (_I.c.key,), {"handle": _Sort(_I.c.key, "handle")}
    ),
    NAMES["prefixes"]: _Kind(
        NAMES["prefix"],
        _P.c.prefix,
        (_P.c.prefix,),
        {
            "handle": _Sort(_P.c.prefix, "handle"),
            "registrationDate": _date(_P.c.since_ms, _REGISTERED),
            "lastChangedDate": _date(_P.c.changed_at_ms, _CHANGED),
        },
    ),
    NAMES["entities"]: _Kind(
        NAMES["entity"],
        _E.c.uscc,
        (_E.c.name, _E.c.uscc),
        {
            "handle": _Sort(_E.c.uscc, "handle"),
            "fn": _Sort(_E.c.name, 'vcardArray[1][?(@[0]=="fn")][3]'),
            "lastChangedDate": _date(_E.c.changed_at_ms, _CHANGED),
        },
    ),
}


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search as asked. ``after``: sort value and key of the last object of the page before."""

    kind: str
    field: str
    pattern: str
    sort: str
    descending: bool = False
    after: tuple[str | int, str] | None = None
    count: bool = False


def read_search(kind: str, params: Mapping[str, Sequence[str]]) -> Search:
    """The search in a query string; parameters nobody knows are ignored (RFC 7480 4.3).

    Raises InvalidInput for what is malformed, Unprocessable for patterns that are not offered.
    """
    table = KINDS[kind]
    fields = [name for name in FIELDS[kind] if name in params]
    if len(fields) != 1:
        fault = Phrase(
            f"one of {', '.join(FIELDS[kind])} is needed",
            f"须给出下列之一：{', '.join(FIELDS[kind])}",
        )
        raise InvalidInput("input.invalid", path="query", fault=fault)
    sort, _, direction = _one(params, "sort", next(iter(table.sorts))).partition(":")
    if sort not in table.sorts or direction not in {"", "a", "d"}:
        fault = Phrase(
            f"one of {', '.join(table.sorts)}, with :a or :d",
            f"应为下列之一：{', '.join(table.sorts)}，可加 :a 或 :d",
        )
        raise InvalidInput("input.invalid", path="sort", fault=fault)
    count = _one(params, "count", "false")
    if count not in {"true", "false"}:
        raise InvalidInput(
            "input.invalid", path="count", fault=Phrase("true or false", "应为 true 或 false")
        )
    cursor = _one(params, "cursor", "")
    return Search(
        kind=kind, field=fields[0], pattern=_pattern(_one(params, fields[0], "")), sort=sort,
        descending=direction == "d", count=count == "true",
        after=_read_cursor(cursor, table.sorts[sort]) if cursor else None,
    )  # fmt: skip


def _one(params: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    found = params.get(name, [default])
    if len(found) != 1:
        raise InvalidInput("input.invalid", path=name, fault=Phrase("it stands twice", "重复给出"))
    return found[0]


def _pattern(text: str) -> str:
    if not text or len(text) > MAX_CHARS + 1 or controls(text):
        fault = Phrase(
            f"1 to {MAX_CHARS} characters, no control characters",
            f"应为 1 至 {MAX_CHARS} 个字符，不含控制字符",
        )
        raise InvalidInput("input.invalid", path="pattern", fault=fault)
    if "*" in text[:-1]:
        raise Unprocessable("secondlevel.pattern-bad", pattern=text)
    return text


def controls(text: str) -> bool:
    """Whether a text of the query has control characters, or bytes that were no UTF-8."""
    return any(char < " " or "\x7f" <= char < "\xa0" or char == "\ufffd" for char in text)


def _read_cursor(text: str, sort: _Sort) -> tuple[str | int, str]:
    bad = InvalidInput(
        "input.invalid", path="cursor", fault=Phrase("not one of this search", "不是本次查询的游标")
    )
    if len(text) > _MOST_CURSOR:
        raise bad
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        value, key = msgspec.json.decode(data, type=tuple[str | int, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise bad from error
    if isinstance(value, int):
        if not sort.number or not 0 <= value < _MOST_MS:
            raise bad
    elif sort.number or controls(value):
        raise bad
    if controls(key):
        raise bad
    return value, key


def write_cursor(value: str | int, key: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((value, key))).decode().rstrip("=")


# ---------------------------------------------------------------- finding
class Page(NamedTuple):
    """Rows of a page; ``after`` where the next begins, None at the end; ``total`` where asked."""

    rows: Sequence[Row[Any]]
    after: tuple[str | int, str] | None
    total: int | None


def _base(kind: str) -> Select[Any]:
    if kind == NAMES["identifiers"]:
        # an expression, so that keys are walked in their order, not the index of prefixes
        joined = _I.join(_P, _P.c.prefix == _I.c.prefix.concat(""))
        query = select(_I.c.key, _I.c.name, _I.c.template, _I.c.at_ms, _P.c.prefix, _P.c.uscc)
        hosted = _P.c.mode == Mode.HOSTED.value
        return query.select_from(joined).where(~_I.c.deleted, _P.c.state == ACTIVE, hosted)
    if kind == NAMES["prefixes"]:
        return select(_P).where(_P.c.state == ACTIVE)
    held = exists().where(_P.c.uscc == _E.c.uscc, _P.c.state == ACTIVE)
    return select(_E.c.uscc, _E.c.name, _E.c.changed_at_ms).where(held)


def _matches(search: Search) -> ColumnElement[bool]:
    column = KINDS[search.kind].fields[FIELDS[search.kind].index(search.field)]
    is_open = search.pattern.endswith("*")
    head = search.pattern.removesuffix("*")
    if search.kind == NAMES["identifiers"]:
        head = fold(head)  # keys are folded: a range of the primary index
        return and_(column >= head, column < head + _LAST) if is_open else column == head
    if not is_open:
        return func.upper(column) == func.upper(head)
    escaped = head.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return func.upper(column).like(func.upper(escaped + "%"), escape="\\")


def find(engine: Engine, search: Search, limit: int) -> Page:
    """One page of at most ``limit`` rows. Blocks."""
    table = KINDS[search.kind]
    column, key = table.sorts[search.sort].column, table.key
    matching = _base(search.kind).where(_matches(search))
    query = matching
    if search.after is not None:
        value, last = search.after
        further, behind = (column < value, key < last) if search.descending else (
            column > value, key > last)  # fmt: skip
        query = query.where(or_(further, and_(column == value, behind)))
    order = [column.desc(), key.desc()] if search.descending else [column, key]
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
        total = None
        if search.count:
            total = connection.execute(
                select(func.count()).select_from(matching.order_by(None).subquery())
            ).scalar_one()
    after = None
    if len(rows) > limit:
        rows = rows[:limit]
        last_row = rows[-1]._mapping  # noqa: SLF001 - SQLAlchemy's name for it
        after = (last_row[column.name], last_row[key.name])
    return Page(rows, after, total)
