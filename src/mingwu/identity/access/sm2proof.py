"""SM2 proofs of the national clients.

Their public-key answers name the digest ``SM3``. The clients seen sign the hex text of
SM3(nonce ‖ digest) with the administrator's handle as SM2 signer id; the plain form, nonce ‖ digest
under the usual id 1234567812345678, is accepted as well. The layout of ``SM2_PUB_KEY`` data is not
published: one block with the point (65 bytes, or 64 without the leading 04) or with its
SubjectPublicKeyInfo is taken; ours are written with the 65-byte point. Modelled on the clients,
not on a document.
"""

from cryptography.hazmat.primitives import hashes

from mingwu.trust import keys as trust_keys
from mingwu.trust import sm2
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import SM2, PublicKey

DIGEST = "SM3"
_POINT_BYTES = 65
_RAW_SIGNATURE_BYTES = 64


def point_of(key: PublicKey) -> bytes:
    """The 65-byte point of an SM2 key; raises ProtocolError."""
    data = key.parts[0] if key.parts else b""
    if len(data) == _POINT_BYTES - 1:
        data = b"\x04" + data
    point = data[-_POINT_BYTES:]
    if key.algorithm != SM2 or len(point) != _POINT_BYTES or point[0] != 4:  # noqa: PLR2004
        raise ProtocolError("not an SM2 public key")
    return point


def sm2_key(point: bytes) -> PublicKey:
    """The HS_PUBKEY form of a point."""
    return PublicKey(SM2, (point,))


def digest_text(signed: bytes) -> bytes:
    """What the clients sign: SM3 as lower-case hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(signed)
    return digest.finalize().hex().encode()


def sm2_holds(key: PublicKey, signature: bytes, signed: bytes, handle: str) -> bool:
    """Whether the signature (DER, or 64 bytes r ‖ s) over ``signed`` is the key's."""
    point = point_of(key)
    if len(signature) == _RAW_SIGNATURE_BYTES:
        signature = trust_keys.der(signature)
    if sm2.verify(point, digest_text(signed), signature, signer=handle.encode()):
        return True
    return sm2.verify(point, signed, signature)
