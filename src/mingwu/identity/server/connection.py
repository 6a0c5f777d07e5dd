"""What TCP and HTTP connections share: admission, patience with slow peers, and the way out.

Three rules, all with ``message_timeout_s``, all exact and by one timer: a message must be whole so
long after its first byte (the first one so long after the connection was made), however its bytes
are spread; a peer that takes none of what waits to be sent for so long is cut; and a connection
that is being left is closed then at the latest. Between messages a connection may be idle for
``idle_timeout_s``.

A peer that is refused in the middle of what it sends gets the answer before the connection ends:
our side is closed, and what still comes is read and dropped for a while, because closing with
unread bytes would reset the connection and take the answer with it.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import cast

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.door import Doorkeeper, source_of
from mingwu.identity.server.usagenote import UsageNotes
from mingwu.identity.settings import ResolverSettings

_DROPPED = 4  # times the longest message: how much is read and dropped after a refusal
# Answers written at once; the rest waits until the peer takes them, and lets others have a turn.
BURST_BYTES = 2**20


class Connection(asyncio.Protocol, ABC):
    """One connection. Subclasses read in ``_receive``, go on in ``_go_on``, end in ``_late``."""

    def __init__(
        self,
        resolver: Resolver,
        settings: ResolverSettings,
        door: Doorkeeper,
        usage: UsageNotes | None = None,
    ) -> None:
        self._resolver = resolver
        self._settings = settings
        self._door = door
        self._usage = usage
        self._transport: asyncio.Transport | None = None
        self._source = ""
        self._task: asyncio.Task[None] | None = None
        self._full = False  # the peer does not take its answers
        self._ended = False  # the peer will send no more
        self._leaving = False
        self._dropped_bytes = 0
        self._held_bytes = 0
        self._begun = 0.0  # when the message under way began; 0: none is
        self._used = 0.0  # when the last one was whole
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    # -- for subclasses -----------------------------------------------------------------------

    @abstractmethod
    def _receive(self, data: bytes) -> None:
        """Bytes came."""

    @abstractmethod
    def _go_on(self) -> None:
        """Take up what waits, where nothing stands in the way any more."""

    @abstractmethod
    def _late(self) -> None:
        """The message under way took too long."""

    @property
    @abstractmethod
    def _has_begun(self) -> bool:
        """Whether some of a message came."""

    @property
    @abstractmethod
    def _waits(self) -> bool:
        """Whether whole messages wait for an answer."""

    @property
    def _seconds(self) -> float:
        return self._settings.message_timeout_s

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._source = source_of(transport)
        statistics = self._resolver.statistics
        if not self._door.admit(self._transport, self._idle):
            statistics.connections_refused += 1
            self._transport.abort()
            return
        statistics.connections += 1
        self._begin(fresh=True)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()
        if self._transport:
            self._door.leave(self._transport)
        self._hold(0)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if not self._leaving:
            self._receive(data)
            return
        self._dropped_bytes += len(data)
        if self._dropped_bytes > _DROPPED * self._settings.message_bytes and self._transport:
            self._transport.abort()

    def eof_received(self) -> bool:
        """Keep our side open while something is still to be answered."""
        self._ended = True
        return not self._leaving and self._waits

    def pause_writing(self) -> None:
        """The peer does not read: stop reading from it."""
        self._full = True
        if self._transport and not self._leaving:
            self._transport.pause_reading()
            self._unsent_bytes = self._transport.get_write_buffer_size()
            self._arm(self._loop.time() + self._seconds)

    def resume_writing(self) -> None:
        self._full = False
        if self._transport and not self._leaving:
            self._go_on()

    def _idle(self) -> float:
        """Seconds without anything to do."""
        if self._begun or self._task or self._full or self._leaving:
            return 0.0
        return self._loop.time() - self._used

    # -- patience -----------------------------------------------------------------------------

    def _begin(self, *, fresh: bool) -> None:
        """A message is under way; ``fresh``: another one than before."""
        if fresh or not self._begun:
            self._begun = self._loop.time()
            self._arm(self._begun + self._seconds)

    def _rest(self) -> None:
        """No message is under way."""
        self._begun = 0.0
        self._used = self._loop.time()
        if self._timer is None:
            self._arm(self._used + self._settings.idle_timeout_s)

    def _arm(self, when: float) -> None:
        """Have :meth:`_ring` called then at the latest; an earlier ring sets the next itself."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        transport, now = self._transport, self._loop.time()
        if transport is None:
            return
        if self._leaving:
            transport.abort()
        elif self._full:
            self._look_at_reader(transport, now)
        elif self._begun:
            due = self._begun + self._seconds
            if now < due:
                self._arm(due)
            elif self._has_begun:
                self._resolver.statistics.slow_cut += 1
                self._late()
            else:
                transport.close()  # nothing was ever said
        elif self._task:
            self._rest()
        elif now < (due := self._used + self._settings.idle_timeout_s):
            self._arm(due)
        else:
            transport.close()

    def _look_at_reader(self, transport: asyncio.Transport, now: float) -> None:
        left = transport.get_write_buffer_size()
        if left >= self._unsent_bytes:
            self._resolver.statistics.slow_cut += 1
            transport.abort()
            return
        self._unsent_bytes = left
        self._arm(now + self._seconds)

    # -- memory and the way out ---------------------------------------------------------------

    def _hold(self, size: int) -> bool:
        """Count ``size`` bytes of an unfinished message as held; whether there is room."""
        if not (size or self._held_bytes):
            return True
        grown = size - self._held_bytes
        self._held_bytes = size
        return self._door.hold(grown)

    def _leave(self) -> None:
        """End the connection so that what was written arrives first; input is dropped."""
        self._leaving = True
        self._begun = 0.0
        self._hold(0)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._ended:
            transport.close()
            return
        transport.resume_reading()
        transport.write_eof()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._arm(self._loop.time() + self._seconds)
