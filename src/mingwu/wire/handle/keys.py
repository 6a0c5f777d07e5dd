"""HS_PUBKEY data: public keys, and their JSON Web Key form (RFC 7517, 7518).

Fields: algorithm block, flags 2, then the key's integers as blocks of signed big-endian bytes in
the algorithm's order: RSA e, n (and a trailing empty block in older writers' form); DSA q, p, g,
y; DH y, p, g. The national algorithms carry one opaque block. No arithmetic happens here.
"""

import base64
from dataclasses import dataclass

from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import U16, Reader, block, text

RSA = "RSA_PUB_KEY"
DSA = "DSA_PUB_KEY"
DH = "DH_PUB_KEY"
SM2 = "SM2_PUB_KEY"

# Order of the integers on the wire, as JWK member names, and the JWK key type.
_PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    RSA: ("RSA", ("e", "n")),
    DSA: ("DSA", ("q", "p", "g", "y")),
    DH: ("DH", ("y", "p", "g")),
}
_BY_TYPE = {kty: algorithm for algorithm, (kty, _) in _PARTS.items()}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as its parts, in wire order."""

    algorithm: str
    parts: tuple[bytes, ...]
    flags: int = 0

    def numbers(self) -> dict[str, int]:
        """Named integers (JWK member names) of a known algorithm; ProtocolError otherwise."""
        _, names = _known(self.algorithm)
        if len(self.parts) < len(names):
            raise ProtocolError(f"{self.algorithm} with {len(self.parts)} parts")
        pairs = zip(names, self.parts, strict=False)
        return {name: int.from_bytes(part) for name, part in pairs}


def _known(algorithm: str) -> tuple[str, tuple[str, ...]]:
    found = _PARTS.get(algorithm)
    if found is None:
        raise ProtocolError(f"key algorithm {algorithm[:40]!r} is not known")
    return found


def signed(number: int) -> bytes:
    """An unsigned integer as signed big-endian bytes (a leading zero where needed)."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def make_key(algorithm: str, **numbers: int) -> PublicKey:
    """A key of a known algorithm from its named integers."""
    _, names = _known(algorithm)
    parts = tuple(signed(numbers[name]) for name in names)
    # Deployed RSA records end with an empty part; digests in signatures count on it.
    return PublicKey(algorithm, (*parts, b"") if algorithm == RSA else parts)


def encode_key(key: PublicKey) -> bytes:
    """Data of an HS_PUBKEY value."""
    return b"".join((text(key.algorithm), U16.pack(key.flags), *(block(p) for p in key.parts)))


def read_key(data: bytes) -> PublicKey:
    """Read HS_PUBKEY data."""
    reader = Reader(data)
    algorithm, flags = reader.text(), reader.u16()
    parts = []
    while reader.left:
        parts.append(reader.block())
    return PublicKey(algorithm, tuple(parts), flags)


def to_jwk(key: PublicKey) -> dict[str, str]:
    """The JSON form of a known key."""
    kty, _ = _known(key.algorithm)
    encoded = {
        name: base64.urlsafe_b64encode(number.to_bytes(max(1, (number.bit_length() + 7) // 8)))
        for name, number in key.numbers().items()
    }
    return {"kty": kty} | {name: text.rstrip(b"=").decode() for name, text in encoded.items()}


def from_jwk(jwk: dict[str, str]) -> PublicKey:
    """A key from its JSON form; ProtocolError names what is wrong with it."""
    algorithm = _BY_TYPE.get(jwk.get("kty", ""))
    if algorithm is None:
        raise ProtocolError(f"JWK of type {jwk.get('kty')!r} is not known")
    try:
        numbers = {
            name: int.from_bytes(base64.urlsafe_b64decode(jwk[name] + "=="))
            for name in _PARTS[algorithm][1]
        }
    except (KeyError, ValueError, TypeError) as error:
        raise ProtocolError(f"JWK without a readable member: {error}") from error
    return make_key(algorithm, **numbers)
