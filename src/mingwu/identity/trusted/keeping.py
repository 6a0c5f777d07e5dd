"""Keeping a store signed beside the work of a node.

Whoever writes records need not know about signatures: what lacks a current one is found and signed
soon after. Until then it is simply unsigned, never wrongly signed. A round walks all names, so it
runs only when the store changed since the last one, and once a day for signatures that are ending.
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


def _sign(store: RecordStore, signer: RecordSigner, prefix: str) -> int:
    return sign_due(store, signer_under(store, signer, prefix), prefix)


async def keep_signed(
    store: RecordStore,
    signer: RecordSigner,
    prefixes: Callable[[], Sequence[str]],
    stop: asyncio.Event,
    *,
    period_s: float = 10.0,
) -> None:
    """Sign what is due under ``prefixes`` until ``stop``; for the process that writes the store."""
    seen, walked_at = -1, 0.0
    while not stop.is_set():
        generation = store.generation
        if generation != seen or time.monotonic() - walked_at > _DAY_S:
            signed = 0
            for prefix in prefixes():
                signed += await asyncio.to_thread(_sign, store, signer, prefix)
            # What we signed changed the store too; only changes by others call for a new round.
            seen, walked_at = generation + signed, time.monotonic()
            if signed:
                log.info("signed records=%d", signed)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), period_s)
