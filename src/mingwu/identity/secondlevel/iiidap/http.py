"""The data access service over HTTP: ``routes(node)`` under /iiidap, all in RDAP's form.

HTTP as in RFC 7480: GET and HEAD; 400 for what is malformed, 404 for what is not there, 422 for
searches of a style that is not offered, 429 with Retry-After for who asks too often, 501 for
objects of other registries. Open to anybody; the door in front says who is known. Answers differ by
asker, so none is to be kept. Counts of questions are of this process.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.secondlevel.iiidap import answers, search
from mingwu.identity.secondlevel.iiidap.answers import Members, View
from mingwu.identity.secondlevel.iiidap.client import bootstrap_document
from mingwu.identity.secondlevel.iiidap.find import KINDS, controls
from mingwu.identity.secondlevel.iiidap.names import NAMES
from mingwu.identity.secondlevel.model import iso
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import InvalidInput, MingwuError, NotAuthenticated, Overloaded
from mingwu.trust.roles import Permission, Role, may

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_READING = {"GET", "HEAD"}
_JSON = "application/json"
_MOST_SOURCES = 10_000
_MINUTE_S = 60.0
_SITE_BITS = 64
# Objects that RDAP knows (RFC 9082) and other registries keep.
_ELSEWHERE = {"ip", "autnum", "domain", "nameserver", "domains", "nameservers"}
_LOOKUPS: dict[str, Callable[[SecondLevel, str, View], Members]] = {
    NAMES["prefix"]: answers.prefix,
    NAMES["entity"]: answers.entity,
    NAMES["identifier"]: answers.identifier,
}
_OPEN = {"Access-Control-Allow-Origin": "*"}  # RFC 7480 5.6; cookies do not travel with it
_FRESH = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language, Authorization, Cookie"}


def _language(request: Request) -> str:
    """As the national services answer: Chinese unless the asker wants English."""
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "en" if asked.lower().startswith("en") else "zh"


class _NotOffered(MingwuError):
    """RFC 9110 15.6.2."""

    status = 501


class _NotAllowed(MingwuError):
    """RFC 9110 15.5.6."""

    status = 405


class Rates:
    """How often each source asked: a bucket that a minute fills. Who was away longest is forgotten.

    For use in one thread.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, per_minute: int) -> float:
        """Count a question; seconds to wait when it is one too many, else 0."""
        now = self._monotonic()
        left, at = self._left.pop(source, (float(per_minute), now))
        left = min(per_minute, left + (now - at) * per_minute / _MINUTE_S)
        wait = (1 - left) * _MINUTE_S / per_minute if left < 1 else 0.0
        self._left[source] = (left if wait else left - 1), now
        if len(self._left) > _MOST_SOURCES:
            self._left.popitem(last=False)
        return wait


def source_of(request: Request) -> tuple[str, bool]:
    """Whom a question is counted for, and whether that is an account; of IPv6 the /64."""
    principal = getattr(request.state, "principal", None)
    if principal is not None:
        return f"account {principal.account}", True
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host, False
    if address.version == 6:  # noqa: PLR2004
        return str(ip_network((address, _SITE_BITS), strict=False)), False
    return host, False


class DataAccess:
    """The service of one node."""

    def __init__(self, node: SecondLevel, rates: Rates | None = None) -> None:
        self._node = node
        self._rates = rates or Rates()
        self._since = iso(node.clock.time_ns() // 1_000_000)

    async def serve(self, request: Request) -> Response:
        """Any path of the service."""
        view = self._view(request)
        headers: dict[str, str] = {}
        try:
            self._admit(request)
            if request.path_params.get("kind") == NAMES["bootstrap"]:
                return self._bootstrap(view)
            body, status = await self._answer(request, view), 200
        except MingwuError as error:
            body, status = answers.fault(error, view.lang), error.status
            if isinstance(error, Overloaded):
                headers["Retry-After"] = str(error.params.get("wait_s", 1))
            elif isinstance(error, NotAuthenticated):
                headers["WWW-Authenticate"] = 'Bearer realm="mingwu"'
            elif isinstance(error, _NotAllowed):
                headers["Allow"] = "GET, HEAD"
        headers |= _OPEN | _FRESH | {"Content-Language": view.lang}
        return Response(
            msgspec.json.encode(body), status, media_type=_media(request), headers=headers
        )

    def _view(self, request: Request) -> View:
        principal = getattr(request.state, "principal", None)
        base = self._node.settings.iiidap_url.rstrip("/")
        return View(
            base=base or f"{request.url.scheme}://{request.url.netloc}{NAMES['root']}",
            lang=_language(request),
            known=principal is not None,
            contacts=principal is not None and may(Role(principal.role), Permission.REGISTER),
        )

    def _admit(self, request: Request) -> None:
        if request.method not in _READING:
            raise _NotAllowed("secondlevel.reading-only", method=request.method)
        settings = self._node.settings
        source, known = source_of(request)
        limit = settings.iiidap_known_per_minute if known else settings.iiidap_per_minute
        wait = self._rates.take(source, limit)
        if wait:
            raise Overloaded("secondlevel.asked-too-often", limit=limit, wait_s=ceil(wait))

    async def _answer(self, request: Request, view: View) -> Members:
        kind, asked = request.path_params.get("kind", ""), request.path_params.get("asked", "")
        where: dict[str, Any] = {"help": f"{view.base}/{NAMES['help']}"}
        if kind in _ELSEWHERE:
            raise _NotOffered("secondlevel.kind-not-offered", kind=kind, **where)
        if kind == NAMES["help"] and not asked:
            return answers.help_(self._node, view)
        if kind in KINDS and not asked:
            query = request.query_params
            params = {name: query.getlist(name) for name in query}
            return await asyncio.to_thread(search.search, self._node, kind, params, view)
        lookup = _LOOKUPS.get(kind)
        if lookup is None or not asked or controls(asked):
            raise InvalidInput("secondlevel.path-bad", path=request.url.path[:200], **where)
        return await asyncio.to_thread(lookup, self._node, asked, view)

    def _bootstrap(self, view: View) -> Response:
        """Which service answers for this node's prefix and all below it (RFC 9224 as a model)."""
        settings = self._node.settings
        told = settings.operator_zh if view.lang == "zh" else settings.operator_en
        made = bootstrap_document([(settings.prefix, view.base)], self._since, told)
        # without an address of its own it tells the one asked, which no cache may tell others
        kept = "max-age=3600" if settings.iiidap_url else "no-store"
        headers = _OPEN | {"Cache-Control": kept}
        return Response(msgspec.json.encode(made), media_type=_JSON, headers=headers)


def _media(request: Request) -> str:
    """RDAP's type, or plain JSON for who asks for that alone (RFC 7480 4.2)."""
    accepted = request.headers.get("accept", "")
    plain = _JSON in accepted and NAMES["media"] not in accepted
    return _JSON if plain else NAMES["media"]


def routes(node: SecondLevel, rates: Rates | None = None) -> list[Route]:
    """Routes for the API to mount behind its door."""
    serve = DataAccess(node, rates).serve
    root = NAMES["root"]
    paths = (root, root + "/", root + "/{kind}", root + "/{kind}/{asked:path}")
    return [Route(path, serve, methods=_METHODS) for path in paths]
