"""Object identifiers: dot notation, ``urn:oid:``, OID-IRI, ASN.1 (ITU-T X.660, X.680, RFC 3061).

Rules: the first arc is 0, 1 or 2; under 0 and 1 the second is at most 39; numbers have no leading
zero. OID-IRI labels: a number, or letters, digits, "-", ".", "_", "~" and other scripts' letters
(case matters); some arcs below joint-iso-itu-t stand at the top as "long arcs" (``/Example/1``).
ASN.1: ``{iso(1) member-body(2) cn(156)}``; every arc has its number, or is a name of the top.
Canonical is the dot notation when every label is a number or one of the few standard labels
below; else the IRI itself, because only the registration tree knows the numbers.
"""

import re

from mingwu.identity.codes import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.codes.code import Code, Fault
from mingwu.kernel.catalogue import Phrase

SYSTEM = "oid"
_DOTTED = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_SHAPE = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_LABEL = re.compile(r"[^\W_](?:[\w.~-]*[^\W_])?|0|[1-9][0-9]*")
_NUMBER = re.compile("0|[1-9][0-9]*")
_MOST_SECOND = 39
_MOST_CHARS = 2000
# Labels of the tree's top (X.660 Annex A); deeper ones are not ours to know.
_TOP = {
    "ITU-T": "0", "CCITT": "0", "ISO": "1", "Joint-ISO-ITU-T": "2", "Joint-ISO-CCITT": "2",
}  # fmt: skip
_SECOND = {
    ("0", "Recommendation"): "0",
    ("1", "Standard"): "0",
    ("1", "Registration-Authority"): "1",
    ("1", "Member-Body"): "2",
    ("1", "Identified-Organization"): "3",
}
# Below joint-iso-itu-t; X.660 lets these labels stand at the top, too ("long arcs").
_LONG = {
    "ASN.1": "1", "Country": "16", "International-Organizations": "23", "UUID": "25",
    "Tag-Based": "27", "ITS": "28", "BIP": "41", "Telebiometrics": "42", "Cybersecurity": "48",
    "Alerting": "49", "GS1": "51", "Example": "999",
}  # fmt: skip
_SECOND |= {("2", label): number for label, number in _LONG.items()}
_ARC = re.compile(r"(?:[a-z][A-Za-z0-9-]*)?\((0|[1-9][0-9]*)\)|(0|[1-9][0-9]*)")
_NAMED = {"itu-t": "0", "ccitt": "0", "iso": "1", "joint-iso-itu-t": "2", "joint-iso-ccitt": "2"}


def recognise(text: str) -> Code | None:
    """Read an object identifier; None for other shapes."""
    lower = text[:8].lower()
    bare = text[8:] if lower == "urn:oid:" else text[4:] if lower[:4] == "oid:" else text
    if bare.startswith("/"):
        return _iri(bare, surely=bare is not text)
    if bare.startswith("{"):
        return _asn1(bare)
    if not _SHAPE.fullmatch(bare):
        return (
            _broken("dotted", bare, Phrase("no numbers with dots between", "应为以点分隔的数字"))
            if bare is not text
            else None
        )
    if not _DOTTED.fullmatch(bare):
        return _broken(
            "dotted",
            bare,
            Phrase("first arc 0, 1 or 2; no leading zeros", "首弧须为 0、1 或 2，且不得有前导零"),
        )
    return _dotted("dotted", bare)


def _dotted(kind: str, bare: str) -> Code:
    first, _, rest = bare.partition(".")
    second = rest.partition(".")[0]
    if first != "2" and (len(second) > 2 or int(second) > _MOST_SECOND):  # noqa: PLR2004
        return _broken(
            kind, bare, Phrase(f"second arc at most {_MOST_SECOND}", f"第二弧最大为 {_MOST_SECOND}")
        )
    return Code(SYSTEM, kind, bare, (("arcs", bare),))


def _iri(text: str, *, surely: bool) -> Code | None:
    labels = text[1:].split("/")
    if labels[0] in _LONG:
        labels = ["2", *labels]
    first = _TOP.get(labels[0], labels[0])
    if first not in {"0", "1", "2"}:
        return _broken("iri", text, Phrase("unknown top label", "顶层标签未知")) if surely else None
    if len(text) > _MOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        return _broken(
            "iri",
            text,
            Phrase(
                "a label is empty or has characters that labels may not have",
                "标签为空或含有不允许的字符",
            ),
        )
    numbers = [first, *labels[1:]]
    if len(numbers) > 1:
        numbers[1] = _SECOND.get((first, numbers[1]), numbers[1])
    if len(numbers) > 1 and all(map(_NUMBER.fullmatch, numbers)):
        return _dotted("iri", ".".join(numbers))
    return Code(SYSTEM, "iri", "/" + "/".join(numbers), (("iri", text),))


def _asn1(text: str) -> Code:
    """The value notation of ASN.1."""
    words = text[1:-1].split() if text.endswith("}") and len(text) <= _MOST_CHARS else []
    arcs = [_ARC.fullmatch(word) for word in words]
    numbers = [arc[1] or arc[2] if arc else "" for arc in arcs]
    if numbers and not numbers[0]:
        numbers[0] = _NAMED.get(words[0], "")
    if not numbers or not all(numbers):
        return _broken(
            "asn1", text, Phrase("{name(number) …}, each arc with its number",
                                 "{名称(数字) …}，每一弧须有数字")
        )  # fmt: skip
    dotted = ".".join(numbers)
    if not _DOTTED.fullmatch(dotted):
        return _broken("asn1", text, Phrase("first arc 0, 1 or 2", "首弧须为 0、1 或 2"))
    return _dotted("asn1", dotted)


def _broken(kind: str, text: str, detail: str) -> Code:
    fault = Fault("codes.oid", {"text": text[:60], "detail": detail})
    return Code(SYSTEM, kind, text, (), fault)
