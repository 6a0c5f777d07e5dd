"""The protocol data unit: function codes, requests as bytes, replies checked and read.

MAP clause 4.1: a PDU is one function byte and at most 252 bytes of data; numbers are big-endian
(4.2); addresses count from 0 on the wire (4.4). Clauses of the functions:

====  =============================  ======  ===========================================
code  function                       clause  limits
====  =============================  ======  ===========================================
01    read coils                     6.1     1-2000 coils
02    read discrete inputs           6.2     1-2000 inputs
03    read holding registers         6.3     1-125 registers
04    read input registers           6.4     1-125 registers
05    write single coil              6.5     0x0000 or 0xFF00
06    write single register          6.6
15    write multiple coils           6.11    1-1968 coils
16    write multiple registers       6.12    1-123 registers
22    mask write register            6.16
23    read/write multiple registers  6.17    1-125 read, 1-121 written
43    read device identification     6.21    MEI type 14
====  =============================  ======  ===========================================

Invariant: functions reading a reply never trust its length fields; what does not fit is a
ProtocolError. An exception reply (clause 7) is a value, not an error of this module.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import PeerError

MAX_PDU = 253
MAX_READ_BITS = 2000
MAX_READ_REGISTERS = 125
MAX_WRITE_BITS = 1968
MAX_WRITE_REGISTERS = 123
MAX_READ_WRITE_REGISTERS = 121
ERROR_BIT = 0x80
MEI_DEVICE_IDENTIFICATION = 14
LAST_ADDRESS = 0xFFFF
COIL_ON = 0xFF00

add(
    "modbus.malformed",
    en=("Malformed Modbus frame: {fault}", "Check cabling, baud rate and the device's firmware."),
    zh=("Modbus 报文格式错误：{fault}", "请检查接线、波特率与设备固件。"),
)


class ProtocolError(PeerError):
    """Bytes that are no Modbus message, or not the one expected."""

    def __init__(self, fault: str) -> None:
        super().__init__("modbus.malformed", fault=fault)


class Function(IntEnum):
    """Function codes this module speaks."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_SINGLE_COIL = 5
    WRITE_SINGLE_REGISTER = 6
    WRITE_MULTIPLE_COILS = 15
    WRITE_MULTIPLE_REGISTERS = 16
    MASK_WRITE_REGISTER = 22
    READ_WRITE_REGISTERS = 23
    ENCAPSULATED = 43


BIT_READS = frozenset({Function.READ_COILS, Function.READ_DISCRETE_INPUTS})
REGISTER_READS = frozenset({Function.READ_HOLDING_REGISTERS, Function.READ_INPUT_REGISTERS})


class ExceptionCode(IntEnum):
    """MAP clause 7."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    SERVER_DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    SERVER_DEVICE_BUSY = 6
    MEMORY_PARITY_ERROR = 8
    GATEWAY_PATH_UNAVAILABLE = 10
    GATEWAY_TARGET_FAILED = 11


@dataclass(frozen=True, slots=True)
class ExceptionReply:
    """The peer refused: ``code`` is an :class:`ExceptionCode` or a number the standard lacks."""

    function: int
    code: int

    @property
    def pdu(self) -> bytes:
        """The reply's bytes: function with its top bit set, then the code."""
        return bytes((self.function | ERROR_BIT, self.code))

    def __str__(self) -> str:
        try:
            return ExceptionCode(self.code).name.lower().replace("_", " ")
        except ValueError:
            return f"exception code {self.code}"


# ------------------------------------------------------------------ requests


def read_request(function: int, address: int, count: int) -> bytes:
    """Functions 1-4; ``count`` is of bits or registers. Raises ValueError beyond the limits."""
    limit = MAX_READ_BITS if function in BIT_READS else MAX_READ_REGISTERS
    if function not in BIT_READS | REGISTER_READS:
        raise ValueError(f"function {function} does not read")
    _check_span(address, count, limit)
    return struct.pack(">BHH", function, address, count)


def write_coil_request(address: int, *, on: bool) -> bytes:
    """Function 5."""
    _check_span(address, 1, 1)
    return struct.pack(">BHH", Function.WRITE_SINGLE_COIL, address, COIL_ON if on else 0)


def write_register_request(address: int, value: int) -> bytes:
    """Function 6; ``value`` is 0-65535."""
    _check_span(address, 1, 1)
    return struct.pack(">BHH", Function.WRITE_SINGLE_REGISTER, address, value)


def write_coils_request(address: int, values: Sequence[bool]) -> bytes:
    """Function 15."""
    _check_span(address, len(values), MAX_WRITE_BITS)
    data = pack_bits(values)
    head = struct.pack(">BHHB", Function.WRITE_MULTIPLE_COILS, address, len(values), len(data))
    return head + data


def write_registers_request(address: int, data: bytes) -> bytes:
    """Function 16; ``data`` is the registers' big-endian bytes."""
    _check_span(address, _words(data), MAX_WRITE_REGISTERS)
    head = struct.pack(
        ">BHHB", Function.WRITE_MULTIPLE_REGISTERS, address, len(data) // 2, len(data)
    )
    return head + data


