"""Odd input: bodies that are no JSON, wrong types at every place of a declared body, odd texts."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

BROKEN = (
    b"", b"{", b"[", b"null", b"true", b"[]", b"{}", b"1", b'"x"', b"\xff\xfe\x00", b"\x00" * 64,
    b"[" * 60_000, b'{"a":' * 30_000, b"1e999", b'{"name": NaN}', b'{"name": 1e999}',
    b'"\\ud800"', b'{"name": "\\ud800"}', b'["\\ud800"]', b'{"names": ["\\udfff"]}',
    b'{"items": [{"name": "\\ud83d"}]}', b"9" * 5_000, b'{"\\u0000": "\\u0000"}',
    b"<xml/>", b"a=b&c=d", b"PK\x03\x04" + b"\x00" * 40, b"MWC1" + b"\xff" * 60,
    b'{"names": {}, "items": 7, "grants": "x", "handles": null, "value": [[]]}',
    b"[" + b"null," * 3_000 + b"null]",
)  # fmt: skip
TEXTS = (
    "", " ", "\x00", "a\x00b", "\ufffd", "\ufeff",
    "../../etc/passwd", "88.888.101/" + "x" * 5_000, "\u202etxt.exe", "é" * 300, "👩‍🏭" * 80,
    "'; DROP TABLE x;--", "<script>alert(1)</script>", "%00%ff", "\r\nSet-Cookie: a=b",
    "99999999999999999999999", "-1", "0", "NaN", "1e400", "{0.__class__}%s%n", "[1", "*", "١٢٣",
    "2026-13-45", "9999-12-31", "0000-00-00", "true", "null", "88.888.101/", "/", "88.101",
)  # fmt: skip
NUMBERS = (-1, 0, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 1e308, -0.0)
OTHERS = (None, True, 7, 1.5, "x", [], {}, [[]], {"a": {"b": []}})
QUERY = (
    "name", "names", "prefix", "limit", "offset", "page", "pageSize", "size", "days", "month",
    "state", "sort", "cursor", "text", "first", "last", "from", "to", "handle", "targetId",
    "before", "operationId", "lang", "form", "format", "dry", "mapping", "source", "code", "scope",
    "target",
    "who", "q", "only", "linkType", "alias", "template", "classify", "upload", "sheet", "revision",
    "index", "type", "start", "kind", "parent", "count", "number", "outcome", "field", "version",
)  # fmt: skip


def good(kind: inspect.Type, depth: int = 0) -> Any:
    """A small value that the declaration accepts."""
    found: Any = "x"
    match kind:
        case inspect.StructType():
            found = {
                field.encode_name: good(field.type, depth + 1)
                for field in kind.fields
                if field.required or depth < 4
            }
        case inspect.UnionType():
            found = good(kind.types[0], depth)
        case inspect.StrType():
            found = "x" * max(1, kind.min_length or 0)
        case inspect.IntType():
            found = kind.ge or 1
        case inspect.FloatType():
            found = 1.0
        case inspect.BoolType():
            found = False
        case inspect.EnumType():
            found = next(iter(kind.cls)).value
        case inspect.LiteralType():
            found = kind.values[0]
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType():
            found = [good(kind.item_type, depth + 1)] if depth < 5 else []
        case inspect.DictType():
            found = {"x": good(kind.value_type, depth + 1)} if depth < 5 else {}
        case inspect.TupleType():
            found = [good(one, depth + 1) for one in kind.item_types]
    return found


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _places(inner, (*path, at))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[head] = _with(copy[head], tuple(rest), new)
    return copy


def bodies(declared: Any, draw: Any, most: int) -> Iterator[bytes]:
    """Bodies of the declared type with one odd place each, ``most`` of them drawn."""
    start = good(inspect.type_info(declared))
    yield msgspec.json.encode(start)
    places = list(_places(start))
    for _ in range(most):
        path = draw.choice(places)
        odd = draw.choice((draw.choice(TEXTS), draw.choice(NUMBERS), draw.choice(OTHERS)))
        try:
            yield msgspec.json.encode(_with(start, path, odd))
        except (msgspec.EncodeError, OverflowError):
            continue
