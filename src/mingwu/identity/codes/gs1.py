"""GS1 keys in every form a reader or a person gives: digits, element strings, Digital Link URIs,
EPC URIs of RFID readers.

Canonical is the Digital Link path of the entity without a leading slash, e.g.
``01/09506000134352/21/12``: primary key and qualifiers; attributes such as dates are not part of
what is identified. Data keep their case, as GS1 wants it.
"""

import re
from functools import lru_cache

from mingwu.identity.codes.code import Code, Fault, fault_of
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.epc.identity import from_uri
from mingwu.wire.epc.linkform import SEGMENT, elements_of
from mingwu.wire.epc.schemes import KINDS as EPC_KINDS
from mingwu.wire.gs1 import elements, link
from mingwu.wire.gs1.ai import AIS
from mingwu.wire.gs1.checks import check_digit

SYSTEM = "gs1"
KINDS = {
    "00": "sscc", "01": "gtin", "253": "gdti", "255": "gcn", "401": "ginc", "402": "gsin",
    "410": "gln", "411": "gln", "412": "gln", "413": "gln", "414": "gln", "415": "gln",
    "416": "gln", "417": "gln", "8003": "grai", "8004": "giai", "8006": "itip", "8010": "cpid",
    "8013": "gmn", "8017": "gsrn", "8018": "gsrn",
}  # fmt: skip
# A key with its check digit, behind its AI: what readers give that transmit no identifier.
_UNMARKED = re.compile(r"(?:01|8006)\d{14}|(?:00|801[78])\d{18}|(?:253|255|414)\d{13}|8003\d{14}")
_GTIN_LENGTHS = frozenset({8, 12, 13, 14})
_MARKED_GTIN_DIGITS, _GSIN_DIGITS, _SSCC_DIGITS = 16, 17, 18


def recognise(text: str) -> Code | None:
    """Read a GS1 code; None for other shapes."""
    if text.isascii() and text.isdigit():
        return _digits(text)
    if text.startswith(("(", "]")) or elements.SEPARATOR in text or _UNMARKED.match(text):
        return _composed(text)
    if text[:4].lower() == "http":
        return _address(text)
    if text[:8].lower() == "urn:epc:":
        return _epc("urn:epc:" + text[8:])
    first, slash, _ = text.partition("/")
    if slash and first in KINDS and link.looks_like_path(text.rstrip("/").split("/")):
        return _path(text)
    return None


def _digits(text: str) -> Code | None:
    count = len(text)
    parts: tuple[tuple[str, str], ...]
    if count in _GTIN_LENGTHS:
        value = text.zfill(14)
        parts = (("01", value), ("written", f"GTIN-{count}"))
        kind, ai = "gtin", "01"
    elif count == _SSCC_DIGITS:
        value, parts, kind, ai = text, (("00", text),), "sscc", "00"
    else:
        sure = count in {_GSIN_DIGITS, _MARKED_GTIN_DIGITS} or count > _SSCC_DIGITS
        return _composed(text) if sure else None
    expected = check_digit(text[:-1])
    if expected == text[-1]:
        return Code(SYSTEM, kind, f"{ai}/{value}", parts)
    params: dict[str, object] = {
        "ai": ai, "title": AIS[ai].title, "value": text, "expected": expected,
    }  # fmt: skip
    return Code(SYSTEM, kind, f"{ai}/{value}", parts, Fault("gs1.check-digit", params))


@lru_cache(512)
def _composed(text: str) -> Code | None:
    surely = text.startswith(("(", "]")) or elements.SEPARATOR in text
    try:
        found = link.from_elements(elements.parse(text))
    except InvalidInput as error:
        # long digits that make no element string are some other system's number
        return Code(SYSTEM, "element-string", text, (), fault_of(error)) if surely else None
    return of_link(found)


@lru_cache(512)
def _epc(text: str) -> Code | None:
    """A pure identity or tag URI; None for those that are no GS1 key (gid, usdod, adi)."""
    try:
        identity, _, _ = from_uri(text)
        return of_link(link.from_elements(identity.elements))
    except InvalidInput as error:
        kind = text.split(":")[3].partition("-")[0] if text.count(":") > 3 else ""  # noqa: PLR2004
        return Code(SYSTEM, "epc", text, (), fault_of(error)) if kind in EPC_KINDS else None


@lru_cache(512)
def _address(text: str) -> Code | None:
    last = text.partition("?")[0].rpartition("/")[2]
    if SEGMENT.fullmatch(last):
        try:
            return of_link(link.from_elements(elements_of(last)))
        except InvalidInput:
            return None  # a word that begins like an EPC binary string
    try:
        return of_link(link.parse_uri(text))
    except InvalidInput as error:
        path = text.partition("://")[2].partition("?")[0]
        if not link.looks_like_path(path.removesuffix("/").split("/")[1:]):
            return None  # an address like any other
        return Code(SYSTEM, "digital-link", text, (), fault_of(error))


@lru_cache(512)
def _path(text: str) -> Code:
    try:
        return of_link(link.DigitalLink(link.parse_path("/" + text.rstrip("/"))[1]))
    except InvalidInput as error:
        return Code(SYSTEM, "digital-link", text, (), fault_of(error))


def of_link(found: link.DigitalLink) -> Code:
    """The code that a Digital Link names."""
    return Code(SYSTEM, KINDS[found.entity[0][0]], found.path, (*found.entity, *found.attributes))
