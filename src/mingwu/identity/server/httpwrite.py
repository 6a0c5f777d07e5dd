"""HTTP with an identity: authentication, PUT, DELETE, lists; runs in the worker thread.

Authentication as deployed servers take it: ``Basic`` with a percent-encoded ``index:handle`` and
the secret key as password, or ``Handle`` with a signature over server nonce and client nonce, or
by TLS with a client certificate (``server.clientcert``; for reading with the header ``Handle
clientCert="true"``); a request without any gets 401 with both challenges. ``PUT
/api/handles/{h}`` registers or replaces the record (``overwrite``, default true;
``mintNewSuffix``); with ``index=…`` it adds or changes those values only; ``index=various`` takes
the values given. ``DELETE`` removes the record, or the values of ``index``. ``GET
/api/handles?prefix=…`` lists names, ``GET /api/prefixes`` the prefixes.

Secrets travel in these headers, so other machines must come by TLS (our own or a proxy in front);
the setting ``plain_http_writes`` lifts that for closed nets.
"""

import base64
import ipaddress
import time
from collections.abc import Callable
from functools import partial
from itertools import chain, islice

import orjson

from mingwu.identity.access.administration import Outcome
from mingwu.identity.access.elsewhere import Deferred, Elsewhere
from mingwu.identity.access.gate import Gate, Rest
from mingwu.identity.access.httpsessions import PATH, THIS
from mingwu.identity.server.clientcert import identity_of
from mingwu.identity.server.exchange import HttpReply, HttpRequest
from mingwu.identity.server.http import HttpFace, code_reply, flag, tunnelled
from mingwu.identity.server.httpproofs import basic, says_certificate, session_of, signed
from mingwu.identity.server.refusals import refusal
from mingwu.kernel.names import fold
from mingwu.wire.handle.codes import Op, Rc
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.jsonform import small_int, value_from_json
from mingwu.wire.handle.message import Message
from mingwu.wire.handle.values import MAX_INDEX, HandleValue, Reference

_API = "/api/handles/"
_MOST_LISTED = 100_000
_MOST_LISTED_BYTES = 4 * 2**20