def mask_write_request(address: int, and_mask: int, or_mask: int) -> bytes:
    """Function 22: result = (current & and_mask) | (or_mask & ~and_mask)."""
    _check_span(address, 1, 1)
    return struct.pack(">BHHH", Function.MASK_WRITE_REGISTER, address, and_mask, or_mask)


def read_write_request(
    read_address: int, read_count: int, write_address: int, data: bytes
) -> bytes:
    """Function 23; the write happens before the read."""
    _check_span(read_address, read_count, MAX_READ_REGISTERS)
    _check_span(write_address, _words(data), MAX_READ_WRITE_REGISTERS)
    head = struct.pack(
        ">BHHHHB",
        Function.READ_WRITE_REGISTERS,
        read_address,
        read_count,
        write_address,
        len(data) // 2,
        len(data),
    )
    return head + data


def identification_request(code: int = 1, object_id: int = 0) -> bytes:
    """Function 43/14; ``code`` 1 basic, 2 regular, 3 extended stream, 4 one object."""
    return bytes((Function.ENCAPSULATED, MEI_DEVICE_IDENTIFICATION, code, object_id))


def pack_bits(values: Sequence[bool]) -> bytes:
    """Bits to bytes, first bit in the lowest place (MAP 6.1)."""
    packed = 0
    for place, value in enumerate(values):
        if value:
            packed |= 1 << place
    return packed.to_bytes((len(values) + 7) // 8, "little")


def unpack_bits(data: bytes, count: int) -> list[bool]:
    """The first ``count`` bits of ``data``; raises ProtocolError when there are fewer."""
    if count > 8 * len(data):
        raise ProtocolError(f"{count} bits announced, {len(data)} bytes given")
    packed = int.from_bytes(data, "little")
    return [bool(packed >> place & 1) for place in range(count)]


def _check_span(address: int, count: int, limit: int) -> None:
    if not 1 <= count <= limit:
        raise ValueError(f"quantity {count} is not within 1-{limit}")
    if not 0 <= address <= address + count - 1 <= LAST_ADDRESS:
        raise ValueError(f"address {address} + {count} is beyond {LAST_ADDRESS}")


def _words(data: bytes) -> int:
    if len(data) % 2:
        raise ValueError("register bytes must be even in number")
    return len(data) // 2


# ------------------------------------------------------------------ replies


def exception_of(pdu: bytes, function: int) -> ExceptionReply | None:
    """The exception in a reply to ``function``, or None; ProtocolError if it answers another."""
    if not pdu:
        raise ProtocolError("empty PDU")
    if pdu[0] == function:
        return None
    if pdu[0] != function | ERROR_BIT:
        raise ProtocolError(f"function {pdu[0]} answers function {function}")
    if len(pdu) != 2:  # noqa: PLR2004 — function and code
        raise ProtocolError(f"exception reply of {len(pdu)} bytes")
    return ExceptionReply(function, pdu[1])


def read_reply(pdu: bytes, function: int, count: int) -> bytes | ExceptionReply:
    """Data bytes of a reply to functions 1-4 or 23 for ``count`` bits or registers."""
    refused = exception_of(pdu, function)
    if refused is not None:
        return refused
    size = (count + 7) // 8 if function in BIT_READS else 2 * count
    if len(pdu) != 2 + size or pdu[1] != size:
        raise ProtocolError(f"{size} data bytes expected, {len(pdu) - 2} received")
    return pdu[2:]


def write_reply(pdu: bytes, request: bytes) -> ExceptionReply | None:
    """Check the echo to a write (functions 5, 6, 15, 16, 22); None means done."""
    refused = exception_of(pdu, request[0])
    if refused is not None:
        return refused
    size = 7 if request[0] == Function.MASK_WRITE_REGISTER else 5
    if pdu != request[:size]:
        raise ProtocolError("the reply to a write does not repeat the request")
    return None


@dataclass(frozen=True, slots=True)
class Identification:
    """Device identification objects by id: 0 vendor, 1 product code, 2 revision, 4 product name."""

    conformity: int
    more: bool
    next_object: int
    objects: dict[int, bytes]


def identification_reply(pdu: bytes) -> Identification | ExceptionReply:
    """Reply to function 43/14 (MAP 6.21)."""
    refused = exception_of(pdu, Function.ENCAPSULATED)
    if refused is not None:
        return refused
    size = identification_size(pdu)
    if size is None or size != len(pdu) or pdu[1] != MEI_DEVICE_IDENTIFICATION:
        raise ProtocolError("device identification of wrong length")
    objects: dict[int, bytes] = {}
    place = 7
    for _ in range(pdu[6]):
        length = pdu[place + 1]
        objects[pdu[place]] = pdu[place + 2 : place + 2 + length]
        place += 2 + length
    return Identification(pdu[3], pdu[4] == 0xFF, pdu[5], objects)  # noqa: PLR2004 — MAP 6.21


def identification_size(pdu: bytes | bytearray | memoryview) -> int | None:
    """PDU length of an identification reply, or None while too little of it is there."""
    place = 7
    if len(pdu) < place:
        return None
    for _ in range(pdu[6]):
        if len(pdu) < place + 2:
            return None
        place += 2 + pdu[place + 1]
    return place
