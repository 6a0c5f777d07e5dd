"""Proving who one is: credentials of administrators on the client's side, and new keys.

A credential names a key (``index:handle``) and proves to hold it: a secret (HS_SECKEY), an RSA or
DSA key, or an SM2 key in the form of the national clients (``access.sm2proof``). A new key is
returned with the HS_PUBKEY data to store under that name.
"""

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from mingwu.identity.access import sm2proof
from mingwu.identity.access.authentication import (
    PUBLIC_KEY,
    SECRET_KEY,
    answer_with_key,
    answer_with_secret,
)
from mingwu.identity.client import keyfiles
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.trust import sm2, sm2_formats
from mingwu.wire.handle import keys
from mingwu.wire.handle.primitives import block
from mingwu.wire.handle.values import Reference

_RSA_BITS = 2048
_DSA_BITS = 2048
_EXPONENT = 65537
ALGORITHMS = ("rsa", "sm2", "dsa")


class Credentials(Protocol):
    """Somebody who can prove to hold the key ``who``."""

    @property
    def who(self) -> Reference:
        """The key's name."""

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        """(HS_PUBKEY or HS_SECKEY, proof over ``signed``)."""


@dataclass(frozen=True, slots=True)
class SecretCredentials:
    """Holds the secret of an HS_SECKEY value."""

    who: Reference
    secret: bytes

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        return SECRET_KEY, answer_with_secret(self.secret, signed)


@dataclass(frozen=True, slots=True)
class KeyCredentials:
    """Holds the private key of an HS_PUBKEY value."""

    who: Reference
    key: rsa.RSAPrivateKey | dsa.DSAPrivateKey

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        return PUBLIC_KEY, answer_with_key(self.key, signed)


@dataclass(frozen=True, slots=True)
class Sm2Credentials:
    """Holds an SM2 key: signs the hex text of the SM3 digest, its handle being the signer id."""

    who: Reference
    scalar: bytes

    def prove(self, signed: bytes) -> tuple[str, bytes]:
        text = sm2proof.digest_text(signed)
        signature = sm2.sign(self.scalar, text, signer=self.who.handle.encode())
        return PUBLIC_KEY, block(sm2proof.DIGEST.encode()) + block(signature)


def credentials(
    who: Reference, file: bytes, passphrase: bytes = b""
) -> KeyCredentials | Sm2Credentials:
    """Credentials of the private key in a file (``client.keyfiles``; SM2 as unencrypted PEM).

    Raises InvalidInput ``trust.bad-key``.
    """
    scalar = sm2_formats.private_from_pem(file)
    if scalar is not None:
        return Sm2Credentials(who, scalar)
    key = keyfiles.load(file, passphrase)
    if isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey):
        return KeyCredentials(who, key)
    raise InvalidInput(
        "trust.bad-key",
        fault=Phrase(
            f"{type(key).__name__} proves nothing here",
            f"{type(key).__name__} 在此不能用于证明身份",
        ),
    )


def new_key(algorithm: str) -> bytes:
    """A new private key (one of ALGORITHMS) as PEM."""
    if algorithm == "sm2":
        scalar = sm2.generate()
        return sm2_formats.private_pem(scalar, sm2.public_point(scalar))
    key: rsa.RSAPrivateKey | dsa.DSAPrivateKey = (
        rsa.generate_private_key(_EXPONENT, _RSA_BITS)
        if algorithm == "rsa"
        else dsa.generate_private_key(_DSA_BITS)
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_data(file: bytes, passphrase: bytes = b"") -> bytes:
    """The HS_PUBKEY data of the private key in a file; InvalidInput ``trust.bad-key``."""
    held = credentials(Reference("", 0), file, passphrase)
    if isinstance(held, Sm2Credentials):
        return keys.encode_key(sm2proof.sm2_key(sm2.public_point(held.scalar)))
    return keys.encode_key(wire_key(held.key.public_key()))


def wire_key(key: rsa.RSAPublicKey | dsa.DSAPublicKey) -> keys.PublicKey:
    """A public key in the form of HS_PUBKEY."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return keys.make_key(keys.RSA, e=numbers.e, n=numbers.n)
    value = key.public_numbers()
    group = value.parameter_numbers
    return keys.make_key(keys.DSA, q=group.q, p=group.p, g=group.g, y=value.y)
