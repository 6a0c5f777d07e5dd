"""The carrier profile: everything a carrier keeps except its private key and waiting samples.

On disk: ``MWP1``, SHA-256 of the rest, MessagePack array with the fields in the order declared in
:class:`Profile`. Replaced whole, synced before a report leaves, so a counter is never used twice,
whatever moment the power fails. The registered identifier comes with the platform's signed
write-back (``proof``), and a profile whose identifier is not the proven one is not used.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.frames import Provision, read
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, MingwuError

MAGIC = b"MWP1"
_DIGEST_BYTES = 32


class Profile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """See the module; docs/formats/active-carrier.md names the fields one by one.

    ``form`` is uicc, chip, module or terminal; ``key_handle`` names a sealed file beside the
    profile or is a PKCS#11 URI, ``protection`` says which (sealed-file, pkcs11, tpm); ``anchors``
    are DER certificates of authorities;
    ``platform_certificate`` is that which signed ``proof`` (a whole Provision or Receipt frame).
    """

    serial: str
    form: str
    bearer: str
    prefix: str
    key_handle: str
    certificate: bytes
    platform: str
    address: str
    anchors: tuple[bytes, ...]
    identifier: str = ""
    proof: bytes = b""
    platform_certificate: bytes = b""
    counter: int = 0
    link: bytes = b""
    sequence: int = 0
    parameter_version: int = 0
    parameters: dict[str, float | str] = {}
    blocked: str = ""
    simulated: bool = False
    protection: str = "sealed-file"


class ProfileFile:
    """One profile on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Profile:
        """Read and check; raises ConfigError ``carriers.bad-profile``."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise self._bad(told(error)) from error
        body = data[len(MAGIC) + _DIGEST_BYTES :]
        if data[: -len(body) or None] != MAGIC + hashlib.sha256(body).digest():
            raise self._bad(Phrase("damaged", "已损坏"))
        try:
            profile = _decode(body)
        except msgspec.DecodeError as error:
            raise self._bad(told(error)) from error
        if profile.identifier and not _is_proven(profile):
            raise self._bad(
                Phrase(
                    "the identifier is not the one that the platform wrote",
                    "标识与平台回写的不一致",
                )
            )
        return profile

    def save(self, profile: Profile) -> None:
        """Replace the file; it is on the disk when this returns."""
        body = _encode(profile)
        draft = self.path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def _bad(self, fault: str) -> ConfigError:
        return ConfigError("carriers.bad-profile", path=str(self.path), fault=fault)


def _is_proven(profile: Profile) -> bool:
    """Whether the platform signed this identifier for this serial number."""
    try:
        frame = read(profile.proof)
        certificate = read_certificate(profile.platform_certificate)
    except MingwuError:
        return False
    body = frame.body
    return (
        isinstance(body, Provision)
        and (body.serial, body.identifier) == (profile.serial, profile.identifier)
        and certificate.serial == profile.platform
        and frame.is_signed_by(certificate.key)
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Profile).decode
