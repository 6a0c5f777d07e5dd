"""EPC identities: what a tag says, and its forms as URIs, GS1 elements and Digital Link.

An identity knows its kind, the parts in the order of its pure identity URI (company prefix,
reference, serial …) and how long the company prefix is; '+' schemes do not know that length and
have no URIs (TDS 2.0 has them use the Digital Link instead). The prefix's length is never guessed:
turning elements into an identity with URIs takes it from the caller.
"""

from typing import NamedTuple

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.epc.bits import malformed
from mingwu.wire.epc.schemes import KINDS, LONGEST_PREFIX, SHORTEST_PREFIX, Kind
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.ai import validate
from mingwu.wire.gs1.checks import check_digit
from mingwu.wire.gs1.elements import Elements

# Characters of keys that a URN may not carry as they are (TDS Annex A).
_ESCAPED = frozenset('"#%&/<>?')
_PURE, _TAG = "urn:epc:id:", "urn:epc:tag:"
_GTIN_BODY = 13
_PIECES = 4
NO_EXTENSION = "0"
"""The extension of a location that has none."""


class Identity(NamedTuple):
    """``parts`` of gid: manager, class, serial; of others: prefix, reference, then what follows."""

    kind: str
    parts: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """The company prefix."""
        return self.parts[0]

    @property
    def uri(self) -> str:
        """The pure identity URI (TDS §6)."""
        return f"{_PURE}{self.kind}:{_joined(self.parts)}"

    def tag_uri(self, scheme: str, filter_value: int) -> str:
        """The tag URI (TDS §12); gid has no filter."""
        lead = "" if self.kind == "gid" else f"{filter_value}."
        return f"{_TAG}{scheme}:{lead}{_joined(self.parts)}"

    @property
    def elements(self) -> Elements:
        """GS1 elements; raises InvalidInput ``epc.unfit`` for gid, which has none."""
        return _elements(self)

    @property
    def digital_link(self) -> str:
        """The canonical Digital Link URI."""
        return link.from_elements(self.elements).uri


def _joined(parts: tuple[str, ...]) -> str:
    return ".".join(
        "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in part)
        for part in parts
    )


def from_uri(uri: str) -> tuple[Identity, str, int]:
    """(identity, scheme, filter) of a pure identity or tag URI; scheme empty for the first.

    Raises InvalidInput ``epc.malformed``.
    """
    scheme, filter_value = "", 0
    if uri.startswith(_TAG):
        scheme, colon, body = uri.removeprefix(_TAG).partition(":")
        kind = scheme.partition("-")[0]
        if colon and kind != "gid":
            lead, _, body = body.partition(".")
            if lead not in set("01234567"):
                raise malformed(uri, Phrase("filter value 0 to 7", "滤值应为 0 至 7"))
            filter_value = int(lead)
    elif uri.startswith(_PURE):
        kind, colon, body = uri.removeprefix(_PURE).partition(":")
    else:
        raise malformed(uri, Phrase(f"neither {_PURE} nor {_TAG}", f"既不是 {_PURE} 也不是 {_TAG}"))
    parts = tuple(_plain(part, uri) for part in _split(kind, body))
    return checked(Identity(kind, parts)), scheme, filter_value


def _split(kind: str, body: str) -> list[str]:
    """Dots separate parts; those of a serial belong to it."""
    count = 2 if kind in {"sscc", "giai", "gsrn", "gsrnp"} else 5 if kind == "itip" else 3
    return body.split(".", count - 1)


def _plain(part: str, uri: str) -> str:
    found, at = "", 0
    while at < len(part):
        char = part[at]
        if char == "%":
            code = part[at + 1 : at + 3]
            if len(code) < 2 or not all(one in "0123456789abcdefABCDEF" for one in code):  # noqa: PLR2004
                raise malformed(uri, Phrase("a broken percent escape", "百分号转义不完整"))
            char, at = chr(int(code, 16)), at + 2
        found, at = found + char, at + 1
    return found


def checked(identity: Identity) -> Identity:
    """The identity if its parts are sound; raises InvalidInput ``epc.malformed`` or ``gs1.…``."""
    kind, parts = identity
    if kind == "gid":
        if len(parts) != 3 or not all(_is_number(part) for part in parts):  # noqa: PLR2004
            raise malformed(
                ".".join(parts),
                Phrase("three numbers without leading zeros", "应为三个无前导零的数"),
            )
        return identity
    known = KINDS.get(kind)
    if known is None:
        raise malformed(kind, Phrase("unknown kind", "类别未知"))
    wanted = 5 if kind == "itip" else 3 if known.serial_ai or kind in _ATTACHED else 2
    if len(parts) != wanted or not _is_digits(parts[0]):
        raise malformed(
            ".".join(parts),
            Phrase(
                f"{wanted} parts, a company prefix first", f"应有 {wanted} 个部分，厂商识别代码在前"
            ),
        )
    if not SHORTEST_PREFIX <= len(parts[0]) <= LONGEST_PREFIX:
        raise InvalidInput("epc.prefix-needed", scheme=kind)
    if known.digits:
        size = known.digits - len(parts[0])
        if len(parts[1]) != size or not (_is_digits(parts[1]) or not size):
            raise malformed(
                ".".join(parts), Phrase(f"a reference of {size} digits", f"参考代码应为 {size} 位")
            )
    for ai, value in _elements(identity):
        validate(ai, value)
    return identity


