"""Which tags the writer keeps to the nanosecond: what the registry says, followed as it changes."""

import asyncio
import logging

from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config
from mingwu.node.live import pause
from mingwu.registry.service import Registry

log = logging.getLogger(__name__)


class NanosecondTags:
    """Numbers as last read; a registry that is away leaves them as they were."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: frozenset[int] = frozenset()

    def numbers(self) -> frozenset[int]:
        """The tags, for the writer to ask at every block."""
        return self._known

    async def follow(self, stop: asyncio.Event) -> None:
        """Read again whenever the registry changed, until ``stop``."""
        registry = await asyncio.to_thread(Registry.open, self._config.registry)
        generation = -1
        try:
            while not stop.is_set():
                try:
                    now = await asyncio.to_thread(registry.generation)
                    if now != generation:
                        self._known = await asyncio.to_thread(registry.nanosecond_tags)
                        generation = now
                except MingwuError as error:
                    log.debug("registry fault=%s", error)
                await pause(stop, self._config.node.registry_watch_s)
        finally:
            registry.close()
