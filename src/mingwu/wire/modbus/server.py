"""The server's side: requests parsed as MAP's state diagrams order (clause 6), replies built.

``parse_request`` gives a request or the exception reply the standard asks for: an unknown function
is refused with code 1, a wrong length or quantity with 3. ``Bank`` holds the four tables of one
unit as bytes and ``Bank.answer`` serves a request from them (an address beyond a table: code 2).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from mingwu.wire.modbus.pdu import (
    BIT_READS,
    COIL_ON,
    LAST_ADDRESS,
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_READ_WRITE_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    MEI_DEVICE_IDENTIFICATION,
    ExceptionCode,
    ExceptionReply,
    Function,
    ProtocolError,
    pack_bits,
    unpack_bits,
)


@dataclass(frozen=True, slots=True)
class Read:
    """Functions 1-4."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteBits:
    """Functions 5 and 15."""

    function: int
    address: int
    values: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class WriteRegisters:
    """Functions 6 and 16; ``data`` is big-endian register bytes."""

    function: int
    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MaskWrite:
    """Function 22."""

    function: int
    address: int
    and_mask: int
    or_mask: int


@dataclass(frozen=True, slots=True)
class ReadWrite:
    """Function 23."""

    function: int
    address: int
    count: int
    write_address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Identify:
    """Function 43/14."""

    function: int
    code: int
    object_id: int


Request = Read | WriteBits | WriteRegisters | MaskWrite | ReadWrite | Identify


def parse_request(pdu: bytes) -> Request | ExceptionReply:
    """The request in ``pdu``, or what to answer instead; ProtocolError only for an empty PDU."""
    if not pdu:
        raise ProtocolError("empty PDU")
    function = pdu[0]
    try:
        request = _parse(function, pdu)
    except (struct.error, IndexError):
        request = None
    if isinstance(request, int):
        return ExceptionReply(function & 0x7F, request)
    if request is None:
        return ExceptionReply(function & 0x7F, ExceptionCode.ILLEGAL_DATA_VALUE)
    return request


def _parse(function: int, pdu: bytes) -> Request | ExceptionCode | None:
    """None = wrong length or quantity. Raises struct.error or IndexError when truncated."""
    parse = _PARSERS.get(function)
    return ExceptionCode.ILLEGAL_FUNCTION if parse is None else parse(function, pdu)


def _parse_read(function: int, pdu: bytes) -> Read | ExceptionCode | None:
    _, address, count = struct.unpack(">BHH", pdu)
    limit = MAX_READ_BITS if function in BIT_READS else MAX_READ_REGISTERS
    if not 1 <= count <= limit:
        return None
    if address + count - 1 > LAST_ADDRESS:
        return ExceptionCode.ILLEGAL_DATA_ADDRESS
    return Read(function, address, count)


def _parse_single(function: int, pdu: bytes) -> Request | None:
    _, address, value = struct.unpack(">BHH", pdu)
    if function == Function.WRITE_SINGLE_REGISTER:
        return WriteRegisters(function, address, pdu[3:5])
    if value not in (0, COIL_ON):
        return None
    return WriteBits(function, address, (value == COIL_ON,))


def _parse_multiple(function: int, pdu: bytes) -> Request | ExceptionCode | None:
    _, address, count, size = struct.unpack_from(">BHHB", pdu)
    bits = function == Function.WRITE_MULTIPLE_COILS
    limit = MAX_WRITE_BITS if bits else MAX_WRITE_REGISTERS
    wanted = (count + 7) // 8 if bits else 2 * count
    if not 1 <= count <= limit or size != wanted or len(pdu) != 6 + wanted:
        return None
    if address + count - 1 > LAST_ADDRESS:
        return ExceptionCode.ILLEGAL_DATA_ADDRESS
    if bits:
        return WriteBits(function, address, tuple(unpack_bits(pdu[6:], count)))
    return WriteRegisters(function, address, pdu[6:])


def _parse_read_write(function: int, pdu: bytes) -> ReadWrite | ExceptionCode | None:
    _, address, count, write_address, write_count, size = struct.unpack_from(">BHHHHB", pdu)
    if not 1 <= count <= MAX_READ_REGISTERS or not 1 <= write_count <= MAX_READ_WRITE_REGISTERS:
        return None
    if size != 2 * write_count or len(pdu) != 10 + size:
        return None
    if max(address + count, write_address + write_count) - 1 > LAST_ADDRESS:
        return ExceptionCode.ILLEGAL_DATA_ADDRESS
    return ReadWrite(function, address, count, write_address, pdu[10:])


def _parse_mask(function: int, pdu: bytes) -> MaskWrite:
    _, address, and_mask, or_mask = struct.unpack(">BHHH", pdu)
    return MaskWrite(function, address, and_mask, or_mask)


def _parse_identify(function: int, pdu: bytes) -> Identify | ExceptionCode:
    if pdu[1] != MEI_DEVICE_IDENTIFICATION:
        return ExceptionCode.ILLEGAL_FUNCTION
    _, _, code, object_id = struct.unpack(">BBBB", pdu)
    return Identify(function, code, object_id)