_ATTACHED = frozenset({"grai", "gdti", "sgcn"})
"""Kinds whose serial follows the key within one AI."""


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_number(text: str) -> bool:
    return _is_digits(text) and (text == "0" or text[0] != "0")


def _elements(identity: Identity) -> Elements:
    kind, parts = identity
    if kind == "gid":
        raise InvalidInput(
            "epc.unfit",
            scheme="gid",
            part="–",
            value=identity.uri,
            fault=Phrase("it is no GS1 key", "它不是 GS1 编码"),
        )
    known = KINDS[kind]
    key = _key(kind, parts)
    if kind == "itip":
        return (known.ai, key + parts[2] + parts[3]), ("21", parts[4])
    if kind in _ATTACHED:
        return ((known.ai, key + parts[2]),)
    if not known.serial_ai:
        return ((known.ai, key),)
    if kind == "sgln" and parts[2] == NO_EXTENSION:
        return ((known.ai, key),)
    return (known.ai, key), (known.serial_ai, parts[2])


def _key(kind: str, parts: tuple[str, ...]) -> str:
    prefix, reference = parts[0], parts[1]
    if kind in {"giai", "cpi"}:
        return prefix + reference
    if kind in {"sgtin", "itip", "sscc"}:  # indicator or extension digit stands in front
        body = reference[:1] + prefix + reference[1:]
    else:
        body = prefix + reference
    zero = "0" if kind == "grai" else ""
    return zero + body + check_digit(zero + body)


def from_elements(kind: str, elements: Elements, prefix_digits: int) -> Identity:
    """The identity of elements whose company prefix has so many digits.

    Raises InvalidInput ``epc.prefix-needed``, ``epc.unfit`` or the element's own fault.
    """
    known = KINDS[kind]
    if not SHORTEST_PREFIX <= prefix_digits <= LONGEST_PREFIX:
        raise InvalidInput("epc.prefix-needed", scheme=kind)
    key, serial = key_and_serial(known, elements)
    if kind in {"giai", "cpi"}:
        parts: tuple[str, ...] = (key[:prefix_digits], key[prefix_digits:])
    else:
        body = key[1:-1] if kind == "grai" else key[:-1]
        pieces: tuple[str, ...] = ()
        if kind == "itip":
            body, pieces = key[:_GTIN_BODY], (key[14:16], key[16:18])
        if kind in {"sgtin", "itip", "sscc"}:
            rest = body[1:]
            parts = (rest[:prefix_digits], body[0] + rest[prefix_digits:], *pieces)
        else:
            parts = (body[:prefix_digits], body[prefix_digits:])
    if known.serial_ai or kind in _ATTACHED:
        parts = (*parts, serial)
    return checked(Identity(kind, parts))


def key_and_serial(known: Kind, elements: Elements) -> tuple[str, str]:
    """The key with its check digit, and the serial; raises InvalidInput ``epc.unfit``."""
    found = dict(elements)
    key = found.get(known.ai, "")
    serial = found.get(known.serial_ai, "") if known.serial_ai else ""
    if not key:
        raise _missing(known.name, known.ai)
    validate(known.ai, key)
    if known.name in _ATTACHED:
        size = 14 if known.name == "grai" else 13
        key, serial = key[:size], key[size:]
    if known.name == "sgln" and not serial:
        serial = NO_EXTENSION
    if (known.serial_ai or known.name in _ATTACHED) and not serial:
        raise _missing(known.name, known.serial_ai or known.ai)
    if known.serial_ai and known.serial_ai in found:
        validate(known.serial_ai, found[known.serial_ai])
    return key, serial


def _missing(kind: str, ai: str) -> InvalidInput:
    return InvalidInput(
        "epc.unfit",
        scheme=kind,
        part=f"({ai})",
        value="",
        fault=Phrase("it is missing", "缺少该项"),
    )


def kind_of(elements: Elements) -> Kind | None:
    """The kind whose key is among the elements."""
    found = {ai for ai, _ in elements}
    return next((one for one in KINDS.values() if one.ai in found), None)
