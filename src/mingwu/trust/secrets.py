"""Secret files: random bytes or keys that a role needs again after a restart.

A secret lies in its own file, readable by its owner only (0600, in a directory of 0700), and is
written whole or not at all. Two processes that create it at once end up with the same one.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError
from mingwu.trust import errors as _texts  # noqa: F401 — registers the texts

_OTHERS = 0o077


def load_or_create(directory: Path, name: str, length: int = 32) -> bytes:
    """The secret ``name``: ``length`` random bytes, made at the first call.

    Raises ConfigError ``trust.bad-secret`` when the file is open to others or of another length.
    """
    data = load_or_make(directory, name, lambda: secrets.token_bytes(length))
    if len(data) != length:
        fault = Phrase(
            f"{len(data)} bytes instead of {length}", f"长度为 {len(data)} 字节，应为 {length} 字节"
        )
        raise ConfigError("trust.bad-secret", path=str(directory / name), fault=fault)
    return data


def load_or_make(directory: Path, name: str, make: Callable[[], bytes]) -> bytes:
    """Like :func:`load_or_create` for secrets with a form of their own (e.g. PEM keys)."""
    path = directory / name
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path, make())
    mode = path.stat().st_mode
    if mode & _OTHERS:
        fault = Phrase(
            f"mode {mode & 0o777:o} lets others read it; use chmod 600",
            f"权限 {mode & 511:o} 允许他人读取，请执行 chmod 600",
        )
        raise ConfigError("trust.bad-secret", path=str(path), fault=fault)
    return path.read_bytes()


def _create(path: Path, data: bytes) -> None:
    """Write to a name of our own, then link it into place: the first one wins, whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # somebody was faster: theirs is the secret
    finally:
        draft.unlink()
