"""Rows of tables and of configured databases, as text by column name.

Text: UTF-8 or UTF-16 (by its mark) or GB 18030, separated by comma, semicolon or tab. Workbooks:
see :mod:`workbooks`. SQL: one configured SELECT. Row ``head`` names the columns (counted from 1 as
spreadsheets do); empty rows are passed over; cells are trimmed. Everything is read as it streams;
no table is held in memory. What is wrong with one row is a fault of that row.
"""

import codecs
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from mingwu.identity.enterprise import importerrors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.settings import ImportSource
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, Unavailable

Row = dict[str, str]
Line = tuple[int, Row, Fault | None]
"""Where a row stands, its cells by column, and what is wrong with the row as such."""

_UNCLOSED = Phrase(
    "a cell is too long, or a quotation mark is not closed", "单元格过长，或引号未闭合"
)
Records = Generator[Sequence[Any], None, None]

MAX_COLUMNS = 256
_SEPARATORS = ",;\t"
_HEAD_LOOK = 10
_PIECE = 1 << 20
_DIGITS = 15  # what a spreadsheet keeps of a number
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
# what comes instead of tables, by its first bytes: PDF, pictures, archives
_OTHERS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"


class TableForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is written: ``kind`` csv, xlsx or sql, and how to read it."""

    kind: str
    encoding: str = ""
    separator: str = ""
    sheets: tuple[str, ...] = ()
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns, the rows to come, and about how many they are (0: nobody knows)."""

    columns: tuple[str, ...]
    lines: Iterator[Line]
    expected: int = 0


def text_form(file: BinaryIO) -> TableForm:
    """How a text table is written; raises InvalidInput ``enterprise.table-…``."""
    file.seek(0)
    start = file.read(_PIECE)
    if not start.strip():
        raise InvalidInput("enterprise.table-empty")
    if start.startswith(_OLD_WORKBOOK):
        raise InvalidInput("enterprise.table-old")
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    if start.startswith(_OTHERS) or (not marked and b"\0" in start):
        raise InvalidInput("enterprise.table-kind")
    encoding = _encoding(file, (marked,) if marked else ("utf-8", "gb18030"))
    head = next(filter(str.strip, codecs.iterdecode([start], encoding, "ignore")), "")
    lines = head.lstrip("\r\n").splitlines()[:_HEAD_LOOK]
    separator = max(
        _SEPARATORS, key=lambda sign: max((one.count(sign) for one in lines), default=0)
    )
    return TableForm(kind="csv", encoding=encoding, separator=separator)


def _encoding(file: BinaryIO, choices: Sequence[str]) -> str:
    """The first encoding that fits the whole file."""
    place = 0
    for encoding in choices:
        decoder = codecs.getincrementaldecoder(encoding)()
        file.seek(0)
        place = 0
        try:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
                place += len(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            place += error.start
            continue
        return encoding
    raise InvalidInput("enterprise.table-encoding", place=place + 1)


@contextmanager
def text_table(file: BinaryIO, form: TableForm, *, head: int = 1, most: int) -> Iterator[Table]:
    """A text table; ``most`` rows at most. Raises InvalidInput, also while rows are read."""
    file.seek(0)
    breaks = sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))
    file.seek(0)
    content = io.TextIOWrapper(file, form.encoding, newline="")
    reader = csv.reader(content, delimiter=form.separator)
    try:
        table = table_of(_records(reader), head=head, most=most, strict=True)
        yield replace(table, expected=max(0, breaks - head))
    finally:
        content.detach()


def _records(reader: Any) -> Iterator[Sequence[Any]]:
    count = 0
    try:
        for count, record in enumerate(reader, start=1):  # noqa: B007 - told when it breaks
            yield record
    except csv.Error as error:
        raise InvalidInput("enterprise.table-broken", row=count + 1, fault=_UNCLOSED) from error


@contextmanager
def source_table(source: ImportSource, *, most: int) -> Iterator[Table]:
    """What a configured query gives; raises Unavailable ``enterprise.source-failed``."""
    try:
        engine = create_engine(source.url)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                result = connection.execute(text(source.query))
                names = tuple(result.keys())
                yield table_of(_with_head(names, result), head=1, most=most)
                connection.rollback()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        fault = str(error).partition("\n")[0][:200]
        if secret := _password(source):
            fault = fault.replace(secret, "***")
        raise Unavailable("enterprise.source-failed", source=source.name, fault=fault) from error


def _password(source: ImportSource) -> str:
    """The secret of an address, so that no message of a driver tells it."""
    try:
        return str(make_url(source.url).password or "")
    except ArgumentError:
        return source.url


def _with_head(names: tuple[str, ...], rows: Iterable[Any]) -> Iterator[Sequence[Any]]:
    yield names
    yield from rows


def table_of(
    records: Iterable[Sequence[Any]], *, head: int, most: int, strict: bool = False
) -> Table:
    """A table of records. ``strict``: a record with more cells than columns is a fault."""
    numbered = enumerate(records, start=1)
    found: Sequence[Any] = ()
    for number, record in numbered:
        if number == head:
            found = record
            break
    columns = [cell_text(name) for name in found[:MAX_COLUMNS]]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise InvalidInput("enterprise.table-head", row=head)
    named = list(filter(None, columns))
    for at, name in enumerate(named):
        if name in named[:at]:
            raise InvalidInput("enterprise.table-twice", column=name, row=head)
    return Table(tuple(named), _lines(numbered, columns, most, strict=strict))


def _lines(
    numbered: Iterable[tuple[int, Sequence[Any]]], columns: list[str], most: int, *, strict: bool
) -> Iterator[Line]:
    width, count = len(columns), 0
    named = [(at, name) for at, name in enumerate(columns) if name]
    for number, record in numbered:
        cells = [one.strip() if type(one) is str else cell_text(one) for one in record]
        if not any(cells):
            continue
        count += 1
        if count > most:
            raise InvalidInput("enterprise.table-rows", limit=most)
        fault = None
        size = len(cells)
        if size > width and strict and any(cells[width:]):
            fault = Fault("enterprise.row-long", {"cells": size, "columns": width})
        elif size < width:
            cells += [""] * (width - size)
        yield number, {name: cells[at] for at, name in named}, fault


def guess_head(records: Iterable[Sequence[Any]]) -> int:
    """The row that names the columns, probably: the first with two cells, a title has one."""
    first = 0
    for number, record in enumerate(records, start=1):
        filled = sum(bool(cell_text(cell)) for cell in record[:MAX_COLUMNS])
        first = first or (number if filled else 0)
        if filled > 1:
            return number
        if number >= _HEAD_LOOK:
            break
    return first or 1


def records_of(file: BinaryIO, form: TableForm) -> Records:
    """The raw records of a text table, for a look at its beginning."""
    file.seek(0)
    content = io.TextIOWrapper(file, form.encoding, newline="")
    try:
        yield from _records(csv.reader(content, delimiter=form.separator))
    finally:
        content.detach()


def cell_text(value: object) -> str:
    """A cell as a person reads it: dates as YYYY-MM-DD, numbers as plain decimals."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, datetime):
        midnight = not (value.hour or value.minute or value.second)
        return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M:%S}"
    if isinstance(value, float | Decimal):
        return _number_text(value)
    return str(value).strip()


def _number_text(value: float | Decimal) -> str:
    number = Decimal(format(value, f".{_DIGITS}g")) if isinstance(value, float) else value
    if not number.is_finite():
        return str(value)
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
