"""Rows of .xlsx workbooks: values only, read as they stream.

A workbook that unpacks to more than its limit, or many times its size, is refused before it is
opened (an archive never gives more than it declares). Merged cells below the head and formulas
whose result is not stored would come out empty, so such a sheet is refused with the cells named.
Cells that hold a spreadsheet's error are a fault of their row.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.tables import MAX_COLUMNS, Line, Records, Table, TableForm, table_of
from mingwu.kernel.errors import InvalidInput

ARCHIVE = b"PK\x03\x04"
_MOST_RATIO = 200
_FREE_BYTES = 32 * 2**20  # below this a high ratio does no harm
_MOST_ENTRIES = 5000
_WORKBOOK = "xl/workbook.xml"
_PIECE = 1 << 20
_CARRY = 1 << 14
_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"})
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="([A-Z]+\d+:[A-Z]+(\d+))"')
_UNCOMPUTED = re.compile(
    rb"<(?:\w+:)?c\s([^<>]*)>\s*<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)"
    rb"\s*(<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_ROW = re.compile(rb"<(?:\w+:)?row[ >]")
_PLACE = re.compile(rb'\br="([A-Z]+\d+)"')
_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, ParseError, TypeError)


def workbook_form(file: BinaryIO, *, unpacked: int) -> TableForm:
    """The sheets of a workbook; raises InvalidInput ``enterprise.table-…``."""
    with _opened(file, unpacked) as book:
        sheets = tuple(page.title for page in book.worksheets)
    if not sheets:
        raise InvalidInput("enterprise.table-empty")
    return TableForm(kind="xlsx", sheets=sheets, sheet=sheets[0])


@contextmanager
def workbook_table(
    file: BinaryIO, *, sheet: str = "", head: int = 1, most: int, unpacked: int
) -> Iterator[Table]:
    """The named or first sheet; raises InvalidInput, also while rows are read."""
    with _opened(file, unpacked) as book:
        page = _page(book, sheet)
        rows = _scanned(file, page, head)
        table = table_of(_records(page), head=head, most=most)
        yield Table(table.columns, _told(table.lines), max(0, rows - head))


def workbook_records(file: BinaryIO, *, sheet: str, unpacked: int) -> Records:
    """The raw records of a sheet, for a look at its beginning."""
    with _opened(file, unpacked) as book:
        yield from _records(_page(book, sheet))


@contextmanager
def _opened(file: BinaryIO, unpacked: int) -> Iterator[Any]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    _check_archive(file, unpacked)
    file.seek(0)
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, *_BROKEN) as error:
        raise InvalidInput("enterprise.table-kind") from error
    try:
        yield book
    finally:
        book.close()


def _check_archive(file: BinaryIO, unpacked: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except _BROKEN as error:
        raise InvalidInput("enterprise.table-kind") from error
    if _WORKBOOK not in {entry.filename for entry in entries} or len(entries) > _MOST_ENTRIES:
        raise InvalidInput("enterprise.table-kind")
    size = sum(entry.file_size for entry in entries)
    ratio = size // max(1, sum(entry.compress_size for entry in entries))
    if size > unpacked or (size > _FREE_BYTES and ratio > _MOST_RATIO):
        raise InvalidInput("enterprise.table-unpacks", size=size, ratio=ratio)


def _page(book: Any, sheet: str) -> Any:
    titles = [page.title for page in book.worksheets]
    if sheet and sheet not in titles:
        raise InvalidInput("enterprise.table-sheet", sheet=sheet, sheets=", ".join(titles))
    page = book[sheet] if sheet else book.worksheets[0]
    page.reset_dimensions()  # what a file says of its size need not be true
    return page


def _records(page: Any) -> Iterator[Sequence[Any]]:
    count = 0
    try:
        for count, record in enumerate(  # noqa: B007 - told when it breaks
            page.iter_rows(values_only=True, max_col=MAX_COLUMNS), start=1
        ):
            yield record
    except _BROKEN as error:
        raise InvalidInput("enterprise.table-broken", row=count + 1, fault=str(error)) from error


def _told(lines: Iterator[Line]) -> Iterator[Line]:
    """Rows with what their cells say of errors."""
    for number, row, known in lines:
        fault = known
        for column, value in row.items():
            if value in _ERRORS:
                fault = Fault("enterprise.cell-error", {"column": column, "value": value})
                break
        yield number, row, fault


def _scanned(file: BinaryIO, page: Any, head: int) -> int:
    """How many rows a sheet has; refuses one whose merged cells or formulas leave gaps."""
    path = page._worksheet_path  # noqa: SLF001 - openpyxl does not tell otherwise
    rest, rows = b"", 0
    with zipfile.ZipFile(file) as archive, archive.open(path) as content:
        while piece := content.read(_PIECE):
            window = rest + piece
            rows += len(_ROW.findall(window)) - len(_ROW.findall(rest))
            for match in _MERGED.finditer(window):
                if int(match[2]) > head:
                    cells = match[1].decode()
                    raise InvalidInput("enterprise.table-merged", cells=cells)
            for match in _UNCOMPUTED.finditer(window) if b"f" in window else ():
                if match[2] is None or b't="str"' not in match[1]:
                    place = _PLACE.search(match[1])
                    cell = place[1].decode() if place else "?"
                    raise InvalidInput("enterprise.table-formula", cell=cell)
            rest = window[-_CARRY:]
    return rows
