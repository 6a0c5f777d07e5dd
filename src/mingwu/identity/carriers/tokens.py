"""Keys in PKCS#11 tokens (secure element, SoftHSM2, TPM 2.0 through tpm2-pkcs11): ECDSA P-256.

The key pair is generated inside the token, sensitive and non-extractable from its first moment;
opening refuses a key that is, or ever was, anything else (PKCS#11 v2.40 §4.9, attributes
CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL). Only
SHA-256 digests go in and signatures come out. PKCS#11 keeps one login per token and process, so
modules and sessions are kept per process here too, under one lock: a module need not be
thread-safe. A token that failed is opened anew at the next signature.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives import serialization

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.carriers.keyuri import KeyUri
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, MingwuError, Unavailable
from mingwu.trust.keys import Algorithm, PublicKey, der, load_public
from mingwu.trust.secrets import load_or_make

log = logging.getLogger(__name__)

CURVE = "secp256r1"
PKCS11, TPM = "pkcs11", "tpm"
_TPM_MODULE = "tpm2-software"
_PROOF = b"mingwu carrier key"

PinSource = Callable[[], str]
"""Gives the PIN at each login; it is not kept."""


def pin_of(path: Path) -> str:
    """The PIN in a file of mode 0600.

    Raises ConfigError ``carriers.token-pin``, ``trust.bad-secret``.
    """

    def missing() -> bytes:
        raise ConfigError(
            "carriers.token-pin",
            path=str(path),
            fault=Phrase("there is no such file", "没有该文件"),
        )

    try:
        return load_or_make(path.parent, path.name, missing).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        fault = type(error).__name__
        raise ConfigError("carriers.token-pin", path=str(path), fault=fault) from error


class TokenKey:
    """A :class:`~mingwu.identity.carriers.keystore.CarrierKey` whose private half is in a token."""

    algorithm = Algorithm.P256

    def __init__(self, token: "Token", label: str) -> None:
        self._token, self.label = token, label
        self._public = token.check(label)

    @property
    def protection(self) -> str:
        return self._token.protection

    def public(self) -> PublicKey:
        return self._public

    def sign(self, message: bytes) -> bytes:
        """DER signature; raises Unavailable ``carriers.token-failed``."""
        return self._token.sign(self.label, message)


class Token:
    """A token, logged in when it has to be. ``pin`` is asked at each login."""

    def __init__(self, module: str, label: str, pin: PinSource) -> None:
        """Log in. Raises ConfigError ``carriers.no-pkcs11``, ``carriers.token-module``,
        ``carriers.token-missing``, ``carriers.token-pin``.
        """
        self.label, self._pin = label, pin
        self._module = _module(module)
        self._private: dict[str, Any] = {}
        self._generation = -1
        with _lock:
            self._session()

    @property
    def protection(self) -> str:
        """``tpm`` behind tpm2-pkcs11, ``pkcs11`` in other tokens."""
        return TPM if self._module.maker.startswith(_TPM_MODULE) else PKCS11

    def make(self, label: str) -> TokenKey:
        """Generate a key pair in the token; raises ConfigError ``carriers.token-key``."""
        from pkcs11 import Attribute, KeyType, MechanismFlag, PKCS11Error
        from pkcs11.constants import DEFAULT
        from pkcs11.util.ec import encode_named_curve_parameters

        # what a template leaves out is the module's: tpm2-pkcs11 refuses what a TPM key cannot be
        unused = dict.fromkeys(
            (Attribute.ENCRYPT, Attribute.WRAP, Attribute.DECRYPT, Attribute.UNWRAP), DEFAULT
        ) | {Attribute.DERIVE: DEFAULT}
        secret = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
        try:
            with _lock:
                session = self._session()
                if self._found(session, label):
                    raise self._key_fault(label, "there is a key of this name already")
                curve = session.create_domain_parameters(
                    KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVE)},
                    local=True,
                )  # fmt: skip
                curve.generate_keypair(
                    id=hashlib.sha256(label.encode()).digest()[:16], label=label, store=True,
                    capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                    public_template=unused, private_template=unused | secret,
                )  # fmt: skip
        except PKCS11Error as error:
            raise self._key_fault(label, type(error).__name__) from error
        log.info("key made in token=%s key=%s", self.label, label)
        return TokenKey(self, label)

    def forget(self, label: str) -> int:
        """Destroy the key pair of this name, if any; how many objects were."""
        with _lock:
            found = self._found(self._session(), label)
            for item in found:
                item.destroy()
            self._private.pop(label, None)
        return len(found)

    def check(self, label: str) -> PublicKey:
        """The public half of a key that never left; raises ConfigError ``carriers.token-key``."""
        from pkcs11 import Attribute, PKCS11Error
        from pkcs11.util.ec import encode_ec_public_key

        try:
            with _lock:
                public, private = self._pair(self._session(), label)
                faults = [
                    attribute.name.lower()
                    for attribute, wanted in _wanted(Attribute).items()
                    if private[attribute] is not wanted
                ]
                encoded = encode_ec_public_key(public)
        except PKCS11Error as error:
            raise self._key_fault(label, type(error).__name__) from error
        if faults:
            fault = Phrase(
                f"it can leave the token ({', '.join(faults)})",
                f"密钥可离开安全芯片（{', '.join(faults)}）",
            )
            raise self._key_fault(label, fault)
        try:
            key = load_public(_pem(encoded))
        except (MingwuError, ValueError) as error:
            raise self._key_fault(label, Phrase("it is not P-256", "不是 P-256 密钥")) from error
        if not key.verify(_PROOF, self.sign(label, _PROOF)):
            raise self._key_fault(label, "public and private half do not fit")
        return key

    def sign(self, label: str, message: bytes) -> bytes:
        """ECDSA over SHA-256 as DER; raises Unavailable ``carriers.token-failed``."""
        from pkcs11 import Mechanism, PKCS11Error

        digest = hashlib.sha256(message).digest()
        with _lock:
            try:
                session = self._session()
                key = self._private.get(label) or self._pair(session, label)[1]
                self._private[label] = key
                return der(key.sign(digest, mechanism=Mechanism.ECDSA))
            except PKCS11Error as error:
                self._module.reset()
                fault = type(error).__name__
                raise Unavailable("carriers.token-failed", token=self.label, fault=fault) from error

    # -- under the lock -----------------------------------------------------------------------

    def _session(self) -> Any:
        session = self._module.session(self.label, self._pin)
        if self._generation != self._module.generation:
            self._private.clear()
            self._generation = self._module.generation
        return session

    def _found(self, session: Any, label: str) -> list[Any]:
        from pkcs11 import Attribute

        return list(session.get_objects({Attribute.LABEL: label}))

    def _pair(self, session: Any, label: str) -> tuple[Any, Any]:
        from pkcs11 import KeyType, ObjectClass

        public = session.get_key(
            object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, label=label
        )
        private = session.get_key(
            object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=label
        )
        return public, private

    def _key_fault(self, label: str, fault: str) -> ConfigError:
        return ConfigError("carriers.token-key", token=self.label, key=label, fault=fault)


def open_key(uri: KeyUri, base: Path) -> TokenKey:
    """The key that a profile in ``base`` names; errors as :class:`Token`, :meth:`Token.check`."""
    return TokenKey(Token(uri.module, uri.token, lambda: pin_of(uri.pin_path(base))), uri.key)


def _wanted(attribute: Any) -> dict[Any, bool]:
    return {
        attribute.SENSITIVE: True,
        attribute.EXTRACTABLE: False,
        attribute.ALWAYS_SENSITIVE: True,
        attribute.NEVER_EXTRACTABLE: True,
        attribute.LOCAL: True,
    }


def _pem(encoded: bytes) -> bytes:
    return serialization.load_der_public_key(encoded).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# -- one library per path and process, one login per token ----------------------------------------


class _Module:
    """A loaded library with its sessions; ``generation`` grows when all of them became void."""

    def __init__(self, path: str, loaded: Any) -> None:
        self._path, self._loaded = path, loaded
        self._sessions: dict[str, Any] = {}
        self.maker = str(loaded.manufacturer_id)
        self.generation = 0

    def session(self, label: str, pin: PinSource) -> Any:
        from pkcs11 import (
            NoSuchToken,
            PinIncorrect,
            PinInvalid,
            PinLenRange,
            PinLocked,
            PKCS11Error,
        )

        if label in self._sessions:
            return self._sessions[label]
        try:
            self._loaded.initialize()
            token = self._loaded.get_token(token_label=label)
            opened = token.open(user_pin=pin(), rw=True)
        except NoSuchToken as error:
            raise ConfigError("carriers.token-missing", token=label, module=self._path) from error
        except (PinIncorrect, PinInvalid, PinLenRange, PinLocked) as error:
            fault = type(error).__name__
            raise ConfigError("carriers.token-pin", path=label, fault=fault) from error
        except PKCS11Error as error:
            fault = type(error).__name__
            raise Unavailable("carriers.token-failed", token=label, fault=fault) from error
        self._sessions[label] = opened
        return opened

    def reset(self) -> None:
        """Forget every session: after a fault nobody knows which of them still lives."""
        from pkcs11 import PKCS11Error

        self._sessions.clear()
        self.generation += 1
        try:
            self._loaded.finalize()
        except PKCS11Error as error:
            log.warning("token module reset module=%s fault=%s", self._path, type(error).__name__)


_lock = threading.RLock()
_modules: dict[str, _Module] = {}


def _module(path: str) -> _Module:
    library = _library()
    with _lock:
        if path not in _modules:
            try:
                _modules[path] = _Module(path, library.lib(path))
            except library.PKCS11Error as error:
                fault = told(error)
                raise ConfigError("carriers.token-module", module=path, fault=fault) from error
        return _modules[path]


def _library() -> ModuleType:
    try:
        import pkcs11
    except ImportError as error:
        raise ConfigError("carriers.no-pkcs11") from error
    return pkcs11
