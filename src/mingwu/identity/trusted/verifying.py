"""Verifying a record: its values against the signature, the signature against the anchor.

The chain: HS_SIGNATURE is issued by a key (index:handle); an HS_CERT about that key, found where
the ``chain`` claim says or at the issuer's handle, tells the key and what it may vouch for; its own
issuer is looked up in the same way until a configured anchor. Every certificate must allow the
handle in question, not only the lowest: a key cannot give away more than it has.

Nothing here does I/O: records on the way are asked of ``fetch``; ``verify_async`` is the same for
a client that fetches over the network.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mingwu.identity.live import is_live
from mingwu.identity.trusted import jws
from mingwu.identity.trusted.jws import BadToken, Claims, Perm, Token
from mingwu.identity.trusted.signing import CERTIFICATE, SIGNATURE, digest_of
from mingwu.identity.trusted.verdict import Link, Reason, TrustReport, Verdict
from mingwu.kernel.names import fold
from mingwu.trust.keys import PublicKey
from mingwu.wire.handle.values import HandleValue

Values = Sequence[HandleValue]
Fetch = Callable[[str], Values | None]
AsyncFetch = Callable[[str], Awaitable[Values | None]]

LONGEST_CHAIN = 16
_MOST_SIGNATURES = 8
_INDEX_DIGITS = 10
_PREFIX_HOME = "0.NA/"
_OLDER_SIGNATURES = {"10320/SIG.DIGEST", "10320/SIG.SIG"}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A key believed without proof: ``name`` is index:handle, e.g. ``301:0.0/0.0``."""

    name: str
    key: PublicKey


