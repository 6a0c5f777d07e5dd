"""Who may hold a connection, and how much of what is unfinished is held for all of them.

Connections are counted over all and by source; the bytes of messages that are not whole yet are
counted over all, so that many large and slow ones cannot fill the memory.
"""

import asyncio
from collections import Counter

from mingwu.identity.settings import ResolverSettings


class Doorkeeper:
    """Counts connections and unfinished bytes, and refuses those beyond the limits."""

    def __init__(self, settings: ResolverSettings) -> None:
        self._most = settings.max_connections
        self._most_per_source = settings.max_connections_per_source
        self._most_bytes = max(settings.unfinished_bytes, settings.message_bytes)
        self._sources: Counter[str] = Counter()
        self.open: set[asyncio.Transport] = set()
        self.held_bytes = 0

    def admit(self, transport: asyncio.Transport) -> bool:
        """Whether the connection may stay."""
        source = source_of(transport)
        if len(self.open) >= self._most or self._sources[source] >= self._most_per_source:
            return False
        self._sources[source] += 1
        self.open.add(transport)
        return True

    def leave(self, transport: asyncio.Transport) -> None:
        """An admitted connection ended."""
        if transport in self.open:
            self.open.discard(transport)
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


def source_of(transport: asyncio.BaseTransport) -> str:
    """The peer's address without its port."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else "?"
