"""Framing on serial lines: RTU (MSL clause 2.5.1), also when carried over TCP.

A frame is unit, PDU and a CRC-16 in little-endian order, at most 256 bytes. The standard ends a
frame by 3.5 characters of silence, which no operating system shows reliably; so the decoder
computes each frame's length from its function and verifies the CRC. What fails is skipped byte by
byte until a frame fits (``skipped`` counts), so it finds its way back after garbage. Garbage may
look like the beginning of a long frame: when the line falls silent, ``search`` looks behind it for
whole frames, and ``silence`` then drops the rest.
"""

import struct
from collections.abc import Callable
from functools import cache

from mingwu.wire.modbus.mbap import Adu
from mingwu.wire.modbus.pdu import (
    ERROR_BIT,
    MEI_DEVICE_IDENTIFICATION,
    Function,
    identification_size,
)

MAX_FRAME = 256
MIN_FRAME = 4
POLYNOMIAL = 0xA001  # MSL 6.2.2, reflected

Size = Callable[[bytes], int | None]
"""Frame length from the frame's beginning: None = more bytes needed, 0 = no such frame."""


@cache
def _pairs() -> tuple[int, ...]:
    """CRC of every byte pair, so that the loop takes two bytes per step.

    The CRC is linear: the table of 65,536 is the sum of two tables of 256.
    """

    def shifted(word: int) -> int:
        for _ in range(16):
            word = (word >> 1) ^ (POLYNOMIAL if word & 1 else 0)
        return word

    low = [shifted(byte) for byte in range(256)]
    high = [shifted(byte << 8) for byte in range(256)]
    return tuple(a ^ b for b in high for a in low)


def crc16(data: bytes) -> int:
    """CRC of MSL clause 6.2.2 (start value 0xFFFF)."""
    pairs = _pairs()
    crc = 0xFFFF
    for word in struct.unpack_from(f"<{len(data) // 2}H", data):
        crc = pairs[crc ^ word]
    if len(data) % 2:
        crc ^= data[-1]
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def encode(unit: int, pdu: bytes) -> bytes:
    """The frame for ``pdu``."""
    frame = bytes((unit,)) + pdu
    return frame + crc16(frame).to_bytes(2, "little")


def reply_size(frame: bytes) -> int | None:
    """Length of a reply frame (see Size)."""
    if len(frame) < 3:  # noqa: PLR2004 — unit, function, first data byte
        return None
    function = frame[1]
    if function & ERROR_BIT:
        return 5
    if function in _FIXED_REPLIES:
        return _FIXED_REPLIES[function]
    if function in _COUNTED_REPLIES:
        return 5 + frame[2] if frame[2] else 0
    if function == Function.ENCAPSULATED and frame[2] == MEI_DEVICE_IDENTIFICATION:
        size = identification_size(frame[1:])
        return size if size is None else size + 3
    return 0


def request_size(frame: bytes) -> int | None:
    """Length of a request frame (see Size)."""
    if len(frame) < 2:  # noqa: PLR2004 — unit, function
        return None
    function = frame[1]
    if function in _FIXED_REQUESTS:
        return _FIXED_REQUESTS[function]
    count_place = _COUNTED_REQUESTS.get(function)
    if count_place is None:
        return 0
    if len(frame) <= count_place:
        return None
    return count_place + 1 + frame[count_place] + 2


_FIXED_REPLIES: dict[int, int] = {5: 8, 6: 8, 15: 8, 16: 8, 22: 10}
_COUNTED_REPLIES = frozenset({1, 2, 3, 4, 23})
# 7, 8, 11, 12 and 17 are not served, but must be read to be refused (MAP 6.7-6.10, 6.13)
_FIXED_REQUESTS: dict[int, int] = {
    1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 43: 7,
}  # fmt: skip
_COUNTED_REQUESTS = {15: 6, 16: 6, 23: 10}


class RtuDecoder:
    """Cuts a serial byte stream into frames.

    ``size`` is ``reply_size`` for clients, ``request_size`` for servers.
    """

    def __init__(self, size: Size = reply_size) -> None:
        self._size = size
        self._buffer = b""
        self._head: tuple[int, int] | None = None
        self.skipped = 0

    def expect(self, unit: int, function: int) -> None:
        """Client: what is not a reply of ``unit`` to ``function`` is garbage from now on."""
        self._head = (unit, function)

    def reset(self) -> None:
        """Forget unfinished bytes (before a new request)."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[Adu]:
        """Frames completed by ``data``; never raises."""
        self._buffer += data
        return self._scan(patient=True)

    def search(self) -> list[Adu]:
        """Whole frames hidden behind a false beginning; if there are none, nothing changes."""
        buffer, skipped = self._buffer, self.skipped
        found = self._scan(patient=False)
        if not found:
            self._buffer, self.skipped = buffer, skipped
        return found

    def silence(self) -> list[Adu]:
        """The line is silent: frames hidden behind a false beginning; the rest is dropped."""
        found = self._scan(patient=False)
        self.skipped += len(self._buffer)
        self._buffer = b""
        return found

    def _scan(self, *, patient: bool) -> list[Adu]:
        buffer = self._buffer
        found: list[Adu] = []
        start = 0
        while len(buffer) - start >= MIN_FRAME:
            end = self._frame_end(buffer, start)
            if end is None and patient:
                break
            if end is None or end == start:
                start += 1
                self.skipped += 1
                continue
            found.append(Adu(0, buffer[start], buffer[start + 1 : end - 2]))
            start = end
        self._buffer = buffer[start:]
        return found

    def _frame_end(self, buffer: bytes, start: int) -> int | None:
        """End of the frame at ``start``; ``start`` itself if there is none, None if unfinished."""
        head = self._head
        if head and (buffer[start] != head[0] or buffer[start + 1] & ~ERROR_BIT != head[1]):
            return start
        size = self._size(buffer[start : start + MAX_FRAME] if start else buffer)
        if size is None:
            return None
        if not MIN_FRAME <= size <= MAX_FRAME:
            return start
        end = start + size
        if end > len(buffer):
            return None
        crc = buffer[end - 2] | buffer[end - 1] << 8
        return end if crc16(buffer[start : end - 2]) == crc else start
