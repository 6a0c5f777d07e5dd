"""The parts of an .xlsx package (modelled on ECMA-376): sheets, strings, styles, rows.

Sans-I/O but for the archive it is given; element names are compared without their namespace, so
strict and transitional files read alike. XML comes in pieces; a document type declaration is
refused (no part of a workbook has one). Dates are told by the number format of their cell, the
formats reserved for East Asian locales (27–36, 50–58) among them.
"""

import posixpath
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from mingwu.kernel.errors import InvalidInput

WORKBOOK = "xl/workbook.xml"
PIECE = 1 << 18
_EAST_ASIAN_DATES = frozenset({*range(27, 37), *range(50, 59)})
_DATES_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - spreadsheets know no zones
_DIGITS = "0123456789"
_MOST_STRINGS_SHARE = 4  # shared strings are held in memory: at most this part of the limit

BROKEN = (
    zipfile.BadZipFile, ExpatError, KeyError, ValueError, OSError, EOFError, TypeError, IndexError,
    OverflowError, RuntimeError,  # the last of parts with a password or an unknown compression
)  # fmt: skip

Attributes = dict[str, str]
Cell = tuple[int, str, str, int, bool]
"""Column from 0, type, text, style, whether a formula stands in it."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a workbook says of itself: sheets by title, and where its other parts lie."""

    sheets: dict[str, str]
    strings: str
    styles: str
    is_1904: bool


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands: its number and its cells."""

    number: int
    cells: list[Cell]


class Reader:
    """Feeds one part through a parser; ``start`` and ``end`` get local names."""

    def __init__(
        self,
        start: Callable[[str, Attributes], None],
        end: Callable[[str], None] = lambda _name: None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        parser = self._parser = ParserCreate()
        parser.buffer_text = True
        local: dict[str, str] = {}

        def on_start(name: str, attributes: Attributes) -> None:
            start(local.get(name) or local.setdefault(name, name.rpartition(":")[2]), attributes)

        def on_end(name: str) -> None:
            end(local[name])

        parser.StartElementHandler = on_start
        parser.EndElementHandler = on_end
        if text is not None:
            parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = _refuse_doctype

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """More of the part."""
        self._parser.Parse(data, final)


def _refuse_doctype(*_declaration: Any) -> None:
    raise InvalidInput("enterprise.table-kind")


def pieces(archive: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    """A part in pieces."""
    with archive.open(path) as part:
        while piece := part.read(PIECE):
            yield piece


def _read(archive: zipfile.ZipFile, path: str, reader: Reader) -> None:
    for piece in pieces(archive, path):
        reader.feed(piece)
    reader.feed(b"", final=True)


def package(archive: zipfile.ZipFile) -> Package:
    """The worksheets of a workbook in their order, and the parts they need."""
    targets: dict[str, tuple[str, str]] = {}

    def relation(name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))
            targets[attributes.get("Id", "")] = (kind, path.lstrip("/"))

    found: list[tuple[str, str]] = []
    is_1904 = False

    def element(name: str, attributes: Attributes) -> None:
        nonlocal is_1904
        if name == "sheet":
            ids = (text for key, text in attributes.items() if key.rpartition(":")[2] == "id")
            found.append((attributes.get("name", ""), next(ids, "")))
        elif name == "workbookPr":
            is_1904 = attributes.get("date1904") in {"1", "true"}

    _read(archive, "xl/_rels/workbook.xml.rels", Reader(relation))
    _read(archive, WORKBOOK, Reader(element))
    sheets = {
        title: targets[key][1]
        for title, key in found
        if targets.get(key, ("", ""))[0] == "worksheet"
    }
    others = dict(targets.values())
    return Package(sheets, others.get("sharedStrings", ""), others.get("styles", ""), is_1904)


def shared_strings(archive: zipfile.ZipFile, path: str, *, most: int) -> list[str]:
    """The strings that cells refer to; phonetic readings are left out."""
    if not path or path not in archive.namelist():
        return []
    entry = archive.getinfo(path)
    if entry.file_size > most // _MOST_STRINGS_SHARE:
        ratio = entry.file_size // max(1, entry.compress_size)
        raise InvalidInput("enterprise.table-unpacks", size=entry.file_size, ratio=ratio)
    strings: list[str] = []
    texts: list[str] = []
    state = {"t": False, "phonetic": False}

    def start(name: str, _attributes: Attributes) -> None:
        if name == "si":
            texts.clear()
        elif name == "rPh":
            state["phonetic"] = True
        elif name == "t":
            state["t"] = not state["phonetic"]

    def end(name: str) -> None:
        if name == "si":
            strings.append("".join(texts).strip())
        elif name == "rPh":
            state["phonetic"] = False
        elif name == "t":
            state["t"] = False

    def text(data: str) -> None:
        if state["t"]:
            texts.append(data)

    _read(archive, path, Reader(start, end, text))
    return strings


def date_styles(archive: zipfile.ZipFile, path: str) -> dict[int, bool]:
    """The styles whose numbers are dates or times; true where they are durations."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format

    if not path or path not in archive.namelist():
        return {}
    formats: dict[int, str] = dict(BUILTIN_FORMATS)
    used: list[int] = []
    inside = {"cellXfs": False}

    def start(name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            inside["cellXfs"] = True
        elif name == "xf" and inside["cellXfs"]:
            used.append(int(attributes.get("numFmtId", "0")))

    def end(name: str) -> None:
        if name == "cellXfs":
            inside["cellXfs"] = False

    _read(archive, path, Reader(start, end))
    found: dict[int, bool] = {}
    for style, number in enumerate(used):
        code = formats.get(number, "")
        if number in _EAST_ASIAN_DATES or (code and is_date_format(code)):
            found[style] = bool(code) and bool(is_timedelta_format(code))
    return found


def dated(number: float, *, is_1904: bool, duration: bool) -> object:
    """A number of days as date, time or duration."""
    from openpyxl.utils.datetime import WINDOWS_EPOCH, from_excel

    found: object = from_excel(number, _DATES_1904 if is_1904 else WINDOWS_EPOCH, duration)
    return found


class SheetRows:
    """Rows out of the pieces of one sheet; ``feed`` gives those that are whole."""

    def __init__(self, *, columns: int) -> None:
        self._reader = Reader(self._start, self._end, self._text)
        self._most = columns
        self._columns: dict[str, int] = {}
        self._ready: list[RawRow] = []
        self._cells: list[Cell] = []
        self._number = 0
        self._texts: list[str] = []
        self._in_value = self._formula = self._phonetic = False
        self._type, self._style, self._column = "n", 0, -1

    def feed(self, data: bytes, *, final: bool = False) -> list[RawRow]:
        """Rows that ended in ``data``."""
        self._ready = []
        self._reader.feed(data, final=final)
        return self._ready

    def _start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._type = attributes.get("t", "n")
            self._style = int(attributes.get("s", "0"))
            place = attributes.get("r")
            self._column = self._column + 1 if place is None else self._column_of(place)
            self._formula = False
            self._texts = []
        elif name in {"v", "t"}:
            self._in_value = not self._phonetic
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "row":
            place = attributes.get("r")
            self._number = self._number + 1 if place is None else int(place)
            self._cells = []
            self._column = -1

    def _text(self, data: str) -> None:
        if self._in_value:
            self._texts.append(data)

    def _end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._in_value = False
        elif name == "c":
            if self._column < self._most and (self._texts or self._formula):
                text = self._texts[0] if len(self._texts) == 1 else "".join(self._texts)
                self._cells.append((self._column, self._type, text, self._style, self._formula))
        elif name == "row":
            self._ready.append(RawRow(self._number, self._cells))
        elif name == "rPh":
            self._phonetic = False

    def _column_of(self, place: str) -> int:
        letters = place.rstrip(_DIGITS)
        known = self._columns.get(letters)
        if known is None:
            known = 0
            for letter in letters.upper():
                known = known * 26 + ord(letter) - 64
            known = self._columns[letters] = known - 1
        return known
