"""Private keys in files: PEM, and the binary form of deployed Handle tools (``admpriv.bin``).

Binary: 4 bytes that say how the rest is locked, then the key: name of its kind as a block and its
numbers as blocks of signed big-endian bytes.

====  ============================================================================================
1     not at all
3, 4  salt block, rounds 4, bits 4, IV block, text block: 3DES or AES, CBC, under a key that PBKDF2
      (HMAC-SHA1) makes from the passphrase
0, 2  DES, ECB or CBC (IV 8 in front), under the head of the passphrase's MD5: older tools
====  ============================================================================================

Kinds: ``RSA_PRIVCRT_KEY`` n e d p q and three more; ``RSA_PRIV_KEY`` n d; ``DSA_PRIV_KEY`` x p q g.
Modelled on public client libraries.
"""

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes

from mingwu.identity.access.authentication import derived_key
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.primitives import Reader

_PEM = b"-----BEGIN"
_OPEN, _DERIVED = 1, {3: TripleDES, 4: algorithms.AES}
_DES_ECB, _DES_CBC = 0, 2
_DES_BYTES = 8
_MOST_ROUNDS, _MOST_BITS = 10_000_000, 512
# What RSA_PRIV_KEY leaves out; nobody uses others.
_EXPONENTS = (65537, 3, 17)


def is_locked(data: bytes) -> bool:
    """Whether a passphrase is needed."""
    if _PEM in data[:200]:
        return b"ENCRYPTED" in data
    return int.from_bytes(data[:4]) in {_DES_ECB, _DES_CBC, *_DERIVED} and len(data) > _DES_BYTES


def load(data: bytes, passphrase: bytes = b"") -> PrivateKeyTypes:
    """The key in a file; raises InvalidInput ``trust.bad-key``."""
    try:
        if _PEM in data[:200]:
            return serialization.load_pem_private_key(data, passphrase or None)
        return _key(_unlocked(data, passphrase))
    except (ValueError, TypeError, UnsupportedAlgorithm, ProtocolError) as error:
        fault: str = told(str(error).partition("\n")[0] or type(error).__name__)
        if is_locked(data):
            fault = (
                Phrase("the passphrase does not fit", "口令不正确")
                if passphrase
                else Phrase("it needs a passphrase", "需要口令")
            )
        raise InvalidInput("trust.bad-key", fault=fault) from error


def _unlocked(data: bytes, passphrase: bytes) -> bytes:
    reader = Reader(data)
    way = reader.u32()
    if way == _OPEN:
        return reader.rest()
    if way in _DERIVED:
        salt, rounds, bits = reader.block(), reader.u32(), reader.u32()
        if not 0 < rounds <= _MOST_ROUNDS or not 0 < bits <= _MOST_BITS:
            raise ProtocolError(f"{rounds} rounds or {bits} bits are not accepted")
        cipher = _DERIVED[way](derived_key(passphrase, salt, rounds, bits))
        return _deciphered(cipher, modes.CBC(reader.block()), reader.block())
    if way in {_DES_ECB, _DES_CBC}:
        # three times the same key is DES
        key = hashlib.md5(passphrase, usedforsecurity=False).digest()[:_DES_BYTES] * 3
        if way == _DES_CBC:
            return _deciphered(TripleDES(key), modes.CBC(reader.take(_DES_BYTES)), reader.rest())
        mode = modes.ECB()  # noqa: S305 - what such a file has; nothing is locked this way here
        return _deciphered(TripleDES(key), mode, reader.rest())
    raise ProtocolError("neither PEM nor a key file of Handle tools")


def _deciphered(cipher: BlockCipherAlgorithm, mode: modes.CBC | modes.ECB, text: bytes) -> bytes:
    decryptor = Cipher(cipher, mode).decryptor()
    unpadder = padding.PKCS7(cipher.block_size).unpadder()
    return unpadder.update(decryptor.update(text) + decryptor.finalize()) + unpadder.finalize()


def _key(data: bytes) -> rsa.RSAPrivateKey | dsa.DSAPrivateKey:
    reader = Reader(data)
    kind = reader.text()
    numbers = []
    while reader.left:
        numbers.append(int.from_bytes(reader.block()))
    if kind == "RSA_PRIVCRT_KEY":
        n, e, d, p, q, dp, dq, inverse, *_ = numbers
        public = rsa.RSAPublicNumbers(e, n)
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, public).private_key()
    if kind == "RSA_PRIV_KEY":
        n, d, *_ = numbers
        return _from_exponent(n, d)
    if kind == "DSA_PRIV_KEY":
        x, p, q, g, *_ = numbers
        group = dsa.DSAParameterNumbers(p, q, g)
        public_numbers = dsa.DSAPublicNumbers(pow(g, x, p), group)
        return dsa.DSAPrivateNumbers(x, public_numbers).private_key()
    raise ProtocolError(f"key of kind {kind[:40]!r}")


def _from_exponent(n: int, d: int) -> rsa.RSAPrivateKey:
    for e in _EXPONENTS:
        try:
            p, q = rsa.rsa_recover_prime_factors(n, e, d)
        except ValueError:
            continue
        dp, dq = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q)
        public = rsa.RSAPublicNumbers(e, n)
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, rsa.rsa_crt_iqmp(p, q), public).private_key()
    raise ProtocolError("an RSA key whose public exponent is not known")
