"""ClickHouse's Native format, read and written as numpy columns (docs/formats/history.md §2).

A block is: varint columns, varint rows, then per column name, type, and its values one after the
other, little-endian. A result is any number of blocks. Numbers cost one copy; strings are length
(varint) and bytes. Nothing else is needed here, so nothing else is known: Nullable, LowCardinality
and Array columns are refused (queries cast or unfold them).

Why not Arrow: it costs the same to write and to parse (measured: 0.4 s of CPU per million points in
the engine, 0.01 here), but pyarrow would cost the writer and every reader 25 MiB. The historian
takes both.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mingwu.history import errors as _errors  # noqa: F401 — registers the texts
from mingwu.kernel.errors import PeerError

T = TypeVar("T", bound=np.generic)
Array = npt.NDArray[np.generic]
Column = Array | list[str]

_DTYPES = {
    "UInt8": "|u1",
    "UInt16": "<u2",
    "UInt32": "<u4",
    "UInt64": "<u8",
    "Int8": "|i1",
    "Int16": "<i2",
    "Int32": "<i4",
    "Int64": "<i8",
    "Float32": "<f4",
    "Float64": "<f8",
    "Bool": "|u1",
    "DateTime": "<u4",
}
_VARINT_MOST = 10
_MORE = 0x80


_SIMPLE = "SimpleAggregateFunction("


def _dtype(kind: str) -> str:
    if kind.startswith(_SIMPLE):  # stored and sent as the plain type, its last argument
        kind = kind.removeprefix(_SIMPLE).partition(", ")[2].removesuffix(")")
    if kind.startswith("DateTime64("):
        return "<i8"
    dtype = _DTYPES.get(kind) or _DTYPES.get(kind.partition("(")[0])
    if dtype is None:
        raise _fault(f"column type {kind[:60]}")
    return dtype


def _fault(what: str) -> PeerError:
    return PeerError("history.malformed-answer", fault=what)


def varint(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number >= _MORE:
        out.append(number % _MORE | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _string(text: str) -> bytes:
    raw = text.encode()
    return varint(len(raw)) + raw


def encode(columns: Sequence[tuple[str, str, Array | Sequence[str]]]) -> bytes:
    """One block of columns (name, ClickHouse type, values); all of one length (ValueError)."""
    rows = len(columns[0][2])
    parts: list[bytes | memoryview] = [varint(len(columns)), varint(rows)]
    for name, kind, values in columns:
        if len(values) != rows:
            raise ValueError(f"column {name} has {len(values)} rows, not {rows}")
        parts += (_string(name), _string(kind))
        if isinstance(values, np.ndarray):
            parts.append(np.ascontiguousarray(values, dtype=_dtype(kind)).data)
        else:
            parts += map(_string, values)
    return b"".join(parts)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        number = shift = 0
        for _ in range(_VARINT_MOST):
            if self.at >= len(self.data):
                raise _fault("ends within a number")
            byte = self.data[self.at]
            self.at += 1
            number |= (byte % _MORE) << shift
            if byte < _MORE:
                return number
            shift += 7
        raise _fault("number too long")

    def string(self) -> str:
        size = self.varint()
        end = self.at + size
        if end > len(self.data):
            raise _fault("ends within a text")
        raw = self.data[self.at : end]
        self.at = end
        return raw.decode("utf-8", "replace")

    def column(self, kind: str, rows: int) -> Column:
        if kind == "String":
            if rows > len(self.data) - self.at:
                raise _fault("ends within a column")
            return [self.string() for _ in range(rows)]
        dtype = np.dtype(_dtype(kind))
        if rows * dtype.itemsize > len(self.data) - self.at:
            raise _fault("ends within a column")
        values = np.frombuffer(self.data, dtype, rows, self.at)
        self.at += rows * dtype.itemsize
        return values


def _blocks(data: bytes) -> Iterable[list[tuple[str, Column]]]:
    reader = _Reader(data)
    while reader.at < len(data):
        columns, rows = reader.varint(), reader.varint()
        if columns > len(data):
            raise _fault("more columns than bytes")
        block = []
        for _ in range(columns):
            name, kind = reader.string(), reader.string()
            block.append((name, reader.column(kind, rows)))
        yield block


def decode(data: bytes) -> dict[str, Column]:
    """The columns of an answer, blocks joined; {} for an empty one. Raises PeerError.

    Number columns are read-only views where the answer is one block. DateTime64 columns are int64
    in the unit of their precision; DateTime columns uint32 seconds.
    """
    blocks = list(_blocks(data))
    if not blocks:
        return {}
    if len(blocks) == 1:
        return dict(blocks[0])
    joined: dict[str, Column] = {}
    for index, (name, first) in enumerate(blocks[0]):
        parts = [block[index][1] for block in blocks if len(block) > index]
        if isinstance(first, list):
            joined[name] = [text for part in parts for text in part]
        else:
            joined[name] = np.concatenate([np.asarray(part) for part in parts])
    return joined


def numbers(columns: Mapping[str, Column], name: str, dtype: type[T]) -> npt.NDArray[T]:
    """A number column of an answer as ``dtype``; empty if the answer was empty."""
    values = columns.get(name)
    if values is None:
        return np.empty(0, dtype)
    return np.asarray(values).astype(dtype, copy=False)


def texts(columns: Mapping[str, Column], name: str) -> list[str]:
    """A string column of an answer; empty if the answer was empty."""
    values = columns.get(name, [])
    if not isinstance(values, list):
        raise _fault(f"column {name} is no text")
    return values
