"""Messages: envelope, header, body and credential (RFC 3652 §2.2-2.4).

Header, 24 bytes: op code 4, response code 4, op flags 4, site info serial 2 (0xffff unknown),
recursion count 1, reserved 1, expiration 4 (seconds since the epoch), body length 4.

Credential: 4-byte length (0 or absent: none), then version 1, reserved 1, flags 2, signer handle
block, signer index 4 (a session's message counter for MACs), type block (``HS_SIGNED``,
``HS_MAC``, formerly ``HS_DSAPUBKEY``), 4-byte length of the rest, digest name block, signature
block.

When REQUEST_DIGEST is set in a reply its body starts with one byte of algorithm and the digest of
the request's header and body: the client sees that its question arrived unchanged.

A reply speaks the version that the request suggests (:func:`answer_version`): a client that does
not know the server asks in an old version that every server reads.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from mingwu.wire.handle.codes import (
    ENVELOPE_BYTES,
    HEADER_BYTES,
    IDIS_MAX_MESSAGE_BYTES,
    NO_SITE_SERIAL,
    DigestAlgorithm,
    EnvelopeFlag,
    OpFlag,
    Rc,
)
from mingwu.wire.handle.envelope import Envelope, Version, read_envelope
from mingwu.wire.handle.errors import MessageTooLarge, ProtocolError
from mingwu.wire.handle.primitives import Reader, block, text, u32

LATEST: Version = (2, 11)
_OLDEST: Version = (2, 1)
_SHA256_SINCE: Version = (2, 7)
_COMPRESSED = int(EnvelopeFlag.COMPRESSED)
_TRUNCATED = int(EnvelopeFlag.TRUNCATED)
_HEADER = struct.Struct(">IIIHBBII")
_DIGESTS = {
    DigestAlgorithm.MD5: ("md5", 16),
    DigestAlgorithm.SHA1: ("sha1", 20),
    DigestAlgorithm.SHA256: ("sha256", 32),
}


@dataclass(frozen=True, slots=True)
class Credential:
    """Signature or MAC over a message; ``counter`` is the signer's index in signatures."""

    handle: str
    counter: int
    type: str
    digest: str
    signature: bytes
    version: int = 0
    flags: int = 0

    def pack(self) -> bytes:
        """The credential with its leading length."""
        signed = text(self.digest) + block(self.signature)
        body = b"".join(
            (
                struct.pack(">BBH", self.version, 0, self.flags),
                text(self.handle),
                u32(self.counter),
                text(self.type),
                block(signed),
            )
        )
        return block(body)


def read_credential(data: bytes) -> Credential | None:
    """Read what follows the body; None when there is no credential."""
    if len(data) < 4 or data == b"\0\0\0\0":  # noqa: PLR2004 - absent means the same as none
        return None
    inner = Reader(data).block()
    if not inner:
        return None
    reader = Reader(inner)
    version, _, flags = struct.unpack(">BBH", reader.take(4))
    handle, counter, kind = reader.text(), reader.u32(), reader.text()
    signed = Reader(reader.block())
    return Credential(handle, counter, kind, signed.text(), signed.block(), version, flags)


@dataclass(frozen=True, slots=True)
class Message:
    """One request (``rc`` 0) or reply. ``raw`` is header and body as they came off the wire."""

    op: int
    rc: int = 0
    flags: int = 0
    body: bytes = b""
    version: Version = (2, 11)
    suggested: Version = (2, 11)
    session_id: int = 0
    request_id: int = 0
    site_serial: int = NO_SITE_SERIAL
    recursion: int = 0
    expiration: int = 0
    envelope_flags: int = 0
    credential: Credential | None = None
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def signed_part(self) -> bytes:
        """Header and body: what digests, signatures and MACs are taken over."""
        return self.raw or pack_header(self) + self.body

    def wants(self, flag: OpFlag) -> bool:
        """Whether an op flag is set."""
        return self.flags & int(flag) != 0


def pack_header(message: Message) -> bytes:
    """The 24 bytes of the header."""
    return _HEADER.pack(
        message.op & 0xFFFF_FFFF,
        message.rc & 0xFFFF_FFFF,
        message.flags & 0xFFFF_FFFF,
        message.site_serial & 0xFFFF,
        message.recursion & 0xFF,
        0,
        message.expiration & 0xFFFF_FFFF,
        len(message.body),
    )


