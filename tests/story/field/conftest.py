"""Peers for the Modbus driver: a server over TCP (both framings) and over a pseudo-terminal."""

import asyncio
import contextlib
import os
import tty

import pytest

from mingwu.wire.modbus import mbap, rtu
from mingwu.wire.modbus.server import Bank


class ModbusPeer:
    """Serves ``banks`` by unit. Faults: ``silent`` units, ``change`` (adu, frame) -> bytes sent."""

    def __init__(self, framing="tcp"):
        self.framing = framing
        self.banks = {1: Bank(bytearray(4000), bytearray(4000), bytearray(2000), bytearray(2000))}
        self.silent = set()
        self.change = lambda _adu, frame: frame
        self.requests = []
        self.connections = []
        self.port = 0
        self.serial = ""
        self._server = None
        self._fds = ()

    async def start(self, port=0):
        if self.framing == "serial":
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._fds, self.serial = (master, slave), os.ttyname(slave)
            link = Link(self)
            link.send = lambda data: os.write(master, data)
            asyncio.get_running_loop().add_reader(
                master, lambda: link.data_received(os.read(master, 4096))
            )
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Link(self), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        if self._server:
            self._server.close()
            for transport in self.connections:
                transport.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._server.wait_closed()
        if self._fds:
            asyncio.get_running_loop().remove_reader(self._fds[0])
            for fd in self._fds:
                os.close(fd)
        self.connections.clear()
        self._server, self._fds = None, ()

    @property
    def settings(self):
        if self.framing == "serial":
            return {"transport": "rtu", "serial": self.serial, "parity": "none"}
        return {"transport": self.framing, "port": self.port}


class Link(asyncio.Protocol):
    def __init__(self, peer):
        self.peer = peer
        tcp = peer.framing == "tcp"
        self.decoder = mbap.MbapDecoder() if tcp else rtu.RtuDecoder(rtu.request_size)

    def connection_made(self, transport):
        self.peer.connections.append(transport)
        self.send = transport.write

    def data_received(self, data):
        for adu in self.decoder.feed(data):
            self.peer.requests.append(adu)
            bank = self.peer.banks.get(adu.unit)
            if bank is None or adu.unit in self.peer.silent:
                continue
            pdu = bank.answer(adu.pdu)
            tcp = self.peer.framing == "tcp"
            frame = (
                mbap.encode(adu.transaction, adu.unit, pdu) if tcp else rtu.encode(adu.unit, pdu)
            )
            self.send(self.peer.change(adu, frame))


@pytest.fixture(params=["tcp", "rtu-over-tcp", "serial"])
async def any_peer(request):
    peer = ModbusPeer(request.param)
    await peer.start()
    yield peer
    await peer.stop()


@pytest.fixture
async def tcp_peer():
    peer = ModbusPeer("tcp")
    await peer.start()
    yield peer
    await peer.stop()
