"""Carrier certificates: X.509 with P-256, or a compact form for SM2 keys.

The subject's common name is the serial number. An extension of our own (:data:`PROTECTION`, not
critical, a UTF8String) says where the authority saw the key being made: sealed-file, pkcs11, tpm.
``cryptography`` cannot read SM2 in X.509, so SM2 carriers bear a compact certificate: ``MWK1`` and
a MessagePack array [serial, public key PEM, not before, not after (seconds since the epoch),
issuer's key id, issuer's signature over the array without it]. An authority issues both; the
platform trusts the authorities it was given.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Meta

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.trust.keys import Algorithm, PrivateKey, PublicKey, load_public

COMPACT = b"MWK1"
PROTECTION = x509.ObjectIdentifier("2.25.77138266237461936502958917201883986721")
_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER
_UTF8_STRING = 0x0C
_NAME_CHARS = 64  # of an X.509 common name


class _Compact(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    serial: Annotated[str, Meta(min_length=1, max_length=64)]
    public: bytes
    start_s: int
    end_s: int
    issuer: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """A read certificate; times in seconds since the epoch. Reading verifies nothing."""

    serial: str
    key: PublicKey
    start_s: int
    end_s: int
    data: bytes
    parsed: x509.Certificate | None = None
    protection: str = ""

    def is_valid_at(self, time_s: float) -> bool:
        """Whether its period covers ``time_s``."""
        return self.start_s <= time_s <= self.end_s


@lru_cache(4096)
def read(data: bytes) -> Certificate:
    """Read either form, remembered: the same carriers come again and again.

    Raises InvalidInput ``carriers.bad-certificate``.
    """
    try:
        return _read_compact(data) if data.startswith(COMPACT) else _read_x509(data)
    except (ValueError, IndexError, msgspec.DecodeError, x509.UnsupportedGeneralNameType) as error:
        fault = str(error).partition("\n")[0][:200]
        raise InvalidInput("carriers.bad-certificate", fault=fault) from error
    except MingwuError as error:
        raise InvalidInput("carriers.bad-certificate", fault=told(error)) from error


def _read_x509(data: bytes) -> Certificate:
    parsed = x509.load_der_x509_certificate(data)
    name = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    key = parsed.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the key is not P-256")  # noqa: TRY004 — a fault of the input
    pem = key.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Certificate(
        serial=str(name),
        key=load_public(pem),
        start_s=int(parsed.not_valid_before_utc.timestamp()),
        end_s=int(parsed.not_valid_after_utc.timestamp()),
        data=data,
        parsed=parsed,
        protection=_protection_of(parsed),
    )


def _protection_of(parsed: x509.Certificate) -> str:
    try:
        value = parsed.extensions.get_extension_for_oid(PROTECTION).value
    except x509.ExtensionNotFound:
        return ""
    data = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
    head, text = data[:2], data[2:]
    if head != bytes((_UTF8_STRING, len(text))):
        raise ValueError("its protection is not a short UTF8String")
    return text.decode()


def _read_compact(data: bytes) -> Certificate:
    body = _decode(data[len(COMPACT) :])
    key = load_public(body.public)
    return Certificate(body.serial, key, body.start_s, body.end_s, data)


class Anchors:
    """Authorities whose certificates are believed; given as their own X.509 certificates (DER)."""

    def __init__(self, certificates: tuple[bytes, ...]) -> None:
        self.certificates = certificates
        self._known = [read(data) for data in certificates]
        self._issued = lru_cache(4096)(self._look)

    def issued(self, certificate: Certificate) -> bool:
        """Whether one of the authorities issued the certificate."""
        return self._issued(certificate.data)

    def _look(self, data: bytes) -> bool:
        certificate = read(data)
        return any(_issued_by(certificate, one) for one in self._known)


def _issued_by(certificate: Certificate, authority: Certificate) -> bool:
    if certificate.parsed is not None and authority.parsed is not None:
        try:
            certificate.parsed.verify_directly_issued_by(authority.parsed)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True
    if not certificate.data.startswith(COMPACT):
        return False
    body = _decode(certificate.data[len(COMPACT) :])
    return body.issuer == authority.key.key_id and authority.key.verify(
        _signed(body), body.signature
    )


class Authority:
    """Issues carrier and platform certificates with one P-256 key.

    In a plant the key of the authority stays with whoever personalises carriers.
    """

    def __init__(self, key: PrivateKey, certificate: bytes) -> None:
        self._key = key
        self.certificate = certificate
        self._issuer = x509.load_der_x509_certificate(certificate)

    @classmethod
    def create(cls, key: PrivateKey, name: str, *, start_s: int, end_s: int) -> "Authority":
        """An authority with a self-signed certificate; ``key`` is P-256."""
        signer = _library(key)
        subject = _name(name)
        made = _builder(subject, subject, signer.public_key(), start_s, end_s, authority=True)
        return cls(key, made.sign(signer, hashes.SHA256()).public_bytes(_DER))

    def issue(
        self, serial: str, key: PublicKey, *, start_s: int, end_s: int, protection: str = ""
    ) -> bytes:
        """A certificate of ``key`` for ``serial``: X.509 for P-256, compact for SM2.

        ``protection``: where the caller saw the key being made; compact ones do not hold it.
        """
        if key.algorithm is Algorithm.SM2:
            body = _Compact(serial, key.pem(), start_s, end_s, self._key.public().key_id, b"")
            signature = self._key.sign(_signed(body))
            return COMPACT + _encode(msgspec.structs.replace(body, signature=signature))
        public = serialization.load_pem_public_key(key.pem())
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise InvalidInput(
                "carriers.bad-certificate",
                fault=Phrase(f"a key of {key.algorithm}", f"{key.algorithm} 密钥"),
            )
        made = _builder(_name(serial), self._issuer.subject, public, start_s, end_s)
        if protection:
            text = protection.encode()
            value = bytes((_UTF8_STRING, len(text))) + text
            made = made.add_extension(x509.UnrecognizedExtension(PROTECTION, value), critical=False)
        return made.sign(_library(self._key), hashes.SHA256()).public_bytes(_DER)


def _name(text: str) -> x509.Name:
    if not 0 < len(text) <= _NAME_CHARS:
        fault = Phrase(
            f"a serial number has 1 to {_NAME_CHARS} characters",
            f"序列号应为 1 至 {_NAME_CHARS} 个字符",
        )
        raise InvalidInput("carriers.bad-certificate", fault=fault)
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _library(key: PrivateKey) -> ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(key.pem(), password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise InvalidInput(
            "carriers.bad-certificate",
            fault=Phrase("an authority needs a P-256 key", "签发机构须使用 P-256 密钥"),
        )
    return found


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start_s: int,
    end_s: int,
    *,
    authority: bool = False,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(start_s, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(end_s, dt.UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _signed(body: _Compact) -> bytes:
    return COMPACT + _encode(msgspec.structs.replace(body, signature=b""))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Compact).decode
