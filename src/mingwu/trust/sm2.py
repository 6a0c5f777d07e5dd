"""SM2 (GB/T 32918, GM/T 0003): signatures with SM3 and public-key encryption.

The arithmetic is the system's OpenSSL 3 (``trust.libcrypto``), or gmssl-pyx where there is none
(``trust.sm2_pyx``). A private key is its 32-byte scalar, a public key the 65 bytes 04‖x‖y;
signatures are DER SEQUENCE(r, s); ciphertexts C1‖C3‖C2, and :func:`c1c3c2` takes old ones
(C1‖C2‖C3). The signer's id is 1234567812345678 unless given (GM/T 0009 clause 10).
"""

import secrets
from functools import cache
from typing import Protocol

from mingwu.kernel.errors import Unavailable
from mingwu.trust.sm2_formats import DIGEST_BYTES, POINT_BYTES, SCALAR_BYTES

DEFAULT_ID = b"1234567812345678"
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


class Backend(Protocol):
    """The arithmetic. Keys as bytes; signatures DER; ciphertexts C1‖C3‖C2."""

    def public_point(self, scalar: bytes) -> bytes: ...
    def sign(self, scalar: bytes, point: bytes, message: bytes, signer: bytes) -> bytes: ...
    def verify(self, point: bytes, message: bytes, signature: bytes, signer: bytes) -> bool: ...
    def encrypt(self, point: bytes, message: bytes) -> bytes: ...
    def decrypt(self, scalar: bytes, ciphertext: bytes) -> bytes: ...


@cache
def backend() -> Backend:
    """The first implementation that works; raises Unavailable ``trust.no-sm2``."""
    from mingwu.trust import libcrypto, sm2_pyx

    found = libcrypto.load() or sm2_pyx.load()
    if found is None:
        raise Unavailable("trust.no-sm2")
    return found


def generate() -> bytes:
    """A new private scalar, uniform in 1..n-2 (GB/T 32918.1 clause 6.1)."""
    return (1 + secrets.randbelow(ORDER - 2)).to_bytes(SCALAR_BYTES)


def public_point(scalar: bytes) -> bytes:
    """The public key of a private one; ValueError for a scalar out of range."""
    _check_scalar(scalar)
    return backend().public_point(scalar)


def sign(scalar: bytes, message: bytes, *, signer: bytes = DEFAULT_ID, point: bytes = b"") -> bytes:
    """A DER signature of ``message`` (hashed with SM3 and the signer's Z value).

    Whoever signs often gives the public key too: working it out costs as much as signing.
    """
    _check_scalar(scalar)
    engine = backend()
    return engine.sign(scalar, point or engine.public_point(scalar), message, signer)


def verify(point: bytes, message: bytes, signature: bytes, *, signer: bytes = DEFAULT_ID) -> bool:
    """Whether the DER signature is good; malformed signatures and keys are not."""
    if not _is_uncompressed(point):
        return False
    return backend().verify(point, message, signature, signer)


def encrypt(point: bytes, message: bytes) -> bytes:
    """C1‖C3‖C2 of a message of at least one byte; ValueError for a point not on the curve."""
    if not message:
        raise ValueError("SM2 cannot encrypt an empty message")
    if not _is_uncompressed(point):
        raise ValueError("not an SM2 public key")
    return backend().encrypt(point, message)


def decrypt(scalar: bytes, ciphertext: bytes) -> bytes:
    """The message in C1‖C3‖C2; ValueError if it was changed or is for another key."""
    _check_scalar(scalar)
    if len(ciphertext) <= POINT_BYTES + DIGEST_BYTES:
        raise ValueError("the ciphertext is too short")
    if not _is_uncompressed(ciphertext[:POINT_BYTES]):
        raise ValueError("the ciphertext does not begin with an uncompressed point")
    return backend().decrypt(scalar, ciphertext)


def c1c2c3(ciphertext: bytes) -> bytes:
    """C1‖C3‖C2 turned into the old order C1‖C2‖C3."""
    end = POINT_BYTES + DIGEST_BYTES
    return ciphertext[:POINT_BYTES] + ciphertext[end:] + ciphertext[POINT_BYTES:end]


def c1c3c2(old: bytes) -> bytes:
    """C1‖C2‖C3 turned into C1‖C3‖C2."""
    return old[:POINT_BYTES] + old[-DIGEST_BYTES:] + old[POINT_BYTES:-DIGEST_BYTES]


def _is_uncompressed(point: bytes) -> bool:
    return len(point) == POINT_BYTES and point[0] == 0x04  # noqa: PLR2004 — SEC 1 clause 2.3.3


def _check_scalar(scalar: bytes) -> None:
    if len(scalar) != SCALAR_BYTES or not 0 < int.from_bytes(scalar) < ORDER - 1:
        raise ValueError("not an SM2 private key")
