"""SM2 by gmssl-pyx, for systems whose OpenSSL has none.

gmssl-pyx (an optional package) signs and verifies whole messages and encrypts up to 255 bytes;
it cannot work out the public key of a private one, so that is done here, in plain integers and
not in constant time: it happens once per loaded key, on the machine that holds the key anyway.
"""

import importlib
from typing import Any

from mingwu.trust.sm2_formats import SCALAR_BYTES, cipher_from_der, cipher_to_der

# GB/T 32918.5: the prime, a, and the base point.
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_MAX_MESSAGE_BYTES = 255

Point = tuple[int, int]


def load() -> "GmsslPyx | None":
    """The package if it is installed."""
    try:
        return GmsslPyx(importlib.import_module("gmssl_pyx"))
    except ImportError:
        return None


class GmsslPyx:
    """SM2 by gmssl-pyx; see ``sm2.Backend``."""

    def __init__(self, module: Any) -> None:
        self._gm = module

    def public_point(self, scalar: bytes) -> bytes:
        x, y = _multiply(int.from_bytes(scalar), _G)
        return b"\x04" + x.to_bytes(SCALAR_BYTES) + y.to_bytes(SCALAR_BYTES)

    def sign(self, scalar: bytes, point: bytes, message: bytes, signer: bytes) -> bytes:
        signature: bytes = self._gm.sm2_sign(scalar, point[1:], message, signer)
        return signature

    def verify(self, point: bytes, message: bytes, signature: bytes, signer: bytes) -> bool:
        try:
            return bool(self._gm.sm2_verify(point[1:], message, signature, signer))
        except self._gm.GmsslInnerError:
            return False

    def encrypt(self, point: bytes, message: bytes) -> bytes:
        if len(message) > _MAX_MESSAGE_BYTES:
            raise ValueError(f"gmssl-pyx encrypts at most {_MAX_MESSAGE_BYTES} bytes")
        try:
            return cipher_from_der(self._gm.sm2_encrypt(point[1:], message))
        except self._gm.GmsslInnerError as error:
            raise ValueError("not an SM2 public key") from error

    def decrypt(self, scalar: bytes, ciphertext: bytes) -> bytes:
        try:
            message: bytes = self._gm.sm2_decrypt(scalar, cipher_to_der(ciphertext))
        except self._gm.GmsslInnerError as error:
            raise ValueError("bad input") from error
        return message


def _multiply(scalar: int, point: Point) -> Point:
    result: Point | None = None
    while scalar:
        if scalar & 1:
            result = point if result is None else _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    if result is None:
        raise ValueError("not an SM2 private key")
    return result


def _add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    if one == other:
        slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P
