"""TCP: long-lived connections, any number of messages on each.

A connection stays open whatever the keep-alive flag says: the clients of the national scheme hold
one connection and never set it. Messages of one connection are answered in order, and only as fast
as the client takes the answers. A message announced longer than ``message_bytes``, and one that is
not whole in time (``server.connection``), gets code 4 and the connection ends.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.connection import BURST_BYTES, Connection
from mingwu.identity.server.door import Doorkeeper
from mingwu.identity.server.usagenote import UsageNotes, Via
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.codes import ENVELOPE_BYTES, Rc
from mingwu.wire.handle.envelope import read_envelope
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import message_length

Careful = Callable[[bytes, str, int], AsyncIterator[bytes]]
"""The messages of a reply, from message, address, number of the connection."""
_links = itertools.count(1)
_VIA = int(Via.TCP)
_MAJOR = 2


class TcpConnection(Connection):
    """One connection."""

    def __init__(
        self,
        resolver: Resolver,
        careful: Careful,
        settings: ResolverSettings,
        door: Doorkeeper,
        usage: UsageNotes | None = None,
    ) -> None:
        super().__init__(resolver, settings, door, usage)
        self._careful = careful
        self._buffer = bytearray()
        self._wanted = 0  # bytes that the message opening the buffer has; 0: not known
        self._more = False  # whole messages wait for their turn
        self._room = asyncio.Event()
        self._link = next(_links)

    @property
    def _has_begun(self) -> bool:
        return bool(self._buffer)

    @property
    def _waits(self) -> bool:
        return self._task is not None or self._more

    def pause_writing(self) -> None:
        self._room.clear()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._room.set()
        super().resume_writing()

    def _receive(self, data: bytes) -> None:
        buffer = self._buffer
        if self._task or self._full or self._more:
            buffer += data
            if len(buffer) > self._settings.tcp_backlog_bytes and self._transport:
                self._transport.pause_reading()
            return
        if buffer:
            buffer += data
            if len(buffer) < self._wanted:
                if not self._hold(len(buffer)):
                    self._end_with(Rc.TOO_BUSY, "too much is unfinished here, try again soon")
                return
            data = bytes(buffer)
            buffer.clear()
            self._work(data, fresh=False)
        else:
            self._work(data)

    def _go_on(self) -> None:
        if self._task or self._full or self._leaving or self._transport is None:
            return
        self._more = False
        self._transport.resume_reading()
        data = bytes(self._buffer)
        self._buffer.clear()
        self._work(data)

    def _work(self, data: bytes, *, fresh: bool = True) -> None:
        """Answer every whole message, until one needs the worker or enough is answered for now.

        ``fresh``: the first of them did not begin earlier.
        """
        resolver, limit = self._resolver, self._settings.message_bytes
        replies: list[bytes] = []
        at = size = written = 0
        resolver.begin()
        try:
            while written < BURST_BYTES:
                size = message_length(data[at : at + ENVELOPE_BYTES], limit)
                if size < 0 or size > len(data) - at:
                    break
                message = data[at : at + size] if at or size != len(data) else data
                at += size
                started = time.perf_counter_ns()
                reply = resolver.answer_now(message)
                if reply is None:
                    self._hand_over(message)
                    break
                if self._usage and reply:
                    self._usage.note(message, reply, self._source, _VIA, started)
                replies.append(reply)
                written += len(reply)
        except ProtocolError as error:
            self._write(replies)
            self._buffer[:] = data[at:]
            self._end_with(Rc.PROTOCOL_ERROR, str(error))
            return
        finally:
            resolver.end()
        self._buffer += data[at:]
        self._write(replies)
        self._more = written >= BURST_BYTES and at < len(data)
        self._settle(size, fresh=fresh or at > 0)

    def _settle(self, size: int, *, fresh: bool) -> None:
        """After a turn: wait for the rest of a message, for the worker, or for the next one."""
        if self._more:
            if not self._full:
                self._loop.call_soon(self._go_on)
        elif self._buffer and self._task is None:
            self._wanted = max(size, ENVELOPE_BYTES)
            self._begin(fresh=fresh)
            if self._hold(len(self._buffer)):
                return
            self._end_with(Rc.TOO_BUSY, "too much is unfinished here, try again soon")
            return
        if self._task is None:
            self._hold(0)
        self._rest()
        if self._ended and not self._waits and self._transport:
            self._transport.close()

    def _write(self, replies: list[bytes]) -> None:
        if not replies or self._transport is None:
            return
        output = replies[0] if len(replies) == 1 else b"".join(replies)
        self._resolver.statistics.tcp += len(replies)
        self._resolver.statistics.bytes_out += len(output)
        self._transport.write(output)

    def _hand_over(self, message: bytes) -> None:
        self._hold(len(message))
        self._task = self._loop.create_task(self._answer_carefully(message))

    async def _answer_carefully(self, message: bytes) -> None:
        started, first = time.perf_counter_ns(), True
        async for reply in self._careful(message, self._source, self._link):
            if self._usage and reply and first:
                self._usage.note(message, reply, self._source, _VIA, started)
            first = False
            self._write([reply] if reply else [])
            if self._full:
                await self._room.wait()  # who takes nothing of a long list is cut meanwhile
        self._task = None
        self._go_on()

    def _late(self) -> None:
        self._end_with(Rc.PROTOCOL_ERROR, f"the message was not whole within {self._seconds:g} s")

    def _end_with(self, rc: int, message: str) -> None:
        """Tell why, if the other side speaks the protocol, and end the connection."""
        self._resolver.statistics.malformed += rc == Rc.PROTOCOL_ERROR
        head = bytes(self._buffer[:ENVELOPE_BYTES])
        self._buffer.clear()
        if len(head) == ENVELOPE_BYTES and head[0] == _MAJOR:
            self._write([self._resolver.refusal_of(read_envelope(head), rc, message)])
        self._leave()
