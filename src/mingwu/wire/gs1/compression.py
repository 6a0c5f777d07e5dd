"""Compressed Digital Links (GS1 Digital Link: URI Syntax 1.1-1.2, compression): AIs as bits.

Each AI is its digits, four bits each, or two hexadecimal digits that stand for a sequence of AIs;
then its components: fixed digits as one number, digits of variable length with their count,
characters with the method that wrote them (3 bits: digits, hexadecimal lower, upper, base64url,
7-bit ASCII) and their count. All is padded to six bits and written in base64url. A link is
compressed whole (``/AQnYUc1gmg``) or behind its primary key (``/01/05412345000013/EEarwSM``).
Modelled on the published prototype of GS1 and held against the vectors of three public
implementations. Words of the query that are no AIs (marked by F) are read, not written. EPC
binary strings (``eh…``, ``ex…``) are another format, see ``epc.linkform``.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.bitstring import BitReader, number
from mingwu.wire.gs1.ai import AIS, PRIMARY_KEYS, validate
from mingwu.wire.gs1.elements import Elements

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEXT = re.compile("[A-Za-z0-9_-]{3,500}")
_SIX, _BYTE = 6, 8
_ASCII = 4
_WORD = "1111"
_ALPHABETS = {
    1: ("0123456789abcdef", 4),
    2: ("0123456789ABCDEF", 4),
    3: (_BASE64, 6),
    _ASCII: ("".join(map(chr, range(128))), 7),
}
_SEQUENCES = {
    "0A": "01 22", "0B": "01 10", "0C": "01 21", "0D": "01 17", "0E": "01 7003", "0F": "01 30",
    "1A": "01 10 21 17", "1B": "01 15", "1C": "01 11", "1D": "01 16", "1E": "01 91",
    "1F": "01 10 15", **{f"2{digit}": f"01 310{at}" for at, digit in enumerate("ABCDEF")},
    **{f"3{digit}": f"01 320{at}" for at, digit in enumerate("ABCDEF")},
    "9A": "8010 8011", "9B": "8017 8019", "9C": "8018 8019", "9D": "414 254",
    **{f"A{at}": f"01 392{at}" for at in range(10)},
    **{f"C{at}": f"255 390{at}" for at in range(10)},
    **{f"C{digit}": f"255 394{at}" for at, digit in enumerate("ABCD")},
}  # fmt: skip
# Where the table of the compression cuts data otherwise than the General Specifications do.
_OTHERWISE = {
    "8006": "N18", "8026": "N18", "423": "N3+N..12", "425": "N3+N..12", "8007": "X..24",
    **{str(ai): "X..30" for ai in range(7230, 7240)},
}  # fmt: skip
_COMPONENT = re.compile(r"([NXYZ])(\.\.)?(\d+)[cpd]*(\??)")


Words = tuple[tuple[str, str], ...]
"""Keys and values that are no AIs."""


class Unpacked(NamedTuple):
    """What a compressed text held."""

    elements: Elements
    words: Words


class _Part(NamedTuple):
    digits: bool
    fixed: bool
    most: int


@lru_cache(maxsize=512)
def _parts(ai: str) -> tuple[_Part, ...]:
    form = _OTHERWISE.get(ai, AIS[ai].form)
    return tuple(
        _Part(kind == "N", not (up_to or optional), int(size))
        for kind, up_to, size, optional in _COMPONENT.findall(form)
    )


def _width(digits: int) -> int:
    """Bits of a number of so many digits; the format spends one on none."""
    return math.ceil(digits * math.log2(10) + 0.01)


def _count_width(most: int) -> int:
    return math.ceil(math.log2(most) + 0.01)


def _fault(text: str, detail: str) -> InvalidInput:
    return InvalidInput("gs1.structure", text=text[:100], detail=detail)


# ------------------------------------------------------------------ compress
def compress(elements: Elements, *, sequences: bool = False) -> str:
    """The text of the elements; ``sequences`` writes known sequences of AIs as one code.

    Raises InvalidInput ``gs1.…`` for data that the format cannot hold.
    """
    found = dict(elements)
    bits = ""
    if sequences:
        for code, ais in sorted(_SEQUENCES.items(), key=lambda item: -len(item[1])):
            names = ais.split()
            if all(ai in found for ai in names):
                data = "".join(_data(ai, found.pop(ai)) for ai in names)
                bits += number(int(code, 16), _BYTE) + data
                break
    for ai in sorted(found, key=lambda ai: (ai[:1] != "0", int(ai))):
        bits += "".join(number(int(digit), 4) for digit in ai) + _data(ai, found[ai])
    bits = bits.ljust(-(-len(bits) // _SIX) * _SIX, "0")
    return "".join(_BASE64[int(bits[at : at + _SIX], 2)] for at in range(0, len(bits), _SIX))


def _data(ai: str, value: str) -> str:
    validate(ai, value)
    bits, rest = "", value
    for part in _parts(ai):
        size = part.most if part.fixed else min(part.most, len(rest))
        piece, rest = rest[:size], rest[size:]
        if len(piece) < size:
            raise _fault(
                value,
                Phrase(
                    f"({ai}) is shorter than the compression wants", f"({ai}) 短于压缩格式的要求"
                ),
            )
        bits += _piece(part, piece)
    if rest:
        raise _fault(
            value,
            Phrase(
                f"({ai}) is longer than the compression holds", f"({ai}) 超过压缩格式可容纳的长度"
            ),
        )
    return bits


def _piece(part: _Part, piece: str) -> str:
    count = "" if part.fixed else number(len(piece), _count_width(part.most))
    if part.digits:
        return count + number(int(piece or "0"), _width(len(piece)))
    if piece.isdigit():
        return number(0, 3) + count + number(int(piece), _width(len(piece)))
    if not piece:
        return number(_ASCII, 3) + count
    method = next(
        one for one, (alphabet, _) in _ALPHABETS.items() if all(char in alphabet for char in piece)
    )
    alphabet, width = _ALPHABETS[method]
    return number(method, 3) + count + "".join(
        number(alphabet.index(char), width) for char in piece
    )  # fmt: skip


# ------------------------------------------------------------------ decompress
def decompress(text: str) -> Unpacked:
    """The contents of a compressed text, each AI checked; raises InvalidInput ``gs1.…``."""
    if not TEXT.fullmatch(text):
        raise _fault(text, Phrase("no compressed link", "不是压缩链接"))
    bits = "".join(number(_BASE64.index(char), _SIX) for char in text)
    reader = BitReader(bits, lambda fault: _fault(text, fault))
    found: dict[str, str] = {}
    words: list[tuple[str, str]] = []
    while reader.left >= _BYTE:
        if bits.startswith(_WORD, len(bits) - reader.left):
            words.append(_read_word(reader, text))
            continue
        for ai in _next_ais(reader, text):
            value = _read(ai, reader, text)
            validate(ai, value)
            if found.setdefault(ai, value) != value:
                raise _fault(
                    text,
                    Phrase(
                        f"({ai}) stands twice with different data", f"({ai}) 出现两次且数据不同"
                    ),
                )
    if "1" in reader.rest() or not found:
        raise _fault(text, Phrase("something is left over at its end", "末尾有多余内容"))
    return Unpacked(tuple(found.items()), tuple(words))


def _read_word(reader: BitReader, text: str) -> tuple[str, str]:
    """A word that is no AI: count and base64url characters, then method, count, value."""
    reader.take(len(_WORD))
    key = "".join(_BASE64[reader.number(_SIX)] for _ in range(reader.number(7)))
    return key, _read_piece(_Part(digits=False, fixed=False, most=127), reader, text)


def _next_ais(reader: BitReader, text: str) -> Iterator[str]:
    code = f"{reader.number(_BYTE):02X}"
    if code in _SEQUENCES:
        yield from _SEQUENCES[code].split()
        return
    if not code.isdecimal():
        raise _fault(text, Phrase(f"code {code} is not known", f"未知代码 {code}"))
    while code not in AIS:
        if len(code) == 4:  # noqa: PLR2004 - digits of the longest AI
            raise _fault(
                text, Phrase(f"({code}) is no application identifier", f"({code}) 不是应用标识符")
            )
        code += f"{reader.number(4):X}"
    yield code


def _read(ai: str, reader: BitReader, text: str) -> str:
    return "".join(_read_piece(part, reader, text) for part in _parts(ai))


def _read_piece(part: _Part, reader: BitReader, text: str) -> str:
    method = 0 if part.digits else reader.number(3)
    count = part.most if part.fixed else reader.number(_count_width(part.most))
    if count > part.most or (method and method not in _ALPHABETS):
        raise _fault(text, Phrase("a count or method out of range", "计数或编码方法超出范围"))
    if not method:
        value = reader.number(_width(count))
        if value >= 10**count:
            raise _fault(text, Phrase(f"more than {count} digits", f"超过 {count} 位数字"))
        return str(value).zfill(count) if count else ""
    alphabet, width = _ALPHABETS[method]
    return "".join(alphabet[reader.number(width)] for _ in range(count))


# ------------------------------------------------------------------ paths
def unpacked(segments: list[str]) -> tuple[list[str], Unpacked] | None:
    """(stem, contents) of a path whose last segment is compressed, or None for other paths.

    The elements have exactly one primary key, else the segment is somebody's ordinary word.
    """
    if not segments or not TEXT.fullmatch(segments[-1]):
        return None
    try:
        found = decompress(segments[-1])
        if len(segments) > 2 and segments[-3] in PRIMARY_KEYS:  # noqa: PLR2004 - key, data, rest
            key, value = segments[-3], unquote(segments[-2], errors="replace")
            value = value.zfill(14) if key == "01" else value
            validate(key, value)
            return segments[:-3], found._replace(elements=((key, value), *found.elements))
    except InvalidInput:
        return None
    keys = [ai for ai, _ in found.elements if ai in PRIMARY_KEYS]
    return (segments[:-1], found) if len(keys) == 1 else None
