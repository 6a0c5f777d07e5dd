"""Data from outside as declared shapes: bodies and queries of requests, checked with paths.

One way for every interface: a fault is InvalidInput ``input.invalid`` with the place and what is
wrong there. Settings have their own (``kernel.settings``), because their faults are the operator's.
"""

from collections.abc import Iterable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

T = TypeVar("T")


class Nothing(msgspec.Struct, frozen=True):
    """An empty query, body or reply."""


def convert(cls: type[T], data: Any, path: str, *, strict: bool = False) -> T:
    """``data`` as ``cls``; ``path`` is how the place is called, e.g. ``body``."""
    try:
        return msgspec.convert(data, cls, strict=strict)
    except msgspec.ValidationError as error:
        fault, _, where = str(error).partition(" - at `")
        full = path + where.rstrip("`").removeprefix("$") if where else path
        raise InvalidInput("input.invalid", path=full, fault=told(fault)) from error


def read_json(cls: type[T], raw: bytes, path: str = "body", *, strict: bool = True) -> T:
    """The JSON document ``raw`` as ``cls``; nothing at all is read as an empty object."""
    try:
        data = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("input.invalid", path=path, fault=told(error)) from error
    return convert(cls, data, path, strict=strict)


def read_query(cls: type[T], items: Iterable[tuple[str, str]], path: str = "query") -> T:
    """Parameters of a query as ``cls``: of a list field all values, of others the last one.

    Lists of numbers may also stand in one value with commas; a text may hold commas itself. An
    empty value is none: forms send what was not filled in.
    """
    lists = _list_fields(cls)
    data: dict[str, Any] = {}
    for name, value in items:
        if not value:
            continue
        if name not in lists:
            data[name] = value
        elif lists[name] is str:
            data.setdefault(name, []).append(value)
        else:
            data.setdefault(name, []).extend(part for part in value.split(",") if part)
    return convert(cls, data, path)


def _list_fields(cls: type) -> dict[str, Any]:
    """The fields that are lists or tuples, with the type of their items."""
    found = _LISTS.get(cls)
    if found is None:
        found = _LISTS[cls] = {}
        for name, hint in get_type_hints(cls).items():
            for part in (hint, *get_args(hint)):
                if get_origin(part) in (tuple, list):
                    found[name] = get_args(part)[0]
    return found


_LISTS: dict[type, dict[str, Any]] = {}
