"""Who is asking: challenges and the proofs that answer them (RFC 3652 §3.5).

A challenge is 16 random bytes and the digest of the request; the asker proves to hold a key that
stands as HS_PUBKEY or HS_SECKEY at (handle, index). Proofs:

- public key: digest name block, signature block, over nonce and digest (RSA PKCS#1 v1.5, DSA,
  SM2 as in ``identity.access.sm2proof``);
- secret key: one byte of algorithm, then SHA-1/SHA-256 of key, nonce, digest, key; or an HMAC; or
  (0x22, protocol 2.7 and later) salt block, iterations 4, key bits 4, HMAC-SHA1 block under the
  key derived by PBKDF2.

MD5 proofs are refused. A challenge is answered once, in time, or never. Repeated failures for one
administrator from one source are slowed down by refusing without looking.
"""

import hashlib
import hmac
import secrets
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from mingwu.identity.access import sm2proof
from mingwu.identity.access.logins import Place
from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import DigestAlgorithm
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import DSA, RSA, SM2, PublicKey, read_key
from mingwu.wire.handle.message import Message, request_digest
from mingwu.wire.handle.primitives import Reader, block
from mingwu.wire.handle.values import HandleValue, Reference

PUBLIC_KEY = "HS_PUBKEY"
SECRET_KEY = "HS_SECKEY"  # noqa: S105 - the name of a value type
NONCE_BYTES = 16
# Ours are 10,000 rounds as deployed; a stranger's wish for more is a way to burn our time.
_MOST_ROUNDS = 100_000
_MOST_KEY_BITS = 1024
_MOST_PENDING = 10_000
_MOST_PER_SOURCE = 1000
_MOST_PENDING_BYTES = 64 * 2**20
_FAILURES = 5
_FAILURE_WINDOW_S = 60.0

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA1": hashes.SHA1,
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
_PLAIN = {DigestAlgorithm.SHA1: "sha1", DigestAlgorithm.SHA256: "sha256"}
_HMAC = {DigestAlgorithm.HMAC_SHA1: "sha1", DigestAlgorithm.HMAC_SHA256: "sha256"}

