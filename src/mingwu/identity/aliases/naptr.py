"""Answers of the OID resolution system (ITU-T X.672 | ISO/IEC 29168-1) as data.

An OID becomes a domain name (its arcs reversed under oid-res.org), and what is known of it becomes
NAPTR records: order, preference, flag "u" (the result is a URI), service ``ORS+<type>``, a regular
expression that yields the URI. Types: COID canonical form, CINF children, RINF registration, MINF
module, UINF any URI. Modelled on the recommendation's contents and public descriptions. Over DNS
they are served by ``aliases.dnszone``.
"""

import msgspec

from mingwu.identity.codes.code import Code
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound

DOMAIN = "oid-res.org"
SERVICES = ("COID", "CINF", "RINF", "MINF", "UINF")
SERVICE_TYPE = "ORS."
_ORDER = 100
_LABEL_BYTES, _NAME_CHARS = 63, 253


class Naptr(msgspec.Struct, frozen=True, kw_only=True):
    """One NAPTR record (RFC 3403 §4); ``ttl`` in seconds."""

    order: int
    preference: int
    flags: str
    services: str
    regexp: str
    replacement: str
    ttl: int


class OrsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the system answers about an OID."""

    oid: str
    fqdn: str
    names: list[str]
    answers: list[Naptr]


def fqdn(code: Code) -> str:
    """The domain name of an OID; raises InvalidInput ``codes.oid`` when it has no room in DNS."""
    dotted = not code.canonical.startswith("/")
    labels = code.canonical.split(".") if dotted else code.canonical[1:].split("/")
    try:
        ascii_labels = [label.encode("idna").decode() if not label.isascii() else label
                        for label in labels]  # fmt: skip
    except UnicodeError as error:
        raise _fault(code, str(error)) from error
    name = ".".join([*reversed(ascii_labels), DOMAIN])
    if len(name) > _NAME_CHARS or any(len(label) > _LABEL_BYTES for label in ascii_labels):
        raise _fault(code, Phrase("too long for a domain name", "超过域名长度"))
    return name


def _fault(code: Code, detail: str) -> InvalidInput:
    return InvalidInput("codes.oid", text=code.canonical[:60], detail=detail)


def answer(store: RecordStore, code: Code) -> OrsAnswer:
    """What is known of an OID; raises NotFound ``name.unknown`` when no name has it as alias."""
    domain = fqdn(code)
    names = sorted(store.named(code.key))
    records = [record for name in names if (record := store.get(name)) is not None]
    if not records:
        raise NotFound("name.unknown", name=code.canonical)
    found = [_naptr("COID", f"urn:oid:{code.canonical}", 0, 86_400)] if code.canonical[0] != "/" \
        else []  # fmt: skip
    for record in records:
        found += _of_record(record)
    return OrsAnswer(oid=code.canonical, fqdn=domain, names=names, answers=found)


def _of_record(record: Record) -> list[Naptr]:
    kinds = {"URL": "UINF", **{SERVICE_TYPE + service: service for service in SERVICES}}
    return [
        _naptr(kinds[value.type], value.text(), place, value.ttl)
        for place, value in enumerate(record.values)
        if value.is_public and value.type in kinds
    ]


def _naptr(service: str, uri: str, place: int, ttl: int) -> Naptr:
    # "!" separates the parts of the expression, "\\" would refer to a group of it
    inert = "".join(char if "!" < char <= "~" and char != "\\" else _percent(char) for char in uri)
    return Naptr(
        order=_ORDER,
        preference=10 + place,
        flags="u",
        services=f"ORS+{service}",
        regexp=f"!^.*$!{inert}!",
        replacement=".",
        ttl=ttl,
    )


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
