"""Bit strings of EPCs: a reader, and the ways TDS writes digits and characters into bits.

Bits are text of 0 and 1, first bit first, as the standard prints them. Sections are those of TDS
2.0: fixed-length numeric §14.5.4, variable-length alphanumeric §14.5.6 (an indicator of three
bits chooses the method), variable-length numeric §14.5.13, delimited numeric §14.5.5, and the
older 7-bit strings §14.3.
"""

from collections.abc import Callable
from typing import NamedTuple

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.bitstring import BitReader, number
from mingwu.wire.epc import errors as _texts  # noqa: F401 - registers the texts

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
CODE40 = "\0ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
UPPER_HEX, LOWER_HEX = "0123456789ABCDEF", "0123456789abcdef"
_DELIMITER, _TERMINATOR = "1110", "1111"
_ASCII_BITS, _BASE64_BITS, _NIBBLE = 7, 6, 4


def malformed(text: str, fault: str) -> InvalidInput:
    """What cannot be read."""
    return InvalidInput("epc.malformed", text=text[:80], fault=fault)


class Reader(BitReader):
    """Takes bits from the front; raises InvalidInput ``epc.malformed`` when they run out."""

    def __init__(self, bits: str) -> None:
        super().__init__(bits, lambda fault: malformed(bits, fault))


# ------------------------------------------------------------------ digits
def nibbles(digits: str) -> str:
    """Four bits a digit."""
    return "".join(number(int(digit), _NIBBLE) for digit in digits)


def read_nibbles(reader: Reader, count: int) -> str:
    """The digits; a nibble above nine is malformed."""
    found = "".join(format(reader.number(_NIBBLE), "x") for _ in range(count))
    if not found.isdecimal():
        raise malformed(found, Phrase("a digit above 9", "有大于 9 的数位"))
    return found


def width_of(digits: int) -> int:
    """Bits that hold any number of so many digits."""
    return (10**digits - 1).bit_length() if digits else 0


def counted(digits: str, length_bits: int) -> str:
    """Count and number (§14.5.13)."""
    return number(len(digits), length_bits) + number(int(digits or "0"), width_of(len(digits)))


def read_counted(reader: Reader, length_bits: int, most: int) -> str:
    """The digits, leading zeros kept."""
    return _read_digits(reader, reader.number(length_bits), most)


def _read_digits(reader: Reader, count: int, most: int) -> str:
    if count > most:
        raise malformed(str(count), Phrase(f"more than {most} digits", f"超过 {most} 位数字"))
    value = reader.number(width_of(count))
    if value >= 10**count:
        raise malformed(str(value), Phrase(f"more than {count} digits", f"超过 {count} 位数字"))
    return str(value).zfill(count) if count else ""


# ------------------------------------------------------------------ characters
class _Method(NamedTuple):
    indicator: int
    cost: Callable[[str], int | None]
    write: Callable[[str], str]
    read: Callable[[Reader, int], str]


def _each(alphabet: str, width: int) -> tuple[
    Callable[[str], int | None], Callable[[str], str], Callable[[Reader, int], str]
]:  # fmt: skip
    places = {char: at for at, char in enumerate(alphabet)}

    def cost(text: str) -> int | None:
        return width * len(text) if all(char in places for char in text) else None

    def write(text: str) -> str:
        return "".join(number(places[char], width) for char in text)

    def read(reader: Reader, count: int) -> str:
        return "".join(alphabet[reader.number(width)] for _ in range(count))

    return cost, write, read


