"""Checked reading and writing of the protocol's few shapes.

All integers are big-endian. A *block* is a 4-byte length and that many bytes; text is a block of
UTF-8; a list is a 4-byte count and its items. Every count and length is checked against what is
left in the buffer before anything is allocated, so a lying length costs nothing.
"""

import struct
from collections.abc import Iterable

from mingwu.wire.handle.errors import ProtocolError

U32 = struct.Struct(">I")
U16 = struct.Struct(">H")


class Reader:
    """A cursor over a buffer; every read either succeeds or raises ProtocolError."""

    __slots__ = ("_data", "_end", "at")

    def __init__(self, data: bytes | memoryview, at: int = 0, end: int | None = None) -> None:
        self._data = data
        self._end = len(data) if end is None else end
        self.at = at

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self.at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self.at
        stop = start + size
        if size < 0 or stop > self._end:
            raise ProtocolError(f"{size} bytes wanted at {start}, {self.left} left")
        self.at = stop
        return bytes(self._data[start:stop])

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        return int.from_bytes(self.take(4))

    def block(self) -> bytes:
        """Length-prefixed bytes."""
        return self.take(self.u32())

    def text(self) -> str:
        """Length-prefixed UTF-8."""
        try:
            return self.block().decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(f"text before byte {self.at} is not UTF-8") from error

    def count(self, item_bytes: int) -> int:
        """A list's count; ``item_bytes`` is the least an item can take."""
        number = self.u32()
        if number * item_bytes > self.left:
            raise ProtocolError(
                f"{number} items announced at {self.at - 4}, {self.left} bytes left"
            )
        return number

    def ints(self) -> tuple[int, ...]:
        """A list of 4-byte integers."""
        return tuple(self.u32() for _ in range(self.count(4)))

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text() for _ in range(self.count(4)))

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left)


def block(data: bytes) -> bytes:
    """Write length-prefixed bytes."""
    return U32.pack(len(data)) + data


def text(value: str) -> bytes:
    """Write length-prefixed UTF-8; lone surrogates are refused."""
    try:
        return block(value.encode())
    except UnicodeEncodeError as error:
        raise ProtocolError("text with a lone surrogate") from error


def u32(value: int) -> bytes:
    """Write a 4-byte integer."""
    return U32.pack(value & 0xFFFF_FFFF)


def ints(values: Iterable[int]) -> bytes:
    """Write a list of 4-byte integers."""
    items = [u32(value) for value in values]
    return u32(len(items)) + b"".join(items)


def texts(values: Iterable[str]) -> bytes:
    """Write a list of texts."""
    items = [text(value) for value in values]
    return u32(len(items)) + b"".join(items)
