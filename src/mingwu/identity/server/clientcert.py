"""Who a client certificate speaks for: the key that its subject names, if it is that key.

The subject's UID or CN is ``index:handle``; the certificate's public key must be the one that
stands there as HS_PUBKEY, and the certificate must be in its time. Who signed it does not matter:
that the client holds the key was proven by the TLS handshake. Keys of other nodes are not asked
for. TLS knows no certificates of SM2 keys in this form; RSA and DSA keys serve.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID

from mingwu.identity.access.authentication import PUBLIC_KEY, public_key
from mingwu.kernel.names import fold
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import small_int
from mingwu.wire.handle.keys import read_key
from mingwu.wire.handle.values import MAX_INDEX, HandleValue, Reference

KeyFinder = Callable[[Reference], Iterable[HandleValue]]


def parse_key_name(text: str) -> Reference:
    """``index:handle`` as a reference; raises ProtocolError."""
    before, _, handle = text.partition(":")
    index = small_int(before)
    if index is None or index > MAX_INDEX or not handle:
        raise ProtocolError(f"{text[:80]!r} is not index:handle")
    return Reference(handle, index)


def named_in(certificate: x509.Certificate) -> list[Reference]:
    """Keys that the subject names, UID before CN."""
    found = []
    for kind in (NameOID.USER_ID, NameOID.COMMON_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(kind):
            try:
                found.append(parse_key_name(str(attribute.value)))
            except ProtocolError:
                continue
    return found


def identity_of(
    certificate: x509.Certificate, keys: KeyFinder, now: datetime | None = None
) -> Reference | None:
    """The key that the certificate is proof of; None when it is of none."""
    at = now or datetime.now(UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return None
    shown = certificate.public_key()
    if not isinstance(shown, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return None
    for who in named_in(certificate):
        for value in keys(who):
            if fold(value.type) == PUBLIC_KEY and _is_key(value.data, shown):
                return who
    return None


def _is_key(data: bytes, shown: rsa.RSAPublicKey | dsa.DSAPublicKey) -> bool:
    try:
        return public_key(read_key(data)) == shown
    except ProtocolError:
        return False
