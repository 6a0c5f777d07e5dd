"""A serial device on the event loop: pyserial sets the line, the loop watches its descriptor.

Works on every device with a file descriptor, pseudo-terminals included. It has just the part of
asyncio's transport that ``line`` uses, and calls the same protocol methods.
"""

import asyncio
import os
from typing import Any

import serial

from mingwu.field.modbus.settings import ModbusSettings, Parity

CHUNK = 4096
_PARITY = {
    Parity.NONE: serial.PARITY_NONE,
    Parity.EVEN: serial.PARITY_EVEN,
    Parity.ODD: serial.PARITY_ODD,
}


async def open_port(settings: ModbusSettings, protocol: asyncio.Protocol) -> "SerialPort":
    """Open and set the device (in a thread: drivers may block); raises OSError."""

    def opened() -> Any:
        try:
            port = serial.Serial(
                settings.serial,
                settings.baud,
                parity=_PARITY[settings.parity],
                stopbits=settings.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except ValueError as error:  # a speed or setting the device does not have
            raise OSError(str(error)) from error
        if unwanted:
            port.close()
        return port

    unwanted: list[bool] = []
    try:
        port = await asyncio.to_thread(opened)
    except asyncio.CancelledError:
        # the thread goes on; what it opens must not keep the device locked
        unwanted.append(True)
        raise
    return SerialPort(port, protocol)


class SerialPort:
    """Reads into a protocol, writes what fits and the rest when it fits."""

    def __init__(self, port: Any, protocol: asyncio.Protocol) -> None:
        self._port = port
        self._fd: int = port.fileno()
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._unsent = b""
        self._open = True
        self._loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        """Send without blocking."""
        if not self._open:
            return
        if not self._unsent:
            data = self._send(data)
            if data and self._open:
                self._loop.add_writer(self._fd, self._writable)
        self._unsent += data

    def abort(self) -> None:
        """Close at once; ``connection_lost`` follows."""
        self._close(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._close(OSError("the serial device is gone"))

    def _writable(self) -> None:
        self._unsent = self._send(self._unsent)
        if not self._unsent and self._open:
            self._loop.remove_writer(self._fd)

    def _send(self, data: bytes) -> bytes:
        """What is left to send."""
        try:
            return data[os.write(self._fd, data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            self._close(error)
            return b""

    def _close(self, error: OSError | None) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._port.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
