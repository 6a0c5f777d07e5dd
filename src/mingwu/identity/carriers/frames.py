"""Messages between carrier and platform, the same on every bearer (sans-I/O).

A frame is: magic ``MWC1``, kind (1), signature algorithm (1), two zero bytes, body length (u32,
big-endian), body, signature length (u16), signature. The body is a MessagePack array with the
fields in the order declared here; the signature covers everything before its length. Each frame
of a carrier after the greeting repeats the digest of the platform's last frame, and each
frame of the platform the digest of the request, so both ends prove freshness on every exchange.
Layouts: docs/formats/active-carrier.md. No public standard fixes these bytes; the life cycle is
modelled on the white paper on active identifier carriers (2020).
"""

import hashlib
import struct
from enum import IntEnum
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import PeerError
from mingwu.trust.keys import Algorithm, PublicKey

MAGIC = b"MWC1"
DIGEST_BYTES = 32
NONCE_BYTES = 32
SESSION_BYTES = 16
_HEAD = struct.Struct(">4sBBHI")
_SIGNATURE = struct.Struct(">H")
ALGORITHMS = {1: Algorithm.P256, 2: Algorithm.SM2}
_CODES = {algorithm: code for code, algorithm in ALGORITHMS.items()}


class Kind(IntEnum):
    """What a frame is. Odd ones come from the carrier, even ones from the platform."""

    HELLO = 1
    CHALLENGE = 2
    POWER_ON = 3
    PROVISION = 4
    WRITTEN = 5
    DONE = 6
    REPORT = 7
    RECEIPT = 8
    APPLIED = 9
    REFUSED = 10


Digest = Annotated[bytes, Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
Session = Annotated[bytes, Meta(min_length=SESSION_BYTES, max_length=SESSION_BYTES)]
Serial = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._-]+$")]
Name = Annotated[str, Meta(max_length=255)]
Word = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Reading = float | Annotated[str, Meta(max_length=1000)]
Readings = Annotated[dict[Word, Reading], Meta(max_length=64)]


class Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A frame's content."""


class Hello(Body, frozen=True):
    """The carrier opens a conversation. ``identifier`` is empty before the write-back."""

    serial: Serial
    nonce: Digest
    time_ns: Count
    identifier: Name
    address: Name
    protection: Word
    certificate: Annotated[bytes, Meta(max_length=4096)]


class Challenge(Body, frozen=True):
    """The platform proves itself and asks for a proof.

    ``certificate``: the platform's. ``identifier``: what the carrier should hold, "" if none yet.
    """

    request: Digest
    time_ns: Count
    session: Session
    nonce: Digest
    certificate: bytes
    identifier: Name


class PowerOn(Body, frozen=True):
    """First power-on: the carrier asks for its identifier."""

    session: Session
    previous: Digest
    serial: Serial
    form: Word
    prefix: Word


class Provision(Body, frozen=True):
    """The registered identifier, to be written into the carrier."""

    request: Digest
    time_ns: Count
    serial: Serial
    identifier: Name


class Written(Body, frozen=True):
    """The carrier holds the identifier now."""

    session: Session
    previous: Digest
    serial: Serial
    identifier: Name


class Sample(Body, frozen=True):
    """One observation; ``sequence`` grows by one and is never used again."""

    sequence: Count
    time_ns: Count
    readings: Readings


class Report(Body, frozen=True):
    """An upload. ``link`` is that of the last receipt; ``dropped`` counts samples lost for room."""

    session: Session
    previous: Digest
    serial: Serial
    identifier: Name
    time_ns: Count
    counter: Count
    link: Annotated[bytes, Meta(max_length=DIGEST_BYTES)]
    simulated: bool
    dropped: Count
    samples: Annotated[tuple[Sample, ...], Meta(max_length=500)]


class Order(Body, frozen=True):
    """Something the carrier shall do: ``parameters`` (a versioned set) or ``identifier``."""

    number: Count
    kind: Word
    version: Count
    content: Readings


