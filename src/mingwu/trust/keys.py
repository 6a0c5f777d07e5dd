"""Signing keys behind one pair of contracts: P-256, RSA-2048, Ed25519 and SM2.

Signatures are DER for P-256 and SM2 (``raw``/``der`` convert to r‖s as JWS and many SM2
libraries want it), PKCS#1 v1.5 with SHA-256 for RSA, plain for Ed25519. Keys travel as PEM
(PKCS#8 private, SubjectPublicKeyInfo public). ``key_id`` is the first 16 bytes of the SHA-256 of
the public key's DER, in hex. SM2 signs with SM3 and the default id of GM/T 0009.
"""

import hashlib
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

import mingwu.trust.errors  # noqa: F401 — registers the texts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.trust import sm2, sm2_formats

_RSA_BITS = 2048
_KEY_ID_CHARS = 32
_COORDINATE_BYTES = 32

_Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class Algorithm(StrEnum):
    """What a key signs with."""

    P256 = "ecdsa-p256-sha256"
    RSA = "rsa-2048-sha256"
    ED25519 = "ed25519"
    SM2 = "sm2-sm3"


class PublicKey(Protocol):
    """Verifies."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def key_id(self) -> str: ...
    def verify(self, message: bytes, signature: bytes) -> bool: ...
    def pem(self) -> bytes: ...
    def der(self) -> bytes: ...


class PrivateKey(Protocol):
    """Signs. ``pem`` gives the unencrypted key: for 0600 files (``trust.secrets``) only."""

    @property
    def algorithm(self) -> Algorithm: ...
    def sign(self, message: bytes) -> bytes: ...
    def public(self) -> PublicKey: ...
    def pem(self) -> bytes: ...


def generate(algorithm: Algorithm) -> PrivateKey:
    """A new key; raises Unavailable ``trust.no-sm2`` where SM2 has no implementation."""
    if algorithm is Algorithm.P256:
        return _LibraryPrivate(ec.generate_private_key(ec.SECP256R1()))
    if algorithm is Algorithm.RSA:
        return _LibraryPrivate(rsa.generate_private_key(65537, _RSA_BITS))
    if algorithm is Algorithm.ED25519:
        return _LibraryPrivate(ed25519.Ed25519PrivateKey.generate())
    return Sm2Private(sm2.generate())


def load_private(pem: bytes) -> PrivateKey:
    """The key in an unencrypted PEM; raises InvalidInput ``trust.bad-key``."""
    scalar = sm2_formats.private_from_pem(pem)
    if scalar is not None:
        return Sm2Private(scalar)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput("trust.bad-key", fault=_fault(error)) from error
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return _LibraryPrivate(key)
    raise InvalidInput("trust.bad-key", fault=type(key).__name__)


def load_public(pem: bytes) -> PublicKey:
    """The key in a public PEM; raises InvalidInput ``trust.bad-key``."""
    point = sm2_formats.public_from_pem(pem)
    if point is not None:
        return Sm2Public(point)
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput("trust.bad-key", fault=_fault(error)) from error
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return _LibraryPublic(key)
    raise InvalidInput("trust.bad-key", fault=type(key).__name__)


def raw(der: bytes) -> bytes:
    """A DER signature as r‖s, 32 bytes each; raises ValueError for what is none."""
    r, s = decode_dss_signature(der)
    try:
        return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)
    except OverflowError as error:
        raise ValueError("a coordinate of the signature is too long") from error


def der(signature: bytes) -> bytes:
    """An r‖s signature of 64 bytes as DER; raises ValueError for another length."""
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise ValueError(f"a raw signature has 64 bytes, not {len(signature)}")
    r, s = signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


class _LibraryPublic:
    """A key that ``cryptography`` knows."""

    def __init__(self, key: _Public) -> None:
        self._key = key
        self.algorithm = _algorithm(key)

    @cached_property
    def key_id(self) -> str:
        return _key_id(self.der())

    def verify(self, message: bytes, signature: bytes) -> bool:
        key = self._key
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            else:
                key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        return self._public_bytes(serialization.Encoding.PEM)

    def der(self) -> bytes:
        return self._public_bytes(serialization.Encoding.DER)

    def _public_bytes(self, encoding: serialization.Encoding) -> bytes:
        return self._key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


class _LibraryPrivate:
    def __init__(self, key: _Private) -> None:
        self._key = key
        self._public = _LibraryPublic(key.public_key())
        self.algorithm = self._public.algorithm

    def sign(self, message: bytes) -> bytes:
        key = self._key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return key.sign(message)

    def public(self) -> PublicKey:
        return self._public

    def pem(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


class Sm2Public:
    """An SM2 public key: 65 bytes 04‖x‖y."""

    algorithm = Algorithm.SM2

    def __init__(self, point: bytes) -> None:
        self.point = point

    @cached_property
    def key_id(self) -> str:
        return _key_id(self.der())

    def verify(self, message: bytes, signature: bytes) -> bool:
        return sm2.verify(self.point, message, signature)

    def pem(self) -> bytes:
        return sm2_formats.public_pem(self.point)

    def der(self) -> bytes:
        return sm2_formats.public_der(self.point)


class Sm2Private:
    """An SM2 private key: the 32-byte scalar."""

    algorithm = Algorithm.SM2

    def __init__(self, scalar: bytes) -> None:
        self.scalar = scalar
        self._public = Sm2Public(sm2.public_point(scalar))

    def sign(self, message: bytes) -> bytes:
        return sm2.sign(self.scalar, message, point=self._public.point)

    def public(self) -> PublicKey:
        return self._public

    def pem(self) -> bytes:
        return sm2_formats.private_pem(self.scalar, self._public.point)


def _algorithm(key: _Public) -> Algorithm:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS:
            raise InvalidInput(
                "trust.bad-key",
                fault=Phrase(f"RSA with only {key.key_size} bits", f"RSA 仅 {key.key_size} 位"),
            )
        return Algorithm.RSA
    if not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput(
            "trust.bad-key", fault=Phrase(f"curve {key.curve.name}", f"曲线 {key.curve.name}")
        )
    return Algorithm.P256


def _key_id(public_der: bytes) -> str:
    return hashlib.sha256(public_der).hexdigest()[:_KEY_ID_CHARS]


def _fault(error: Exception) -> str:
    return told(str(error).partition("\n")[0] or type(error).__name__)
