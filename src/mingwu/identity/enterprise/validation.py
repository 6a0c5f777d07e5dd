"""Checking values against a template, compiled once per revision.

A :class:`Checker` turns the values of one registration (by item type) into the stored content, or
says what is wrong with them: the first fault in template order. Values are text without control
characters; lengths count characters; numbers are plain decimals; dates must exist in the calendar.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import msgspec

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import DataType, Item, Template, Value
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import MAX_CHARS, parse

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.(\d{1,12}))?")
# The usual identifier in one step; whatever does not match is parsed with a reason.
_PLAIN_NAME = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*/[ -~]+")
_DATE_PARTS = {
    "YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "hh": "%H", "mm": "%M", "ss": "%S",
}  # fmt: skip
_DATE_TOKEN = re.compile("|".join(_DATE_PARTS))
_KEPT_CONTROLS = str.maketrans("", "", "\t\n\r")
_encode = msgspec.json.Encoder().encode

Check = Callable[[str], str]


class Checker:
    """Judges values for one template revision. Thread-safe: it only reads."""

    def __init__(self, template: Template) -> None:
        self.template = template
        items = template.definition.items
        self.items = {item.type: item for item in items}
        self.by_index = {item.index: item for item in items}
        self.restricted = frozenset(item.index for item in items if item.restricted)
        self.unique = tuple(item.type for item in items if item.unique and item.enabled)
        self._plan = [(item, _check_of(item)) for item in items if item.enabled]

    def content(self, values: Mapping[str, str], *, draft: bool = False) -> str | Fault:
        """The values as stored (JSON rows of index, type, text), or the first fault.

        A ``draft`` may lack what is required.
        """
        rows: list[tuple[int, str, str]] = []
        for item, check in self._plan:
            value = values.get(item.type)
            if value is None or not value:
                if item.required and not draft:
                    return Fault("enterprise.value-missing", {"item": item.type})
                continue
            fault = check(value)
            if fault:
                return Fault("enterprise.value-bad", {"item": item.type, "fault": fault})
            rows.append((item.index, item.type, value))
        if len(rows) != len(values):
            fault_found = self._stray(values)
            if fault_found is not None:
                return fault_found
        return _encode(rows).decode()

    def _stray(self, values: Mapping[str, str]) -> Fault | None:
        for kind, value in values.items():
            item = self.items.get(kind)
            if item is None or (value and not item.enabled):
                index = item.index if item else "-"
                return Fault("enterprise.value-unknown", {"item": kind, "index": index})
        return None


def read_content(content: str) -> tuple[Value, ...]:
    """The stored values."""
    return _decode(content)


_decode = msgspec.json.Decoder(tuple[Value, ...]).decode


def _check_of(item: Item) -> Check:
    lengths = partial(_text_fault, low=item.min_length, high=item.max_length)
    if item.choices:
        return partial(_choice_fault, lengths, frozenset(item.choices))
    if item.data_type is DataType.NUMBER:
        return partial(_number_fault, lengths, item)
    if item.data_type is DataType.DATE:
        return partial(_date_fault, date_pattern(item.date_format), item.date_format)
    if item.data_type is DataType.IDENTIFIER:
        return partial(_identifier_fault, lengths)
    if item.data_type is DataType.URL:
        return partial(_url_fault, lengths)
    return lengths


def _text_fault(value: str, low: int, high: int) -> str:
    size = len(value)
    if not low <= size <= high:
        return f"{size} characters, allowed {low} to {high}"
    if value.isprintable() or value.translate(_KEPT_CONTROLS).isprintable():
        return ""
    return "control or unassigned characters"


def _choice_fault(lengths: Check, choices: frozenset[str], value: str) -> str:
    if value in choices:
        return ""
    return lengths(value) or "not one of " + ", ".join(sorted(choices)[:10])


def _number_fault(lengths: Check, item: Item, value: str) -> str:
    match = _NUMBER.fullmatch(value)
    if not match or not value.isascii():
        return "not a number"
    if item.decimals is not None and len(match[1] or "") > item.decimals:
        return f"more than {item.decimals} digits behind the point"
    number = float(value)
    if item.low is not None and number < item.low:
        return f"below {item.low:g}"
    if item.high is not None and number > item.high:
        return f"above {item.high:g}"
    return lengths(value)


def date_pattern(form: str) -> str:
    """A ``strptime`` pattern for YYYY-MM-DD and the like; InvalidInput when it names no date."""
    pattern = _DATE_TOKEN.sub(lambda match: _DATE_PARTS[match[0]], form.replace("%", "%%"))
    if "%Y" not in pattern:
        raise InvalidInput("input.invalid", path="date_format", fault=f"no YYYY in {form!r}")
    return pattern


def _date_fault(pattern: str, form: str, value: str) -> str:
    try:
        moment = datetime.strptime(value, pattern)  # noqa: DTZ007 - a date as written, without zone
    except ValueError:
        return f"not a date like {form}"
    # strptime takes short fields; a stored date has exactly the form's length
    return "" if moment.strftime(pattern).zfill(len(form)) == value else f"not a date like {form}"


def _identifier_fault(lengths: Check, value: str) -> str:
    if len(value) > MAX_CHARS or not _PLAIN_NAME.fullmatch(value):
        try:
            parse(value)
        except InvalidInput as error:
            return str(error)
    return lengths(value)


def _url_fault(lengths: Check, value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        return "not a URL"
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return "not an http(s) URL"
    return lengths(value)
