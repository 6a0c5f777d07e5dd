"""A certificate authority of this machine and one server certificate, for TLS on loopback.

For demonstrations and trials: whoever is to believe the server gets ``ca.pem``. The authority's
key signs once and is thrown away, so the folder can vouch for nothing else. A plant uses its own.
"""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS_DAYS = 3650
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class LocalTls:
    """PEM files: whom to believe, what the server shows, its key (mode 600)."""

    authority: Path
    certificate: Path
    key: Path


def local_tls(directory: Path, host: str = "127.0.0.1") -> LocalTls:
    """The files in ``directory``, made at the first call."""
    files = LocalTls(directory / "ca.pem", directory / "server.pem", directory / "server-key.pem")
    if not files.certificate.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(files, host)
    return files


def _make(files: LocalTls, host: str) -> None:
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Mingwu demonstration authority (simulated)")
    authority = (
        _builder(issuer, issuer, authority_key.public_key(), is_authority=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name(host), issuer, key.public_key(), is_authority=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName("localhost")]
            ),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    files.authority.write_bytes(authority.public_bytes(_PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files.certificate.write_bytes(certificate.public_bytes(_PEM))  # last: it says all are there


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs, crl_sign=signs,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_YEARS_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
