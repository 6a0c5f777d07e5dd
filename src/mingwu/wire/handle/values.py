"""Handle values: what stands behind a name (RFC 3651 §3.1).

====================  ========  ==========================================================
field                 size      meaning
====================  ========  ==========================================================
index                 4         unique within the handle, 1..2**31-1
timestamp             4         last change, seconds since the epoch
ttl type              1         0 relative (seconds), 1 absolute (seconds since the epoch)
ttl                   4
permissions           1         admin read 8, admin write 4, public read 2, public write 1
type                  block     UTF-8, dots make subtypes
data                  block
references            list      (handle block, index 4): values that vouch for this one
====================  ========  ==========================================================

A value's digest (HS_SIGNATURE) is taken over its bytes without index and timestamp.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS, MAX_VALUES, PUBLIC_READ
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import Reader, block, text, u32

DEFAULT_TTL_S = 86_400
MAX_INDEX = 2**31 - 1
_FIXED = struct.Struct(">IIBIB")
_LEAST_BYTES = _FIXED.size + 12
_NO_REFERENCES = bytes(4)


@dataclass(frozen=True, slots=True)
class Reference:
    """Names one value: ``index`` of ``handle`` (also the form of a key's or admin's name)."""

    handle: str
    index: int

    def __str__(self) -> str:
        return f"{self.index}:{self.handle}"


@dataclass(frozen=True, slots=True)
class HandleValue:
    """One value of a handle. ``ttl`` is in seconds; ``timestamp`` in seconds since the epoch."""

    index: int
    type: str
    data: bytes
    ttl: int = DEFAULT_TTL_S
    ttl_absolute: bool = False
    timestamp: int = 0
    permissions: int = DEFAULT_PERMISSIONS
    references: tuple[Reference, ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether anybody may read it."""
        return self.permissions & PUBLIC_READ != 0

    def text(self) -> str:
        """The data as text; bytes that are no UTF-8 show as replacement characters."""
        return self.data.decode(errors="replace")


def references(items: Iterable[Reference]) -> bytes:
    """Write a reference list (also the data of HS_VLIST)."""
    parts = [text(item.handle) + u32(item.index) for item in items]
    return u32(len(parts)) + b"".join(parts)


def read_references(reader: Reader) -> tuple[Reference, ...]:
    """Read a reference list."""
    return tuple(Reference(reader.text(), reader.u32()) for _ in range(reader.count(8)))


def encode_value(value: HandleValue) -> bytes:
    """The bytes of one value."""
    fixed = _FIXED.pack(
        value.index & 0xFFFF_FFFF,
        value.timestamp & 0xFFFF_FFFF,
        value.ttl_absolute,
        value.ttl & 0xFFFF_FFFF,
        value.permissions & 0x0F,
    )
    vouchers = references(value.references) if value.references else _NO_REFERENCES
    return b"".join((fixed, text(value.type), block(value.data), vouchers))


def read_value(reader: Reader) -> HandleValue:
    """Read one value."""
    index, timestamp, ttl_type, ttl, permissions = _FIXED.unpack(reader.take(_FIXED.size))
    if ttl_type > 1:
        raise ProtocolError(f"ttl type {ttl_type} before byte {reader.at}")
    return HandleValue(
        index=index,
        type=reader.text(),
        data=reader.block(),
        ttl=ttl,
        ttl_absolute=bool(ttl_type),
        timestamp=timestamp,
        permissions=permissions & 0x0F,
        references=_few_references(reader),
    )


def _few_references(reader: Reader) -> tuple[Reference, ...]:
    """Those of a value; whoever reads the record walks all of them."""
    found = read_references(reader)
    if len(found) > MAX_VALUES:
        raise ProtocolError(f"a value with {len(found)} references, limit {MAX_VALUES}")
    return found


def values(items: Iterable[HandleValue]) -> bytes:
    """Write a value list."""
    parts = [encode_value(item) for item in items]
    return u32(len(parts)) + b"".join(parts)


def read_values(reader: Reader) -> tuple[HandleValue, ...]:
    """Read a value list of at most MAX_VALUES."""
    number = reader.count(_LEAST_BYTES)
    if number > MAX_VALUES:
        raise ProtocolError(f"{number} values, limit {MAX_VALUES}")
    return tuple(read_value(reader) for _ in range(number))


def value_digest(value: HandleValue, algorithm: str = "sha256") -> bytes:
    """Digest that HS_SIGNATURE claims list: the value without index and timestamp."""
    return hashlib.new(algorithm, encode_value(value)[8:], usedforsecurity=False).digest()


def type_matches(wanted: str, actual: str) -> bool:
    """Whether a value of type ``actual`` answers a query for ``wanted``.

    Types compare without ASCII case; a query ending in "." asks for the type and its subtypes.
    """
    wanted, actual = fold(wanted), fold(actual)
    if wanted.endswith("."):
        return actual.startswith(wanted) or actual == wanted[:-1]
    return wanted == actual
