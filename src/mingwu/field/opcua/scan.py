"""Finds where each DataValue of a message lies, without decoding it (OPC 10000-6, 5.2.2).

DataValue (5.2.2.17): mask byte, then in this order what the mask announces: Variant (0x01),
StatusCode (0x02, 4 bytes), source time (0x04, 8), source picoseconds (0x10, 2), server time
(0x08, 8), server picoseconds (0x20, 2). Variant (5.2.2.16): type byte with array bit 0x80 and
dimensions bit 0x40, then the value. Nearly all values of a plant are scalars of a fixed size, so
a table of (mask, type) gives the length of most items in one look-up; the rest is measured.

Lengths from the wire are never trusted: whatever the bytes, the only error is :class:`Malformed`,
and nothing is allocated by a length before it was compared with what is there.
"""

import struct
from collections.abc import Callable

from mingwu.field.opcua import errors as _errors  # noqa: F401 — registers the texts
from mingwu.kernel.errors import PeerError

Offsets = list[int]

HAS_VALUE, HAS_STATUS, HAS_TIME = 0x01, 0x02, 0x04
TYPE_MASK, DIMENSIONS_BIT, ARRAY_BIT = 0x3F, 0x40, 0x80

(
    NULL, BOOLEAN, SBYTE, BYTE, INT16, UINT16, INT32, UINT32, INT64, UINT64, FLOAT, DOUBLE, STRING,
    DATE_TIME, GUID, BYTE_STRING, XML, NODE_ID, EXPANDED_NODE_ID, STATUS_CODE, QUALIFIED_NAME,
    LOCALIZED_TEXT, EXTENSION_OBJECT, DATA_VALUE, VARIANT, DIAGNOSTIC_INFO,
) = range(26)  # fmt: skip

FIXED_SIZE = {
    NULL: 0, BOOLEAN: 1, SBYTE: 1, BYTE: 1, INT16: 2, UINT16: 2, INT32: 4, UINT32: 4, INT64: 8,
    UINT64: 8, FLOAT: 4, DOUBLE: 8, DATE_TIME: 8, GUID: 16, STATUS_CODE: 4,
}  # fmt: skip
# Bytes after the Variant, by mask.
TAIL_SIZE = tuple(
    sum(size for bit, size in ((2, 4), (4, 8), (8, 8), (0x10, 2), (0x20, 2)) if mask & bit)
    for mask in range(64)
)
_MAX_DEPTH = 16

_I32 = struct.Struct("<i")


class Malformed(PeerError):
    """The bytes are not what the message type promises."""

    def __init__(self, fault: str) -> None:
        super().__init__("opcua.malformed", fault=fault)


def _known_sizes() -> dict[int, int]:
    """Item length by ``mask | type << 8`` (with a value) or ``mask`` (without)."""
    sizes = {mask: 1 + TAIL_SIZE[mask] for mask in range(0, 64, 2)}
    for kind, size in FIXED_SIZE.items():
        for mask in range(1, 64, 2):
            sizes[mask | kind << 8] = 2 + size + TAIL_SIZE[mask]
    return sizes


_SIZES = _known_sizes()


def data_values(body: bytes, pos: int, count: int, lead: int = 0) -> Offsets:
    """Start of each of ``count`` DataValues and, last, the end. ``lead`` bytes precede each one.

    A DataValue's start is that of its mask byte. Raises Malformed.
    """
    if count < 0 or count > len(body) - pos:
        raise Malformed(f"{count} values in {len(body) - pos} bytes")
    starts: Offsets = []
    known = _SIZES.get
    try:
        for _ in range(count):
            pos += lead
            starts.append(pos)
            mask = body[pos]
            size = known(mask | body[pos + 1] << 8 if mask & HAS_VALUE else mask)
            pos = pos + size if size is not None else _data_value_end(body, pos, 0)
    except (IndexError, struct.error) as error:
        raise Malformed("a value reaches beyond the message") from error
    if pos > len(body):
        raise Malformed("the last value reaches beyond the message")
    starts.append(pos)
    return starts


def count_at(body: bytes, pos: int) -> int:
    """An array's length, null as 0. Raises Malformed."""
    try:
        return max(int(_I32.unpack_from(body, pos)[0]), 0)
    except struct.error as error:
        raise Malformed("message cut short") from error


def text_at(body: bytes, pos: int) -> tuple[str, int]:
    """A String (5.2.2.4) and its end; null reads as empty. Raises Malformed."""
    try:
        end = _string_end(body, pos)
    except struct.error as error:
        raise Malformed("a string reaches beyond the message") from error
    if end > len(body):
        raise Malformed("a string reaches beyond the message")
    return body[pos + 4 : end].decode("utf-8", "replace"), end


