"""Keeping a store signed beside the work of a node.

Whoever writes records need not know about signatures: what lacks a current one is found and signed
soon after. Until then it is simply unsigned, never wrongly signed. A round runs when the store
changed since the last one; it judges records only where their stretch of the store changed, and all
of them once a day for signatures that are ending.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mingwu.identity.records import RecordStore
from mingwu.identity.trusted.derived import signer_under
from mingwu.identity.trusted.signing import RecordSigner, sign_due

log = logging.getLogger(__name__)

_DAY_S = 86_400.0
_RESTS, _LONGEST_REST_S = 10, 60.0


def _sign(store: RecordStore, signer: RecordSigner, prefix: str, settled: set[bytes]) -> int:
    return sign_due(store, signer_under(store, signer, prefix), prefix, settled)


async def keep_signed(
    store: RecordStore,
    signer: RecordSigner,
    prefixes: Callable[[], Sequence[str]],
    stop: asyncio.Event,
    *,
    period_s: float = 10.0,
) -> None:
    """Sign what is due under ``prefixes`` until ``stop``; for the process that writes the store.

    After a round it rests ``period_s``, or ten times as long as the round took up to a minute.
    """
    settled: dict[str, set[bytes]] = {}
    seen, judged_at = -1, time.monotonic()
    while not stop.is_set():
        began = time.monotonic()
        if began - judged_at > _DAY_S:
            settled, seen, judged_at = {}, -1, began
        generation = store.generation
        if generation != seen:
            signed, seen = 0, generation
            settled = {prefix: settled.get(prefix, set()) for prefix in prefixes()}
            for prefix, quiet in settled.items():
                signed += await asyncio.to_thread(_sign, store, signer, prefix, quiet)
            if signed:
                log.info("signed records=%d", signed)
        took_s = time.monotonic() - began
        rest_s = max(period_s, min(_RESTS * took_s, _LONGEST_REST_S))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest_s)
