"""EPC binary strings: encode and decode the schemes of ``epc.schemes``, as hex of EPC memory.

Layouts follow TDS 1.13 §14.6 and, for '+' schemes, TDS 2.0 §14.6; tables and tests are held
against the published example of each scheme (TDS 2.3 Annex E.3, as printed in a public resolver's
test). An EPC fills whole words of 16 bits, zeros behind. Data that follow a '+' EPC when its
toggle bit is set (+AIDC) are kept as they are, not read. '++' schemes (host names) are not read.
"""

from typing import NamedTuple

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.bitstring import number
from mingwu.wire.epc import bits as b
from mingwu.wire.epc.identity import (
    NO_EXTENSION,
    Identity,
    checked,
    from_elements,
    from_uri,
    key_and_serial,
    kind_of,
)
from mingwu.wire.epc.schemes import (
    BY_HEADER,
    GID,
    GID_BITS,
    GID_HEADER,
    KINDS,
    LONGEST_PREFIX,
    PLUS,
    PREFIX_BITS,
    SCHEMES,
    Plus,
    Scheme,
    find,
)
from mingwu.wire.gs1.ai import validate
from mingwu.wire.gs1.elements import Elements

_WORD = 16
_REFERENCE, _SERIAL = Phrase("reference", "参考代码"), Phrase("serial", "序列号")
_FILTER, _KIND, _PART = Phrase("filter", "滤值"), Phrase("kind", "类别"), Phrase("part", "数值")
_DATE, _ELEMENTS = Phrase("date", "日期"), Phrase("elements", "单元数据")
_MOST_HEX = 2 * 2 * 62  # the PC word counts at most 31 words; '+' data may follow in two halves
_LENGTH_BITS = 5
_FILTERS = 8
_DATES = ("11", "13", "15", "16", "17", "7006", "7007")
"""What the date of a dsgtin+ is, by its type."""

_CPI_BITS = 6
_GCP_COUNT = 7
# Digits or characters that a serial or extension may have, and width of its count, in '+' schemes.
_SERIALS = {"sgtin": 20, "sgln": 20, "grai": 16, "gdti": 17, "itip": 20}


class Epc(NamedTuple):
    """A tag's EPC. ``identity`` is None for '+' schemes; ``date`` is (AI, YYMMDD) of dsgtin+;
    ``rest`` the bits behind a '+' EPC.
    """

    scheme: str
    filter_value: int
    elements: Elements
    identity: Identity | None = None
    date: tuple[str, str] | None = None
    toggle: bool = False
    rest: str = ""

    @property
    def tag_uri(self) -> str:
        """The tag URI; empty for '+' schemes, which have none."""
        return self.identity.tag_uri(self.scheme, self.filter_value) if self.identity else ""


# ------------------------------------------------------------------ encode
def encode(
    scheme: str,
    elements: Elements,
    *,
    prefix_digits: int = 0,
    filter_value: int = 0,
    date: tuple[str, str] | None = None,
) -> str:
    """Hex of whole words. ``prefix_digits`` of the GS1 company prefix is needed by all but '+'.

    Raises InvalidInput ``epc.…`` or ``gs1.…``.
    """
    found = find(scheme)
    if not 0 <= filter_value < _FILTERS:
        raise _unfit(scheme, _FILTER, str(filter_value), Phrase("0 to 7", "0 至 7"))
    if isinstance(found, Plus):
        return to_hex(_plus(found, elements, filter_value, date))
    return to_hex(_classic(found, from_elements(found.kind, elements, prefix_digits), filter_value))


def encode_uri(uri: str, *, scheme: str = "", filter_value: int = 0) -> str:
    """Hex of a tag URI, or of a pure identity URI in a given scheme."""
    identity, own, own_filter = from_uri(uri)
    scheme, filter_value = (own, own_filter) if own else (scheme, filter_value)
    if identity.kind == "gid":
        return to_hex(_gid(identity))
    found = find(scheme)
    if isinstance(found, Plus) or found.kind != identity.kind:
        raise _unfit(scheme, _KIND, identity.kind, Phrase("another kind of key", "属于另一类编码"))
    if not 0 <= filter_value < _FILTERS:
        raise _unfit(scheme, _FILTER, str(filter_value), Phrase("0 to 7", "0 至 7"))
    return to_hex(_classic(found, identity, filter_value))


