"""Signing records and issuing certificates, done when they are written.

Public stored values are covered; restricted ones are left out because a digest would let anybody
test guesses about them, live ones because they do not exist yet. One signature value per issuer
and record (type HS_SIGNATURE, index from 400 on); signing again replaces it. RSA-2048 and SM2 cost
0.7 ms each, so a reply is never signed here: see ``access.serverkey`` for certified replies.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import hashes

from mingwu.identity.records import Record, RecordStore
from mingwu.identity.trusted import jws
from mingwu.identity.trusted.jws import Claims, DigestItem, Digests, Perm
from mingwu.identity.trusted.stretches import stretches
from mingwu.kernel.names import fold
from mingwu.trust.keys import Algorithm, PrivateKey, PublicKey
from mingwu.wire.handle.values import HandleValue, Reference, encode_value

SIGNATURE = "HS_SIGNATURE"
CERTIFICATE = "HS_CERT"
FIRST_INDEX = 400
# Clocks differ; a signature made now must be good everywhere now.
_BACKDATED_S = 600
_DAY_S = 86_400
RENEWED_BEFORE_S = 30 * _DAY_S


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "SHA-256": lambda data: hashlib.sha256(data).digest(),
    "SHA-512": lambda data: hashlib.sha512(data).digest(),
    "SM3": _sm3,
}


def digest_of(value: HandleValue, algorithm: str) -> str | None:
    """Base64 digest of a value as signatures list it; None for an algorithm not accepted."""
    function = _DIGESTS.get(algorithm)
    return base64.b64encode(function(encode_value(value)[8:])).decode() if function else None


@dataclass(frozen=True, slots=True)
class RecordSigner:
    """Signs in the name of ``issuer`` (index:handle of its key).

    ``chain``: where the certificates from the issuer up to the anchor stand. Signatures are good
    for ``lifetime_s`` seconds from ``now`` (epoch seconds).
    """

    issuer: Reference
    key: PrivateKey
    chain: tuple[str, ...] = ()
    lifetime_s: int = 400 * _DAY_S
    now: Callable[[], float] = time.time

    def presign(self, record: Record) -> Record:
        """The record with its signature of today in place of the issuer's earlier one."""
        mine = str(self.issuer)
        kept = tuple(value for value in record.values if not _is_by(value, mine))
        gone = [value.index for value in record.values if _is_by(value, mine)]
        at = int(self.now())
        claims = Claims(
            iss=mine,
            sub=record.name,
            digests=self._digests(kept),
            chain=self.chain or None,
            exp=at + self.lifetime_s,
            nbf=at - _BACKDATED_S,
            iat=at,
        )
        taken = {value.index for value in kept} | {source.index for source in record.live}
        index = gone[0] if gone else _free(taken)
        value = HandleValue(index, SIGNATURE, jws.sign(claims, self.key), timestamp=at)
        return Record(record.name, (*kept, value), record.live)

    def presign_many(self, records: Iterable[Record], *, threads: int = 2) -> list[Record]:
        """Sign many; the arithmetic of each key runs outside the interpreter lock."""
        with ThreadPoolExecutor(threads, "presign") as pool:
            return list(pool.map(self.presign, records))

    def certify(
        self, subject: Reference, key: PublicKey, perms: tuple[Perm, ...], index: int = FIRST_INDEX
    ) -> HandleValue:
        """A certificate value for the record of ``subject``: its key may do ``perms``."""
        at = int(self.now())
        claims = Claims(
            iss=str(self.issuer),
            sub=str(subject),
            perms=perms,
            public_key=jws.key_to_jwk(key),
            chain=self.chain or None,
            exp=at + self.lifetime_s,
            nbf=at - _BACKDATED_S,
            iat=at,
        )
        return HandleValue(index, CERTIFICATE, jws.sign(claims, self.key), timestamp=at)

    def is_due(self, record: Record, *, before_s: int = RENEWED_BEFORE_S) -> bool:
        """Whether the record lacks a current signature of ours, or it ends within ``before_s``.

        Compares digests only; the arithmetic is the verifier's.
        """
        mine = str(self.issuer)
        for value in record.values:
            if not _is_by(value, mine):
                continue
            claims = jws.parse(value.data).claims
            others = tuple(item for item in record.values if not _is_by(item, mine))
            lasts = claims.exp is not None and claims.exp > self.now() + before_s
            return not (lasts and claims.digests == self._digests(others))
        return True

    def _digests(self, values: tuple[HandleValue, ...]) -> Digests:
        return _digests(values, "SM3" if self.key.algorithm is Algorithm.SM2 else "SHA-256")


def is_covered(record: Record) -> bool:
    """Whether a signature in the record speaks of all its public values as they stand now.

    Compares digests only; whether the signature is good is the verifier's question.
    """
    signatures = (value for value in record.values if fold(value.type) == SIGNATURE)
    told = (jws.parse(value.data).claims.digests for value in signatures)
    return any(one is not None and one == _digests(record.values, one.alg) for one in told)


def _digests(values: tuple[HandleValue, ...], algorithm: str) -> Digests:
    items = tuple(
        DigestItem(value.index, digest_of(value, algorithm) or "")
        for value in values
        if value.is_public and fold(value.type) != SIGNATURE
    )
    return Digests(algorithm, items)


def sign_due(
    store: RecordStore, signer: RecordSigner, prefix: str, settled: set[bytes] | None = None
) -> int:
    """Sign every record of ``prefix`` that needs it; returns how many.

    A stretch of records is one durable change; a record that somebody changed while it was being
    signed stays due, so a running node can do this beside its work. ``settled`` holds digests of
    stretches where nothing was due; they are passed over, and it is brought up to date.
    """
    done, quiet = 0, set[bytes]()
    for stretch in stretches(store, prefix):
        if settled is None or stretch.digest not in settled:
            due = [record for record in stretch.records() if signer.is_due(record)]
            if due:
                done += store.replace_many((record, signer.presign(record)) for record in due)
                continue
        quiet.add(stretch.digest)
    if settled is not None:
        settled.clear()
        settled |= quiet
    return done


def self_signed(
    anchor: Reference,
    key: PrivateKey,
    *,
    lifetime_s: int = 10 * 365 * _DAY_S,
    index: int = FIRST_INDEX,
    now: Callable[[], float] = time.time,
) -> HandleValue:
    """The certificate of a new anchor: it vouches for itself and may vouch for everything."""
    signer = RecordSigner(anchor, key, lifetime_s=lifetime_s, now=now)
    return signer.certify(anchor, key.public(), (Perm("everything"),), index)


def prefix_perms(prefix: str) -> tuple[Perm, ...]:
    """What the key of a prefix gets: its own record, names under it, prefixes derived from it."""
    home = f"0.NA/{prefix}"
    names = ("thisHandle", "handlesUnderThisPrefix", "derivedPrefixes")
    return tuple(Perm(name, home) for name in names)


def with_value(record: Record, value: HandleValue) -> Record:
    """The record with ``value`` in place of the one at its index."""
    kept = tuple(item for item in record.values if item.index != value.index)
    return replace(record, values=(*kept, value))


def _free(taken: set[int]) -> int:
    index = FIRST_INDEX
    while index in taken:
        index += 1
    return index


def _is_by(value: HandleValue, issuer: str) -> bool:
    if fold(value.type) != SIGNATURE:
        return False
    try:
        return fold(jws.parse(value.data).claims.iss) == fold(issuer)
    except jws.BadToken:
        return False
