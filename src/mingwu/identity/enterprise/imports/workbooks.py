"""Rows of .xlsx workbooks: values only, read as they stream.

A workbook that unpacks to more than its limit, or many times its size, is refused before it is
opened (an archive never gives more than it declares). What would come out empty or wrong is a
fault of its row: merged cells below the head, a formula whose result is not stored, a
spreadsheet's error.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.imports import workbookparts as parts
from mingwu.identity.enterprise.tables import (
    MAX_COLUMNS,
    Line,
    Records,
    Table,
    TableForm,
    cell_text,
    table_of,
)
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

_DAMAGED = Phrase("the sheet is damaged", "工作表内容已损坏")
ARCHIVE = b"PK\x03\x04"
_MOST_RATIO = 200
_FREE_BYTES = 32 * 2**20  # below this a high ratio does no harm
_MOST_ENTRIES = 5000
_MOST_ROW = 1_048_576
_MOST_MERGED_ROWS = 100_000
_CARRY = 1 << 12
_PLAIN_DIGITS = 15  # longer numbers are rounded as spreadsheets show them
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="([A-Z]+(\d+):[A-Z]+(\d+))"')
_PLAIN = re.compile(r"-?\d+(?:\.\d*[1-9])?")
_ROW = re.compile(rb"<(?:\w+:)?row[ >]")


def workbook_form(file: BinaryIO, *, unpacked: int) -> TableForm:
    """The sheets of a workbook; raises InvalidInput ``enterprise.table-…``."""
    with _opened(file, unpacked) as book:
        sheets = tuple(book.package.sheets)
    if not sheets:
        raise InvalidInput("enterprise.table-empty")
    return TableForm(kind="xlsx", sheets=sheets, sheet=sheets[0])


@contextmanager
def workbook_table(
    file: BinaryIO, *, sheet: str = "", head: int = 1, most: int, unpacked: int
) -> Iterator[Table]:
    """The named or first sheet; raises InvalidInput, also while rows are read."""
    with _opened(file, unpacked) as book:
        page = _Page(book, sheet, unpacked)
        page.scan(head)
        table = table_of(page.records(), head=head, most=most)
        yield Table(table.columns, page.told(table), max(0, page.rows - head))


def workbook_records(file: BinaryIO, *, sheet: str, unpacked: int) -> Records:
    """The raw records of a sheet, for a look at its beginning."""
    with _opened(file, unpacked) as book:
        yield from _Page(book, sheet, unpacked).records()


@dataclass(frozen=True, slots=True)
class _Book:
    archive: zipfile.ZipFile
    package: parts.Package


@contextmanager
def _opened(file: BinaryIO, unpacked: int) -> Iterator[_Book]:
    try:
        archive = zipfile.ZipFile(file)
    except parts.BROKEN as error:
        raise InvalidInput("enterprise.table-kind") from error
    with archive:
        _check_archive(archive, unpacked)
        try:
            package = parts.package(archive)
        except parts.BROKEN as error:
            raise InvalidInput("enterprise.table-kind") from error
        yield _Book(archive, package)


def _check_archive(archive: zipfile.ZipFile, unpacked: int) -> None:
    entries = archive.infolist()
    if parts.WORKBOOK not in archive.namelist() or len(entries) > _MOST_ENTRIES:
        raise InvalidInput("enterprise.table-kind")
    size = sum(entry.file_size for entry in entries)
    ratio = size // max(1, sum(entry.compress_size for entry in entries))
    if size > unpacked or (size > _FREE_BYTES and ratio > _MOST_RATIO):
        raise InvalidInput("enterprise.table-unpacks", size=size, ratio=ratio)


@dataclass(slots=True)
class _Faults:
    """What is wrong with single rows, by their number."""

    merged: dict[int, str] = field(default_factory=dict)
    cells: dict[int, Fault] = field(default_factory=dict)


class _Page:
    """One sheet of a workbook."""

    def __init__(self, book: _Book, sheet: str, unpacked: int) -> None:
        sheets, archive = book.package.sheets, book.archive
        if not sheets:
            raise InvalidInput("enterprise.table-empty")
        if sheet and sheet not in sheets:
            raise InvalidInput("enterprise.table-sheet", sheet=sheet, sheets=", ".join(sheets))
        self._archive = archive
        self._path = sheets[sheet or next(iter(sheets))]
        self._is_1904 = book.package.is_1904
        self._faults = _Faults()
        self.rows = 0
        try:
            self._strings = parts.shared_strings(archive, book.package.strings, most=unpacked)
            self._dates = parts.date_styles(archive, book.package.styles)
        except parts.BROKEN as error:
            raise InvalidInput("enterprise.table-kind") from error

    def scan(self, head: int) -> None:
        """Count the rows and find merged cells, which stand behind all rows."""
        rest = b""
        try:
            for piece in parts.pieces(self._archive, self._path):
                window = rest + piece
                self.rows += len(_ROW.findall(window)) - len(_ROW.findall(rest))
                if b"mergeCell" in window:
                    self._note_merged(window, head)
                rest = window[-_CARRY:]
        except parts.BROKEN as error:
            raise InvalidInput("enterprise.table-kind") from error

    def _note_merged(self, window: bytes, head: int) -> None:
        merged = self._faults.merged
        for match in _MERGED.finditer(window):
            first, last = int(match[2]), min(int(match[3]), _MOST_ROW)
            cells = match[1].decode()
            if last - first + len(merged) > _MOST_MERGED_ROWS:
                raise InvalidInput("enterprise.table-merged", cells=cells)
            merged.update(dict.fromkeys(range(max(first, head + 1), last + 1), cells))

    def records(self) -> Records:
        """The cells of each row as text, one record per row of the sheet."""
        count = 0
        reader = parts.SheetRows(columns=MAX_COLUMNS)
        try:
            for piece in parts.pieces(self._archive, self._path):
                for row in reader.feed(piece):
                    if not count < row.number <= _MOST_ROW:
                        raise ValueError(f"row {row.number} behind row {count}")  # noqa: TRY301
                    for _ in range(count + 1, row.number):
                        yield ()
                    count = row.number
                    yield self._record(row)
            reader.feed(b"", final=True)
        except parts.BROKEN as error:
            raise InvalidInput(
                "enterprise.table-broken", row=max(count, 1), fault=_DAMAGED
            ) from error

    def _record(self, row: parts.RawRow) -> Sequence[str]:
        record: list[str] = []
        for column, kind, text, style, is_formula in row.cells:
            if column > len(record):
                record += [""] * (column - len(record))
            record.append(self._text(row.number, column, kind, text, style, is_formula))
        return record

    def _text(
        self, row: int, column: int, kind: str, text: str, style: int, is_formula: bool
    ) -> str:
        if kind == "s":
            return self._strings[int(text)]
        if is_formula and not text and kind != "str":
            self._faults.cells[row] = Fault(
                "enterprise.table-formula", {"cell": f"{column_letters(column)}{row}"}
            )
            return "?"
        if kind == "n":
            return self._number(text, style)
        if kind == "e":
            params = {"cell": f"{column_letters(column)}{row}", "value": text}
            self._faults.cells[row] = Fault("enterprise.cell-error", params)
            return text
        if kind == "b":
            return cell_text(text.strip() == "1")
        return text.strip()

    def _number(self, text: str, style: int) -> str:
        duration = self._dates.get(style)
        if duration is not None and text:
            days = float(text)
            return cell_text(parts.dated(days, is_1904=self._is_1904, duration=duration))
        if len(text) <= _PLAIN_DIGITS and _PLAIN.fullmatch(text):
            return text
        return cell_text(float(text)) if text else ""

    def told(self, table: Table) -> Iterator[Line]:
        """Rows with what is wrong with their cells."""
        merged, cells = self._faults.merged, self._faults.cells
        for number, row, known in table.lines:
            fault = known or cells.pop(number, None)
            if fault is None and number in merged:
                fault = Fault("enterprise.table-merged", {"cells": merged[number]})
            yield number, row, fault


def column_letters(column: int) -> str:
    """A column counted from 0 as spreadsheets name it."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
