"""What an EPP server says: greeting, responses and queued messages (RFC 5730 sections 2.4, 2.6).

Same rules and names as ``epp``: pure functions over bytes. A greeting carries the challenge that a
login signs as an extension URI, the one place in it that its schema leaves open.
"""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET  # noqa: S405 - read by epp.parse only

import msgspec

from mingwu.identity.secondlevel.epp.messages import (
    NAMES,
    Result,
    add_object,
    parse,
    read_fields,
    read_prefixes,
    tag,
    written,
)
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

# RFC 5730 section 2.4: how the server treats data; required in a greeting
_POLICY = {
    "access": ("all",),
    "statement/purpose": ("admin", "prov"),
    "statement/recipient": ("ours", "public"),
    "statement/retention": ("stated",),
}
TEXTS = {
    Result.OK: "Command completed successfully",
    Result.PENDING: "Command completed successfully; action pending",
    Result.NO_MESSAGES: "Command completed successfully; no messages",
    Result.MESSAGE: "Command completed successfully; ack to dequeue",
    Result.BYE: "Command completed successfully; ending session",
    Result.SYNTAX: "Command syntax error",
    Result.USE: "Command use error",
    Result.PARAMETER: "Parameter value syntax error",
    Result.AUTHENTICATION: "Authentication error",
    Result.AUTHORIZATION: "Authorization error",
    Result.TRANSFER_PENDING: "Object pending transfer",
    Result.TRANSFER_NONE: "Object not pending transfer",
    Result.EXISTS: "Object exists",
    Result.MISSING: "Object does not exist",
    Result.PROHIBITED: "Object status prohibits operation",
    Result.FAILED: "Command failed",
    Result.CLOSING: "Command failed; server closing connection",
}


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The message queue (msgQ): how many wait, and the first of them."""

    count: int
    id: str = ""
    at: str = ""
    text: str = ""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: result code, text, transaction ids, and what was asked for.

    ``prefix`` and ``fields`` are those of info, transfer or a message; ``free`` is a check's.
    """

    code: int
    text: str = ""
    id: str = ""
    server_id: str = ""
    prefix: str = ""
    fields: dict[str, str] = {}
    free: dict[str, bool] = {}
    waiting: Waiting | None = None


def respond(code: Result, id_: str = "", **more: object) -> Response:
    """A response with the text of its code."""
    return msgspec.convert({"code": int(code), "text": TEXTS[code], "id": id_} | more, Response)


def greeting(server: str, nonce: str) -> bytes:
    """A server's first document; a login signs ``nonce``."""
    root = ET.Element(tag("epp"))
    inner = ET.SubElement(root, tag("greeting"))
    ET.SubElement(inner, tag("svID")).text = server
    ET.SubElement(inner, tag("svDate")).text = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    menu = ET.SubElement(inner, tag("svcMenu"))
    ET.SubElement(menu, tag("version")).text = "1.0"
    ET.SubElement(menu, tag("lang")).text = "en"
    ET.SubElement(menu, tag("objURI")).text = NAMES["object"]
    extensions = ET.SubElement(menu, tag("svcExtension"))
    ET.SubElement(extensions, tag("extURI")).text = NAMES["security"]
    ET.SubElement(extensions, tag("extURI")).text = NAMES["challenge"] + nonce
    policy = ET.SubElement(inner, tag("dcp"))
    made: dict[str, ET.Element] = {"": policy}
    for path, leaves in _POLICY.items():
        parent, _, name = path.rpartition("/")
        if parent not in made:
            made[parent] = ET.SubElement(policy, tag(parent))
        element = ET.SubElement(made[parent], tag(name))
        for leaf in leaves:
            ET.SubElement(element, tag(leaf))
    return written(root)