class Refusal(Exception):  # noqa: N818 - carries a reply out of a parser
    """The request ends here, with this reply."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class HttpWriter:
    """Answers the HTTP requests that need an identity, with the worker's gate."""

    def __init__(self, *, plain_writes: bool = False, live_ttl_s: int = 1) -> None:
        self._plain_writes = plain_writes
        self._live_ttl_s = live_ttl_s

    def answer(
        self, gate: Gate, request: HttpRequest, verdict: bool | None = None
    ) -> HttpReply | Deferred[HttpReply]:
        """The reply, or what it waits for; runs within a round of the gate.

        ``verdict``: what was found out about the identity, which lives at another node.
        """
        gate.at(request.source)
        gate.verdict = verdict
        if request.is_tunnel:
            return _tunnelled(gate, request)
        try:
            return self._answer(gate, request)
        except Refusal as refusal:
            return refusal.reply
        except Elsewhere as elsewhere:
            return Deferred(elsewhere.question, partial(self._again, gate, request))
        except ProtocolError as error:
            return code_reply(Rc.INVALID_VALUE, _handle_of(request), str(error))

    def _again(self, gate: Gate, request: HttpRequest, valid: bool) -> HttpReply:
        reply = self.answer(gate, request, valid)
        assert isinstance(reply, HttpReply)  # noqa: S101 - with a verdict nothing is deferred
        return reply

    def _answer(self, gate: Gate, request: HttpRequest) -> HttpReply:
        method, path = request.method, request.path.rstrip("/")
        lists = {"/api/handles": self._list, "/api/prefixes": self._prefixes}
        if path in {PATH, THIS}:
            return self._session(gate, request, path)
        if method in {"GET", "HEAD"} and path not in lists:
            return self._read(gate, request)
        if not self._is_safe(request):
            raise Refusal(HttpReply(403, _body(Rc.NO_PERMISSION, "use TLS for this")))
        if method in {"GET", "HEAD"}:
            return lists[path](gate, request, self._who(gate, request))
        path = request.path
        if not path.startswith(_API) or len(path) == len(_API) or method not in {"PUT", "DELETE"}:
            return _not_possible(request)
        who = self._who(gate, request)
        handle = _handle_of(request)
        if method == "PUT":
            outcome, operation = self._put(gate, request, handle, who)
        else:
            outcome, operation = self._delete(gate, request, handle, who)
        gate.administration.note(operation, handle, who, request.source, outcome.rc)
        return _told(outcome, handle)

    def _session(self, gate: Gate, request: HttpRequest, path: str) -> HttpReply:
        """Sessions of this interface (``identity.access.httpsessions``)."""
        if not self._is_safe(request):
            raise Refusal(HttpReply(403, _body(Rc.NO_PERMISSION, "use TLS for this")))
        session = session_of(gate, request)
        if path == PATH and request.method == "POST":
            proves = "authorization" in request.headers or request.certificate
            who = self._who(gate, request) if proves else None
            opened = gate.http_sessions.open(request.source)
            opened.who = who
            return HttpReply(201, opened.told())
        if path == PATH or request.method not in {"GET", "HEAD", "PUT", "DELETE"}:
            return _not_possible(request)
        if session is None:
            return HttpReply(404, _body(Rc.SESSION_TIMEOUT, "no such session"))
        if request.method == "DELETE":
            gate.http_sessions.end(session)
            return HttpReply(204)
        if request.method == "PUT":
            session.who = self._who(gate, request)
        return HttpReply(200, session.told())

    def _is_safe(self, request: HttpRequest) -> bool:
        if request.secure or self._plain_writes:
            return True
        try:
            return ipaddress.ip_address(request.source).is_loopback
        except ValueError:
            return False

    def _read(self, gate: Gate, request: HttpRequest) -> HttpReply:
        who = self._who(gate, request)
        face = HttpFace(gate.resolver, live_ttl_s=self._live_ttl_s)
        return face.read(request, lambda handle: gate.administration.may_read(handle, who))

    def _list(self, gate: Gate, request: HttpRequest, who: Reference) -> HttpReply:
        query = request.query
        prefix = query.get("prefix", [""])[-1]
        outcome = gate.administration.may_list(prefix, who)
        if not outcome.ok:
            return code_reply(outcome.rc, prefix, outcome.message)
        total = gate.administration.store.count_names(outcome.handle)
        page, size = _number(query, "page", -1), _number(query, "pageSize", -1)
        told: dict[str, object] = {"page": page, "pageSize": size}
        if page < 0 or size < 0:
            page, size, told = 0, total, {}
        if size > _MOST_LISTED:
            text = f"{total} names: ask page by page, pageSize at most {_MOST_LISTED}"
            return HttpReply(400, _body(Rc.ERROR, text, prefix))
        names = chain.from_iterable(gate.administration.pages(outcome.handle)) if size else iter(())
        listed = list(islice(names, page * size, (page + 1) * size))
        # a count in quotes is what the reference server tells
        body = {"responseCode": 1, "prefix": prefix, "totalCount": str(total), **told,
                "handles": listed}  # fmt: skip
        return HttpReply(200, orjson.dumps(body))

    def _prefixes(self, gate: Gate, request: HttpRequest, who: Reference) -> HttpReply:
        outcome = gate.administration.prefixes(who)
        if not outcome.ok:
            return code_reply(outcome.rc, request.path, outcome.message)
        total = str(len(outcome.names))
        body = {"responseCode": 1, "totalCount": total, "prefixes": outcome.names}
        return HttpReply(200, orjson.dumps(body))

    def _put(
        self, gate: Gate, request: HttpRequest, handle: str, who: Reference
    ) -> tuple[Outcome, str]:
        query = request.query
        values = _values(request)
        overwrite = flag(query, "overwrite", True)
        if "index" not in query:
            mint = flag(query, "mintNewSuffix")
            administration = gate.administration
            return administration.create(
                handle, values, who, overwrite=overwrite, mint=mint
            ), "create"
        if query["index"] != ["various"]:
            wanted = {_index(text) for text in query["index"]}
            values = tuple(value for value in values if value.index in wanted)
            if {value.index for value in values} != wanted:
                raise ProtocolError("the body lacks values of the indexes named")
        return gate.administration.add(handle, values, who, overwrite=overwrite), "add_value"

    def _delete(
        self, gate: Gate, request: HttpRequest, handle: str, who: Reference
    ) -> tuple[Outcome, str]:
        indexes = tuple(_index(text) for text in request.query.get("index", ()))
        if indexes:
            return gate.administration.remove(handle, indexes, who), "remove_value"
        return gate.administration.delete(handle, who), "delete"

    # -- authentication -----------------------------------------------------------------------

    def _who(self, gate: Gate, request: HttpRequest) -> Reference:
        """The proven identity; raises Refusal with 401 or 403."""
        scheme, _, rest = request.headers.get("authorization", "").strip().partition(" ")
        session = session_of(gate, request)
        if session is not None and not self._is_safe(request):
            raise Refusal(HttpReply(403, _body(Rc.NO_PERMISSION, "use TLS for this")))
        if request.certificate and (not scheme or says_certificate(rest)):
            who = identity_of(request.certificate, gate.keys)
            if who is None:
                raise Refusal(_challenge(gate, request, Rc.AUTHENTICATION_FAILED))
            return who
        check: dict[str, Callable[[Gate, str], Reference | None]] = {
            "basic": basic,
            "handle": signed,
        }
        prove = check.get(scheme.lower())
        if prove is None:
            raise Refusal(_challenge(gate, request))
        if scheme.lower() == "basic" and not self._is_safe(request):
            raise Refusal(HttpReply(403, _body(Rc.NO_PERMISSION, "use TLS for this")))
        who = prove(gate, rest)
        if who is None:
            raise Refusal(_challenge(gate, request, Rc.AUTHENTICATION_FAILED))
        return who


