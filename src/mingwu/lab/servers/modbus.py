"""Modbus servers: TCP devices, and meter buses as RTU over TCP or over a pseudo-terminal.

One :class:`Units` answers for all unit ids of an endpoint; what a gate says is done to the answer
of its unit alone, except on an endpoint of one device, where a dead device refuses connections.
A serial bus stays silent for a dead unit, as a real one does.
"""

import asyncio
import logging
import os
import tty
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

from mingwu.lab.gate import Gate
from mingwu.lab.servers.registers import RegisterImage
from mingwu.wire.modbus import mbap, rtu
from mingwu.wire.modbus.mbap import Adu
from mingwu.wire.modbus.pdu import ProtocolError

log = logging.getLogger(__name__)

QUIET_S = 0.05  # silence on a serial line after which an unfinished request is forgotten
_READ_BYTES = 4096


@dataclass
class Unit:
    """One unit id: its registers and its faults."""

    image: RegisterImage
    gate: Gate


class Units:
    """The units behind one endpoint. ``serial`` chooses the framing."""

    def __init__(self, units: dict[int, Unit], *, serial: bool, seed: int = 0) -> None:
        self.units, self.serial = units, serial
        self._noise = Random(f"{seed}:garbage")

    def answer(self, adu: Adu) -> tuple[bytes, float] | None:
        """Frame and delay in seconds for a request, or None for silence."""
        unit = self.units.get(adu.unit)
        if unit is None or unit.gate.dead:
            return None
        pdu = unit.image.bank.answer(adu.pdu)
        frame = rtu.encode(adu.unit, pdu) if self.serial else mbap.encode(adu[0], adu.unit, pdu)
        if unit.gate.garbage:
            frame = self._noise.randbytes(len(frame))
        return frame, unit.gate.delay_s

    @property
    def refuses(self) -> bool:
        """Whether nobody is left to accept a connection."""
        return not self.serial and all(unit.gate.dead for unit in self.units.values())


class _Cutter:
    """Requests out of a byte stream, in the endpoint's framing."""

    def __init__(self, *, serial: bool) -> None:
        self._rtu = rtu.RtuDecoder(rtu.request_size) if serial else None
        self._mbap = mbap.MbapDecoder()
        self._last_s = 0.0

    def feed(self, data: bytes, now_s: float) -> list[Adu]:
        """Whole requests; raises ProtocolError for a TCP stream that has lost its framing."""
        if self._rtu is None:
            return self._mbap.feed(data)
        if now_s - self._last_s > QUIET_S:
            self._rtu.reset()
        self._last_s = now_s
        return self._rtu.feed(data)


class _Connection(asyncio.Protocol):
    def __init__(self, units: Units, peers: set["_Connection"]) -> None:
        self._units, self._peers = units, peers
        self._cutter = _Cutter(serial=units.serial)
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._peers.add(self)
        if self._units.refuses:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._units.refuses:
            self.transport.abort()
            return
        loop = asyncio.get_running_loop()
        try:
            requests = self._cutter.feed(data, loop.time())
        except ProtocolError as fault:
            log.info("modbus peer speaks nonsense fault=%s", fault)
            self.transport.abort()
            return
        for adu in requests:
            answer = self._units.answer(adu)
            if answer is None:
                continue
            frame, delay_s = answer
            if delay_s > 0:
                loop.call_later(delay_s, self._send, frame)
            else:
                self._send(frame)

    def _send(self, frame: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frame)


class TcpEndpoint:
    """A listening socket for one set of units."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.port = 0
        self._peers: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self.units, self._peers), host, port
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    def drop_connections(self) -> None:
        """Cut every connection: the device has lost its power."""
        for peer in list(self._peers):
            peer.transport.abort()

    async def stop(self) -> None:
        """Close the socket and all connections."""
        if self._server is not None:
            self._server.close()
            self.drop_connections()
            await self._server.wait_closed()
            self._server = None


class SerialEndpoint:
    """A bus behind a pseudo-terminal pair; ``link`` is the name a client opens."""

    def __init__(self, units: Units, link: Path) -> None:
        self.units, self.link = units, link
        self._cutter = _Cutter(serial=True)
        self._master = self._slave = -1

    def start(self) -> None:
        """Open the pair; raises OSError when the system has no pseudo-terminals."""
        self._master, self._slave = os.openpty()
        # Our end of the slave stays open: without it the master would end when a client closes.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            data = os.read(self._master, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            log.warning("serial line lost link=%s error=%s", self.link, error)
            loop.remove_reader(self._master)
            return
        for adu in self._cutter.feed(data, loop.time()):
            answer = self.units.answer(adu)
            if answer is not None:
                loop.call_later(answer[1], self._send, answer[0])

    def _send(self, frame: bytes) -> None:
        if self._master >= 0:
            # A full line means nobody reads: the frame is lost, as on copper.
            with suppress(BlockingIOError):
                os.write(self._master, frame)

    def stop(self) -> None:
        """Close the pair and take its name away."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self.link.unlink(missing_ok=True)
