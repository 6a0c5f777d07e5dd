"""The worker: one thread for what the serving loop must not wait for.

Challenges, signatures, key derivation and disk writes happen here, one after the other; that also
makes every change of a record a plain read-decide-write. The thread has its own resolver, whose
gate (``identity.access.gate``) adds the operations that need an identity, over the same store.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from mingwu.identity.access.elsewhere import Deferred, Verdicts
from mingwu.identity.access.gate import Gate, Rest
from mingwu.wire.handle.codes import Rc

log = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_WAITING = 1000
_MOST_OF_SOURCE = 500


class Worker:
    """Runs jobs with the gate in one thread."""

    def __init__(self, gate: Gate, verdicts: Verdicts | None = None) -> None:
        self.gate = gate
        gate.asks_elsewhere = verdicts is not None
        self._verdicts = verdicts
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="identity-worker")
        self._waiting: Counter[str] = Counter()

    def is_busy_for(self, source: str) -> bool:
        """Whether so much waits, over all or of this address, that new work should be refused."""
        return self._waiting[source] >= _MOST_OF_SOURCE or self._waiting.total() >= _MOST_WAITING

    async def answer(self, data: bytes, source: str) -> bytes:
        """The reply to one datagram from ``source`` (an address); long lists go by TCP only."""
        replies = [reply async for reply in self.answers(data, source, 0, most=2)]
        if len(replies) == 1:
            return replies[0]
        return self.gate.resolver.refusal(data, Rc.ERROR, "long answer: ask by TCP")

    async def answers(
        self, data: bytes, source: str, link: int, *, most: int = 0
    ) -> AsyncIterator[bytes]:
        """The reply, long lists in several messages (``most`` of them; 0: all).

        "Too busy" when overloaded. ``link`` numbers the TCP connection.
        """
        if self.is_busy_for(source):
            yield self.gate.resolver.refusal(data, Rc.TOO_BUSY, "")
            return
        try:
            reply, rest = await self.carry_out(
                lambda gate: gate.answer_in_parts(data, source, link), source
            )
            yield reply
            while rest is not None and (most := most - 1):
                reply, rest = await self.run(partial(_part, rest), source)
                yield reply
        except Exception:  # noqa: BLE001 - a full disk or a bug must answer, not hang the client
            log.exception("worker failed source=%s", source)
            yield self.gate.resolver.refusal(data, Rc.ERROR, "internal error, see the log")

    async def carry_out(self, job: Callable[[Gate], T | Deferred[T]], source: str) -> T:
        """Run ``job`` for an address; find out about a key of another node that it meets."""
        result = await self.run(job, source)
        if not isinstance(result, Deferred):
            return result
        waiting, verdicts = result, self._verdicts
        valid = verdicts is not None and await verdicts.holds(waiting.question)
        return await self.run(lambda _: waiting.resume(valid), source)

    async def run(self, job: Callable[[Gate], T], source: str) -> T:
        """Run ``job`` in the thread, within a round of the gate's resolver."""
        self._waiting[source] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._round, job)
        finally:
            self._waiting[source] -= 1
            if not self._waiting[source]:
                del self._waiting[source]

    def _round(self, job: Callable[[Gate], T]) -> T:
        self.gate.resolver.begin()
        try:
            return job(self.gate)
        finally:
            self.gate.resolver.end()

    def close(self) -> None:
        """Finish what was begun and stop the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _part(rest: Rest, gate: Gate) -> tuple[bytes, Rest | None]:
    return gate.part(rest)