def _not_possible(request: HttpRequest) -> HttpReply:
    return refusal(405, request.headers, method=request.method, path=request.path[:200])


def _challenge(gate: Gate, request: HttpRequest, rc: int = Rc.AUTHENTICATION_NEEDED) -> HttpReply:
    session, nonce = gate.challenges.open(Message(op=Op.RESOLVE), request.source)
    offers = (
        ("WWW-Authenticate", 'Basic realm="handle"'),
        (
            "WWW-Authenticate",
            f'Handle sessionId="{session}", nonce="{base64.b64encode(nonce).decode()}"',
        ),
    )
    return HttpReply(401, _body(rc, "prove who you are", _handle_of(request)), headers=offers)


def _tunnelled(gate: Gate, request: HttpRequest) -> HttpReply | Deferred[HttpReply]:
    """The reply to a message of the binary protocol; all messages of a list in one body."""

    def whole(parts: tuple[bytes, Rest | None]) -> HttpReply:
        reply, rest = parts
        body = bytearray(reply)
        while rest is not None:
            reply, rest = gate.part(rest)
            body += reply
            if len(body) > _MOST_LISTED_BYTES:
                text = "too many names for one answer: ask by TCP"
                body, rest = bytearray(gate.resolver.refusal(request.body, Rc.ERROR, text)), None
        return tunnelled(gate.resolver, request, bytes(body))

    first = gate.answer_in_parts(request.body, request.source)
    return first.then(whole) if isinstance(first, Deferred) else whole(first)


# -- bodies -----------------------------------------------------------------------------------


def _handle_of(request: HttpRequest) -> str:
    return request.path[len(_API) :] if request.path.startswith(_API) else ""


def _values(request: HttpRequest) -> tuple[HandleValue, ...]:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"the body is not JSON: {error}") from error
    if isinstance(body, dict):
        named = body.get("handle")
        if named is not None and fold(str(named)) != fold(_handle_of(request)):
            raise ProtocolError("the body names another handle")
        body = body.get("values", [body])
    if not isinstance(body, list):
        raise ProtocolError("the body has no list of values")
    now = int(time.time())
    return tuple(value_from_json(item, now) for item in body)


def _index(text: str) -> int:
    index = small_int(text)
    if index is None or not 0 < index <= MAX_INDEX:
        raise ProtocolError(f"{text[:40]!r} is not an index")
    return index


def _number(query: dict[str, list[str]], name: str, default: int) -> int:
    number = small_int(query.get(name, [""])[-1])
    return default if number is None else number


def _body(rc: int, message: str, handle: str = "") -> bytes:
    return orjson.dumps({"responseCode": int(rc), "handle": handle, "message": message})


def _told(outcome: Outcome, handle: str) -> HttpReply:
    if outcome.ok:
        body = orjson.dumps({"responseCode": 1, "handle": outcome.handle or handle})
        return HttpReply(201 if outcome.created else 200, body)
    reply = code_reply(outcome.rc, handle, outcome.message)
    # A write that misses its values is a fault of the request; a read that does is an answer.
    return HttpReply(400, reply.body) if outcome.rc == Rc.VALUES_NOT_FOUND else reply