KeyFinder = Callable[[Reference], Iterable[HandleValue]]


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for its proof."""

    request: Message
    nonce: bytes
    digest: bytes
    source: str
    until: float
    link: int = 0


@dataclass(slots=True)
class Challenges:
    """Open challenges by place (``access.logins``); each good for one answer.

    Bounded, in number by source, in number and bytes over all: the requests that wait came from
    anybody. Of a source the oldest give way; of all those of the source that holds the most bytes.
    """

    timeout_s: float
    clock: Callable[[], float] = time.monotonic
    _pending: dict[Place, Pending] = field(default_factory=dict)
    _places: dict[str, dict[Place, None]] = field(default_factory=dict)
    _bytes: Counter[str] = field(default_factory=Counter)

    def open(
        self, request: Message, source: str, session: int = 0, link: int = 0
    ) -> tuple[int, bytes]:
        """Remember a request, in a given session or a new one; returns (session id, nonce).

        With ``link`` the session id is the client's own and holds on that connection only.
        """
        # Even numbers: the sessions that last have odd ones.
        while not session or ((0, session) in self._pending and not link and not session & 1):
            session = secrets.randbits(30) << 1
        nonce = secrets.token_bytes(NONCE_BYTES)
        digest = request_digest(request)[1:]
        until = self.clock() + self.timeout_s
        kept = replace(request, raw=b"")  # what the proof covers has its digest
        self._hold((link, session), Pending(kept, nonce, digest, source, until, link))
        return session, nonce

    def _hold(self, place: Place, pending: Pending) -> None:
        self._drop(place)
        source, size = pending.source, len(pending.request.body)
        while len(self._places.get(source, ())) >= _MOST_PER_SOURCE:
            self._drop(next(iter(self._places[source])))
        while self._pending and self._bytes.total() + size > _MOST_PENDING_BYTES:
            self._drop(next(iter(self._places[max(self._bytes, key=self._bytes.__getitem__)])))
        while len(self._pending) >= _MOST_PENDING:
            self._drop(next(iter(self._pending)))
        self._pending[place] = pending
        self._places.setdefault(source, {})[place] = None
        self._bytes[source] += size

    def _drop(self, place: Place) -> Pending | None:
        pending = self._pending.pop(place, None)
        if pending is not None:
            places = self._places[pending.source]
            del places[place]
            self._bytes[pending.source] -= len(pending.request.body)
            if not places:
                del self._places[pending.source], self._bytes[pending.source]
        return pending

    def put_back(self, session: int, pending: Pending) -> None:
        """Let a challenge wait for its answer again: nobody could judge it yet."""
        self._hold((pending.link, session), pending)

    def take(self, session: int, link: int = 0) -> Pending | None:
        """The challenge of a session, once; None when there is none or it is too late."""
        pending = self._drop((link, session)) or self._drop((0, session))
        return pending if pending and pending.until > self.clock() else None


@dataclass(slots=True)
class Failures:
    """Counts failed proofs per (source, administrator) and says when not to look any more."""

    clock: Callable[[], float] = time.monotonic
    _recent: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def too_many(self, source: str, who: Reference) -> bool:
        """Whether to refuse without looking."""
        since = self.clock() - _FAILURE_WINDOW_S
        key = (source, fold(who.handle))
        recent = [at for at in self._recent.get(key, ()) if at > since]
        if recent:
            self._recent[key] = recent
        else:
            self._recent.pop(key, None)
        return len(recent) >= _FAILURES

    def note(self, source: str, who: Reference) -> None:
        """A proof failed."""
        if len(self._recent) >= _MOST_PENDING:
            self._recent.clear()
        self._recent.setdefault((source, fold(who.handle)), []).append(self.clock())


def proven(
    kind: str, proof: bytes, signed: bytes, keys: Iterable[HandleValue], handle: str = ""
) -> bool:
    """Whether ``proof`` over ``signed`` was made with one of ``keys`` of ``handle``.

    ``kind`` is HS_PUBKEY or HS_SECKEY; values of other types are passed over.
    """
    checks: dict[str, Callable[[bytes, bytes, bytes], bool]] = {
        PUBLIC_KEY: partial(_signature_holds, handle),
        SECRET_KEY: _mac_holds,
    }
    check = checks.get(kind.upper())
    if check is None:
        return False
    for value in keys:
        if value.type.upper() != kind.upper():
            continue
        try:
            if check(proof, signed, value.data):
                return True
        except ProtocolError:
            continue  # a broken key value must not hide the good one beside it
    return False


def public_key(key: PublicKey) -> rsa.RSAPublicKey | dsa.DSAPublicKey:
    """The usable form of a key; ProtocolError for algorithms without one here."""
    numbers = key.numbers()
    try:
        if key.algorithm == RSA:
            return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()
        if key.algorithm == DSA:
            group = dsa.DSAParameterNumbers(numbers["p"], numbers["q"], numbers["g"])
            return dsa.DSAPublicNumbers(numbers["y"], group).public_key()
    except ValueError as error:
        raise ProtocolError(f"unusable key: {error}") from error
    raise ProtocolError(f"key algorithm {key.algorithm} cannot sign here")


def hash_named(name: str) -> hashes.HashAlgorithm:
    """SHA-1, SHA-256 … by any of their usual spellings."""
    found = _HASHES.get(name.upper().replace("-", ""))
    if found is None:
        raise ProtocolError(f"digest {name[:20]!r} is not accepted")
    return found()


def _signature_holds(handle: str, proof: bytes, signed: bytes, key_data: bytes) -> bool:
    reader = Reader(proof)
    name, signature = reader.text(), reader.block()
    stored = read_key(key_data)
    if stored.algorithm == SM2:
        return name.upper() == sm2proof.DIGEST and sm2proof.sm2_holds(
            stored, signature, signed, handle
        )
    algorithm, key = hash_named(name), public_key(stored)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, signed, algorithm)
    except InvalidSignature:
        return False
    return True


def _mac_holds(proof: bytes, signed: bytes, secret: bytes) -> bool:
    if not proof or not secret:
        return False
    code, given = proof[0], proof[1:]
    if code == DigestAlgorithm.PBKDF2_HMAC_SHA1:
        reader = Reader(given)
        salt, rounds, bits, mac = reader.block(), reader.u32(), reader.u32(), reader.block()
        if not 0 < rounds <= _MOST_ROUNDS or not 0 < bits <= _MOST_KEY_BITS:
            raise ProtocolError(f"{rounds} rounds or {bits} bits are not accepted")
        expected = pbkdf2_mac(secret, signed, salt, rounds, bits)
        return hmac.compare_digest(mac, expected)
    return hmac.compare_digest(given, secret_mac(code, secret, signed))


def derived_key(secret: bytes, salt: bytes, rounds: int, bits: int) -> bytes:
    """The key that deployed tools derive: each byte of the secret is a character, in UTF-8.

    For ASCII that is the secret itself; a Chinese one is written twice over.
    """
    characters = secret.decode("latin-1").encode()
    return hashlib.pbkdf2_hmac("sha1", characters, salt, rounds, (bits + 7) // 8)


def pbkdf2_mac(secret: bytes, signed: bytes, salt: bytes, rounds: int, bits: int) -> bytes:
    """HMAC-SHA1 of ``signed`` under the key derived from ``secret``."""
    return hmac.digest(derived_key(secret, salt, rounds, bits), signed, "sha1")


def secret_mac(code: int, secret: bytes, signed: bytes) -> bytes:
    """The one-step secret-key proofs; ProtocolError for codes not accepted."""
    if code in _PLAIN:
        digest = hashlib.new(_PLAIN[DigestAlgorithm(code)], usedforsecurity=False)
        digest.update(secret + signed + secret)
        return digest.digest()
    if code in _HMAC:
        return hmac.digest(secret, signed, _HMAC[DigestAlgorithm(code)])
    raise ProtocolError(f"secret-key proof {code:#x} is not accepted")


def answer_with_secret(secret: bytes, signed: bytes) -> bytes:
    """A secret-key proof as clients from 2.7 on make it."""
    salt = secrets.token_bytes(16)
    rounds, bits = 10_000, 160
    mac = pbkdf2_mac(secret, signed, salt, rounds, bits)
    body = block(salt) + struct.pack(">II", rounds, bits) + block(mac)
    return bytes((DigestAlgorithm.PBKDF2_HMAC_SHA1,)) + body


def answer_with_key(key: rsa.RSAPrivateKey | dsa.DSAPrivateKey, signed: bytes) -> bytes:
    """A public-key proof with SHA-256."""
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(signed, hashes.SHA256())
    return block(b"SHA-256") + block(signature)
