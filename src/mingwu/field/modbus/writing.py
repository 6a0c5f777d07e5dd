"""Writes: from an engineering value to the request PDU, and from the reply to an outcome.

Coils use function 5, 16-bit registers 6, wider values and strings 16, bits of a register 22 (mask
write, so that neighbours keep their state). ``multiple_writes`` replaces 5 and 6 by 15 and 16.
"""

import numpy as np

from mingwu.field.base import WriteRequest, WriteResult
from mingwu.field.modbus.address import BIT, STRING, Address, parse
from mingwu.field.modbus.exchange import Reply
from mingwu.field.modbus.settings import ModbusSettings, WordOrder
from mingwu.kernel.errors import ConfigError
from mingwu.wire.modbus.pdu import (
    Function,
    ProtocolError,
    mask_write_request,
    write_coil_request,
    write_coils_request,
    write_register_request,
    write_registers_request,
    write_reply,
)

_LITTLE = {WordOrder.BADC, WordOrder.DCBA}
_REVERSED = {WordOrder.CDAB, WordOrder.BADC}
WRITABLE = {Function.READ_COILS, Function.READ_HOLDING_REGISTERS}


def write_request(request: WriteRequest, settings: ModbusSettings) -> bytes | WriteResult:
    """The request PDU, or the refusal when the value or tag cannot be written."""
    tag = request.tag
    if not tag.writable:
        return WriteResult(ok=False, reason=f"{tag.name} is not writable")
    try:
        address = parse(tag, settings.word_order)
        if address.function not in WRITABLE:
            return WriteResult(ok=False, reason=f"{tag.address} can only be read")
        return _encode(address, request, settings)
    except (ValueError, OverflowError, ConfigError) as error:
        return WriteResult(ok=False, reason=str(error))


def outcome(pdu: bytes, reply: Reply) -> WriteResult:
    """What the device said to a write."""
    if not isinstance(reply, bytes):
        return WriteResult(ok=False, reason=f"no valid reply ({reply.name.lower()}), state unknown")
    try:
        refused = write_reply(reply, pdu)
    except ProtocolError as error:
        return WriteResult(ok=False, reason=str(error))
    return WriteResult(ok=refused is None, reason=f"refused: {refused}" if refused else "")


def _encode(address: Address, request: WriteRequest, settings: ModbusSettings) -> bytes:
    if address.code == BIT:
        return _encode_bit(address, bool(request.value), settings)
    if address.code == STRING:
        data = _encode_text(address, str(request.value), settings.charset)
    else:
        data = _encode_number(address, request)
    if len(data) == 2 and not settings.multiple_writes:  # noqa: PLR2004 — one register
        return write_register_request(address.start, int.from_bytes(data, "big"))
    return write_registers_request(address.start, data)


def _encode_bit(address: Address, on: bool, settings: ModbusSettings) -> bytes:
    if address.in_registers:
        mask = 1 << address.bit
        return mask_write_request(address.start, ~mask & 0xFFFF, mask if on else 0)
    if settings.multiple_writes:
        return write_coils_request(address.start, [on])
    return write_coil_request(address.start, on=on)


def _encode_text(address: Address, text: str, charset: str) -> bytes:
    data = text.encode(charset)
    if len(data) > address.text_bytes:
        raise ValueError(f"longer than {address.text_bytes} bytes")
    data = data.ljust(2 * address.width, b"\0")
    return _swapped(data) if address.order in _LITTLE else data


def _encode_number(address: Address, request: WriteRequest) -> bytes:
    if isinstance(request.value, str):
        raise ValueError("a number is expected")  # noqa: TRY004 — bad value, reported as such
    tag = request.tag
    raw = (request.value - tag.offset) / tag.scale if tag.scale else float("nan")
    if not np.isfinite(raw):
        raise ValueError("not a finite number")
    if address.code[0] == "f":
        data = np.array(raw, ">" + address.code).tobytes()
    else:
        # an exact integer stays exact: no way through a float when scale and offset are idle
        plain = tag.scale == 1 and tag.offset == 0 and isinstance(request.value, int)
        whole = int(request.value) if plain else round(raw)
        size = int(address.code[1])
        data = whole.to_bytes(size, "big", signed=address.code[0] == "i")
    words = [data[place : place + 2] for place in range(0, len(data), 2)]
    if (address.order in _REVERSED) != (address.order in _LITTLE):
        words.reverse()
    joined = b"".join(words)
    return _swapped(joined) if address.order in _LITTLE else joined


def _swapped(data: bytes) -> bytes:
    """The bytes of each register exchanged."""
    out = bytearray(data)
    out[::2], out[1::2] = data[1::2], data[::2]
    return bytes(out)
