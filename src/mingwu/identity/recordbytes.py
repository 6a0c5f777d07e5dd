"""The bytes of a stored record: written in one join, read in place.

Public values lie as the ready value list of a reply, restricted values and live sources apart from
them, and beside them the JSON of the public values. Byte layout: docs/formats/identity-records.md.
"""

import struct
from collections.abc import Iterator, Sequence

import msgspec
import orjson

from mingwu.identity.live import LiveSource
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.values import HandleValue, encode_value

FORMAT = 1
HAS_LIVE = 1
HAS_RESTRICTED = 2
HAS_CARRIER = 4
IS_OPEN = 8
# What the stored blocks alone do not answer.
COMPUTED = HAS_LIVE | HAS_CARRIER

# format, flags, name bytes, public bytes (with its 4-byte count), restricted bytes, live bytes
HEAD = struct.Struct(">BBHIII")
_COUNT = struct.Struct(">I")
_TYPE_AT = 14

_encode_live = msgspec.msgpack.Encoder().encode
decode_live = msgspec.msgpack.Decoder(tuple[LiveSource, ...]).decode


def packed(
    name: str, values: Sequence[HandleValue], live: tuple[LiveSource, ...], flags: int
) -> bytes:
    """The stored bytes; ``flags`` are those that do not follow from the shares of values."""
    public = [item for item in values if item.is_public]
    restricted = [item for item in values if not item.is_public]
    shown = name.encode()
    public_block = _COUNT.pack(len(public)) + b"".join(map(encode_value, public))
    restricted_block = b"".join(map(encode_value, restricted))
    live_block = _encode_live(live) if live else b""
    json_block = orjson.dumps([value_to_json(item) for item in public])[1:-1]
    flags |= (HAS_LIVE if live else 0) | (HAS_RESTRICTED if restricted else 0)
    head = HEAD.pack(
        FORMAT, flags, len(shown), len(public_block), len(restricted_block), len(live_block)
    )
    return b"".join((head, shown, public_block, restricted_block, live_block, json_block))


def answer_bytes(data: bytes) -> int:
    """How long the values of a stored record are in an answer."""
    _, _, _, public, restricted, _ = HEAD.unpack_from(data)
    return int(public + restricted)


class StoredRecord:
    """The parts of a stored record, read in place; valid while its transaction is.

    ``records.read_record`` decodes the whole of it.
    """

    __slots__ = ("_at", "_data", "_live", "_name", "_public", "_restricted", "flags")

    def __init__(self, data: memoryview | bytes) -> None:
        _, self.flags, self._name, self._public, self._restricted, self._live = HEAD.unpack_from(
            data
        )
        self._data = data
        self._at = HEAD.size + self._name

    @property
    def name(self) -> str:
        """The registered spelling."""
        return bytes(self._data[HEAD.size : self._at]).decode()

    def public_values(self) -> list[tuple[int, str, bytes]]:
        """(index, type, encoded value) of each public value."""
        start = self._at + _COUNT.size
        return list(_scan(self._data, start, self._at + self._public))

    def restricted_values(self) -> list[tuple[int, str, bytes]]:
        """(index, type, encoded value) of each restricted value."""
        start = self._at + self._public
        return list(_scan(self._data, start, start + self._restricted))

    def live_sources(self) -> tuple[LiveSource, ...]:
        """The live values' sources."""
        if not self._live:
            return ()
        start = self._at + self._public + self._restricted
        return decode_live(self._data[start : start + self._live])

    def json_values(self) -> bytes:
        """JSON objects of the public values, comma-separated."""
        return bytes(self._data[self._at + self._public + self._restricted + self._live :])


def selected(
    block: bytes, indexes: tuple[int, ...], exact: frozenset[bytes], heads: tuple[bytes, ...]
) -> list[bytes]:
    """Encoded values of a public block (with its count) that a question selects.

    Types are upper-cased bytes: ``exact`` ones, and ``heads`` ending in "." that ask for subtypes.
    """
    unpack = _COUNT.unpack_from
    chosen: list[bytes] = []
    at, end = _COUNT.size, len(block)
    while at < end:
        kind_at = at + _TYPE_AT + 4
        (size,) = unpack(block, at + _TYPE_AT)
        stop = kind_at + size
        kind = block[kind_at:stop].upper()
        (size,) = unpack(block, stop)
        stop += 4 + size
        (references,) = unpack(block, stop)
        stop += 4
        for _ in range(references):
            (size,) = unpack(block, stop)
            stop += 8 + size
        (index,) = unpack(block, at)
        if index in indexes or kind in exact or (heads and kind.startswith(heads)):
            chosen.append(block[at:stop])
        at = stop
    return chosen


def _scan(data: memoryview | bytes, start: int, end: int) -> Iterator[tuple[int, str, bytes]]:
    """Walk encoded values without decoding more than index and type."""
    unpack = _COUNT.unpack_from
    at = start
    while at < end:
        (index,) = unpack(data, at)
        (size,) = unpack(data, at + _TYPE_AT)
        after_type = at + _TYPE_AT + 4 + size
        kind = bytes(data[at + _TYPE_AT + 4 : after_type]).decode()
        (size,) = unpack(data, after_type)
        stop = after_type + 4 + size
        (references,) = unpack(data, stop)
        stop += 4
        for _ in range(references):
            (size,) = unpack(data, stop)
            stop += 8 + size
        yield index, kind, bytes(data[at:stop])
        at = stop