def _code40_cost(text: str) -> int | None:
    fits = all(char in CODE40[1:] for char in text)
    return -(-len(text) // 3) * 16 if fits else None


def _write_code40(text: str) -> str:
    groups = [text[at : at + 3].ljust(3, "\0") for at in range(0, len(text), 3)]
    return "".join(
        number(sum(CODE40.index(char) * 40**power for char, power in zip(group, (2, 1, 0),
               strict=True)) + 1, 16)
        for group in groups
    )  # fmt: skip


def _read_code40(reader: Reader, count: int) -> str:
    found = ""
    for _ in range(-(-count // 3)):
        value = reader.number(16) - 1
        if not 0 <= value < 40**3:
            raise malformed(
                str(value), Phrase("no group of URN Code 40", "不是 URN Code 40 的字符组")
            )
        found += "".join(CODE40[value // 40**power % 40] for power in (2, 1, 0))
    if "\0" in found[:count] or found[count:].strip("\0"):
        raise malformed(
            found, Phrase("URN Code 40 and its count differ", "URN Code 40 与其计数不符")
        )
    return found[:count]


def _digits_cost(text: str) -> int | None:
    return width_of(len(text)) if text.isascii() and text.isdigit() else None


_METHODS = (
    _Method(
        0,
        _digits_cost,
        lambda text: number(int(text), width_of(len(text))),
        lambda reader, count: _read_digits(reader, count, 99),
    ),
    _Method(1, *_each(UPPER_HEX, _NIBBLE)),
    _Method(2, *_each(LOWER_HEX, _NIBBLE)),
    _Method(3, *_each(BASE64, _BASE64_BITS)),
    _Method(4, *_each("".join(map(chr, range(128))), _ASCII_BITS)),
    _Method(5, _code40_cost, _write_code40, _read_code40),
)


def alphanumeric(text: str, length_bits: int) -> str:
    """Method, count, characters (§14.5.6), by the method that needs the fewest bits."""
    costs = [(cost, one.indicator) for one in _METHODS if (cost := one.cost(text)) is not None]
    if not costs or not text or len(text) >= 2**length_bits:
        raise malformed(
            text,
            Phrase(
                f"no text of 1 to {2**length_bits - 1} ASCII characters",
                f"不是 1 至 {2**length_bits - 1} 个 ASCII 字符的文本",
            ),
        )
    method = _METHODS[min(costs)[1]]
    return number(method.indicator, 3) + number(len(text), length_bits) + method.write(text)


def read_alphanumeric(reader: Reader, length_bits: int, most: int) -> str:
    """The characters, whatever the method."""
    indicator = reader.number(3)
    if indicator >= len(_METHODS):
        raise malformed(str(indicator), Phrase("reserved encoding indicator", "编码指示符为保留值"))
    count = reader.number(length_bits)
    if not 0 < count <= most:
        raise malformed(str(count), Phrase(f"1 to {most} characters", f"应为 1 至 {most} 个字符"))
    return _METHODS[indicator].read(reader, count)


def delimited(text: str, length_bits: int) -> str:
    """Leading digits as nibbles, then the end, or a delimiter and what is not a digit (§14.5.5)."""
    digits = next((text[:at] for at, char in enumerate(text) if not char.isdecimal()), text)
    rest = text[len(digits) :]
    return nibbles(digits) + (_DELIMITER + alphanumeric(rest, length_bits) if rest else _TERMINATOR)


def read_delimited(reader: Reader, length_bits: int, most: int) -> str:
    """The text of either kind."""
    found = ""
    while (nibble := reader.take(_NIBBLE)) not in {_DELIMITER, _TERMINATOR}:
        if int(nibble, 2) > 9 or len(found) >= most:  # noqa: PLR2004 - a digit
            raise malformed(
                found, Phrase("a digit above 9, or too many", "有大于 9 的数位，或位数过多")
            )
        found += str(int(nibble, 2))
    return found + (read_alphanumeric(reader, length_bits, most) if nibble == _DELIMITER else "")


# ------------------------------------------------------------------ older strings
def padded_string(text: str, bits: int) -> str:
    """Seven bits a character, zeros behind (§14.3.4)."""
    return "".join(number(ord(char), _ASCII_BITS) for char in text).ljust(bits, "0")


def read_padded_string(reader: Reader, bits: int) -> str:
    """The characters; a character behind a zero is malformed."""
    field = reader.take(bits)
    size = bits - bits % _ASCII_BITS
    codes = [int(field[at : at + _ASCII_BITS], 2) for at in range(0, size, _ASCII_BITS)]
    text = "".join(map(chr, codes)).rstrip("\0")
    if "\0" in text:
        raise malformed(text, Phrase("a gap in the characters", "字符之间有空缺"))
    return text
