"""The worker: one thread for what the serving loop must not wait for.

Challenges, signatures, key derivation and disk writes happen here, one after the other; that also
makes every change of a record a plain read-decide-write. The thread has its own resolver with the
administration's handlers, over the same store.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mingwu.identity.resolver import Resolver

log = logging.getLogger(__name__)
T = TypeVar("T")


class Worker:
    """Runs jobs with the worker's resolver in one thread."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="identity-worker")

    async def answer(self, data: bytes) -> bytes:
        """The reply to one message."""
        return await self.run(lambda resolver: resolver.answer(data))

    async def run(self, job: Callable[[Resolver], T]) -> T:
        """Run ``job`` in the thread, within a round of the resolver."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._round, job)

    def _round(self, job: Callable[[Resolver], T]) -> T:
        self.resolver.begin()
        try:
            return job(self.resolver)
        finally:
            self.resolver.end()

    def close(self) -> None:
        """Finish what was begun and stop the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
