"""Byte formats of SM2: keys as PEM and DER, ciphertexts raw and DER.

Private keys are PKCS#8 with RFC 5915 inside, public keys SubjectPublicKeyInfo, both with
id-ecPublicKey and the curve 1.2.156.10197.1.301. A ciphertext is C1‖C3‖C2 (GM/T 0003.4-2012) or,
in DER, SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING, c2 OCTET STRING } (GM/T 0009 7.2).
"""

import base64

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

SCALAR_BYTES = 32
POINT_BYTES = 65
DIGEST_BYTES = 32

# AlgorithmIdentifier: id-ecPublicKey 1.2.840.10045.2.1, curve 1.2.156.10197.1.301
_CURVE = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
_PUBLIC_HEAD = bytes.fromhex("3059") + _CURVE + bytes.fromhex("034200")
# PKCS#8: version 0, algorithm, then an OCTET STRING with the ECPrivateKey: version 1, scalar, …
_PRIVATE_HEAD = bytes.fromhex("020100") + _CURVE
_SCALAR_HEAD = bytes.fromhex("0201010420")
_MAX_OUTER_HEAD = 4
_LONG_FORM = 0x80
_SEQUENCE, _OCTETS, _BITS, _CONTEXT_1 = 0x30, 0x04, 0x03, 0xA1


def public_der(point: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return _PUBLIC_HEAD + point


def private_der(scalar: bytes, point: bytes = b"") -> bytes:
    """PKCS#8 PrivateKeyInfo; with the public key inside when ``point`` is given."""
    public = _tlv(_CONTEXT_1, _tlv(_BITS, b"\0" + point)) if point else b""
    key = _tlv(_SEQUENCE, _SCALAR_HEAD + scalar + public)
    return _tlv(_SEQUENCE, _PRIVATE_HEAD + _tlv(_OCTETS, key))


def public_pem(point: bytes) -> bytes:
    """PEM of the public key."""
    return _to_pem("PUBLIC KEY", public_der(point))


def private_pem(scalar: bytes, point: bytes) -> bytes:
    """PEM of the private key, not encrypted."""
    return _to_pem("PRIVATE KEY", private_der(scalar, point))


def public_from_pem(pem: bytes) -> bytes | None:
    """The point if this is the PEM of an SM2 public key, else None."""
    der = _from_pem("PUBLIC KEY", pem)
    if der is None or not der.startswith(_PUBLIC_HEAD):
        return None
    point = der[len(_PUBLIC_HEAD) :]
    return point if len(point) == POINT_BYTES else None


def private_from_pem(pem: bytes) -> bytes | None:
    """The scalar if this is the PKCS#8 PEM of an SM2 private key, else None."""
    der = _from_pem("PRIVATE KEY", pem)
    if der is None:
        return None
    head = der.find(_PRIVATE_HEAD)
    at = der.find(_SCALAR_HEAD, head + len(_PRIVATE_HEAD))
    if not 0 < head <= _MAX_OUTER_HEAD or at < 0:
        return None
    start = at + len(_SCALAR_HEAD)
    scalar = der[start : start + SCALAR_BYTES]
    return scalar if len(scalar) == SCALAR_BYTES else None


def cipher_from_der(der: bytes) -> bytes:
    """C1‖C3‖C2 of a ciphertext in DER; ValueError for what is none."""
    try:
        content, _ = _split(der, _SEQUENCE)
        x, after_x = _element(content)
        y, after_y = _element(content[after_x:])
        # Two INTEGERs in a SEQUENCE are what a signature is: its codec reads them.
        pair = decode_dss_signature(_tlv(_SEQUENCE, x + y))
        digest, rest = _split(content[after_x + after_y :], _OCTETS)
        c2, _ = _split(rest, _OCTETS)
        point = b"".join(number.to_bytes(SCALAR_BYTES) for number in pair)
    except (IndexError, OverflowError) as error:
        raise ValueError("not an SM2 ciphertext") from error
    return b"\x04" + point + digest + c2


def cipher_to_der(ciphertext: bytes) -> bytes:
    """A ciphertext C1‖C3‖C2 in DER."""
    x, y = ciphertext[1 : 1 + SCALAR_BYTES], ciphertext[1 + SCALAR_BYTES : POINT_BYTES]
    pair = encode_dss_signature(int.from_bytes(x), int.from_bytes(y))
    integers, _ = _split(pair, _SEQUENCE)
    end = POINT_BYTES + DIGEST_BYTES
    digest, c2 = ciphertext[POINT_BYTES:end], ciphertext[end:]
    return _tlv(_SEQUENCE, integers + _tlv(_OCTETS, digest) + _tlv(_OCTETS, c2))


def _split(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """(content, rest) of the element at the beginning, which must have ``tag``."""
    element, end = _element(data)
    if element[0] != tag or len(element) < end:
        raise ValueError("not an SM2 ciphertext")
    head = 2 if element[1] < _LONG_FORM else 2 + (element[1] & ~_LONG_FORM)
    return element[head:], data[end:]


def _element(data: bytes) -> tuple[bytes, int]:
    """(tag, length and content; where it ends) of the DER element at the beginning."""
    if data[1] < _LONG_FORM:
        end = 2 + data[1]
    else:
        count = data[1] & ~_LONG_FORM
        end = 2 + count + int.from_bytes(data[2 : 2 + count])
    return data[:end], end


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(digits))) + digits + content


def _to_pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join(
        [f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----".encode(), b""]
    )


def _from_pem(label: str, pem: bytes) -> bytes | None:
    _, begin, rest = pem.partition(f"-----BEGIN {label}-----".encode())
    body, end, _ = rest.partition(f"-----END {label}-----".encode())
    if not begin or not end:
        return None
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        return None
