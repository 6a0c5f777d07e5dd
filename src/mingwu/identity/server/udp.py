"""UDP: datagrams in, datagrams out, drained in rounds.

One readiness event drains up to a round of datagrams with one store snapshot, which costs half of
what a callback per datagram does. A source address gets at most ``udp_source_bytes_per_s`` of
answers per second; beyond that it receives only a refusal no longer than its question, so the
service is of no use as an amplifier. Answers of several packets, the ones worth asking for in a
victim's name, have a smaller share of their own (``udp_long_bytes_per_s``); beyond it, and for
answers longer than ``udp_answer_bytes``, there is only the advice to ask by TCP.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.usagenote import UsageNotes, Via
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.codes import UDP_PACKET_BYTES, EnvelopeFlag, Rc
from mingwu.wire.handle.envelope import Reassembly, split
from mingwu.wire.handle.errors import ProtocolError

log = logging.getLogger(__name__)

_ROUND = 64
_DATAGRAM_BYTES = 65_535
_REASSEMBLIES = 256
_TRUNCATED = int(EnvelopeFlag.TRUNCATED)
_RECEIVE_BUFFER_BYTES = 4 * 2**20
_VIA = int(Via.UDP)

Address = Any  # (host, port) or (host, port, flow, scope), as the socket gives it
Careful = Callable[[bytes, str], Awaitable[bytes]]


class UdpService:
    """Serves one UDP socket on the running loop."""

    def __init__(
        self,
        resolver: Resolver,
        careful: Careful,
        settings: ResolverSettings,
        usage: UsageNotes | None = None,
    ) -> None:
        self._resolver = resolver
        self._note = usage.note if usage else None
        self._careful = careful
        self._limit = settings.udp_source_bytes_per_s
        self._longest = settings.udp_answer_bytes
        self._longs = settings.udp_long_bytes_per_s
        self._spent: dict[str, int] = {}
        self._spent_long: dict[str, int] = {}
        self._parts: dict[tuple[Address, bytes], Reassembly] = {}
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._window: asyncio.TimerHandle | None = None

    def start(self, sock: socket.socket) -> None:
        """Serve a bound, non-blocking socket."""
        self._socket = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        loop = asyncio.get_running_loop()
        loop.add_reader(sock.fileno(), self._drain)
        self._new_window()

    async def close(self) -> None:
        """Stop serving and close the socket."""
        if self._window:
            self._window.cancel()
        if self._socket:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _new_window(self) -> None:
        self._spent.clear()
        self._spent_long.clear()
        self._parts.clear()  # a message whose packets took over a second is asked for again
        self._window = asyncio.get_running_loop().call_later(1.0, self._new_window)

    def _drain(self) -> None:
        sock, resolver, spent, limit = self._socket, self._resolver, self._spent, self._limit
        if sock is None:
            return
        receive, send, answer = sock.recvfrom, sock.sendto, resolver.answer_now
        note, now = self._note, time.perf_counter_ns
        count = sent = 0
        resolver.begin()
        try:
            for _ in range(_ROUND):
                data, address = receive(_DATAGRAM_BYTES)
                count += 1
                started = now() if note else 0
                used = spent.get(address[0], 0)
                if used > limit:
                    self._refuse(data, address)
                    continue
                if data[2:3] and data[2] & _TRUNCATED:
                    self._part(data, address)
                    continue
                reply = answer(data)
                if reply is None or len(reply) > UDP_PACKET_BYTES:
                    self._special(data, address, reply)
                    continue
                if reply:
                    spent[address[0]] = used + len(reply)
                    sent += len(reply)
                    send(reply, address)
                    if note:
                        note(data, reply, address[0], _VIA, started)
        except (BlockingIOError, InterruptedError):
            pass  # drained, or the send queue is full: a lost datagram is asked for again
        except OSError as error:
            log.debug("udp error=%s", error)  # e.g. port unreachable of an earlier answer
        finally:
            resolver.end()
            resolver.statistics.udp += count
            resolver.statistics.bytes_out += sent

    def _part(self, data: bytes, address: Address) -> None:
        """One packet of a long question."""
        whole = self._reassemble(data, address)
        if whole is not None:
            self._special(whole, address, self._resolver.answer_now(whole))

    def _special(self, data: bytes, address: Address, reply: bytes | None) -> None:
        """Long answers, and questions for the worker."""
        started = time.perf_counter_ns()
        if reply is None:
            task = asyncio.get_running_loop().create_task(
                self._answer_carefully(data, address, started)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._send(data, reply, address, started)

    def _reassemble(self, data: bytes, address: Address) -> bytes | None:
        key = (address, data[8:12])
        parts = self._parts.get(key)
        if parts is None:
            if len(self._parts) >= _REASSEMBLIES:
                self._resolver.statistics.rate_limited += 1
                return None
            parts = self._parts[key] = Reassembly()
        try:
            whole = parts.feed(data)
        except ProtocolError:
            self._resolver.statistics.malformed += 1
            del self._parts[key]
            return None
        if whole is not None:
            del self._parts[key]
        return whole

    async def _answer_carefully(self, data: bytes, address: Address, started_ns: int) -> None:
        reply = await self._careful(data, str(address[0]))
        if reply and self._socket:
            self._send(data, reply, address, started_ns)

    def _send(self, data: bytes, reply: bytes, address: Address, started_ns: int) -> None:
        if self._note and reply:
            self._note(data, reply, str(address[0]), _VIA, started_ns)
        if len(reply) > UDP_PACKET_BYTES and not self._may_be_long(str(address[0]), len(reply)):
            reply = self._resolver.refusal(data, Rc.ERROR, "long answer: ask by TCP")
        sock = self._socket
        if sock is None:
            return
        self._spent[address[0]] = self._spent.get(address[0], 0) + len(reply)
        self._resolver.statistics.bytes_out += len(reply)
        try:
            for packet in split(reply):
                sock.sendto(packet, address)
        except OSError as error:
            log.debug("udp send error=%s", error)

    def _may_be_long(self, source: str, size: int) -> bool:
        """Whether an answer of several packets goes out; counts it."""
        spent = self._spent_long.get(source, 0) + size
        if size > self._longest or spent > self._longs:
            self._resolver.statistics.rate_limited += size <= self._longest
            return False
        self._spent_long[source] = spent
        return True

    def _refuse(self, data: bytes, address: Address) -> None:
        """A short "too busy" while the source is over its share; nothing for short garbage."""
        statistics = self._resolver.statistics
        statistics.rate_limited += 1
        reply = self._resolver.refusal(data, Rc.TOO_BUSY, "")
        if self._socket and len(reply) <= len(data):
            self._socket.sendto(reply, address)
