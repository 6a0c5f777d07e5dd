"""Compact JWS (RFC 7515) with the claims of HS_SIGNATURE and HS_CERT.

Algorithms: ``RS256``, and ``SM2SM3`` as the national clients name SM2 with SM3 under the signer id
1234567812345678 (their signatures are DER; r‖s of 64 bytes is read too). Public keys in claims are
JWK; an SM2 key is ``{"kty":"EC","crv":"SM2","x","y"}``, modelled on RFC 7518 because no document
of the national form was at hand. ``DS160`` and every other algorithm is refused by name.
"""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mingwu.kernel.errors import InvalidInput
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm, PrivateKey, PublicKey, Sm2Public

_ALGORITHMS = {Algorithm.RSA: "RS256", Algorithm.SM2: "SM2SM3"}
_RAW_BYTES = 64
_COORDINATE_BYTES = 32
_PARTS = 3


class BadToken(ValueError):
    """Not a signature we can read; the text says why."""


class DigestItem(msgspec.Struct, frozen=True):
    """``digest``: Base64 of the hash over the encoded value without index and timestamp."""

    index: int
    digest: str


class Digests(msgspec.Struct, frozen=True):
    """Digests of one record's values; ``alg`` e.g. ``SHA-256`` or ``SM3``."""

    alg: str
    digests: tuple[DigestItem, ...]


class Perm(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a certificate's key may vouch for: ``everything``, or more narrowly about ``handle``.

    ``thisHandle``; ``derivedPrefixes`` and ``handlesUnderThisPrefix`` (``handle`` is 0.NA/prefix).
    """

    perm: str
    handle: str = ""


class Claims(msgspec.Struct, frozen=True, omit_defaults=True, rename={"public_key": "publicKey"}):
    """The payload. ``iss`` and a certificate's ``sub`` are index:handle, times in epoch seconds.

    ``chain``: where the certificates of issuer, issuer's issuer … stand (index:handle, or a
    handle whose newest certificate about the issuer is meant). Absent: at the issuer's handle.
    """

    iss: str
    sub: str
    perms: tuple[Perm, ...] | None = None
    digests: Digests | None = None
    chain: tuple[str, ...] | None = None
    public_key: dict[str, str] | None = None
    exp: int | None = None
    nbf: int | None = None
    iat: int | None = None


class _Header(msgspec.Struct, frozen=True):
    alg: str


_encode = msgspec.json.Encoder().encode
_read_claims = msgspec.json.Decoder(Claims).decode
_read_header = msgspec.json.Decoder(_Header).decode


@dataclass(frozen=True, slots=True)
class Token:
    """A parsed, not yet verified JWS."""

    alg: str
    claims: Claims
    signed: bytes
    signature: bytes

    def holds(self, key: PublicKey) -> bool:
        """Whether ``key`` made the signature with the algorithm that fits it."""
        if _ALGORITHMS.get(key.algorithm) != self.alg:
            return False
        signature = self.signature
        if key.algorithm is Algorithm.SM2 and len(signature) == _RAW_BYTES:
            signature = keys.der(signature)
        return key.verify(self.signed, signature)


def sign(claims: Claims, key: PrivateKey) -> bytes:
    """The compact JWS of ``claims``; ValueError for a key that is neither RSA nor SM2."""
    alg = _ALGORITHMS.get(key.algorithm)
    if alg is None:
        raise ValueError(f"records are signed with RSA or SM2, not {key.algorithm}")
    signed = _b64(_encode(_Header(alg))) + b"." + _b64(_encode(claims))
    return signed + b"." + _b64(key.sign(signed))


def parse(data: bytes) -> Token:
    """Read a compact JWS; raises BadToken."""
    parts = data.strip().split(b".")
    if len(parts) != _PARTS:
        raise BadToken("not three parts with dots between")
    try:
        alg = _read_header(_unb64(parts[0])).alg
        claims = _read_claims(_unb64(parts[1]))
        signature = _unb64(parts[2])
    except (ValueError, msgspec.DecodeError) as error:
        raise BadToken(str(error)) from error
    if alg not in _ALGORITHMS.values():
        raise BadToken(f"algorithm {alg[:20]!r} is not accepted")
    return Token(alg, claims, parts[0] + b"." + parts[1], signature)


def key_to_jwk(key: PublicKey) -> dict[str, str]:
    """The JSON form of an RSA or SM2 key."""
    if isinstance(key, Sm2Public):
        x, y = key.point[1 : 1 + _COORDINATE_BYTES], key.point[1 + _COORDINATE_BYTES :]
        return {"kty": "EC", "crv": "SM2", "x": _b64(x).decode(), "y": _b64(y).decode()}
    loaded = serialization.load_der_public_key(key.der())
    if not isinstance(loaded, rsa.RSAPublicKey):
        raise ValueError(f"no JSON form for {key.algorithm}")  # noqa: TRY004 — a value, not a type
    numbers = loaded.public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def key_from_jwk(jwk: dict[str, str]) -> PublicKey:
    """The key of a JSON form; raises BadToken."""
    return _key(tuple(sorted(jwk.items())))


@lru_cache(1024)
def _key(items: tuple[tuple[str, str], ...]) -> PublicKey:
    jwk = dict(items)
    try:
        if jwk["kty"] == "EC" and jwk.get("crv") in {"SM2", "sm2p256v1"}:
            point = b"\x04" + _fixed(jwk["x"]) + _fixed(jwk["y"])
            return Sm2Public(point)
        if jwk["kty"] != "RSA":
            raise BadToken(f"key of type {jwk['kty'][:20]!r}")
        e, n = (int.from_bytes(_unb64(jwk[name].encode())) for name in ("e", "n"))
        pem = rsa.RSAPublicNumbers(e, n).public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )  # fmt: skip
        return keys.load_public(pem)
    except (KeyError, ValueError, OverflowError, InvalidInput) as error:
        raise BadToken(f"unreadable key: {error}") from error


def _fixed(text: str) -> bytes:
    data = _unb64(text.encode())
    return int.from_bytes(data).to_bytes(_COORDINATE_BYTES)


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8)).decode()


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unb64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise BadToken(f"not Base64: {error}") from error
