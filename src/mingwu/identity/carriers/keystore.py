"""The carrier's private key: it signs and never leaves its store.

:class:`CarrierKey` is the contract; ``tokens`` fulfils it with secure elements and TPMs.
:class:`SealedKey` is the clearly weaker fallback for carriers without such a chip: a file that is
encrypted under a device secret and opened in memory, so whoever reads file, secret and memory has
the key; :attr:`protection` tells the platform, which shows it. :func:`open_key` opens either.
"""

import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers import keyuri, tokens
from mingwu.kernel.errors import ConfigError
from mingwu.trust.keys import Algorithm, PrivateKey, PublicKey, generate, load_private

_MAGIC = b"MWS1"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1


class CarrierKey(Protocol):
    """A key that signs and cannot be exported."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def protection(self) -> str: ...
    def public(self) -> PublicKey: ...
    def sign(self, message: bytes) -> bytes: ...


class SealedKey:
    """A key in a file: ``MWS1``, salt (16), nonce (12), AES-256-GCM of the PKCS#8 PEM.

    The cipher's key is scrypt(secret, salt, n=2^14, r=8, p=1); the magic is authenticated too.
    """

    protection = "sealed-file"

    def __init__(self, key: PrivateKey) -> None:
        self.__key = key

    @property
    def algorithm(self) -> Algorithm:
        return self.__key.algorithm

    def public(self) -> PublicKey:
        return self.__key.public()

    def sign(self, message: bytes) -> bytes:
        return self.__key.sign(message)

    @classmethod
    def create(
        cls, path: Path, secret: bytes, algorithm: Algorithm = Algorithm.P256
    ) -> "SealedKey":
        """Make a key and seal it into a new file of mode 0600; never replaces one."""
        key = generate(algorithm)
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        sealed = AESGCM(_derive(secret, salt)).encrypt(nonce, key.pem(), _MAGIC)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + salt + nonce + sealed)
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    @classmethod
    def load(cls, path: Path, secret: bytes) -> "SealedKey":
        """Open a sealed key; raises ConfigError ``carriers.bad-key``."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError("carriers.bad-key", path=str(path), fault=str(error)) from error
        start = len(_MAGIC) + _SALT_BYTES + _NONCE_BYTES
        salt, nonce = data[4 : 4 + _SALT_BYTES], data[4 + _SALT_BYTES : start]
        if not data.startswith(_MAGIC) or len(data) <= start:
            raise ConfigError("carriers.bad-key", path=str(path), fault="not a sealed key")
        try:
            pem = AESGCM(_derive(secret, salt)).decrypt(nonce, data[start:], _MAGIC)
        except InvalidTag as error:
            fault = "wrong secret or damaged file"
            raise ConfigError("carriers.bad-key", path=str(path), fault=fault) from error
        return cls(load_private(pem))


def open_key(directory: Path, handle: str, secret: bytes) -> CarrierKey:
    """The key that a profile's ``key_handle`` names; ``secret`` opens sealed ones.

    Raises ConfigError ``carriers.bad-key``, ``carriers.bad-key-handle``, ``carriers.token-…``.
    """
    if handle.startswith(keyuri.SCHEME):
        return tokens.open_key(keyuri.parse(handle), directory)
    return SealedKey.load(directory / handle, secret)


def _derive(secret: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(secret)
