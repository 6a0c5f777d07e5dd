"""Trust from the outside: what ``mingwu resolve --trust`` and the console do with an answer.

A question by type or index may have left the signature out, so it is asked for again; the
certificates of the chain are fetched from the same server, which refers to others where needed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mingwu.identity.client import Resolution, resolve
from mingwu.identity.trusted.signing import SIGNATURE
from mingwu.identity.trusted.verdict import TrustReport
from mingwu.identity.trusted.verifying import Anchor, Values, verify_async
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.kernel.names import fold


@dataclass(frozen=True, slots=True)
class Remote:
    """Fetches records from ``server`` ("host[:port]"), following referrals."""

    server: str
    timeout_s: float = 3.0

    async def fetch(self, handle: str) -> Values | None:
        """Public values of a handle; None when it does not resolve or nobody answers."""
        try:
            found = await resolve(handle, self.server, timeout_s=self.timeout_s)
        except (Unavailable, PeerError):
            return None  # the verdict says that the certificate was not found
        return found.values if found.ok else None


async def verify_resolution(
    result: Resolution,
    server: str,
    anchors: Sequence[Anchor],
    *,
    now: float | None = None,
    timeout_s: float = 3.0,
) -> TrustReport:
    """The verdict about a resolved answer. Raises Unavailable if the signature cannot be asked."""
    values = result.values
    if not any(fold(value.type) == SIGNATURE for value in values):
        more = await resolve(result.handle, server, types=(SIGNATURE,), timeout_s=timeout_s)
        values = (*values, *more.values)
    remote = Remote(server, timeout_s)
    at = time.time() if now is None else now
    return await verify_async(result.handle, values, anchors, remote.fetch, at)