_PARSERS: dict[int, Callable[[int, bytes], Request | ExceptionCode | None]] = {
    Function.READ_COILS: _parse_read,
    Function.READ_DISCRETE_INPUTS: _parse_read,
    Function.READ_HOLDING_REGISTERS: _parse_read,
    Function.READ_INPUT_REGISTERS: _parse_read,
    Function.WRITE_SINGLE_COIL: _parse_single,
    Function.WRITE_SINGLE_REGISTER: _parse_single,
    Function.WRITE_MULTIPLE_COILS: _parse_multiple,
    Function.WRITE_MULTIPLE_REGISTERS: _parse_multiple,
    Function.MASK_WRITE_REGISTER: _parse_mask,
    Function.READ_WRITE_REGISTERS: _parse_read_write,
    Function.ENCAPSULATED: _parse_identify,
}


def build_response(request: Request, data: bytes = b"") -> bytes:
    """The reply to a served request; ``data`` is what was read: packed bits or register bytes.

    For ``Identify``, ``data`` is everything after the read code (see ``identification_data``).
    """
    match request:
        case Read() | ReadWrite():
            return bytes((request.function, len(data))) + data
        case WriteBits():
            single = request.function == Function.WRITE_SINGLE_COIL
            last = COIL_ON * request.values[0] if single else len(request.values)
            return struct.pack(">BHH", request.function, request.address, last)
        case WriteRegisters():
            single = request.function == Function.WRITE_SINGLE_REGISTER
            last = int.from_bytes(request.data, "big") if single else len(request.data) // 2
            return struct.pack(">BHH", request.function, request.address, last)
        case MaskWrite():
            return struct.pack(
                ">BHHH", request.function, request.address, request.and_mask, request.or_mask
            )
        case Identify():
            return bytes((request.function, MEI_DEVICE_IDENTIFICATION, request.code)) + data


def identification_data(objects: dict[int, bytes]) -> bytes:
    """Identification objects for ``build_response`` (basic conformity, all in one reply)."""
    listed = b"".join(bytes((key, len(text))) + text for key, text in sorted(objects.items()))
    return bytes((0x81, 0, 0, len(objects))) + listed


@dataclass(slots=True)
class Bank:
    """The four tables of one unit.

    ``holding`` and ``input`` are register bytes (big-endian, so two per address; a numpy ``>u2``
    view of them writes in place); ``coils`` and ``discrete`` hold one byte 0/1 per bit.
    """

    holding: bytearray = field(default_factory=bytearray)
    input: bytearray = field(default_factory=bytearray)
    coils: bytearray = field(default_factory=bytearray)
    discrete: bytearray = field(default_factory=bytearray)
    identification: dict[int, bytes] = field(default_factory=dict)

    def answer(self, pdu: bytes) -> bytes:
        """The reply PDU to a request PDU (ProtocolError only for an empty one)."""
        request = parse_request(pdu)
        if isinstance(request, ExceptionReply):
            return request.pdu
        data = self._serve(request)
        if data is None:
            return ExceptionReply(request.function, ExceptionCode.ILLEGAL_DATA_ADDRESS).pdu
        return build_response(request, data)

    def _serve(self, request: Request) -> bytes | None:
        """What was read (empty for writes); None for an address that does not exist."""
        match request:
            case Read():
                return self._read(request)
            case ReadWrite():
                return self._read_write(request)
            case Identify():
                return identification_data(self.identification)
            case WriteBits():
                done = _replace(self.coils, request.address, bytes(request.values))
            case WriteRegisters():
                done = _replace(self.holding, 2 * request.address, request.data)
            case MaskWrite():
                done = self._mask(request)
        return b"" if done else None

    def _read(self, request: Read) -> bytes | None:
        if request.function in BIT_READS:
            table = self.coils if request.function == Function.READ_COILS else self.discrete
            bits = _slice(table, request.address, request.count)
            return None if bits is None else pack_bits([bool(bit) for bit in bits])
        holding = request.function == Function.READ_HOLDING_REGISTERS
        table = self.holding if holding else self.input
        return _slice(table, 2 * request.address, 2 * request.count)

    def _read_write(self, request: ReadWrite) -> bytes | None:
        """Both spans are checked before anything is written."""
        if _slice(self.holding, 2 * request.address, 2 * request.count) is None:
            return None
        if not _replace(self.holding, 2 * request.write_address, request.data):
            return None
        return _slice(self.holding, 2 * request.address, 2 * request.count)

    def _mask(self, request: MaskWrite) -> bool:
        register = _slice(self.holding, 2 * request.address, 2)
        if register is None:
            return False
        old = int.from_bytes(register, "big")
        new = (old & request.and_mask) | (request.or_mask & ~request.and_mask & 0xFFFF)
        return _replace(self.holding, 2 * request.address, new.to_bytes(2, "big"))


def _slice(table: bytearray, start: int, size: int) -> bytes | None:
    return None if start + size > len(table) else bytes(table[start : start + size])


def _replace(table: bytearray, start: int, data: bytes) -> bool:
    """Write in place (never grows: numpy views of the table stay valid)."""
    if start + len(data) > len(table):
        return False
    table[start : start + len(data)] = data
    return True