def encode(message: Message) -> bytes:
    """The message with its envelope, ready for a stream (or for ``envelope.split``)."""
    credential = message.credential.pack() if message.credential else b"\0\0\0\0"
    inner = b"".join((pack_header(message), message.body, credential))
    envelope = Envelope(
        version=message.version,
        flags=message.envelope_flags & ~EnvelopeFlag.TRUNCATED,
        suggested=message.suggested,
        session_id=message.session_id,
        request_id=message.request_id,
        length=len(inner),
    )
    return envelope.pack() + inner


def message_length(
    data: bytes | bytearray | memoryview, limit: int = IDIS_MAX_MESSAGE_BYTES
) -> int:
    """Bytes of the message that starts ``data``; -1 while the envelope is incomplete."""
    if len(data) < ENVELOPE_BYTES:
        return -1
    length = int.from_bytes(data[16:20])
    if length > limit:
        raise MessageTooLarge(length, limit)
    return ENVELOPE_BYTES + length


def decode(data: bytes) -> Message:
    """Read one whole, unencrypted message; trailing bytes are a fault."""
    envelope = read_envelope(data)
    if envelope.flags & _COMPRESSED:
        # No deployed sender compresses; refusing it also closes the door to bombs.
        raise ProtocolError("compressed messages are not supported")
    if len(data) != ENVELOPE_BYTES + envelope.length:
        raise ProtocolError(f"envelope announces {envelope.length} bytes, {len(data) - 20} came")
    return read_inner(envelope, data[ENVELOPE_BYTES:])


def read_inner(envelope: Envelope, inner: bytes) -> Message:
    """Read header, body and credential (after decryption, for encrypted sessions)."""
    if len(inner) < HEADER_BYTES:
        raise ProtocolError(f"{len(inner)} bytes are no header")
    op, rc, flags, serial, recursion, _, expiration, size = _HEADER.unpack_from(inner)
    end = HEADER_BYTES + size
    if end > len(inner):
        raise ProtocolError(f"body of {size} bytes announced, {len(inner) - HEADER_BYTES} left")
    return Message(
        op=op,
        rc=rc,
        flags=flags,
        body=inner[HEADER_BYTES:end],
        version=envelope.version,
        suggested=envelope.suggested,
        session_id=envelope.session_id,
        request_id=envelope.request_id,
        site_serial=serial,
        recursion=recursion,
        expiration=expiration,
        # What is whole is no fragment, whatever its flag says.
        envelope_flags=envelope.flags & ~_TRUNCATED,
        credential=read_credential(inner[end:]),
        raw=inner[:end],
    )


def answer_version(request: Message) -> Version:
    """The version of the reply: the one suggested, else the request's; the latest for strange ones.

    Clients before 2.8 suggest none (the bytes are 0).
    """
    wanted = request.suggested if request.suggested[0] else request.version
    return wanted if _OLDEST <= wanted <= LATEST else LATEST


def request_digest(request: Message, algorithm: DigestAlgorithm | None = None) -> bytes:
    """Algorithm byte and digest of a request, as they open the body of a reply.

    Without an algorithm the one that the reply's version has: SHA-256, before 2.7 SHA-1.
    """
    if algorithm is None:
        modern = answer_version(request) >= _SHA256_SINCE
        algorithm = DigestAlgorithm.SHA256 if modern else DigestAlgorithm.SHA1
    name, _ = _DIGESTS[algorithm]
    digest = hashlib.new(name, request.signed_part, usedforsecurity=False).digest()
    return bytes((algorithm,)) + digest


def split_digest(reply: Message) -> tuple[bytes, bytes]:
    """Separate a reply's (algorithm + digest, body); the digest is empty when none was sent."""
    if not reply.rc or not reply.flags & OpFlag.REQUEST_DIGEST:
        return b"", reply.body
    if not reply.body or reply.body[0] not in _DIGESTS:
        raise ProtocolError("reply announces a request digest of an unknown kind")
    size = 1 + _DIGESTS[DigestAlgorithm(reply.body[0])][1]
    if size > len(reply.body):
        raise ProtocolError("request digest cut short")
    return reply.body[:size], reply.body[size:]


def is_reply(message: Message) -> bool:
    """Whether this is a reply (response code set)."""
    return message.rc != Rc.REQUEST
