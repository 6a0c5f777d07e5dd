"""The HTTP interface without a socket: request in, reply out.

==============================  ==========================================================
``GET /api/handles/{handle}``   the record as JSON (``index``, ``type`` repeatable;
                                ``publicOnly``, ``pretty``, ``callback``, ``auth``)
``PUT|DELETE …``                changes, see ``identity.server.httpwrite``
``/api/sessions``               see ``identity.access.httpsessions``
``GET /api/handles?prefix=``    names under a prefix, see ``identity.server.httpwrite``
``GET /api/prefixes``           prefixes of this node, likewise for administrators
``GET /api/site``               this node's site record
``POST`` x-hdl-message          the binary protocol in a tunnel, on any path; status 400 when
                                the message cannot be read (code 4), else 200
``GET /{handle}``               302 to the first URL value
==============================  ==========================================================

The JSON of a record's public values is stored beside it, so the common question renders nothing.
Codes map to statuses as deployed servers do: 100 is 404, 402 is 401, other 40x are 403, 101 and
201 are 409, 102, 202 and 301 are 400, 2 is 500. Everything a client sent comes back as JSON with
``nosniff``; redirects go to http, https and ftp only.
"""

import re
from collections.abc import Callable

import orjson

from mingwu.identity.lookup import Found, Query, look_up
from mingwu.identity.recordbytes import COMPUTED, HEAD
from mingwu.identity.recordkeys import key_of
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.exchange import TUNNEL, HttpReply, HttpRequest
from mingwu.identity.server.refusals import refusal
from mingwu.wire.handle.codes import MAX_HANDLE_BYTES, EnvelopeFlag, Rc
from mingwu.wire.handle.jsonform import data_to_json, small_int, value_to_json
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.site import encode_site
from mingwu.wire.handle.values import read_value

_API = "/api/handles/"
_GUARDED = {"/api/handles", "/api/prefixes"}
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,99}")
_REDIRECTABLE = re.compile(r"(?i)(https?|ftp)://[!-~]+")
_STATUS = {
    Rc.SUCCESS: 200,
    Rc.VALUES_NOT_FOUND: 200,
    Rc.HANDLE_NOT_FOUND: 404,
    Rc.HANDLE_EXISTS: 409,
    Rc.VALUE_EXISTS: 409,
    Rc.INVALID_HANDLE: 400,
    Rc.INVALID_VALUE: 400,
    Rc.NOT_RESPONSIBLE: 400,
    Rc.PROTOCOL_ERROR: 400,
    Rc.AUTHENTICATION_NEEDED: 401,
    Rc.TOO_BUSY: 503,
    Rc.IDIS_DAILY_LIMIT: 429,
    Rc.NOT_SUPPORTED: 501,
}
_UNREADABLE = int(Rc.PROTOCOL_ERROR).to_bytes(4)
_MESSAGES = {
    Rc.HANDLE_NOT_FOUND: "Handle Not Found",
    Rc.VALUES_NOT_FOUND: "Values Not Found",
    Rc.INVALID_HANDLE: "Invalid Handle",
    Rc.NOT_RESPONSIBLE: "Server Not Responsible",
    Rc.AUTHENTICATION_NEEDED: "Authentication Needed",
}


def flag(query: dict[str, list[str]], name: str, default: bool = False) -> bool:
    """A yes/no parameter: present without a value means yes."""
    values = query.get(name)
    return default if not values else values[-1].lower() not in {"false", "0", "no"}


def status_of(rc: int) -> int:
    """HTTP status of a response code."""
    if rc in _STATUS:
        return _STATUS[Rc(rc)]
    return 403 if 400 <= rc < 500 else 500  # noqa: PLR2004 - the protocol's authentication codes


def code_reply(rc: int, handle: str, message: str = "", **more: object) -> HttpReply:
    """A reply that only tells a code."""
    body: dict[str, object] = {"responseCode": int(rc), "handle": handle}
    text = message or _MESSAGES.get(Rc(rc) if rc in set(Rc) else Rc.ERROR, "")
    if text:
        body["message"] = text
    return HttpReply(status_of(rc), orjson.dumps(body | more))


