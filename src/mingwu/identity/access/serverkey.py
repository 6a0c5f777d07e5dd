"""The resolver's own key: certified replies can be checked against its site record.

An RSA key of 2048 bits, made at the first start and kept in a file that only its owner reads.
Signing costs about 0.8 ms, so only requests that ask for it (op flag CERT) get it, in the worker.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mingwu.identity.access.authentication import hash_named, public_key
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError
from mingwu.wire.handle import keys
from mingwu.wire.handle.message import Message
from mingwu.wire.handle.signing import SIGNED, certified, covered, signed_by

_BITS = 2048
_EXPONENT = 65537
_DIGEST = "SHA-256"


class ServerKey:
    """Signs replies; ``public`` is its HS_PUBKEY form."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        self.public = keys.encode_key(keys.make_key(keys.RSA, e=numbers.e, n=numbers.n))

    @classmethod
    def load_or_create(cls, path: Path) -> "ServerKey":
        """The key in ``path`` (PEM); made and stored there (mode 0600) when the file is missing.

        Raises ConfigError ``config.invalid`` for a file that is no RSA key.
        """
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            return cls._create(path)
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                "config.invalid", path=str(path), fault=Phrase("not a key", "不是密钥")
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ConfigError(
                "config.invalid", path=str(path), fault=Phrase("not an RSA key", "不是 RSA 密钥")
            )
        return cls(key)

    @classmethod
    def _create(cls, path: Path) -> "ServerKey":
        key = rsa.generate_private_key(_EXPONENT, _BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so a crash leaves no half a key.
        draft = path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return cls(key)

    def decrypt(self, data: bytes) -> bytes:
        """What was encrypted for this key (a session key); ValueError if it was not."""
        return self._key.decrypt(data, padding.PKCS1v15())

    def certify(self, reply: Message) -> Message:
        """The reply with its signature."""
        marked = certified(reply)
        signature = self._key.sign(covered(marked), padding.PKCS1v15(), hashes.SHA256())
        return signed_by(marked, _DIGEST, signature)


def is_certified_by(reply: Message, key_data: bytes) -> bool:
    """Whether the reply is signed by the key (HS_PUBKEY form); ProtocolError for a bad key."""
    credential = reply.credential
    if credential is None or credential.type != SIGNED:
        return False
    key = public_key(keys.read_key(key_data))
    signed, digest = covered(reply, credential.counter), hash_named(credential.digest)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(credential.signature, signed, padding.PKCS1v15(), digest)
        else:
            key.verify(credential.signature, signed, digest)
    except InvalidSignature:
        return False
    return True
