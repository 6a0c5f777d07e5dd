"""Diffie-Hellman for sessions (mode 4): both sides' halves and the key they agree on.

Each half travels in HS_PUBKEY form (``DH_PUB_KEY``: y, p, g); the server's behind 4 bytes that name
the cipher (3 = AES). The session key is the shared number, big-endian, without leading zero bytes,
its first 32 bytes; AES-128 takes the first 16 of them, MACs take all. Modelled on the deployed
clients' handling of protocol 2.4 and later; earlier versions agreed on DES and are refused. The
asker chooses the group: 1024 to 3072 bits are accepted, ours is group 14 of RFC 3526. Plain integer
arithmetic (``cryptography`` gives finite-field groups up); every exponent serves one session only,
so what its timing tells of it is told once.
"""

import secrets

from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import DH, encode_key, make_key, read_key
from mingwu.wire.handle.primitives import Reader, u32

_AES = 3
_KEY_BYTES = 32
_LEAST_BITS, _MOST_BITS = 1024, 3072
_EXPONENT_BITS = 256
# RFC 3526 §3: the 2048-bit MODP group.
_PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A0879"
    "8E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B"
    "0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA4836"
    "1C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804"
    "F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6"
    "955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
_GENERATOR = 2


class Half:
    """One side: a private key and what the other side gets of it."""

    def __init__(self, prime: int = _PRIME, generator: int = _GENERATOR) -> None:
        self._prime, self._generator = prime, generator
        self._exponent = secrets.randbits(_EXPONENT_BITS) | 1 << (_EXPONENT_BITS - 1)

    @property
    def public(self) -> bytes:
        """HS_PUBKEY form."""
        y = pow(self._generator, self._exponent, self._prime)
        return encode_key(make_key(DH, y=y, p=self._prime, g=self._generator))

    def key_with(self, other: bytes) -> bytes:
        """The session key; ProtocolError when the other half is of another group or useless."""
        y, prime, generator = read_half(other)
        if (prime, generator) != (self._prime, self._generator):
            raise ProtocolError("the halves are of different groups")
        shared = pow(y, self._exponent, prime)
        if shared < 2:  # noqa: PLR2004 - the key of somebody who wants it known
            raise ProtocolError("the half of the key is not usable")
        return _session_key(shared.to_bytes((prime.bit_length() + 7) // 8))


def _session_key(shared: bytes) -> bytes:
    spare = max(0, len(shared) - _KEY_BYTES)
    zeros = len(shared) - len(shared.lstrip(b"\0"))
    return shared[min(zeros, spare) :][:_KEY_BYTES]


def read_half(data: bytes) -> tuple[int, int, int]:
    """(y, p, g) of a half, checked; raises ProtocolError."""
    key = read_key(data)
    if key.algorithm != DH:
        raise ProtocolError(f"{key.algorithm[:40]!r} is no Diffie-Hellman key")
    numbers = key.numbers()
    y, prime, generator = numbers["y"], numbers["p"], numbers["g"]
    if not _LEAST_BITS <= prime.bit_length() <= _MOST_BITS or prime % 2 == 0:
        raise ProtocolError(f"a group of {prime.bit_length()} bits is not accepted")
    # 1 and p-1 would make the key known to everybody.
    if not 1 < y < prime - 1 or not 1 < generator < prime - 1:
        raise ProtocolError("the half of the key is not usable")
    return y, prime, generator


def answer(theirs: bytes) -> tuple[bytes, bytes]:
    """A server's part: (session key, data of the reply)."""
    _, prime, generator = read_half(theirs)
    half = Half(prime, generator)
    return half.key_with(theirs), u32(_AES) + half.public


def key_from_answer(half: Half, data: bytes) -> bytes:
    """A client's part: the session key by a reply's data; ProtocolError for other ciphers."""
    reader = Reader(data)
    cipher = reader.u32()
    if cipher != _AES:
        raise ProtocolError(f"cipher {cipher} is not offered here")
    return half.key_with(reader.rest())