def read_greeting(document: bytes) -> tuple[str, str]:
    """(server, nonce) of a greeting; raises InvalidInput ``secondlevel.xml-bad``."""
    inner = parse(document).find(tag("greeting"))
    if inner is None:
        raise InvalidInput("secondlevel.xml-bad", fault=Phrase("no greeting", "不是 greeting"))
    head = NAMES["challenge"]
    texts = [one.text or "" for one in inner.iter(tag("extURI"))]
    nonces = [text.removeprefix(head) for text in texts if text.startswith(head)]
    if len(nonces) != 1 or not nonces[0]:
        raise InvalidInput(
            "secondlevel.xml-bad",
            fault=Phrase("no challenge in the greeting", "greeting 中没有挑战值"),
        )
    return inner.findtext(tag("svID")) or "", nonces[0]


def write_response(response: Response) -> bytes:
    """A response as XML."""
    root = ET.Element(tag("epp"))
    outer = ET.SubElement(root, tag("response"))
    result = ET.SubElement(outer, tag("result"), {"code": str(response.code)})
    ET.SubElement(result, tag("msg")).text = response.text
    waiting = response.waiting
    if waiting is not None:
        told = {"count": str(waiting.count), "id": waiting.id}
        queue = ET.SubElement(outer, tag("msgQ"), told)
        if waiting.text:
            ET.SubElement(queue, tag("qDate")).text = waiting.at
            ET.SubElement(queue, tag("msg")).text = waiting.text
    if response.fields or response.prefix:
        data = ET.SubElement(outer, tag("resData"))
        prefixes = (response.prefix,) if response.prefix else ()
        add_object(data, "infData", prefixes, response.fields)
    if response.free:
        data = ET.SubElement(outer, tag("resData"))
        found = ET.SubElement(data, tag("chkData", "object"))
        for prefix, free in response.free.items():
            one = ET.SubElement(found, tag(NAMES["prefix"], "object"))
            one.set("avail", "1" if free else "0")
            one.text = prefix
    trid = ET.SubElement(outer, tag("trID"))
    if response.id:
        ET.SubElement(trid, tag("clTRID")).text = response.id
    ET.SubElement(trid, tag("svTRID")).text = response.server_id
    return written(root)


def read_response(document: bytes) -> Response:
    """A response from XML; raises InvalidInput ``secondlevel.xml-bad``."""
    outer = parse(document).find(tag("response"))
    result = outer.find(tag("result")) if outer is not None else None
    code = result.get("code", "") if result is not None else ""
    if outer is None or result is None or not (code.isascii() and code.isdigit()):
        raise InvalidInput("secondlevel.xml-bad", fault=Phrase("not a response", "不是应答"))
    inner = outer.find(f"{tag('resData')}/{tag('infData', 'object')}")
    prefixes = read_prefixes(inner) if inner is not None else ()
    checked = outer.iterfind(
        f"{tag('resData')}/{tag('chkData', 'object')}/{tag(NAMES['prefix'], 'object')}"
    )
    return Response(
        code=int(code), text=result.findtext(tag("msg")) or "",
        id=outer.findtext(f"{tag('trID')}/{tag('clTRID')}") or "",
        server_id=outer.findtext(f"{tag('trID')}/{tag('svTRID')}") or "",
        prefix=prefixes[0] if prefixes else "",
        fields=read_fields(inner) if inner is not None else {},
        free={one.text or "": one.get("avail") == "1" for one in checked},
        waiting=_read_queue(outer.find(tag("msgQ"))),
    )  # fmt: skip


def _read_queue(queue: ET.Element | None) -> Waiting | None:
    if queue is None:
        return None
    count = queue.get("count", "")
    if not (count.isascii() and count.isdigit()):
        raise InvalidInput(
            "secondlevel.xml-bad",
            fault=Phrase("the message queue has no count", "消息队列没有计数"),
        )
    return Waiting(
        count=int(count), id=queue.get("id", ""), at=queue.findtext(tag("qDate")) or "",
        text=queue.findtext(tag("msg")) or "",
    )  # fmt: skip
