"""The carrier's private key: it signs and never leaves its store.

:class:`CarrierKey` is the contract; ``tokens`` fulfils it with secure elements and TPMs.
:class:`SealedKey` is the clearly weaker fallback for carriers without such a chip: a file that is
encrypted under a device secret and opened in memory, so whoever reads file, secret and memory has
the key; :attr:`protection` tells the platform, which shows it. :func:`open_key` opens either.
"""

from pathlib import Path
from typing import Protocol

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers import keyuri, tokens
from mingwu.identity.carriers.sealing import seal, unseal
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.trust.keys import Algorithm, PrivateKey, PublicKey, generate, load_private

_MAGIC = b"MWS1"


class CarrierKey(Protocol):
    """A key that signs and cannot be exported."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def protection(self) -> str: ...
    def public(self) -> PublicKey: ...
    def sign(self, message: bytes) -> bytes: ...


class SealedKey:
    """A key in a sealed file (magic ``MWS1``): its PKCS#8 PEM."""

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
        seal(path, secret, _MAGIC, key.pem())
        return cls(key)

    @classmethod
    def load(cls, path: Path, secret: bytes) -> "SealedKey":
        """Open a sealed key; raises ConfigError ``carriers.bad-key``."""
        try:
            pem = unseal(path, secret, _MAGIC)
        except (OSError, ValueError) as error:
            raise ConfigError("carriers.bad-key", path=str(path), fault=told(error)) from error
        return cls(load_private(pem))


def open_key(directory: Path, handle: str, secret: bytes) -> CarrierKey:
    """The key that a profile's ``key_handle`` names; ``secret`` opens sealed ones.

    Raises ConfigError ``carriers.bad-key``, ``carriers.bad-key-handle``, ``carriers.token-…``.
    """
    if handle.startswith(keyuri.SCHEME):
        return tokens.open_key(keyuri.parse(handle), directory)
    return SealedKey.load(directory / handle, secret)
