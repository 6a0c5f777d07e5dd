"""National identifiers of the industrial internet: ``88.industry.enterprise/suffix``, VAA ``86.…``.

Grammar: a country or issuer number of two digits (86, 88), industry or region of three to five
digits, enterprise of 1 to 128 digits, then "/" and a suffix; at most 255 characters. The digit
counts come from the public did:cn specification, the only formal grammar at hand; the rest is
modelled on published examples. Resolution is the Handle protocol's, so is folding.

VAA is also the agency's issuing agency code of ISO/IEC 15459: an identifier may stand behind it
(``VAA88.100.1/A``), with or without the data identifier 25S of a unique item in front.
"""

import re

from mingwu.identity.codes import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.codes import handle
from mingwu.identity.codes.code import Code, Fault, fault_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold, parse

SYSTEM = "vaa"
ISSUERS = frozenset({"86", "88"})
_GOOD = re.compile(r"(8[68])\.(\d{3,5})\.(\d{1,128})/([ -~]+)")
_AGENCY = re.compile(r"(?:25S)?VAA(?=8[68]\.)")
_LABEL_RULES = (
    ("industry", re.compile("[0-9]{3,5}"), Phrase("3-5 digits", "3至5位数字")),
    ("enterprise", re.compile("[0-9]{1,128}"), Phrase("1-128 digits", "1至128位数字")),
)
_PARTS = {"industry": Phrase("industry", "行业"), "enterprise": Phrase("enterprise", "企业")}
_MOST_CHARS = 255


def recognise(text: str) -> Code | None:
    """Read a national identifier; None unless it begins with one of the country numbers."""
    agency = _AGENCY.match(text)
    digits = text[:1] == "8"
    bare = text[agency.end() :] if agency else text if digits else handle.bare(text)
    if bare[:3] not in {"86.", "88."} or "/" not in bare:
        return None
    kind = "issuing-agency" if agency else "identifier"
    good = _GOOD.fullmatch(bare)
    if good is not None and len(bare) <= _MOST_CHARS:
        issuer, industry, enterprise, suffix = good.groups()
        parts = (
            ("issuer", issuer), ("industry", industry), ("enterprise", enterprise),
            ("prefix", bare[: good.start(4) - 1]), ("suffix", suffix),
        )  # fmt: skip
        return Code(SYSTEM, kind, bare.upper(), parts)
    return _slowly(bare, kind)


def _slowly(bare: str, kind: str) -> Code:
    prefix, _, suffix = bare.partition("/")
    parts = (("prefix", prefix), ("suffix", suffix))
    try:
        parse(bare)
    except InvalidInput as error:
        return Code(SYSTEM, kind, fold(bare), parts, fault_of(error))
    labels = prefix.split(".")
    for place, (part, rule, words) in enumerate(_LABEL_RULES, start=1):
        if len(labels) != 1 + len(_LABEL_RULES) or not rule.fullmatch(labels[place]):
            params: dict[str, object] = {"text": bare[:60], "part": _PARTS[part], "rule": words}
            return Code(SYSTEM, kind, fold(bare), parts, Fault("codes.vaa", params))
    named = tuple(zip(("issuer", "industry", "enterprise"), labels, strict=True))
    return Code(SYSTEM, kind, fold(bare), (*named, *parts))
