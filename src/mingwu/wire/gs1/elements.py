r"""Element strings: AIs with their data, as readers give them and as people write them.

Scanned: AI and data one after the other, FNC1 (transmitted as GS, 0x1D) behind data of variable
length, with or without the symbology identifier of ISO/IEC 15424 in front (``]C1``, ``]d2``,
``]Q3``, ``]e0``, ``]J1``). Written: AIs in brackets, ``(01)…(10)…``; a bracket within data is
``\(``. Bare digits: 8, 12, 13 or 14 are a GTIN, 17 a GSIN, 18 an SSCC.
"""

import re

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.gs1.ai import AIS, validate

Elements = tuple[tuple[str, str], ...]
"""(AI, data) in the order read."""

SEPARATOR = "\x1d"
_SYMBOLOGIES = ("]C1", "]d2", "]Q3", "]e0", "]J1")
_BRACKETED = re.compile(r"\(([0-9]{2,4})\)((?:\\\(|[^(])*)")
_BARE = {8: "01", 12: "01", 13: "01", 14: "01", 17: "402", 18: "00"}
GTIN_DIGITS = 14


def parse(text: str) -> Elements:
    """Read any of the forms and check every part; raises InvalidInput ``gs1.…``."""
    if text.startswith("("):
        elements = _written(text)
    else:
        ai = _BARE.get(len(text)) if text.isascii() and text.isdigit() else None
        elements = (
            ((ai, text.zfill(GTIN_DIGITS) if ai == "01" else text),) if ai else _scanned(text)
        )
    seen: dict[str, str] = {}
    for ai, value in elements:
        validate(ai, value)
        if seen.setdefault(ai, value) != value:
            raise _fault(
                text,
                Phrase(f"({ai}) stands twice with different data", f"({ai}) 出现两次且数据不同"),
            )
    return tuple(seen.items())


def _fault(text: str, detail: str) -> InvalidInput:
    return InvalidInput("gs1.structure", text=text[:100], detail=detail)


def _written(text: str) -> Elements:
    found: list[tuple[str, str]] = []
    at = 0
    for match in _BRACKETED.finditer(text):
        if match.start() != at:
            break
        found.append((match[1], match[2].replace("\\(", "(")))
        at = match.end()
    if at != len(text) or not found:
        raise _fault(
            text, Phrase(f"no (AI) at character {at + 1}", f"第 {at + 1} 个字符处没有 (AI)")
        )
    return tuple(found)


def _scanned(text: str) -> Elements:
    rest = text[3:] if text.startswith(_SYMBOLOGIES) else text
    rest = rest.removeprefix(SEPARATOR)
    found: list[tuple[str, str]] = []
    while rest:
        ai = next((rest[:size] for size in (2, 3, 4) if rest[:size] in AIS), "")
        if not ai:
            raise _fault(
                text,
                Phrase(
                    f"no application identifier at “{rest[:8]}”", f"“{rest[:8]}”处没有应用标识符"
                ),
            )
        known, rest = AIS[ai], rest[len(ai) :]
        if known.needs_separator:
            value, _, rest = rest.partition(SEPARATOR)
        else:
            match = known.pattern.match(rest)
            if match is None:
                raise _fault(text, Phrase(f"({ai}) is cut short", f"({ai}) 不完整"))
            value, rest = match[0], rest[match.end() :].removeprefix(SEPARATOR)
        found.append((ai, value))
    if not found:
        raise _fault(text, Phrase("it is empty", "为空"))
    return tuple(found)


def written(elements: Elements) -> str:
    """The form for people: ``(01)…(10)…``."""
    return "".join(f"({ai}){value.replace('(', chr(92) + '(')}" for ai, value in elements)


def scanned(elements: Elements) -> str:
    """The form that symbols carry, GS where FNC1 must stand; fixed lengths first."""
    ordered = sorted(elements, key=lambda item: AIS[item[0]].needs_separator)
    parts = [ai + value + (SEPARATOR if AIS[ai].needs_separator else "") for ai, value in ordered]
    return "".join(parts).removesuffix(SEPARATOR)