class Receipt(Body, frozen=True):
    """The upload is stored; ``link`` must stand in the next report."""

    request: Digest
    time_ns: Count
    counter: Count
    sequence: Count
    link: Digest
    orders: tuple[Order, ...]


class Result(Body, frozen=True):
    """How an order went; an empty ``fault`` means that it was applied."""

    number: Count
    fault: Name


class Applied(Body, frozen=True):
    """The carrier acknowledges orders."""

    session: Session
    previous: Digest
    serial: Serial
    results: tuple[Result, ...]


class Done(Body, frozen=True):
    """The conversation ends well."""

    request: Digest
    time_ns: Count


class Refused(Body, frozen=True):
    """The conversation ends; ``code`` is an error code of the catalogue."""

    request: Digest
    time_ns: Count
    code: Word
    serial: Name
    certificate: bytes


_BODIES: dict[Kind, type[Body]] = {
    Kind.HELLO: Hello,
    Kind.CHALLENGE: Challenge,
    Kind.POWER_ON: PowerOn,
    Kind.PROVISION: Provision,
    Kind.WRITTEN: Written,
    Kind.DONE: Done,
    Kind.REPORT: Report,
    Kind.RECEIPT: Receipt,
    Kind.APPLIED: Applied,
    Kind.REFUSED: Refused,
}
_KINDS = {body: kind for kind, body in _BODIES.items()}


class SigningKey(Protocol):
    """What signs frames: a carrier's key that never leaves its store, or the platform's."""

    @property
    def algorithm(self) -> Algorithm: ...
    def sign(self, message: bytes) -> bytes: ...


class Frame(msgspec.Struct, frozen=True):
    """A read frame; ``signed`` are the bytes under the signature."""

    kind: Kind
    algorithm: Algorithm
    body: Body
    signed: bytes
    signature: bytes
    digest: bytes

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the signature is good under ``key``."""
        return key.algorithm is self.algorithm and key.verify(self.signed, self.signature)


def digest_of(data: bytes) -> bytes:
    """The digest that the next frame of the other side repeats."""
    return hashlib.sha256(data).digest()


def pack(body: Body, key: SigningKey) -> bytes:
    """The signed frame of ``body``."""
    content = _encode(body)
    head = _HEAD.pack(MAGIC, _KINDS[type(body)], _CODES[key.algorithm], 0, len(content))
    signature = key.sign(head + content)
    return head + content + _SIGNATURE.pack(len(signature)) + signature


def read(data: bytes) -> Frame:
    """Read one frame; raises PeerError ``carriers.malformed``. The signature is not verified."""
    if len(data) < _HEAD.size + _SIGNATURE.size:
        raise _malformed(Phrase("shorter than its head", "短于帧头"))
    magic, kind, algorithm, zero, length = _HEAD.unpack_from(data)
    end = _HEAD.size + length
    if magic != MAGIC or zero or algorithm not in ALGORITHMS or kind not in _KNOWN:
        raise _malformed(Phrase("unknown magic, kind or algorithm", "帧标志、种类或算法未知"))
    if len(data) < end + _SIGNATURE.size:
        raise _malformed(Phrase("cut off", "不完整"))
    (size,) = _SIGNATURE.unpack_from(data, end)
    if len(data) != end + _SIGNATURE.size + size:
        raise _malformed(Phrase("its length is wrong", "长度不符"))
    try:
        body = _DECODERS[Kind(kind)].decode(data[_HEAD.size : end])
    except msgspec.DecodeError as error:
        raise _malformed(str(error)[:200]) from error
    return Frame(
        kind=Kind(kind),
        algorithm=ALGORITHMS[algorithm],
        body=body,
        signed=data[:end],
        signature=data[end + _SIGNATURE.size :],
        digest=digest_of(data),
    )


def _malformed(fault: str) -> PeerError:
    return PeerError("carriers.malformed", fault=fault)


_encode = msgspec.msgpack.Encoder().encode
_DECODERS = {kind: msgspec.msgpack.Decoder(body) for kind, body in _BODIES.items()}
_KNOWN = frozenset(_BODIES)
