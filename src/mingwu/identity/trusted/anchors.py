"""Anchors from configuration, and the flag of trusted resolution answered from the own store.

An anchor is configured as ``index:handle`` with its public key in PEM. ``StoreVerifier`` verifies a
stored record once and remembers the outcome under a hash of its bytes until the earliest signature
or certificate ends, so asking for trust costs a hash per reply, not an RSA or SM2 verification.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from mingwu.identity.records import Record, RecordStore
from mingwu.identity.trusted.settings import AnchorSettings
from mingwu.identity.trusted.verdict import TrustReport
from mingwu.identity.trusted.verifying import Anchor, Values, is_proof, verify
from mingwu.kernel.names import fold
from mingwu.trust import keys
from mingwu.wire.handle.values import encode_value

_REMEMBERED = 20_000
# A certificate on the way can be replaced or fall away; so long is an outcome believed.
_BELIEVED_S = 60.0


def read_anchors(settings: Iterable[AnchorSettings]) -> tuple[Anchor, ...]:
    """The configured anchors; raises InvalidInput ``trust.bad-key``."""
    return tuple(Anchor(one.name, keys.load_public(one.public_key.encode())) for one in settings)


class _Known(NamedTuple):
    until: float
    covered: frozenset[int]


class StoreVerifier:
    """Verifies records of one store; certificates are looked up there, then in ``elsewhere``.

    ``elsewhere`` holds values of handles that other nodes serve (the chain above our prefix),
    fetched beforehand: answering waits for nobody. Not thread-safe.
    """

    def __init__(
        self,
        store: RecordStore,
        anchors: tuple[Anchor, ...],
        *,
        elsewhere: dict[str, Values] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._anchors = anchors
        self._elsewhere = {fold(name): values for name, values in (elsewhere or {}).items()}
        self._now = now
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def report(self, record: Record) -> TrustReport:
        """The verdict about the public values and the live sources of a stored record."""
        shown = tuple(value for value in record.values if value.is_public)
        return verify(record.name, shown, self._anchors, self._fetch, self._now())

    def answer_verified(self, record: Record, indexes: Collection[int]) -> bool:
        """Whether all values at ``indexes`` are covered (signatures and certificates aside)."""
        covered = self._covered(record)
        proofs = {value.index for value in record.values if is_proof(value)}
        return bool(covered) and set(indexes) - proofs <= covered

    def _covered(self, record: Record) -> frozenset[int]:
        parts = (fold(record.name).encode(), *map(encode_value, record.values))
        key = hashlib.sha256(b"".join(parts)).digest()
        now = self._now()
        known = self._known.get(key)
        if known is not None and now < known.until:
            self._known.move_to_end(key)
            return known.covered
        report = self.report(record)
        until = min(report.valid_until or now + _BELIEVED_S, now + _BELIEVED_S)
        covered = frozenset(report.covered) if report.is_trusted else frozenset()
        self._known[key] = _Known(until, covered)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return covered

    def _fetch(self, handle: str) -> Values | None:
        record = self._store.get(handle)
        return record.values if record else self._elsewhere.get(fold(handle))
