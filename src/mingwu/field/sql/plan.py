"""One SELECT for all tags of a plan, and columns from its rows.

Only the columns and keys that tags ask for are read. A row that is not there, or a column the
table does not have, gives bad points (BAD_ADDRESS) for its tags and disturbs no other. When a key
has several rows, the one with the latest time wins (the last one read if there is no time column).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from sqlalchemy import ColumnClause, FromClause, Select, column, select, table, text

from mingwu.calc.convert import NAN, Point, to_ns, to_point
from mingwu.field.sql.address import Key, parse
from mingwu.field.sql.settings import SqlSettings
from mingwu.kernel.batch import Columns
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, uncertain

Row = Sequence[Any]
MOST_KEYS = 500


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a tag lies."""

    tag: TagSpec
    column: str
    key: Key


class Plan:
    """Tags of one table; made by the driver's ``compile``."""

    def __init__(self, tags: Sequence[TagSpec], settings: SqlSettings, *, simulated: bool) -> None:
        self.cells = [Cell(tag, *parse(tag, settings)) for tag in tags]
        self.columns = sorted({cell.column for cell in self.cells})
        self.keys = sorted({cell.key for cell in self.cells if cell.key is not None}, key=str)
        self._settings = settings
        self._number = np.array([tag.number for tag in tags], np.uint32)
        self._mark = SIMULATED if simulated else 0
        self._zone = zone(settings.time_zone)

    def statement(self, known: Iterable[str]) -> tuple[Select[Any], list[str]]:
        """The SELECT, and the names of its columns; ``known`` are those the table has."""
        settings = self._settings
        names = [name for name in self.columns if name in set(known)]
        extra = [n for n in (settings.key_column, settings.time_column) if n and n not in names]
        wanted = names + extra
        found = source(settings, wanted)
        statement = select(*[found.c[name] for name in wanted]).select_from(found)
        if settings.key_column and len(self.keys) <= MOST_KEYS:
            statement = statement.where(found.c[settings.key_column].in_(self.keys))
        if settings.time_column:
            statement = statement.order_by(found.c[settings.time_column])
        return statement.limit(settings.max_rows), wanted

    def decode(self, names: Sequence[str], rows: Iterable[Row], now_ns: int) -> Columns:
        """Columns from the rows of the statement; ``now_ns`` is the query's time."""
        place = {name: index for index, name in enumerate(names)}
        settings = self._settings
        by_key: dict[str, Row] = {}
        for row in rows:
            by_key[str(row[place[settings.key_column]]) if settings.key_column else ""] = row
        count = len(self.cells)
        value = np.full(count, NAN)
        quality = np.zeros(count, np.uint8)
        time_ns = np.full(count, now_ns, np.int64)
        texts: dict[int, str] = {}
        for index, cell in enumerate(self.cells):
            found = by_key.get("" if cell.key is None else str(cell.key))
            (number, state, string), moment = self._point(cell, found, place, now_ns)
            value[index], quality[index], time_ns[index] = number, state | self._mark, moment
            if string is not None:
                texts[index] = string
        return Columns(self._number, time_ns, value, quality, texts)

    def _point(
        self, cell: Cell, row: Row | None, place: dict[str, int], now_ns: int
    ) -> tuple[Point, int]:
        if row is None or cell.column not in place:
            return (NAN, bad(Reason.BAD_ADDRESS), None), now_ns
        settings, state, moment = self._settings, GOOD, now_ns
        if settings.time_column:
            stamped = to_ns(row[place[settings.time_column]], settings.time_format, self._zone)
            if stamped is None:
                state = uncertain(Reason.TIME_SUSPECT)
            else:
                moment = stamped
        tag = cell.tag
        return to_point(row[place[cell.column]], tag.type, tag.scale, tag.offset, state), moment


def zone(name: str) -> dt.tzinfo:
    """The time zone; raises ConfigError ``sql.setting``. UTC needs no zone database."""
    if name == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError("sql.setting", setting="time_zone", fault=told(error)) from error


def source(settings: SqlSettings, names: Sequence[str]) -> FromClause:
    """The table or query as something to select ``names`` from."""
    columns: list[ColumnClause[Any]] = [column(name) for name in names]
    if settings.query:
        return text(settings.query).columns(*columns).subquery("q")
    schema, _, name = settings.table.rpartition(".")
    return table(name, *columns, schema=schema or None)
