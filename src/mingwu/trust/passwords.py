"""Password hashing with scrypt (RFC 7914) and generated passwords.

Stored form: ``scrypt$log2n$r$p$salt$key``, salt and key in base64, so that the cost can be raised
later: old hashes stay checkable and :func:`needs_rehash` tells which to renew at the next login.
"""

import base64
import hashlib
import hmac
import secrets

_R, _P = 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32
# No look-alikes (0 O, 1 l I): a generated password is read from a terminal and typed.
_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS, _GROUP_CHARS = 4, 5


def hash_password(password: str, *, log2_n: int) -> str:
    """A new salted hash of ``password``."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _scrypt(password, salt, log2_n, _R, _P, _KEY_BYTES)
    return f"scrypt${log2_n}${_R}${_P}${_text(salt)}${_text(key)}"


def check_password(password: str, stored: str) -> bool:
    """Whether ``password`` is the one hashed, in time that does not depend on the answer."""
    scheme, log2_n, r, p, salt, key = stored.split("$")
    if scheme != "scrypt":
        raise ValueError(f"unknown password scheme {scheme}")
    expected = base64.b64decode(key)
    found = _scrypt(password, base64.b64decode(salt), int(log2_n), int(r), int(p), len(expected))
    return hmac.compare_digest(found, expected)


def needs_rehash(stored: str, *, log2_n: int) -> bool:
    """Whether the stored hash was made with another cost."""
    return stored.split("$")[1] != str(log2_n)


def generate_password() -> str:
    """A password of about 115 bits in four groups of five."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _scrypt(password: str, salt: bytes, log2_n: int, r: int, p: int, length: int) -> bytes:
    n = 1 << log2_n
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=256 * n * r
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
