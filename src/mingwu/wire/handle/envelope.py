"""Envelopes, and the splitting of long messages into datagrams (RFC 3652 §2.1).

======  ====  =====================================================================
offset  size  field
======  ====  =====================================================================
0       1     protocol major
1       1     protocol minor
2       1     flags: 0x80 compressed, 0x40 encrypted, 0x20 truncated; low two bits:
              suggested major (2.8 and later; the RFC calls bytes 2-3 reserved)
3       1     suggested minor
4       4     session id
8       4     request id
12      4     sequence number of the packet
16      4     length of header, body and credential together
======  ====  =====================================================================

A message longer than a datagram is sent as packets that repeat the envelope with TRUNCATED set,
sequence 0..n and the *total* length. TCP and HTTP carry the message whole.
"""

import struct
from dataclasses import dataclass, replace

from mingwu.wire.handle.codes import (
    ENVELOPE_BYTES,
    MAX_MESSAGE_BYTES,
    UDP_PACKET_BYTES,
    EnvelopeFlag,
)
from mingwu.wire.handle.errors import MessageTooLarge, ProtocolError

_ENVELOPE = struct.Struct(">BBBBIIII")
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The first 20 bytes of every packet."""

    version: Version = (2, 11)
    flags: int = 0
    suggested: Version = (2, 11)
    session_id: int = 0
    request_id: int = 0
    sequence: int = 0
    length: int = 0

    def pack(self) -> bytes:
        """The 20 bytes."""
        return _ENVELOPE.pack(
            self.version[0] & 0xFF,
            self.version[1] & 0xFF,
            (self.flags & 0xE0) | (self.suggested[0] & 0x03),
            self.suggested[1] & 0xFF,
            self.session_id & 0xFFFF_FFFF,
            self.request_id & 0xFFFF_FFFF,
            self.sequence & 0xFFFF_FFFF,
            self.length & 0xFFFF_FFFF,
        )


def read_envelope(data: bytes | memoryview) -> Envelope:
    """Read the envelope at the start of ``data``; the length is not judged here."""
    if len(data) < ENVELOPE_BYTES:
        raise ProtocolError(f"{len(data)} bytes are no envelope")
    major, minor, flags, suggested_minor, session, request, sequence, length = (
        _ENVELOPE.unpack_from(data)
    )
    return Envelope(
        (major, minor), flags & 0xE0, (flags & 0x03, suggested_minor), session, request, sequence,
        length,
    )  # fmt: skip


def split(message: bytes, packet_bytes: int = UDP_PACKET_BYTES) -> list[bytes]:
    """Cut an encoded message into datagrams of at most ``packet_bytes``."""
    if len(message) <= packet_bytes:
        return [message]
    envelope = read_envelope(message)
    payload = packet_bytes - ENVELOPE_BYTES
    flags = envelope.flags | EnvelopeFlag.TRUNCATED
    return [
        replace(envelope, flags=flags, sequence=number).pack() + message[start : start + payload]
        for number, start in enumerate(range(ENVELOPE_BYTES, len(message), payload))
    ]


class Reassembly:
    """Puts the packets of one message together; packets may come twice and in any order.

    The packets of one message have equal payloads except the last, as every sender known does.
    """

    def __init__(self, limit_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit_bytes
        self._parts: dict[int, bytes] = {}
        self._length = -1
        self._have = 0

    def feed(self, packet: bytes) -> bytes | None:
        """Take a packet; the whole message once the last missing piece is there."""
        envelope = read_envelope(packet)
        if not envelope.flags & EnvelopeFlag.TRUNCATED:
            return packet
        if envelope.length > self._limit:
            raise MessageTooLarge(envelope.length, self._limit)
        if self._length not in {-1, envelope.length}:
            raise ProtocolError("packets of one message disagree about its length")
        self._length = envelope.length
        piece = packet[ENVELOPE_BYTES:]
        if not piece or envelope.sequence in self._parts:
            return None
        self._have += len(piece)
        if self._have > envelope.length:
            raise ProtocolError(f"packets hold more than the {envelope.length} bytes announced")
        self._parts[envelope.sequence] = piece
        if self._have < envelope.length:
            return None
        body = b"".join(self._parts[number] for number in sorted(self._parts))
        flags = envelope.flags & ~EnvelopeFlag.TRUNCATED
        return replace(envelope, flags=flags, sequence=0).pack() + body
