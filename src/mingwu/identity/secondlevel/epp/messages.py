"""Registration at the top node: EPP commands, modelled on RFC 5730 and 5733.

The drafts for the interface between second-level and top-level node were not available beyond
their abstracts, so every name that they would fix stands in :data:`NAMES`. The object is a prefix
with the enterprise that holds it; RFC 5730's verbs keep their meaning (``transfer`` passes a prefix
to another enterprise, ``poll`` fetches what the top node decided later). A login proves the node's
SM2 key over the greeting's challenge, carried as RFC 8807 carries long passwords. Pure functions,
used by the client here and by the simulated top node; answers are in ``eppreply``.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from xml.etree import ElementTree as ET  # noqa: S405 - documents with a DTD are refused

import msgspec

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

NAMES: Mapping[str, str] = {
    "epp": "urn:ietf:params:xml:ns:epp-1.0",
    "object": "urn:mingwu:epp:sln-1.0",
    "security": "urn:ietf:params:xml:ns:epp:loginSec-1.0",
    "challenge": "urn:mingwu:epp:challenge-1.0:",
    "element": "enterprise",
    "prefix": "shrPrefix",
    "fields": "field",
    "transfer": "trStatus",
    "event": "event",
    "media": "application/epp+xml",
    "cookie": "EPPSESSION",
    "path": "/epp",
}
MOST_BYTES = 1 << 20
_LONG_PASSWORD = "[LOGIN-SECURITY]"  # noqa: S105 - RFC 8807 section 3: the password is elsewhere
_OBJECT_VERBS = frozenset({"check", "info", "create", "update", "delete", "transfer"})
VERBS = _OBJECT_VERBS | {"hello", "login", "logout", "poll"}


class Result(IntEnum):
    """Result codes (RFC 5730 section 3) in use."""

    OK = 1000
    PENDING = 1001
    NO_MESSAGES = 1300
    MESSAGE = 1301
    BYE = 1500
    SYNTAX = 2001
    USE = 2002
    PARAMETER = 2005
    AUTHENTICATION = 2200
    AUTHORIZATION = 2201
    TRANSFER_PENDING = 2300
    TRANSFER_NONE = 2301
    EXISTS = 2302
    MISSING = 2303
    PROHIBITED = 2304
    FAILED = 2400
    CLOSING = 2500


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command. ``op`` is that of transfer and poll, ``message`` the id a poll acknowledges.

    ``check`` asks about ``prefixes``; the others about ``prefix``.
    """

    verb: str
    id: str
    prefix: str = ""
    fields: dict[str, str] = {}
    op: str = ""
    message: str = ""
    prefixes: tuple[str, ...] = ()


def tag(name: str, space: str = "epp") -> str:
    """A qualified element name."""
    return f"{{{NAMES[space]}}}{name}"


def parse(document: bytes) -> ET.Element:
    """The root element; raises InvalidInput ``secondlevel.xml-bad``, also for any DTD."""
    if len(document) > MOST_BYTES:
        raise InvalidInput(
            "secondlevel.xml-bad", fault=Phrase(f"{len(document)} bytes", f"{len(document)} 字节")
        )
    try:
        # a tag soup in another encoding could hide a DTD from a search in bytes
        text = document.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "secondlevel.xml-bad", fault=Phrase("not UTF-8", "不是 UTF-8")
        ) from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InvalidInput(
            "secondlevel.xml-bad", fault=Phrase("a DTD is not allowed", "不允许 DTD")
        )
    try:
        root = ET.fromstring(document)  # noqa: S314 - no DTD, at most 1 MiB
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InvalidInput("secondlevel.xml-bad", fault=told(error)) from error
    if root.tag != tag("epp"):
        raise InvalidInput(
            "secondlevel.xml-bad",
            fault=Phrase(f"root element {root.tag[:80]}", f"根元素为 {root.tag[:80]}"),
        )
    return root


def written(root: ET.Element) -> bytes:
    """A document as bytes."""
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def login_payload(server: str, nonce: str, app: str, prefix: str) -> bytes:
    """What a login's signature is taken over."""
    return f"{server}\n{nonce}\n{app}\n{prefix}".encode()