def to_hex(bits: str) -> str:
    """Whole words, upper case."""
    bits = bits.ljust(-(-len(bits) // _WORD) * _WORD, "0")
    return f"{int(bits, 2):0{len(bits) // 4}X}"


def _unfit(scheme: str, part: str, value: str, fault: str) -> InvalidInput:
    return InvalidInput("epc.unfit", scheme=scheme, part=part, value=value[:60], fault=fault)


def _gid(identity: Identity) -> str:
    bits = number(GID_HEADER, 8)
    for value, width in zip(map(int, identity.parts), GID_BITS, strict=True):
        if value >= 2**width:
            raise _unfit(GID, _PART, str(value), Phrase(f"over {width} bits", f"超过 {width} 位"))
        bits += number(value, width)
    return bits


def _classic(scheme: Scheme, identity: Identity, filter_value: int) -> str:
    prefix, reference = identity.parts[:2]
    width = PREFIX_BITS[len(prefix)]
    bits = number(scheme.header, 8) + number(filter_value, 3)
    bits += number(LONGEST_PREFIX - len(prefix), 3) + number(int(prefix), width)
    bits += _reference(scheme, reference, scheme.pair - width)
    if identity.kind == "itip":
        bits += number(int(identity.parts[2]), 7) + number(int(identity.parts[3]), 7)
    serial = identity.parts[-1] if scheme.serial else ""
    return bits + _serial(scheme, serial) + "0" * scheme.tail


def _reference(scheme: Scheme, reference: str, width: int) -> str:
    if scheme.name == "cpi-var":
        text = "".join(number(ord(char) & 0x3F, _CPI_BITS) for char in reference)
        return text + "0" * _CPI_BITS
    if scheme.name == "giai-202":
        if len(reference) * 7 > width:
            raise _unfit(
                scheme.name,
                _REFERENCE,
                reference,
                Phrase(f"over {width // 7} characters", f"超过 {width // 7} 个字符"),
            )
        return b.padded_string(reference, width)
    if scheme.kind in {"giai", "cpi"} and not _plain_number(reference):
        raise _unfit(
            scheme.name,
            _REFERENCE,
            reference,
            Phrase("digits without leading zeros only", "只能是无前导零的数字"),
        )
    value = int(reference or "0")
    if value >= 2**width:
        raise _unfit(
            scheme.name, _REFERENCE, reference, Phrase(f"over {width} bits", f"超过 {width} 位")
        )
    return number(value, width)


def _plain_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _serial(scheme: Scheme, serial: str) -> str:
    width = scheme.serial_bits
    if scheme.serial == "s":
        if len(serial) * 7 > width:
            raise _unfit(
                scheme.name,
                _SERIAL,
                serial,
                Phrase(f"over {width // 7} characters", f"超过 {width // 7} 个字符"),
            )
        return b.padded_string(serial, width)
    if scheme.serial == "n":
        serial = "1" + serial  # keeps leading zeros (TDS §14.3.6)
    elif scheme.serial and not _plain_number(serial):
        raise _unfit(
            scheme.name,
            _SERIAL,
            serial,
            Phrase("digits without leading zeros only", "只能是无前导零的数字"),
        )
    if scheme.serial and int(serial) >= 2**width:
        raise _unfit(
            scheme.name,
            _SERIAL,
            serial,
            Phrase(f"at most {2**width - 1}", f"不得大于 {2**width - 1}"),
        )
    return number(int(serial), width) if scheme.serial else ""


def _plus(scheme: Plus, elements: Elements, filter_value: int, date: tuple[str, str] | None) -> str:
    known = KINDS[scheme.kind]
    key, serial = key_and_serial(known, elements)
    bits = number(scheme.header, 8) + "0" + number(filter_value, 3)
    if scheme.dated:
        bits += _date(scheme.name, date)
    if scheme.kind in {"giai", "cpi"}:
        bits += b.delimited(key, _LENGTH_BITS)
    else:
        bits += b.nibbles(key)
    if scheme.kind == "cpi":
        return bits + b.counted(serial, 4)
    if scheme.kind == "sgcn":
        return bits + b.counted(serial, 4)
    if scheme.kind in _SERIALS:
        bits += b.alphanumeric(serial, _LENGTH_BITS)
    return bits


def _date(scheme: str, date: tuple[str, str] | None) -> str:
    ai, day = date or ("", "")
    if ai not in _DATES:
        raise _unfit(
            scheme,
            _DATE,
            ai,
            Phrase(f"one of {', '.join(_DATES)} is needed", f"需要 {'、'.join(_DATES)} 之一"),
        )
    validate(ai, day)
    year, month, of_month = int(day[:2]), int(day[2:4]), int(day[4:6])
    return number(_DATES.index(ai), 4) + number(year, 7) + number(month, 4) + number(of_month, 5)


# ------------------------------------------------------------------ decode
def decode(hexadecimal: str) -> Epc:
    """The EPC that memory holds; raises InvalidInput ``epc.…`` or ``gs1.…``."""
    text = "".join(hexadecimal.split()).removeprefix("0x")
    if not 4 <= len(text) <= _MOST_HEX or not all(one in "0123456789abcdefABCDEF" for one in text):  # noqa: PLR2004
        raise b.malformed(
            hexadecimal,
            Phrase(f"4 to {_MOST_HEX} hexadecimal digits", f"应为 4 至 {_MOST_HEX} 个十六进制数字"),
        )
    reader = b.Reader(f"{int(text, 16):0{len(text) * 4}b}")
    header = reader.number(8)
    if header == GID_HEADER:
        parts = tuple(str(reader.number(width)) for width in GID_BITS)
        _end(reader.rest(), text)
        return Epc(GID, 0, (), checked(Identity("gid", parts)))
    scheme = BY_HEADER.get(header)
    if scheme is None:
        raise InvalidInput("epc.header", header=f"{header:02X}")
    return _read_plus(scheme, reader) if isinstance(scheme, Plus) else _read(scheme, reader, text)


def _end(rest: str, text: str) -> None:
    if "1" in rest:
        raise b.malformed(text, Phrase("data behind its end", "结尾之后还有数据"))


def _read(scheme: Scheme, reader: b.Reader, text: str) -> Epc:
    filter_value, partition = reader.number(3), reader.number(3)
    if partition >= _GCP_COUNT:
        raise b.malformed(text, Phrase("partition value 7", "分区值为 7"))
    digits = LONGEST_PREFIX - partition
    width = PREFIX_BITS[digits]
    prefix = _digits(reader.number(width), digits, text)
    size = KINDS[scheme.kind].digits - digits
    parts: tuple[str, ...] = (prefix, _read_reference(scheme, reader, scheme.pair - width, size))
    if scheme.kind == "itip":
        parts += (_digits(reader.number(7), 2, text), _digits(reader.number(7), 2, text))
    if scheme.serial:
        parts += (_read_serial(scheme, reader, text),)
    _end(reader.rest(), text)
    identity = checked(Identity(scheme.kind, parts))
    return Epc(scheme.name, filter_value, identity.elements, identity)


def _digits(value: int, count: int, text: str) -> str:
    if value >= 10**count:
        raise b.malformed(
            text, Phrase(f"a part of more than {count} digits", f"某部分超过 {count} 位数字")
        )
    return str(value).zfill(count) if count else ""


def _read_reference(scheme: Scheme, reader: b.Reader, width: int, size: int) -> str:
    if scheme.name == "cpi-var":
        found = ""
        while code := reader.number(_CPI_BITS):
            # six bits of ASCII: letters lost their 0x40, digits and signs kept their 0x20
            found += chr(code if code & 0x20 else code | 0x40)
        return found
    if scheme.name == "giai-202":
        return b.read_padded_string(reader, width)
    value = reader.number(width)
    return str(value) if scheme.kind in {"giai", "cpi"} else _digits(value, size, str(value))


def _read_serial(scheme: Scheme, reader: b.Reader, text: str) -> str:
    if scheme.serial == "s":
        return b.read_padded_string(reader, scheme.serial_bits)
    found = str(reader.number(scheme.serial_bits))
    if scheme.serial == "n":
        if found[0] != "1":
            raise b.malformed(
                text, Phrase("a serial that does not begin with its mark", "序列号缺少起始标记")
            )
        return found[1:]
    return found


def _read_plus(scheme: Plus, reader: b.Reader) -> Epc:
    toggle, filter_value = reader.take(1) == "1", reader.number(3)
    date = _read_date(reader) if scheme.dated else None
    known = KINDS[scheme.kind]
    if scheme.kind in {"giai", "cpi"}:
        key = b.read_delimited(reader, _LENGTH_BITS, 30)
    else:
        size = {"sgtin": 14, "grai": 14, "itip": 18}.get(scheme.kind, known.digits + 1)
        key = b.read_nibbles(reader, size)
    serial = ""
    if scheme.kind in {"cpi", "sgcn"}:
        serial = b.read_counted(reader, 4, 12)
    elif scheme.kind in _SERIALS:
        serial = b.read_alphanumeric(reader, _LENGTH_BITS, _SERIALS[scheme.kind])
    elements: Elements = ((known.ai, key),)
    if serial and not known.serial_ai:
        elements = ((known.ai, key + serial),)
    elif serial and not (scheme.kind == "sgln" and serial == NO_EXTENSION):
        elements = (*elements, (known.serial_ai, serial))
    for ai, value in elements:
        validate(ai, value)
    rest = reader.rest()
    return Epc(scheme.name, filter_value, elements, None, date, toggle, rest if "1" in rest else "")


def _read_date(reader: b.Reader) -> tuple[str, str]:
    kind = reader.number(4)
    day = f"{reader.number(7):02}{reader.number(4):02}{reader.number(5):02}"
    if kind >= len(_DATES):
        raise b.malformed(str(kind), Phrase("reserved date type", "日期类型为保留值"))
    validate(_DATES[kind], day)
    return _DATES[kind], day


def suggest(elements: Elements) -> str:
    """The shortest scheme of 96 bits that can carry the elements, else their '+' scheme.

    Raises InvalidInput ``epc.unfit`` when no key is among them.
    """
    kind = kind_of(elements)
    if kind is None:
        shown = "".join(f"({ai})" for ai, _ in elements)
        raise _unfit(
            "EPC",
            _ELEMENTS,
            shown,
            Phrase("none of them is a key that tags carry", "其中没有标签可承载的主键"),
        )
    _, serial = key_and_serial(kind, elements)
    short = f"{kind.name}-96"
    scheme = SCHEMES.get(short)
    plain = kind.name not in {"giai", "cpi"} and scheme is not None
    if plain and scheme is not None:
        try:
            _serial(scheme, serial)
        except InvalidInput:
            return f"{kind.name}+"
        return short
    return f"{kind.name}+" if f"{kind.name}+" in PLUS else short
