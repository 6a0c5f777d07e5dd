"""Framing on TCP: the MBAP header (MTCP clause 3.1.3).

==========  =====  =====================================================
field       bytes  meaning
==========  =====  =====================================================
transaction 2      copied by the server from request to reply
protocol    2      0 = Modbus
length      2      bytes that follow: unit and PDU, so 2-254
unit        1      serial address behind a gateway, else 0xFF or 0
==========  =====  =====================================================

A TCP stream with one wrong header cannot be resynchronised: the decoder raises, stays broken, and
the connection has to be closed.
"""

import struct
from typing import NamedTuple

from mingwu.wire.modbus.pdu import MAX_PDU, ProtocolError

HEADER = struct.Struct(">HHHB")
HEADER_BYTES = 7
MIN_LENGTH = 2


class Adu(NamedTuple):
    """One message with its envelope; ``transaction`` is 0 on serial lines."""

    transaction: int
    unit: int
    pdu: bytes


def encode(transaction: int, unit: int, pdu: bytes) -> bytes:
    """The frame for ``pdu``."""
    return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class MbapDecoder:
    """Cuts a TCP byte stream into messages; the same for client and server."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Adu]:
        """Messages completed by ``data``.

        Messages before a wrong header are returned; the ProtocolError comes when the wrong header
        is the next thing to read, and again on every later call.
        """
        buffer = self._buffer + data if self._buffer else bytes(data)
        found: list[Adu] = []
        start = 0
        while len(buffer) - start >= HEADER_BYTES:
            transaction, protocol, length, unit = HEADER.unpack_from(buffer, start)
            if protocol or not MIN_LENGTH <= length <= MAX_PDU + 1:
                if found:
                    break
                self._buffer = buffer[start:]
                raise ProtocolError(f"MBAP header with protocol {protocol}, length {length}")
            end = start + HEADER_BYTES - 1 + length
            if end > len(buffer):
                break
            found.append(Adu(transaction, unit, buffer[start + HEADER_BYTES : end]))
            start = end
        self._buffer = buffer[start:]
        return found