class HttpFace:
    """Answers reads from the loop's resolver; ``writer`` (in the worker) does the rest.

    :meth:`answer` returns None for what belongs to the worker. The resolver's round must be begun.
    """

    def __init__(self, resolver: Resolver, *, live_ttl_s: int = 1) -> None:
        self._resolver = resolver
        self._live_ttl_s = live_ttl_s

    def answer(self, request: HttpRequest) -> HttpReply | None:
        """The reply, or None for the worker."""
        if request.method in {"GET", "HEAD"}:
            if "authorization" in request.headers or request.path.rstrip("/") in _GUARDED:
                return None
            return self.read(request)
        if request.method == "OPTIONS":
            return HttpReply(204, headers=_ALLOW)
        if request.is_tunnel:
            reply = self._resolver.answer_now(request.body)
            return None if reply is None else tunnelled(self._resolver, request, reply)
        return None

    def read(
        self, request: HttpRequest, may_read: Callable[[str], frozenset[int]] | None = None
    ) -> HttpReply:
        """Answer a GET; ``may_read`` tells an authenticated asker's restricted indexes."""
        path = request.path
        if path.startswith(_API) and len(path) > len(_API):
            return self._record(request, path[len(_API) :], may_read)
        if path == "/api/site":
            site = data_to_json("HS_SITE", encode_site(self._resolver.site))
            return HttpReply(200, orjson.dumps({"responseCode": 1, "site": site["value"]}))
        if path.startswith("/api"):
            return refusal(404, request.headers, path=path[:200])
        return self._redirect(path[1:])

    def _record(
        self,
        request: HttpRequest,
        handle: str,
        may_read: Callable[[str], frozenset[int]] | None,
    ) -> HttpReply:
        if len(handle.encode(errors="replace")) > MAX_HANDLE_BYTES or not handle.isprintable():
            return code_reply(Rc.INVALID_HANDLE, handle[:80])
        if "?" not in request.target and may_read is None:
            cached = self._whole(handle)
            if cached is not None:
                return HttpReply(200, cached, headers=OPEN_TO_ALL)
        query = request.query
        given = [small_int(text) for text in query.get("index", ())]
        indexes = tuple(index for index in given if index is not None)
        if len(indexes) != len(given):
            return code_reply(Rc.PROTOCOL_ERROR, handle, "index is not a number")
        found = look_up(
            self._resolver.snapshot,
            self._resolver.live,
            Query(
                handle,
                indexes,
                tuple(query.get("type", ())),
                flag(query, "publicOnly", may_read is None),
                may_read(handle) if may_read else None,
            ),
            live_ttl_s=self._live_ttl_s,
        )
        return _dressed(_rendered(handle, found), query)

    def _whole(self, handle: str) -> bytes | None:
        """The stored JSON of all public values; None when there is more to it."""
        data = self._resolver.snapshot.get(key_of(handle))
        if data is None or self._resolver.snapshot.refuses(handle):
            return None
        _, kinds, spelled, public, restricted, live = HEAD.unpack_from(data)
        if kinds & COMPUTED:
            return None
        start = HEAD.size + spelled + public + restricted + live
        self._resolver.statistics.by_code[1] += 1
        return b"".join(
            (b'{"responseCode":1,"handle":', orjson.dumps(handle), b',"values":[', data[start:],
             b"]}")
        )  # fmt: skip

    def _redirect(self, handle: str) -> HttpReply:
        query = Query(handle, types=("URL",), public_only=True)
        found = look_up(self._resolver.snapshot, self._resolver.live, query)
        for raw in found.values:
            target = read_value(Reader(raw)).text()
            if _REDIRECTABLE.fullmatch(target):
                return HttpReply(302, headers=(("Location", target), *OPEN_TO_ALL))
        return code_reply(found.rc if found.rc != Rc.SUCCESS else Rc.VALUES_NOT_FOUND, handle)


def tunnelled(resolver: Resolver, request: HttpRequest, reply: bytes) -> HttpReply:
    """A message of the binary protocol as an HTTP reply.

    Where datagrams and streams are left without an answer, HTTP must give one.
    """
    reply = reply or resolver.unreadable(request.body)
    is_fault = reply[24:28] == _UNREADABLE and not reply[2] & int(EnvelopeFlag.ENCRYPTED)
    return HttpReply(400 if is_fault else 200, reply, TUNNEL)


OPEN_TO_ALL = (("Access-Control-Allow-Origin", "*"),)
_ALLOW = (
    *OPEN_TO_ALL,
    ("Access-Control-Allow-Methods", "GET, PUT, DELETE, POST, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
)


def _rendered(handle: str, found: Found) -> HttpReply:
    if found.rc in {Rc.PREFIX_REFERRAL, Rc.SERVICE_REFERRAL}:
        values = [value_to_json(read_value(Reader(raw))) for raw in found.values]
        body = {"responseCode": found.rc, "handle": handle, "referral": found.refer_to,
                "values": values}  # fmt: skip
        return HttpReply(200, orjson.dumps(body), headers=OPEN_TO_ALL)
    if found.rc != Rc.SUCCESS:
        return code_reply(found.rc, handle, found.message)
    stored = (read_value(Reader(raw)) for raw in found.values)
    values = [value_to_json(value) for value in (*stored, *found.live)]
    body = {"responseCode": 1, "handle": handle, "values": values}
    return HttpReply(200, orjson.dumps(body), headers=OPEN_TO_ALL)


def _dressed(reply: HttpReply, query: dict[str, list[str]]) -> HttpReply:
    """Apply ``pretty`` and ``callback``."""
    body, kind = reply.body, reply.type
    if flag(query, "pretty"):
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    callback = query.get("callback", [""])[-1]
    if _CALLBACK.fullmatch(callback):
        # The comment keeps the callback's name from being read as another kind of file.
        body = b"/**/" + callback.encode() + b"(" + body + b");"
        kind = "application/javascript;charset=UTF-8"
    return HttpReply(reply.status, body, kind, reply.headers)