def write_command(command: Command) -> bytes:
    """A command as XML."""
    root = ET.Element(tag("epp"))
    if command.verb == "hello":
        ET.SubElement(root, tag("hello"))
        return written(root)
    outer = ET.SubElement(root, tag("command"))
    verb = ET.SubElement(outer, tag(command.verb))
    if command.op:
        verb.set("op", command.op)
    if command.message:
        verb.set("msgID", command.message)
    if command.verb == "login":
        _login(outer, verb, command)
    elif command.verb in _OBJECT_VERBS:
        asked = command.prefixes if command.verb == "check" else (command.prefix,)
        add_object(verb, command.verb, asked, command.fields)
    ET.SubElement(outer, tag("clTRID")).text = command.id
    return written(root)


def _login(outer: ET.Element, verb: ET.Element, command: Command) -> None:
    ET.SubElement(verb, tag("clID")).text = command.fields.get("app", "")
    ET.SubElement(verb, tag("pw")).text = _LONG_PASSWORD
    options = ET.SubElement(verb, tag("options"))
    ET.SubElement(options, tag("version")).text = "1.0"
    ET.SubElement(options, tag("lang")).text = "en"
    services = ET.SubElement(verb, tag("svcs"))
    ET.SubElement(services, tag("objURI")).text = NAMES["object"]
    extension = ET.SubElement(outer, tag("extension"))
    security = ET.SubElement(extension, tag("loginSec", "security"))
    ET.SubElement(security, tag("pw", "security")).text = command.fields.get("signature", "")
    add_object(extension, NAMES["element"], (command.prefix,), {})


def add_object(
    parent: ET.Element, element: str, prefixes: Iterable[str], fields: Mapping[str, str]
) -> None:
    """Put an element of this profile's object with prefixes and fields below ``parent``."""
    inner = ET.SubElement(parent, tag(element, "object"))
    for prefix in prefixes:
        ET.SubElement(inner, tag(NAMES["prefix"], "object")).text = prefix
    for name, text in fields.items():
        field = ET.SubElement(inner, tag(NAMES["fields"], "object"), {"name": name})
        field.text = text


def read_fields(inner: ET.Element) -> dict[str, str]:
    """The fields of an element of this profile's object."""
    found = inner.findall(tag(NAMES["fields"], "object"))
    return {one.get("name", ""): one.text or "" for one in found}


def read_prefixes(inner: ET.Element) -> tuple[str, ...]:
    """The prefixes of an element of this profile's object."""
    return tuple(one.text or "" for one in inner.findall(tag(NAMES["prefix"], "object")))


def read_command(document: bytes) -> Command:
    """A command from XML; raises InvalidInput ``secondlevel.xml-bad``."""
    root = parse(document)
    if root.find(tag("hello")) is not None:
        return Command(verb="hello", id="")
    outer = root.find(tag("command"))
    beside = {tag("clTRID"), tag("extension")}
    verbs = [one for one in outer if one.tag not in beside] if outer is not None else []
    if outer is None or len(verbs) != 1:
        raise InvalidInput("secondlevel.xml-bad", fault=Phrase("not one command", "不是一条命令"))
    verb = verbs[0].tag.rpartition("}")[2]
    if verb not in VERBS or verbs[0].tag != tag(verb):
        raise InvalidInput(
            "secondlevel.xml-bad",
            fault=Phrase(f"unknown command {verb[:40]}", f"未知命令 {verb[:40]}"),
        )
    command = Command(
        verb=verb, id=outer.findtext(tag("clTRID")) or "", op=verbs[0].get("op", ""),
        message=verbs[0].get("msgID", ""),
    )  # fmt: skip
    if verb == "login":
        return _read_login(outer, verbs[0], command)
    if verb not in _OBJECT_VERBS:
        return command
    inner = verbs[0].find(tag(verb, "object"))
    if inner is None:
        raise InvalidInput(
            "secondlevel.xml-bad", fault=Phrase("no object of this profile", "不是本规范的对象")
        )
    prefixes = read_prefixes(inner)
    if verb == "check":
        return msgspec.structs.replace(command, prefixes=prefixes)
    prefix = prefixes[0] if prefixes else ""
    return msgspec.structs.replace(command, prefix=prefix, fields=read_fields(inner))


def _read_login(outer: ET.Element, verb: ET.Element, command: Command) -> Command:
    extension = outer.find(tag("extension"))
    signature = prefix = ""
    if extension is not None:
        path = f"{tag('loginSec', 'security')}/{tag('pw', 'security')}"
        signature = extension.findtext(path) or ""
        path = f"{tag(NAMES['element'], 'object')}/{tag(NAMES['prefix'], 'object')}"
        prefix = extension.findtext(path) or ""
    fields = {"app": verb.findtext(tag("clID")) or "", "signature": signature}
    return msgspec.structs.replace(command, prefix=prefix, fields=fields)
