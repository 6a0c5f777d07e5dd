"""Settings of a Modbus device. What a device cannot do is data here, not code elsewhere."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings


class Transport(StrEnum):
    """How frames travel."""

    TCP = "tcp"
    RTU = "rtu"
    RTU_OVER_TCP = "rtu-over-tcp"


class Parity(StrEnum):
    """Parity of a serial line; MSL clause 2.5.1 asks for even."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


class WordOrder(StrEnum):
    """Order of the bytes of a number on the wire, ``abcd`` being the standard's big-endian."""

    ABCD = "abcd"
    BADC = "badc"
    CDAB = "cdab"
    DCBA = "dcba"


class ModbusSettings(Settings, frozen=True, kw_only=True):
    """One Modbus unit and the line it hangs on."""

    transport: Transport = Transport.TCP
    """``tcp``, ``rtu`` (serial device) or ``rtu-over-tcp`` (serial server in raw mode)."""

    host: str = "127.0.0.1"
    """Name or address of the device or serial server; for ``tcp`` and ``rtu-over-tcp``."""

    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    """TCP port."""

    serial: str = ""
    """Serial device, e.g. ``/dev/ttyUSB0``; for ``rtu``. Prefer a name under /dev/serial/by-id."""

    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 19200
    """Serial speed in bit/s."""

    parity: Parity = Parity.EVEN
    """Serial parity."""

    stop_bits: Annotated[int, Meta(ge=1, le=2)] = 1
    """Serial stop bits (the standard asks for 2 without parity; few devices do)."""

    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    """Unit id: the address on a serial line; behind TCP usually 1, 0 or 255."""

    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1000
    """How long to wait for one reply, and for the connection to be made."""

    retries: Annotated[int, Meta(ge=0, le=5)] = 0
    """How often a request without a whole reply is repeated within one read."""

    max_registers: Annotated[int, Meta(ge=1, le=125)] = 125
    """Registers per request; lower it for devices that serve fewer than the standard's 125."""

    max_bits: Annotated[int, Meta(ge=1, le=2000)] = 2000
    """Coils or discrete inputs per request."""

    max_gap: Annotated[int, Meta(ge=0, le=124)] = 10
    """Unused registers that may be read along to save a request (bits: sixteen times as many)."""

    in_flight: Annotated[int, Meta(ge=1, le=16)] = 1
    """Requests on the way at a time; many devices serve only one. Serial lines always use 1."""

    pause_between_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """Silence between a reply and the next request."""

    pause_after_connect_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    """Silence after connecting, for devices that drop what comes too early."""

    word_order: WordOrder = WordOrder.ABCD
    """Order used by addresses that name none."""

    charset: str = "utf-8"
    """Encoding of string tags, e.g. ``ascii``, ``gbk``."""

    multiple_writes: bool = False
    """Write single coils and registers with functions 15 and 16, for devices without 5 and 6."""