def extension_object(body: bytes, pos: int) -> tuple[int, int, int]:
    """(numeric type id, start of the body, end) of an ExtensionObject (5.2.2.15).

    The id is 0 where it is not a number in namespace 0. Raises Malformed.
    """
    try:
        form, space, number = struct.unpack_from("<BBH", body, pos)
        at = _node_id_end(body, pos, 0)
        end = _extension_object_end(body, pos, 0)
    except (IndexError, struct.error) as error:
        raise Malformed("an object reaches beyond the message") from error
    if end > len(body):
        raise Malformed("an object reaches beyond the message")
    return (number if (form, space) == (1, 0) else 0), min(at + 5, end), end


def _data_value_end(body: bytes, pos: int, depth: int) -> int:
    mask = body[pos]
    if mask & ~0x3F:
        raise Malformed(f"DataValue mask {mask:#x}")
    pos += 1
    if mask & HAS_VALUE:
        pos = _variant_end(body, pos, depth)
    return pos + TAIL_SIZE[mask]


def _variant_end(body: bytes, pos: int, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise Malformed("values nested too deeply")
    encoding = body[pos]
    kind = encoding & TYPE_MASK
    pos += 1
    if not encoding & ARRAY_BIT:
        return _value_end(body, pos, kind, depth)
    count, pos = _count(body, pos)
    size = FIXED_SIZE.get(kind)
    if size is not None:
        pos += count * size
    else:
        for _ in range(count):
            pos = _value_end(body, pos, kind, depth)
    if encoding & DIMENSIONS_BIT:
        count, pos = _count(body, pos)
        pos += count * 4
    return pos


def _count(body: bytes, pos: int) -> tuple[int, int]:
    """An array's length (null is 0) and the position after it."""
    count = int(_I32.unpack_from(body, pos)[0])
    if count > len(body) - pos or count < -1:
        raise Malformed(f"array of {count} elements")
    return max(count, 0), pos + 4


def _value_end(body: bytes, pos: int, kind: int, depth: int) -> int:
    size = FIXED_SIZE.get(kind)
    if size is not None:
        return pos + size
    measure = _MEASURES.get(kind)
    # Types 26-31 are reserved and read as ByteString (5.2.2.16).
    return measure(body, pos, depth + 1) if measure else _string_end(body, pos)


def _string_end(body: bytes, pos: int, _depth: int = 0) -> int:
    length = int(_I32.unpack_from(body, pos)[0])
    if length < -1 or length > len(body) - pos:
        raise Malformed(f"string of {length} bytes")
    return pos + 4 + max(length, 0)


def _node_id_end(body: bytes, pos: int, _depth: int) -> int:
    encoding = body[pos]
    form = encoding & 0x3F
    sizes = {0: 2, 1: 4, 2: 7, 4: 19}
    if form in sizes:
        end = pos + sizes[form]
    elif form in (3, 5):
        end = _string_end(body, pos + 3)
    else:
        raise Malformed(f"NodeId form {form}")
    if encoding & 0x80:  # namespace URI
        end = _string_end(body, end)
    return end + 4 if encoding & 0x40 else end  # server index


def _qualified_name_end(body: bytes, pos: int, _depth: int) -> int:
    return _string_end(body, pos + 2)


def _localized_text_end(body: bytes, pos: int, _depth: int) -> int:
    mask = body[pos]
    pos += 1
    for bit in (1, 2):
        if mask & bit:
            pos = _string_end(body, pos)
    return pos


def _extension_object_end(body: bytes, pos: int, depth: int) -> int:
    pos = _node_id_end(body, pos, depth)
    has_body = body[pos]
    return _string_end(body, pos + 1) if has_body else pos + 1


def _diagnostic_info_end(body: bytes, pos: int, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise Malformed("diagnostics nested too deeply")
    mask = body[pos]
    pos += 1 + 4 * (mask & 0x0F).bit_count()
    if mask & 0x10:
        pos = _string_end(body, pos)
    if mask & 0x20:
        pos += 4
    return _diagnostic_info_end(body, pos, depth + 1) if mask & 0x40 else pos


_MEASURES: dict[int, Callable[[bytes, int, int], int]] = {
    STRING: _string_end,
    BYTE_STRING: _string_end,
    XML: _string_end,
    NODE_ID: _node_id_end,
    EXPANDED_NODE_ID: _node_id_end,
    QUALIFIED_NAME: _qualified_name_end,
    LOCALIZED_TEXT: _localized_text_end,
    EXTENSION_OBJECT: _extension_object_end,
    DATA_VALUE: _data_value_end,
    VARIANT: _variant_end,
    DIAGNOSTIC_INFO: _diagnostic_info_end,
}
