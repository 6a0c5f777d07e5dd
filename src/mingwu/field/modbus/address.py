"""Grammar of Modbus tag addresses.

::

    address  = ("coil" | "discrete") ":" number
             | ("holding" | "input") ":" number [":" type [":" modifier]]
    type     = uint16 (default) | int16 | uint32 | int32 | uint64 | int64
             | float32 | float64 | string(n)          n bytes, 1-250
    modifier = abcd | badc | cdab | dcba              order of bytes on the wire
             | bit0 … bit15                           one bit of a 16-bit register
    number   = 0 … 65535, as on the wire (MAP 4.4: the manual's 40001 is holding:0)

For 64-bit numbers the four orders mean the same as for 32 bits: ``badc`` swaps the bytes of each
register, ``cdab`` the registers, ``dcba`` both.
"""

import re
from dataclasses import dataclass

import mingwu.field.modbus.errors  # noqa: F401 — registers the texts
from mingwu.field.modbus.settings import WordOrder
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.wire.modbus.pdu import LAST_ADDRESS, Function

TABLES = {
    "coil": Function.READ_COILS,
    "discrete": Function.READ_DISCRETE_INPUTS,
    "holding": Function.READ_HOLDING_REGISTERS,
    "input": Function.READ_INPUT_REGISTERS,
}
CODES = {
    "uint16": "u2",
    "int16": "i2",
    "uint32": "u4",
    "int32": "i4",
    "uint64": "u8",
    "int64": "i8",
    "float32": "f4",
    "float64": "f8",
}
STRING = "S"
BIT = "b"
MAX_STRING = 250
_TEXT = re.compile(r"string\(([0-9]{1,3})\)")
_BIT = re.compile(r"bit([0-9]|1[0-5])")
_NUMBER = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a tag lies and how to read it.

    ``function`` reads it; ``code`` is a numpy type code without byte order, ``b`` for a coil, an
    input or a register's bit, ``S`` for text; ``width`` counts registers (bits for coils).
    """

    function: Function
    start: int
    code: str
    width: int
    order: WordOrder
    bit: int = -1
    text_bytes: int = 0

    @property
    def in_registers(self) -> bool:
        """Whether it lies in registers (else in coils or discrete inputs)."""
        return self.function >= Function.READ_HOLDING_REGISTERS


def parse(tag: TagSpec, order: WordOrder = WordOrder.ABCD) -> Address:
    """The tag's address; raises ConfigError ``modbus.address`` that quotes it."""
    try:
        return _fitting(_parse(tag.address, order), tag.type)
    except ValueError as fault:
        raise ConfigError(
            "modbus.address", tag=tag.name, address=tag.address, fault=told(fault)
        ) from fault


def _fitting(address: Address, kind: ValueType) -> Address:
    if (address.code == STRING) != (kind is ValueType.TEXT):
        raise ValueError("string(n) is for text tags, and text tags need it")
    if address.start + address.width - 1 > LAST_ADDRESS:
        raise ValueError(f"reaches beyond {LAST_ADDRESS}")
    return address


def _parse(text: str, order: WordOrder) -> Address:
    table, *rest = text.strip().lower().split(":")
    function = TABLES.get(table)
    if function is None:
        raise ValueError(f"table “{table}” is none of {', '.join(TABLES)}")
    if not rest or not _NUMBER.fullmatch(rest[0]):
        raise ValueError("the register number is missing or no number")
    start = int(rest[0])
    if function < Function.READ_HOLDING_REGISTERS:
        if len(rest) > 1:
            raise ValueError(f"a {table} has no type")
        return Address(function, start, BIT, 1, order)
    if len(rest) > 3:  # noqa: PLR2004 — number, type, modifier
        raise ValueError("too many parts")
    type_name = rest[1] if len(rest) > 1 else "uint16"
    modifier = rest[2] if len(rest) > 2 else ""  # noqa: PLR2004
    return _register(function, start, type_name, modifier, order)


def _register(
    function: Function, start: int, type_name: str, modifier: str, order: WordOrder
) -> Address:
    bit = _BIT.fullmatch(modifier)
    if bit:
        if type_name not in ("uint16", "int16"):
            raise ValueError("bits are taken from 16-bit registers only")
        return Address(function, start, BIT, 1, order, bit=int(bit[1]))
    if modifier:
        order = WordOrder(modifier)
    text = _TEXT.fullmatch(type_name)
    if text:
        size = int(text[1])
        if not 1 <= size <= MAX_STRING:
            raise ValueError(f"a string has 1 to {MAX_STRING} bytes")
        return Address(function, start, STRING, (size + 1) // 2, order, text_bytes=size)
    code = CODES.get(type_name)
    if code is None:
        raise ValueError(f"type “{type_name}” is none of {', '.join(CODES)}, string(n)")
    return Address(function, start, code, int(code[1]) // 2, order)
