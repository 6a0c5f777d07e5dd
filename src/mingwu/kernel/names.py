"""Identifiers: ``prefix/suffix`` as in the Handle System and the national scheme (VAA).

Rules (facts: RFC 3650 names; national documents: whole identifier at most 255 characters):
the prefix is digits and letters in dot-separated labels; the suffix is any printable text without
control characters. Comparison folds ASCII case and applies Unicode NFC; the spelling first
registered is the one shown.
"""

import re
import unicodedata
from dataclasses import dataclass

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

MAX_CHARS = 255
NO_SLASH = Phrase("no “/” between prefix and suffix", "前缀与后缀之间没有“/”")
NO_SUFFIX = Phrase("nothing after the “/”", "“/”之后没有后缀")
_PREFIX = re.compile(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*")
_ASCII_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


@dataclass(frozen=True, slots=True)
class Identifier:
    """A parsed identifier; ``str()`` gives the spelling it was made with."""

    prefix: str
    suffix: str

    def __str__(self) -> str:
        return f"{self.prefix}/{self.suffix}"

    @property
    def key(self) -> str:
        """What two spellings of the same name have in common."""
        return fold(str(self))


def fold(name: str) -> str:
    """Comparison key: NFC, ASCII letters upper-cased, other scripts left as they are."""
    if name.isascii():
        return name.upper()
    return unicodedata.normalize("NFC", name).translate(_ASCII_UPPER)


def parse(name: str) -> Identifier:
    """Parse ``prefix/suffix``; raises InvalidInput ``name.malformed`` with the fault."""
    if len(name) > MAX_CHARS:
        raise InvalidInput(
            "name.malformed",
            name=name[:40] + "…",
            fault=Phrase(f"longer than {MAX_CHARS}", f"超过 {MAX_CHARS} 个字符"),
        )
    prefix, slash, suffix = name.partition("/")
    if not slash or not suffix:
        raise InvalidInput("name.malformed", name=name, fault=NO_SUFFIX if slash else NO_SLASH)
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput("name.malformed", name=name, fault=Phrase("bad prefix", "前缀不合规则"))
    plain = suffix.isascii() and suffix.isprintable()  # the usual case, for a tenth of the time
    if not plain and any(unicodedata.category(char).startswith("C") for char in suffix):
        raise InvalidInput(
            "name.malformed",
            name=name,
            fault=Phrase("control character in the suffix", "后缀含有控制字符"),
        )
    return Identifier(prefix, suffix)
