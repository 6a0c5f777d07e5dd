"""Files that are encrypted under a carrier's device secret.

Magic (4), salt (16), nonce (12), AES-256-GCM of the content with the magic as associated data. The
cipher's key is scrypt(secret, salt, n = 2^14, r = 8, p = 1). Whoever has the file and the device
secret has the content: a weaker place than a token, and named as what it is.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_MAGIC_BYTES, _SALT_BYTES, _NONCE_BYTES = 4, 16, 12
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1


def seal(path: Path, secret: bytes, magic: bytes, content: bytes) -> None:
    """Write a new file of mode 0600, durable; never replaces one (FileExistsError)."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_derive(secret, salt)).encrypt(nonce, content, magic)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(magic + salt + nonce + sealed)
        file.flush()
        os.fsync(file.fileno())


def unseal(path: Path, secret: bytes, magic: bytes) -> bytes:
    """The content; raises OSError, or ValueError with what is wrong."""
    data = path.read_bytes()
    start = _MAGIC_BYTES + _SALT_BYTES + _NONCE_BYTES
    salt, nonce = (
        data[_MAGIC_BYTES : _MAGIC_BYTES + _SALT_BYTES],
        data[start - _NONCE_BYTES : start],
    )
    if not data.startswith(magic) or len(data) <= start:
        raise ValueError("not a sealed file of this kind")
    try:
        return AESGCM(_derive(secret, salt)).decrypt(nonce, data[start:], magic)
    except InvalidTag as error:
        raise ValueError("wrong secret or damaged file") from error


def _derive(secret: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(secret)
