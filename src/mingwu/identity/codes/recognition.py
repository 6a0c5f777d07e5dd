"""Which system a text belongs to, over all systems.

What a reader puts in front of its data (symbology identifiers, ISO/IEC 15424: ``]Q1``, ``]d2`` …)
is taken away first, except where it says that an element string follows.

The first character decides which systems are asked, so the common case costs one of them. A text
can have several readings (13 digits are a GTIN and a location number); :func:`readings` gives all,
sound ones first, :func:`recognise` the first of them.
"""

import re

from mingwu.identity.codes import did, ecode, gs1, handle, oid, vaa
from mingwu.identity.codes.code import Code, CodeSystem
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1.checks import has_check_digit

SYSTEMS: tuple[CodeSystem, ...] = (did, vaa, gs1, oid, ecode, handle)
NAMES = {
    "handle": ("Handle", "Handle"),
    "vaa": ("national identifier (VAA)", "国家标识（VAA）"),
    "gs1": ("GS1", "GS1"),
    "oid": ("object identifier (OID)", "对象标识符（OID）"),
    "ecode": ("Ecode", "物品编码 Ecode"),
    "did": ("decentralised identifier (DID)", "分布式标识（DID）"),
}
"""System: its name in English and Chinese."""

_MOST_CHARS = 4096
# So much fits that the text is meant for this system, though another could read it too.
_DECISIVE = frozenset({"gs1.check-digit", "codes.vaa"})
_GLN_DIGITS = 13
_DIGITS: tuple[CodeSystem, ...] = (vaa, gs1, oid, ecode, handle)
_LETTERS: tuple[CodeSystem, ...] = (did, gs1, ecode, oid, vaa, handle)
_BY_FIRST: dict[str, tuple[CodeSystem, ...]] = {
    **dict.fromkeys("0123456789", _DIGITS),
    "(": (gs1,),
    "]": (gs1,),
    "/": (oid,),
    "{": (oid,),
    "d": (did, vaa, handle),
    "h": (gs1, vaa, handle),
    "u": (oid, gs1, handle),
}


_IDENTIFIER = re.compile(r"\][A-Za-z][0-9A-Za-z]")
# FNC1 in first place: an element string follows.
_ELEMENTS = {"]C1": "]C1", "]d2": "]d2", "]Q3": "]Q3", "]e0": "]e0", "]J1": "]J1"}
_ELEMENTS |= {"]d5": "]d2", "]Q4": "]Q3"}
_TELL_ECI = frozenset({"]Q2", "]Q4", "]Q6", "]d4", "]d5", "]d6"})
_ECI = re.compile(r"\\(?:(\\)|[0-9]{6})")


def without_identifier(text: str) -> str:
    """What a reader gave without the symbology identifier; element strings keep theirs."""
    if not _IDENTIFIER.match(text):
        return text
    mark, data = text[:3], text[3:]
    if mark in _TELL_ECI:  # \\000026 says UTF-8, a backslash of the data is doubled
        data = _ECI.sub(lambda found: found[1] or "", data)
    return _ELEMENTS.get(mark, "") + data


def recognise(text: str) -> Code | None:
    """The best reading of ``text`` (outer blanks ignored), or None."""
    text = without_identifier(text.strip(" \t\r\n"))
    if not text or len(text) > _MOST_CHARS:
        return None
    faulty: Code | None = None
    for system in _BY_FIRST.get(text[0], _LETTERS):
        code = system.recognise(text)
        if code is not None:
            if code.fault is None or code.fault.code in _DECISIVE:
                return code
            faulty = faulty or code
    return faulty


def readings(text: str) -> list[Code]:
    """All readings, sound ones first."""
    text = without_identifier(text.strip(" \t\r\n"))
    if not text or len(text) > _MOST_CHARS:
        return []
    found = [code for system in SYSTEMS if (code := system.recognise(text)) is not None]
    if len(text) == _GLN_DIGITS and text.isascii() and text.isdigit() and has_check_digit(text):
        found.append(Code("gs1", "gln", f"414/{text}", (("414", text),)))
    return sorted(found, key=lambda code: code.fault is not None)


def require(text: str) -> Code:
    """The sound reading of ``text``; raises InvalidInput with the fault."""
    code = recognise(text)
    if code is None:
        raise InvalidInput("codes.unknown", text=text[:60])
    if code.fault is not None:
        raise code.fault.error()
    return code
