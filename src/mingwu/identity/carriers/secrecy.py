"""What both ends of the CoAP bearer keep for OSCORE (RFC 8613), without its library.

Per carrier there is a master secret, made at personalisation. The carrier keeps it in a sealed file
and notes its sender sequence numbers in steps ahead (§7.2.1, appendix B.1.1), so none is used twice
after a power failure. The platform keeps it sealed under a secret of the node, with the replay
window (§7.4), which is durable before a request is acted on. The carrier's sender ID (kid) is the
first seven bytes of SHA-256("mwc-oscore " and the serial number); the platform's is one byte, 0x00.
"""

import hashlib
import os
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers import schema
from mingwu.identity.carriers.rows import base64_of
from mingwu.identity.carriers.sealing import seal, unseal
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, Conflict, InvalidInput
from mingwu.store.engine import reading, writing

SECRET_BYTES, KID_BYTES = 32, 7
PLATFORM_KID = b"\x00"
WINDOW = 32
_MAGIC = b"MWO1"
_NONCE_BYTES = 12
_STEP = 64
_O = schema.oscore


def kid_of(serial: str) -> bytes:
    """The sender ID of a carrier."""
    return hashlib.sha256(b"mwc-oscore " + serial.encode()).digest()[:KID_BYTES]


class CarrierSecret:
    """The carrier's side, in two files beside its profile: ``oscore.mws`` and ``oscore.seq``."""

    def __init__(self, directory: Path, secret: bytes) -> None:
        """Open; raises ConfigError ``carriers.bad-key``. ``secret`` is the device's."""
        self._path, self._numbers = directory / "oscore.mws", directory / "oscore.seq"
        try:
            self.master = unseal(self._path, secret, _MAGIC)
            self._ahead = int(self._numbers.read_text("ascii")) if self._numbers.exists() else 0
        except (OSError, ValueError) as error:
            raise ConfigError(
                "carriers.bad-key", path=str(self._path), fault=told(error)
            ) from error
        self.next_number = self._ahead

    @classmethod
    def create(cls, directory: Path, secret: bytes) -> "CarrierSecret":
        """Make the master secret; what a cut personalising left behind is replaced."""
        for name in ("oscore.mws", "oscore.seq"):
            (directory / name).unlink(missing_ok=True)
        seal(directory / "oscore.mws", secret, _MAGIC, os.urandom(SECRET_BYTES))
        return cls(directory, secret)

    def take(self) -> int:
        """A sequence number that is never given again, whatever moment the power fails."""
        number = self.next_number
        if number >= self._ahead:
            self._ahead = number + _STEP
            draft = self._numbers.with_suffix(".new")
            with draft.open("w", encoding="ascii") as file:
                file.write(str(self._ahead))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._numbers)
        self.next_number = number + 1
        return number


@dataclass(frozen=True, slots=True)
class Kept:
    """What the platform has for one carrier: its secret, and the window's index and bits."""

    serial: str
    master: bytes
    index: int
    bits: int


class PlatformSecrets:
    """The platform's side; ``key`` (32 bytes) seals the secrets in the store."""

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine, self._key = engine, key

    def add(self, connection: Connection, serial: str, master: bytes) -> None:
        """Keep a carrier's master secret, inside the caller's transaction.

        Raises InvalidInput ``carriers.bad-oscore-secret``, Conflict ``carriers.exists``.
        """
        if len(master) != SECRET_BYTES or not self._key:
            raise InvalidInput("carriers.bad-oscore-secret", serial=serial, bytes=SECRET_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self._key).encrypt(nonce, master, serial.encode())
        row = {
            "serial": serial, "kid": kid_of(serial).hex(), "secret": base64_of(sealed),
            "window_index": 0, "window_bits": 0,
        }  # fmt: skip
        try:
            connection.execute(insert(_O).values(row))
        except IntegrityError as error:
            raise Conflict("carriers.exists", serial=serial) from error

    def replace(self, connection: Connection, serial: str, master: bytes) -> None:
        """Keep another master secret; its numbers begin anew. Errors as :meth:`add`."""
        connection.execute(delete(_O).where(_O.c.serial == serial))
        self.add(connection, serial, master)

    def find(self, kid: bytes) -> Kept | None:
        """The carrier with this sender ID, if any; ConfigError ``carriers.bad-key``."""
        with reading(self._engine) as connection:
            row = connection.execute(select(_O).where(_O.c.kid == kid.hex())).first()
        if row is None:
            return None
        data = b64decode(row.secret)
        try:
            master = AESGCM(self._key).decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], row.serial.encode()
            )
        except (InvalidTag, ValueError) as error:
            fault = Phrase(
                "the node's secret is not the one that sealed it", "节点密钥与加密时所用的不一致"
            )
            raise ConfigError("carriers.bad-key", path=row.serial, fault=fault) from error
        return Kept(row.serial, master, row.window_index, row.window_bits)

    def note(self, serial: str, index: int, bits: int) -> None:
        """Keep a replay window; it is durable when this returns."""
        with writing(self._engine) as connection:
            where = _O.c.serial == serial
            connection.execute(update(_O).where(where).values(window_index=index, window_bits=bits))
