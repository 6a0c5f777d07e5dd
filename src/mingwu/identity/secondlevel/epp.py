"""Registration at the top node: EPP frames, modelled on RFC 5730, 5733 and 5734.

The drafts for the interface between second-level and top-level node were not available beyond
their abstracts, so every name that they would fix stands in :data:`NAMES`. Frames: 4-byte length
(including itself) and an XML document. Login proves the node's SM2 key over the greeting, in place
of a password. Pure functions, used by the client here and by the simulated top node.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from xml.etree import ElementTree as ET  # noqa: S405 - documents with a DTD are refused

import msgspec

from mingwu.kernel.errors import InvalidInput

NAMES: Mapping[str, str] = {
    "epp": "urn:ietf:params:xml:ns:epp-1.0",
    "object": "urn:mingwu:epp:sln-1.0",
    "element": "enterprise",
    "prefix": "shrPrefix",
    "fields": "field",
}
HEAD_BYTES = 4
MOST_BYTES = 1 << 20
_LENGTH = struct.Struct(">I")


class Result(IntEnum):
    """Result codes (RFC 5730 §3) in use."""

    OK = 1000
    BYE = 1500
    SYNTAX = 2001
    PARAMETER = 2005
    AUTHENTICATION = 2200
    AUTHORIZATION = 2201
    EXISTS = 2302
    MISSING = 2303
    FAILED = 2400


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command: ``verb`` login, logout, create, update, delete or info."""

    verb: str
    id: str
    prefix: str = ""
    fields: dict[str, str] = {}


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: result code, text, the command's id, and fields of an info."""

    code: int
    text: str = ""
    id: str = ""
    fields: dict[str, str] = {}


def _tag(name: str, space: str = "epp") -> str:
    return f"{{{NAMES[space]}}}{name}"


def frame(document: bytes) -> bytes:
    """A document with its length in front."""
    return _LENGTH.pack(len(document) + HEAD_BYTES) + document


def frame_size(head: bytes) -> int:
    """Bytes that follow a frame's head; raises InvalidInput for an impossible length."""
    (size,) = _LENGTH.unpack(head)
    if not HEAD_BYTES < size <= MOST_BYTES:
        raise InvalidInput("secondlevel.xml-bad", fault=f"frame of {size} bytes")
    return int(size) - HEAD_BYTES


def parse(document: bytes) -> ET.Element:
    """The root element; raises InvalidInput ``secondlevel.xml-bad``, also for any DTD."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise InvalidInput("secondlevel.xml-bad", fault="a DTD is not allowed")
    try:
        root = ET.fromstring(document)  # noqa: S314 - no DTD, at most 1 MiB
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InvalidInput("secondlevel.xml-bad", fault=str(error)) from error
    if root.tag != _tag("epp"):
        raise InvalidInput("secondlevel.xml-bad", fault=f"root element {root.tag[:80]}")
    return root


def _document(root: ET.Element) -> bytes:
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def greeting(server: str, nonce: str) -> bytes:
    """A server's first document; ``nonce`` (its date and random part) is what a login signs."""
    root = ET.Element(_tag("epp"))
    inner = ET.SubElement(root, _tag("greeting"))
    ET.SubElement(inner, _tag("svID")).text = server
    ET.SubElement(inner, _tag("svDate")).text = nonce
    menu = ET.SubElement(inner, _tag("svcMenu"))
    ET.SubElement(menu, _tag("version")).text = "1.0"
    ET.SubElement(menu, _tag("objURI")).text = NAMES["object"]
    return _document(root)


def read_greeting(document: bytes) -> tuple[str, str]:
    """(server, nonce) of a greeting."""
    root = parse(document)
    path = f"{_tag('greeting')}/"
    nonce = root.findtext(path + _tag("svDate"))
    if not nonce:
        raise InvalidInput("secondlevel.xml-bad", fault="no greeting")
    return root.findtext(path + _tag("svID")) or "", nonce


