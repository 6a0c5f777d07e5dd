"""Tag memory around an EPC: the PC word, and two ways to carry an identifier that is no GS1 key.

``PC`` (Gen2, ISO/IEC 18000-63 §6.3.2.1.2): five bits count the words of the EPC, then user memory
indicator, XPC indicator, toggle (1: what follows is no EPC), eight bits AFI or attributes.

National identifiers (88., 86.) have no EPC scheme. Two forms are offered, both *our own reading*:
``UII`` is modelled on ISO 17367 with the data identifier 25S and the agency code VAA in six-bit
characters, toggle set, AFI A1 (the ISO texts were not at hand); it takes capital letters, digits
and the signs of that alphabet, and since names ignore ASCII case nothing is lost by it. ``USER``
is a record of our own for any name: "MW", version 1, length, UTF-8, CRC-16 of all before it.
"""

from typing import NamedTuple

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold, parse
from mingwu.wire.bitstring import number
from mingwu.wire.epc.bits import Reader, malformed

AFI_ITEM = 0xA1
_LEAD = "25SVAA"
_SIX = 6
_END, _FILL = "100001", "100000"
_WORD = 16
_MOST_WORDS = 31
_MAGIC = b"MW\x01"
_MOST_BYTES = 255


class Uii(NamedTuple):
    """What to write: the PC word and the words behind it, as hex."""

    pc: str
    words: str


def pc_word(words: int, *, user: bool = False, toggle: bool = False, attributes: int = 0) -> str:
    """The PC word of so many words behind it; raises InvalidInput ``epc.unfit``."""
    if not 0 <= words <= _MOST_WORDS:
        fault = Phrase(f"at most {_MOST_WORDS} words", f"最多 {_MOST_WORDS} 个字")
        raise InvalidInput(
            "epc.unfit", scheme="PC", part=Phrase("length", "长度"), value=str(words), fault=fault
        )
    bits = number(words, 5) + ("1" if user else "0") + "0" + ("1" if toggle else "0")
    return f"{int(bits + number(attributes, 8), 2):04X}"


def national_uii(name: str) -> Uii:
    """A national identifier in the EPC bank; raises InvalidInput ``epc.unfit``."""
    parse(name)
    text = fold(name)
    if not text.startswith(("86.", "88.")) or not all('"' <= char <= "_" for char in text):
        raise InvalidInput(
            "epc.unfit", scheme="UII", part=Phrase("name", "标识"), value=name[:60],
            fault=Phrase(
                '86. or 88. in the 62 characters from " to _; use user memory',
                '须以 86. 或 88. 开头，字符在 " 至 _ 之间；否则请用用户区',
            ),
        )  # fmt: skip
    bits = "".join(number(ord(char) & 0x3F, _SIX) for char in _LEAD + text) + _END
    missing = -len(bits) % _WORD
    bits += (_FILL * 3)[:missing]
    words = len(bits) // _WORD
    return Uii(
        pc_word(words, toggle=True, attributes=AFI_ITEM), f"{int(bits, 2):0{len(bits) // 4}X}"
    )


def read_national_uii(pc: str, words: str) -> str:
    """The identifier behind a PC word; raises InvalidInput ``epc.malformed``."""
    head = int(_hex(pc, _WORD // 4), 2)
    if not head >> 8 & 1 or head & 0xFF != AFI_ITEM:
        raise malformed(
            pc, Phrase("the toggle or AFI of another content", "切换位或 AFI 表明是其他内容")
        )
    reader = Reader(_hex(words)[: (head >> 11) * _WORD])
    text = ""
    while (code := reader.take(_SIX)) != _END:
        value = int(code, 2)
        text += chr(value if value & 0x20 else value | 0x40)
    if not text.startswith(_LEAD):
        raise malformed(text, Phrase(f"not led by {_LEAD}", f"不以 {_LEAD} 开头"))
    name = text.removeprefix(_LEAD)
    parse(name)
    return name


def user_record(name: str) -> str:
    """Any name as a record of user memory, whole words as hex."""
    parse(name)
    data = name.encode()
    if len(data) > _MOST_BYTES:
        fault = Phrase(f"over {_MOST_BYTES} bytes of UTF-8", f"UTF-8 超过 {_MOST_BYTES} 字节")
        raise InvalidInput(
            "epc.unfit", scheme="USER", part=Phrase("name", "标识"), value=name[:60], fault=fault
        )
    body = _MAGIC + bytes([len(data)]) + data
    whole = body + crc16(body).to_bytes(2, "big")
    return (whole + b"\0" * (len(whole) % 2)).hex().upper()


def read_user_record(words: str) -> str:
    """The name of such a record; raises InvalidInput ``epc.malformed``."""
    bits = _hex(words)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    size = len(_MAGIC) + 1 + (data[3] if len(data) > len(_MAGIC) else 0)
    if not data.startswith(_MAGIC) or len(data) < size + 2:
        raise malformed(words, Phrase("no record of this form", "不是此形式的记录"))
    if crc16(data[:size]) != int.from_bytes(data[size : size + 2], "big"):
        raise malformed(words, Phrase("its check sum is wrong", "校验和不符"))
    try:
        name = data[4:size].decode()
    except UnicodeDecodeError as error:
        raise malformed(words, Phrase("no UTF-8", "不是 UTF-8 文本")) from error
    parse(name)
    return name


def crc16(data: bytes) -> int:
    """CRC-16 of Gen2 (Annex F): polynomial 1021, preset FFFF, complemented."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc ^ 0xFFFF


def _hex(text: str, digits: int = 0) -> str:
    plain = "".join(text.split())
    good = all(char in "0123456789abcdefABCDEF" for char in plain) and len(plain) % 2 == 0
    if not plain or not good or len(plain) > 2048 or (digits and len(plain) != digits):  # noqa: PLR2004
        raise malformed(text, Phrase("no hexadecimal words", "不是十六进制字"))
    return f"{int(plain, 16):0{len(plain) * 4}b}"
