"""Who may hold a connection, and how much of what is unfinished is held for all of them.

Connections are counted over all and by source, and there are never more than the process has
descriptors for. Where all places are taken, one that has been idle for ``message_timeout_s`` gives
way to a newcomer, first of the source that holds the most: who opens many and says nothing shuts
nobody out. The bytes of messages that are not whole yet are counted over all, so that many large
and slow ones cannot fill the memory.
"""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Callable

from mingwu.identity.settings import ResolverSettings

log = logging.getLogger(__name__)

# Stores, sockets, logs, and connections that no place is found for: what is needed besides.
_OTHER_DESCRIPTORS = 256
Idle = Callable[[], float]
"""For how many seconds a connection has had nothing to do."""


def descriptors_for(connections: int) -> int:
    """Raise the process's limit of descriptors where it may be; how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    fit = max(1, soft - _OTHER_DESCRIPTORS)
    log.warning("descriptors=%d only connections=%d instead of %d", soft, fit, connections)
    return fit


class Doorkeeper:
    """Counts connections and unfinished bytes, and refuses those beyond the limits."""

    def __init__(self, settings: ResolverSettings) -> None:
        self._most = settings.max_connections
        self._patience_s = settings.message_timeout_s
        self._most_per_source = settings.max_connections_per_source
        self._most_bytes = max(settings.unfinished_bytes, settings.message_bytes)
        self._sources: Counter[str] = Counter()
        self.open: dict[asyncio.Transport, Idle] = {}
        self.held_bytes = 0

    def look_at_limits(self) -> None:
        """Learn how many descriptors there are; once per process, before serving."""
        self._most = descriptors_for(self._most)

    def admit(self, transport: asyncio.Transport, idle: Idle | None = None) -> bool:
        """Whether the connection may stay; ``idle`` None: it never gives way."""
        source = source_of(transport)
        if self._sources[source] >= self._most_per_source:
            return False
        if len(self.open) >= self._most and not self._make_room():
            return False
        self._sources[source] += 1
        self.open[transport] = idle or _busy
        return True

    def _make_room(self) -> bool:
        """Close the longest idle connection of the source that has most, if there is one."""
        idle = [
            (self._sources[source_of(transport)], seconds, transport)
            for transport, told in self.open.items()
            if (seconds := told()) >= self._patience_s
        ]
        if not idle:
            return False
        transport = max(idle, key=lambda one: one[:2])[2]
        self.leave(transport)
        transport.abort()
        return True

    def leave(self, transport: asyncio.Transport) -> None:
        """An admitted connection ended."""
        if transport in self.open:
            del self.open[transport]
            source = source_of(transport)
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]

    def hold(self, grown_bytes: int) -> bool:
        """Count bytes of unfinished messages; whether there is room for them."""
        self.held_bytes += grown_bytes
        return self.held_bytes <= self._most_bytes

    def let_go(self, held_bytes: int) -> None:
        """What was held is finished or gone."""
        self.held_bytes -= held_bytes


def _busy() -> float:
    return 0.0


def source_of(transport: asyncio.BaseTransport) -> str:
    """The peer's address without its port."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else "?"