def login_payload(server: str, nonce: str, app: str) -> bytes:
    """What a login's signature is taken over."""
    return f"{server}\n{nonce}\n{app}".encode()


def write_command(command: Command) -> bytes:
    """A command as XML."""
    root = ET.Element(_tag("epp"))
    outer = ET.SubElement(root, _tag("command"))
    verb = ET.SubElement(outer, _tag(command.verb))
    if command.verb == "login":
        ET.SubElement(verb, _tag("clID")).text = command.fields.get("app", "")
        ET.SubElement(verb, _tag("pw")).text = command.fields.get("signature", "")
    elif command.verb != "logout":
        _object(verb, command.verb, command.prefix, command.fields)
    ET.SubElement(outer, _tag("clTRID")).text = command.id
    return _document(root)


def _object(parent: ET.Element, verb: str, prefix: str, fields: Mapping[str, str]) -> None:
    inner = ET.SubElement(parent, _tag(verb, "object"))
    ET.SubElement(inner, _tag(NAMES["prefix"], "object")).text = prefix
    for name, text in fields.items():
        field = ET.SubElement(inner, _tag(NAMES["fields"], "object"), {"name": name})
        field.text = text


def read_command(document: bytes) -> Command:
    """A command from XML; raises InvalidInput ``secondlevel.xml-bad``."""
    outer = parse(document).find(_tag("command"))
    verbs = [one for one in outer if not one.tag.endswith("clTRID")] if outer is not None else []
    if outer is None or len(verbs) != 1:
        raise InvalidInput("secondlevel.xml-bad", fault="not one command")
    verb = verbs[0].tag.rpartition("}")[2]
    id_ = outer.findtext(_tag("clTRID")) or ""
    if verb == "login":
        fields = {
            "app": verbs[0].findtext(_tag("clID")) or "",
            "signature": verbs[0].findtext(_tag("pw")) or "",
        }
        return Command(verb=verb, id=id_, fields=fields)
    if verb == "logout":
        return Command(verb=verb, id=id_)
    if verb not in {"create", "update", "delete", "info"}:
        raise InvalidInput("secondlevel.xml-bad", fault=f"unknown command {verb[:40]}")
    inner = verbs[0].find(_tag(verb, "object"))
    if inner is None:
        raise InvalidInput("secondlevel.xml-bad", fault="no object of this profile")
    prefix = inner.findtext(_tag(NAMES["prefix"], "object")) or ""
    return Command(verb=verb, id=id_, prefix=prefix, fields=_fields(inner))


def _fields(inner: ET.Element) -> dict[str, str]:
    found = inner.findall(_tag(NAMES["fields"], "object"))
    return {one.get("name", ""): one.text or "" for one in found}


def write_response(response: Response) -> bytes:
    """A response as XML."""
    root = ET.Element(_tag("epp"))
    outer = ET.SubElement(root, _tag("response"))
    result = ET.SubElement(outer, _tag("result"), {"code": str(response.code)})
    ET.SubElement(result, _tag("msg")).text = response.text
    if response.fields:
        _object(ET.SubElement(outer, _tag("resData")), "infData", "", response.fields)
    trid = ET.SubElement(outer, _tag("trID"))
    ET.SubElement(trid, _tag("clTRID")).text = response.id
    return _document(root)


def read_response(document: bytes) -> Response:
    """A response from XML; raises InvalidInput ``secondlevel.xml-bad``."""
    outer = parse(document).find(_tag("response"))
    result = outer.find(_tag("result")) if outer is not None else None
    code = result.get("code", "") if result is not None else ""
    if outer is None or result is None or not code.isdigit():
        raise InvalidInput("secondlevel.xml-bad", fault="not a response")
    inner = outer.find(f"{_tag('resData')}/{_tag('infData', 'object')}")
    return Response(
        code=int(code), text=result.findtext(_tag("msg")) or "",
        id=outer.findtext(f"{_tag('trID')}/{_tag('clTRID')}") or "",
        fields=_fields(inner) if inner is not None else {},
    )  # fmt: skip
