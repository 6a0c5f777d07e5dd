"""Checking values against a template, compiled once per revision.

A :class:`Checker` turns the values of one registration (by item type) into the stored content, or
says what is wrong with them: the first fault in template order at once, or all of them, item by
item, for whoever asks (only refused names pay for that). Values are text without control
characters; lengths count characters; numbers are plain decimals; dates must exist in the calendar.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from urllib.parse import urlsplit

import msgspec

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import DataType, Item, Template, Value
from mingwu.kernel.catalogue import Phrase
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

# Most faults that are told of one name.
MOST_FAULTS = 32

Check = Callable[[str], Phrase | None]


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
                    return Fault("enterprise.value-missing", {"item": called(item)})
                continue
            fault = check(value)
            if fault:
                return Fault("enterprise.value-bad", {"item": called(item), "fault": fault})
            rows.append((item.index, item.type, value))
        if len(rows) != len(values):
            stray = next(self._strays(values), None)
            if stray is not None:
                return stray
        return _encode(rows).decode()

    def faults(self, values: Mapping[str, str], *, draft: bool = False) -> list[Fault]:
        """Everything wrong with the values, at most :data:`MOST_FAULTS`; empty when they are good.

        Its first one is the one that :meth:`content` tells.
        """
        found: list[Fault] = []
        for item, check in self._plan:
            value = values.get(item.type)
            if value is None or not value:
                if item.required and not draft:
                    found.append(Fault("enterprise.value-missing", {"item": called(item)}))
                continue
            fault = check(value)
            if fault:
                found.append(Fault("enterprise.value-bad", {"item": called(item), "fault": fault}))
        found += islice(self._strays(values), MOST_FAULTS)
        return found[:MOST_FAULTS]

    def _strays(self, values: Mapping[str, str]) -> Iterator[Fault]:
        for kind, value in values.items():
            item = self.items.get(kind)
            if item is None or (value and not item.enabled):
                index = item.index if item else "-"
                yield Fault("enterprise.value-unknown", {"item": kind[:128], "index": index})


def called(item: Item) -> str:
    """An item in sentences: by its type, in Chinese with its name before it."""
    return Phrase(item.type, f"{item.name_zh}（{item.type}）") if item.name_zh else item.type


def read_content(content: str) -> tuple[Value, ...]:
    """The stored values."""
    return _decode(content)


_decode = msgspec.json.Decoder(tuple[Value, ...]).decode


def value_fault(item: Item, value: str) -> Phrase | None:
    """What is wrong with one value of an item; None when it is good."""
    return _check_of(item)(value)


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


def _text_fault(value: str, low: int, high: int) -> Phrase | None:
    size = len(value)
    if not low <= size <= high:
        return Phrase(
            f"{size} characters, allowed {low} to {high}", f"{size} 个字符，应为 {low} 至 {high} 个"
        )
    if value.isprintable() or value.translate(_KEPT_CONTROLS).isprintable():
        return None
    return Phrase("control or unassigned characters", "含有控制字符或未分配的字符")


def _choice_fault(lengths: Check, choices: frozenset[str], value: str) -> Phrase | None:
    if value in choices:
        return None
    some = sorted(choices)[:10]
    return lengths(value) or Phrase("not one of " + ", ".join(some), "应为：" + "、".join(some))


def _number_fault(lengths: Check, item: Item, value: str) -> Phrase | None:
    match = _NUMBER.fullmatch(value)
    if not match or not value.isascii():
        return Phrase("not a number", "不是数值")
    if item.decimals is not None and len(match[1] or "") > item.decimals:
        digits = item.decimals
        return Phrase(f"more than {digits} digits behind the point", f"小数超过 {digits} 位")
    number = float(value)
    if item.low is not None and number < item.low:
        return Phrase(f"below {item.low:g}", f"小于 {item.low:g}")
    if item.high is not None and number > item.high:
        return Phrase(f"above {item.high:g}", f"大于 {item.high:g}")
    return lengths(value)


def date_pattern(form: str) -> str:
    """A ``strptime`` pattern for YYYY-MM-DD and the like; InvalidInput when it names no date."""
    pattern = _DATE_TOKEN.sub(lambda match: _DATE_PARTS[match[0]], form.replace("%", "%%"))
    if "%Y" not in pattern:
        raise InvalidInput("input.invalid", path="date_format", fault=f"no YYYY in {form!r}")
    return pattern


def _date_fault(pattern: str, form: str, value: str) -> Phrase | None:
    wrong = Phrase(f"not a date like {form}", f"日期应形如 {form}")
    try:
        moment = datetime.strptime(value, pattern)  # noqa: DTZ007 - a date as written, without zone
    except ValueError:
        return wrong
    # strptime takes short fields; a stored date has exactly the form's length
    return None if moment.strftime(pattern).zfill(len(form)) == value else wrong


def _identifier_fault(lengths: Check, value: str) -> Phrase | None:
    if len(value) > MAX_CHARS or not _PLAIN_NAME.fullmatch(value):
        try:
            parse(value)
        except InvalidInput as error:
            return Phrase(error.text("en"), error.text("zh"))
    return lengths(value)


def _url_fault(lengths: Check, value: str) -> Phrase | None:
    wrong = Phrase("not an http(s) URL", "不是 http(s) 网址")
    try:
        parts = urlsplit(value)
    except ValueError:
        return wrong
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return wrong
    return lengths(value)
