"""Rows of uploaded tables and of configured databases, as text by column name.

CSV: UTF-8 (with or without BOM) or GB 18030, separated by comma, semicolon or tab. Workbooks: the
named or first sheet, values only, formulas are not computed; one that unpacks to more than its
limit is refused before it is opened. SQL: one configured SELECT. The first row names the columns;
empty rows are passed over; cells are trimmed; dates become YYYY-MM-DD.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from mingwu.identity.enterprise.settings import ImportSource
from mingwu.kernel.errors import InvalidInput, Unavailable

Row = dict[str, str]
_SEPARATORS = ",;\t"


def csv_rows(data: bytes, *, most: int) -> Iterator[Row]:
    """Rows of a CSV file; raises InvalidInput ``enterprise.import-bad``."""
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            content = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise _bad("neither UTF-8 nor GB 18030") from error
    head = content.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(content), delimiter=separator)
    try:
        yield from _rows(reader, most)
    except csv.Error as error:
        raise _bad(f"line {reader.line_num}: {error}") from error


def workbook_rows(data: bytes, *, sheet: str, most: int, unpacked: int) -> Iterator[Row]:
    """Rows of an .xlsx workbook; raises InvalidInput ``enterprise.import-bad``."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > unpacked:
            raise _bad(f"it unpacks to {size} bytes, at most {unpacked}")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise _bad(f"not a workbook (.xlsx): {error}") from error
    try:
        if sheet and sheet not in book.sheetnames:
            raise _bad(f"no sheet {sheet}")
        page = book[sheet] if sheet else book.worksheets[0]
        yield from _rows(page.iter_rows(values_only=True), most)
    finally:
        book.close()


def source_rows(source: ImportSource, *, most: int) -> Iterator[Row]:
    """Rows of a configured query; raises Unavailable ``enterprise.source-failed``."""
    try:
        engine = create_engine(source.url)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                result = connection.execute(text(source.query))
                names = tuple(result.keys())
                yield from _rows(_with_head(names, result), most)
                connection.rollback()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        fault = str(error).partition("\n")[0][:200]
        raise Unavailable("enterprise.source-failed", source=source.name, fault=fault) from error


def _with_head(names: tuple[str, ...], rows: Iterable[Any]) -> Iterator[Iterable[Any]]:
    yield names
    yield from rows


def _rows(lines: Iterable[Iterable[Any]], most: int) -> Iterator[Row]:
    iterator = iter(lines)
    names = [_cell(name) for name in next(iterator, ())]
    if not any(names):
        raise _bad("the first row must name the columns")
    if len(set(filter(None, names))) != len(list(filter(None, names))):
        raise _bad("a column name stands twice")
    count = 0
    for line in iterator:
        cells = [_cell(value) for value in line]
        if not any(cells):
            continue
        count += 1
        if count > most:
            raise _bad(f"more than {most} rows")
        yield {name: cell for name, cell in zip(names, cells, strict=False) if name}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        midnight = not (value.hour or value.minute or value.second)
        return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _bad(fault: str) -> InvalidInput:
    return InvalidInput("enterprise.import-bad", fault=fault)
