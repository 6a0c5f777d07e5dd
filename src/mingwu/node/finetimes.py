"""Which tags the writer keeps to the nanosecond: what the registry says, followed as it changes."""

import asyncio
import logging
from typing import Self

from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config
from mingwu.node.live import pause
from mingwu.registry.service import Registry

log = logging.getLogger(__name__)


class NanosecondTags:
    """Numbers as last read; a registry that goes away leaves them as they were."""

    def __init__(self, registry: Registry, period_s: float) -> None:
        self._registry = registry
        self._period_s = period_s
        self._generation = -1
        self._known: frozenset[int] = frozenset()

    @classmethod
    async def open(cls, config: Config) -> Self:
        """Read for the first time: a block stored before would lose its nanoseconds for ever.

        Raises MingwuError when the registry is not there; the points wait on the bus meanwhile.
        """
        registry = await asyncio.to_thread(Registry.open, config.registry)
        tags = cls(registry, config.node.registry_watch_s)
        await tags.read()
        return tags

    def numbers(self) -> frozenset[int]:
        """The tags, for the writer to ask at every block."""
        return self._known

    async def read(self) -> None:
        """Take what the registry says now. Raises MingwuError."""
        now = await asyncio.to_thread(self._registry.generation)
        if now != self._generation:
            self._known = await asyncio.to_thread(self._registry.nanosecond_tags)
            self._generation = now

    async def follow(self, stop: asyncio.Event) -> None:
        """Read again whenever the registry changed, until ``stop``; then close it."""
        try:
            while not stop.is_set():
                await pause(stop, self._period_s)
                try:
                    await self.read()
                except MingwuError as error:
                    log.debug("registry fault=%s", error)
        finally:
            self._registry.close()
