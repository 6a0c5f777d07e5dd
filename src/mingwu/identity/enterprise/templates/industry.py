"""Industry codes of GB/T 4754 as data: shipped as a table, kept in the store, editable.

Four levels: category (one letter), division (2 digits), group (3), class (4). The two upper levels
ship whole, of the lower ones the groups of mining, manufacturing, energy and water, storage and
post, information, and the classes of manufacturing. A lower code that is not in the table is
accepted when its digits fit its parent's, because the table is not the whole standard; an unknown
category or division is refused.
"""

import csv
from collections.abc import Sequence
from importlib import resources

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, or_, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.model import Industry
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.store.engine import reading, writing

_TABLE = "data/gbt4754.csv"
_DIGITS = {"group": 3, "class": 4}


class IndustryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One code with its names and where they come from."""

    code: str
    parent: str
    level: int
    zh: str
    en: str
    source: str


def shipped() -> list[IndustryRow]:
    """The table that comes with the program."""
    text = resources.files("mingwu.identity.enterprise").joinpath(_TABLE).read_text("utf-8")
    return msgspec.convert(list(csv.DictReader(text.splitlines())), list[IndustryRow], strict=False)


class Industries:
    """The industry codes of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def fill(self) -> int:
        """Put what the shipped table has and the store has not; returns how many rows were added.

        Rows that somebody corrected stay as they are.
        """
        with writing(self._engine) as connection:
            known = set(connection.execute(select(schema.industry.c.code)).scalars())
            rows = [msgspec.structs.asdict(row) for row in shipped() if row.code not in known]
            if rows:
                connection.execute(insert(schema.industry), rows)
            return len(rows)

    def list(self, parent: str | None = None) -> list[IndustryRow]:
        """All codes, or those right below ``parent`` (empty: the categories)."""
        query = select(schema.industry).order_by(schema.industry.c.level, schema.industry.c.code)
        if parent is not None:
            query = query.where(schema.industry.c.parent == parent)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings()
            return [IndustryRow(**{str(k): v for k, v in row.items()}) for row in rows]

    def search(self, text: str, *, level: int = 0, limit: int = 50) -> Sequence[IndustryRow]:
        """Codes that begin with, or whose names contain, every word; the code itself first.

        Upper levels come first. Empty text: all. ``level`` 1 to 4 asks for one level only.
        """
        table = schema.industry
        order = (table.c.code != text.strip().upper(), table.c.level, table.c.code)
        query = select(table).order_by(*order).limit(limit)
        if level:
            query = query.where(table.c.level == level)
        for word in text.split():
            query = query.where(
                or_(
                    table.c.code.startswith(word.upper(), autoescape=True),
                    table.c.zh.contains(word, autoescape=True),
                    table.c.en.icontains(word, autoescape=True),
                )
            )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings()
            return [IndustryRow(**{str(k): v for k, v in row.items()}) for row in rows]

    def above(self, rows: Sequence[IndustryRow]) -> dict[str, IndustryRow]:
        """Every code above these, by code."""
        with reading(self._engine) as connection:
            known = connection.execute(select(schema.industry)).mappings()
            by_code = {row["code"]: row for row in known}
        found: dict[str, IndustryRow] = {}
        for row in rows:
            parent = row.parent
            while parent and parent not in found and parent in by_code:
                found[parent] = IndustryRow(**{str(k): v for k, v in by_code[parent].items()})
                parent = found[parent].parent
        return found

    def put(self, row: IndustryRow) -> None:
        """Add or correct a code."""
        table = schema.industry
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.code == row.code))
            connection.execute(insert(table).values(msgspec.structs.asdict(row)))

    def label(self, industry: Industry, lang: str) -> str:
        """The names of all levels, joined with ``/``; codes without a name stand for themselves."""
        codes = [industry.category, industry.division, industry.group, industry.class_]
        table = schema.industry
        with reading(self._engine) as connection:
            found = connection.execute(select(table).where(table.c.code.in_(codes))).mappings()
            names = {row["code"]: row[lang] for row in found}
        return "/".join(names.get(code, code) for code in codes if code)


def check(connection: Connection, industry: Industry) -> None:
    """Raise InvalidInput ``enterprise.industry-bad`` for codes that do not fit together."""
    table = schema.industry
    query = select(table.c.parent).where(table.c.code == industry.division, table.c.level == 2)  # noqa: PLR2004 - divisions
    parent = connection.execute(query).scalar_one_or_none()
    if parent is None:
        raise _bad(industry.division, Phrase("no such division", "没有该大类"))
    if parent != industry.category:
        raise _bad(
            industry.division, Phrase(f"it belongs to category {parent}", f"属于门类 {parent}")
        )
    upper = industry.division
    for name, code in (("group", industry.group), ("class", industry.class_)):
        if not code:
            if name == "group" and industry.class_:
                raise _bad(industry.class_, Phrase("a class without its group", "有小类而无中类"))
            break
        if len(code) != _DIGITS[name] or not code.isdecimal() or not code.startswith(upper):
            raise _bad(
                code,
                Phrase(
                    f"a {name} has {_DIGITS[name]} digits and begins with {upper}",
                    f"应为以 {upper} 开头的 {_DIGITS[name]} 位数字",
                ),
            )
        upper = code


def _bad(code: str, fault: str) -> InvalidInput:
    return InvalidInput("enterprise.industry-bad", code=code, fault=fault)