class _Refused(Exception):
    def __init__(self, verdict: Verdict, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.detail = verdict, reason, detail
        self.chain: tuple[Link, ...] = ()
        self.changed: tuple[int, ...] = ()


class _Needed(Exception):
    def __init__(self, handle: str) -> None:
        super().__init__(handle)
        self.handle = handle


@dataclass(frozen=True, slots=True)
class _Signed:
    """A signature that holds: what it covers, its chain, until when."""

    covered: frozenset[int]
    absent: frozenset[int]
    chain: tuple[Link, ...]
    valid_until: int


def is_proof(value: HandleValue) -> bool:
    """Whether a value vouches for others or for itself, so that nothing need vouch for it.

    ``10320/sig.…`` are signatures of an older form that root records still carry; unread here.
    """
    kind = fold(value.type)
    return kind in {SIGNATURE, CERTIFICATE} or kind in _OLDER_SIGNATURES


def verify(
    handle: str, values: Values, anchors: Sequence[Anchor], fetch: Fetch, now: float
) -> TrustReport:
    """The verdict about ``values`` shown as those of ``handle`` at ``now`` (epoch seconds)."""
    live = tuple(sorted(v.index for v in values if is_live(v.type)))
    stored = [v for v in values if not is_live(v.type)]
    signatures = [v for v in stored if fold(v.type) == SIGNATURE][:_MOST_SIGNATURES]
    owed = {v.index for v in stored if not is_proof(v)}
    good: list[_Signed] = []
    faults: list[_Refused] = []
    for value in signatures:
        try:
            good.append(_check(handle, stored, value, anchors, fetch, now))
        except _Refused as refused:
            faults.append(refused)
    covered = frozenset[int]().union(*(one.covered for one in good))
    verdict, reason, fault = _decide(bool(signatures), owed, covered, bool(live), faults)
    told = fault or (good[0] if good else None)
    ends = [one.valid_until for one in good if one.valid_until]
    return TrustReport(
        handle=handle,
        verdict=verdict,
        reason=reason,
        detail=fault.detail if fault else "",
        covered=tuple(sorted(covered)),
        uncovered=tuple(sorted(owed - covered)),
        changed=fault.changed if fault else (),
        absent=tuple(sorted(frozenset[int]().union(*(one.absent for one in good)))),
        live=live,
        chain=told.chain if told else (),
        checked_at=int(now),
        valid_until=min(ends, default=0),
    )


async def verify_async(
    handle: str, values: Values, anchors: Sequence[Anchor], fetch: AsyncFetch, now: float
) -> TrustReport:
    """As :func:`verify` with records fetched as they turn out to be needed."""
    known: dict[str, Values | None] = {}

    def look(wanted: str) -> Values | None:
        key = fold(wanted)
        if key not in known:
            raise _Needed(wanted)
        return known[key]

    while True:
        try:
            return verify(handle, values, anchors, look, now)
        except _Needed as need:
            if len(known) > LONGEST_CHAIN * _MOST_SIGNATURES:
                known[fold(need.handle)] = None
            else:
                known[fold(need.handle)] = await fetch(need.handle)


_WORST_FIRST = (
    Verdict.TAMPERED,
    Verdict.WRONG_PERMISSION,
    Verdict.EXPIRED,
    Verdict.UNKNOWN_ANCHOR,
    Verdict.UNTRUSTED,
)


def _decide(
    signed: bool, owed: set[int], covered: frozenset[int], live: bool, faults: list[_Refused]
) -> tuple[Verdict, Reason, _Refused | None]:
    if not signed:
        only_live = live and not owed
        return Verdict.UNSIGNED, Reason.ONLY_LIVE if only_live else Reason.NO_SIGNATURE, None
    if covered and owed <= covered:
        return Verdict.TRUSTED, Reason.ALL_COVERED, None
    if faults:
        fault = min(faults, key=lambda one: _WORST_FIRST.index(one.verdict))
        return fault.verdict, fault.reason, fault
    if live and not owed:
        return Verdict.UNSIGNED, Reason.ONLY_LIVE, None
    return Verdict.UNTRUSTED, Reason.NOT_COVERED, None


def _check(
    handle: str, stored: Values, value: HandleValue, anchors: Sequence[Anchor], fetch: Fetch,
    now: float,
) -> _Signed:  # fmt: skip
    """One HS_SIGNATURE; raises _Refused."""
    token = _parse(value.data)
    claims = token.claims
    if fold(claims.sub) != fold(handle):
        raise _Refused(Verdict.UNTRUSTED, Reason.OTHER_SUBJECT, claims.sub[:255])
    if claims.digests is None:
        raise _Refused(Verdict.UNTRUSTED, Reason.UNREADABLE, "no digests")
    chain: list[Link] = []
    try:
        ends = _climb(handle, token, anchors, fetch, now, chain)
        covered, absent = _compare(stored, claims)
    except _Refused as fault:
        fault.chain = tuple(chain)
        raise
    return _Signed(covered, absent, tuple(chain), ends)


def _compare(stored: Values, claims: Claims) -> tuple[frozenset[int], frozenset[int]]:
    """Which shown values are as signed, and which signed ones are not shown."""
    assert claims.digests  # noqa: S101 — checked by the caller
    shown = {value.index: value for value in stored}
    # Of two values at one index, the good one must not vouch for the other.
    counts = Counter(value.index for value in stored)
    changed = {index for index, count in counts.items() if count > 1}
    covered: set[int] = set()
    absent: set[int] = set()
    for item in claims.digests.digests:
        value = shown.get(item.index)
        if value is None:
            absent.add(item.index)
            continue
        digest = digest_of(value, claims.digests.alg)
        if digest is None:
            raise _Refused(Verdict.UNTRUSTED, Reason.WEAK_DIGEST, claims.digests.alg[:40])
        if digest == item.digest:
            covered.add(item.index)
        else:
            changed.add(item.index)
    if changed:
        fault = _Refused(Verdict.TAMPERED, Reason.CHANGED, ", ".join(map(str, sorted(changed))))
        fault.changed = tuple(sorted(changed))
        raise fault
    return frozenset(covered), frozenset(absent)


def _climb(
    handle: str, token: Token, anchors: Sequence[Anchor], fetch: Fetch, now: float,
    chain: list[Link],
) -> int:  # fmt: skip
    """Follow the issuers up to an anchor; returns when the first link ends (0: never)."""
    where = list(token.claims.chain or ())
    ends: list[int] = []
    for _ in range(LONGEST_CHAIN):
        claims = token.claims
        chain.append(_link(token))
        _in_time(claims, now)
        if claims.exp:
            ends.append(claims.exp)
        anchor = _anchor(anchors, claims.iss)
        if anchor is not None:
            _holds(token, anchor.key, at_anchor=True)
            return min(ends, default=0)
        where = where or list(claims.chain or ())
        if claims.public_key is not None and fold(claims.iss) == fold(claims.sub):
            raise _Refused(Verdict.UNKNOWN_ANCHOR, Reason.ANCHOR_UNKNOWN, claims.iss[:255])
        certificate = _certificate(claims.iss, where.pop(0) if where else "", fetch)
        above = certificate.claims
        _holds(token, _key(above))
        if not allows(above.perms or (), claims.sub, handle):
            raise _Refused(Verdict.WRONG_PERMISSION, Reason.NOT_ALLOWED, above.sub[:255])
        token = certificate
    raise _Refused(Verdict.UNTRUSTED, Reason.CHAIN_TOO_LONG)


def _certificate(issuer: str, place: str, fetch: Fetch) -> Token:
    """The newest certificate about ``issuer`` at ``place`` (default: the issuer's handle)."""
    index, at = split_reference(place or issuer)
    found: list[Token] = []
    for value in fetch(at) or ():
        if fold(value.type) != CERTIFICATE or (place and index and value.index != index):
            continue
        try:
            token = jws.parse(value.data)
        except BadToken:
            continue  # another value there may be readable
        if fold(token.claims.sub) == fold(issuer) and token.claims.public_key:
            found.append(token)
    if not found:
        raise _Refused(Verdict.UNTRUSTED, Reason.NO_CERTIFICATE, issuer[:255])
    return max(found, key=lambda token: token.claims.iat or 0)


def split_reference(text: str) -> tuple[int, str]:
    """index:handle as its parts; index 0 for a handle alone."""
    index, colon, rest = text.partition(":")
    if colon and index.isascii() and index.isdecimal() and len(index) <= _INDEX_DIGITS:
        return int(index), rest
    return 0, text


def allows(perms: Sequence[Perm], subject: str, handle: str) -> bool:
    """Whether a certificate's ``perms`` cover signing about ``subject`` on the way to ``handle``.

    ``subject`` is the name the signature is about (a certificate's with its index), ``handle`` the
    record at the end of the chain: both must lie within what was granted.
    """
    about, end = fold(split_reference(subject)[1]), fold(handle)
    return any(_allows(perm, about, end) for perm in perms)


def _allows(perm: Perm, about: str, end: str) -> bool:
    if perm.perm == "everything":
        return True
    granted = fold(perm.handle)
    if perm.perm == "thisHandle":
        return about == granted == end
    if not granted.startswith(_PREFIX_HOME):
        return False
    prefix = granted.removeprefix(_PREFIX_HOME)
    if perm.perm == "handlesUnderThisPrefix":
        # About a name itself, or about a further key for names of the same prefix.
        under = prefix + "/"
        return end.startswith(under) and (about == granted or about.startswith(under))
    if perm.perm == "derivedPrefixes":
        return about.startswith(granted + ".") and end.startswith((granted + ".", prefix + "."))
    return False


def _parse(data: bytes) -> Token:
    try:
        return jws.parse(data)
    except BadToken as error:
        raise _Refused(Verdict.UNTRUSTED, Reason.UNREADABLE, str(error)[:200]) from error


def _key(claims: Claims) -> PublicKey:
    try:
        return jws.key_from_jwk(claims.public_key or {})
    except BadToken as error:
        raise _Refused(Verdict.UNTRUSTED, Reason.UNREADABLE, str(error)[:200]) from error


def _holds(token: Token, key: PublicKey, *, at_anchor: bool = False) -> None:
    if token.holds(key):
        return
    claims = token.claims
    if at_anchor and claims.public_key and fold(claims.iss) == fold(claims.sub):
        raise _Refused(Verdict.UNKNOWN_ANCHOR, Reason.ANCHOR_KEY_DIFFERS, claims.iss[:255])
    raise _Refused(Verdict.TAMPERED, Reason.BAD_SIGNATURE, f"{claims.sub[:255]}")


def _in_time(claims: Claims, now: float) -> None:
    if claims.exp is not None and now > claims.exp:
        raise _Refused(Verdict.EXPIRED, Reason.PAST, claims.sub[:255])
    if claims.nbf is not None and now < claims.nbf:
        raise _Refused(Verdict.EXPIRED, Reason.NOT_YET, claims.sub[:255])


def _anchor(anchors: Sequence[Anchor], name: str) -> Anchor | None:
    return next((anchor for anchor in anchors if fold(anchor.name) == fold(name)), None)


def _link(token: Token) -> Link:
    claims = token.claims
    return Link(
        subject=claims.sub, issuer=claims.iss, algorithm=token.alg, valid_until=claims.exp or 0
    )
