"""One declaration per route: path, role, query, body and reply; the rest is made from it.

An :class:`Endpoint` is served as a plain Starlette route (no per-request schema machinery), is
checked for session and role before its handler runs, and appears in the OpenAPI document. The
handler gets a :class:`Call` with everything parsed and returns a msgspec struct or a Response.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

import mingwu.api.errors  # noqa: F401 — registers the texts
from mingwu.api.door import language_of, require_own_origin, require_role
from mingwu.api.ports import Principal
from mingwu.api.services import Services
from mingwu.kernel.errors import InvalidInput, MingwuError, NotAuthenticated, NotFound, Overloaded
from mingwu.kernel.shapes import Nothing, read_json, read_query

log = logging.getLogger(__name__)

JSON = "application/json"
ANYONE_KNOWN = "known"
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Call:
    """One request, parsed. ``query`` and ``body`` are of the types the endpoint declares."""

    request: Request
    services: Services
    principal: Principal
    lang: str
    query: Any = None
    body: Any = None

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    @property
    def address(self) -> str:
        """The client's network address."""
        return self.request.client.host if self.request.client else ""

    async def journal(self, action: str, subject: str, **detail: object) -> None:
        """Write a line of the journal in this caller's name."""
        await run_in_threadpool(
            self.services.journal.append,
            self.principal.account,
            action,
            subject,
            detail,
            self.address,
        )


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A route. ``role`` is the least role that may call it; None lets anybody in.

    :data:`ANYONE_KNOWN` lets a session in that must change its password first.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    role: str | None = "viewer"
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    reply: Any = Nothing
    media_type: str = JSON
    status: int = 200
    errors: tuple[int, ...] = field(default=())

    @property
    def operation_id(self) -> str:
        """A name of its own in the reference."""
        return f"{self.method.lower()}_{getattr(self.handler, '__name__', 'call')}"


def mount(endpoints: tuple[Endpoint, ...], services: Services) -> list[Route]:
    """Starlette routes of the endpoints, in their order."""
    return [
        Route(one.path, _asgi(one, services), methods=[one.method], include_in_schema=False)
        for one in endpoints
    ]


def _asgi(endpoint: Endpoint, services: Services) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        lang = language_of(request, None)
        try:
            principal = await services.door.principal(request)
            lang = language_of(request, principal)
            if endpoint.role == ANYONE_KNOWN:
                if principal is None:
                    raise NotAuthenticated("api.login-required")
            elif endpoint.role is not None:
                require_role(principal, endpoint.role)
            if endpoint.method not in ("GET", "HEAD"):
                require_own_origin(request)
            call = Call(request, services, principal or _NOBODY, lang)
            call.query = read_query(endpoint.query, request.query_params.multi_items())
            if endpoint.body is not None:
                call.body = await _body(endpoint.body, request, services.settings.body_bytes)
            result = await endpoint.handler(call)
        except MingwuError as error:
            return error_response(error, lang)
        except ClientDisconnect:
            return Response(status_code=499)
        if isinstance(result, Response):
            return result
        return encode_reply(result, endpoint.status)

    return serve


def encode_reply(result: object, status: int = 200) -> Response:
    """``result`` as a JSON reply."""
    return Response(_encode(result), status_code=status, media_type=JSON)


_NOBODY = Principal(account="", role="")


def error_response(error: MingwuError, lang: str) -> Response:
    """The reply for an error of the tree."""
    headers: dict[str, str] = {"Content-Language": lang}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="mingwu"'
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(error.params.get("wait_s", 1))
    body = _encode(error.as_dict(lang))
    return Response(body, status_code=error.status, media_type=JSON, headers=headers)


def internal_error(kind: str, lang: str) -> Response:
    """The reply when something nobody expected happened; details stay in the log."""
    return error_response(MingwuError("api.internal", kind=kind), lang)


async def _body(cls: type[msgspec.Struct], request: Request, limit: int) -> msgspec.Struct:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise InvalidInput("api.body-too-large", limit=limit)
    return read_json(cls, bytes(raw))


class Nowhere:
    """ASGI: what answers below ``/api`` when no route took the request (404, or 405 with Allow)."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        allowed = {
            method
            for route in self._routes
            if route.matches(scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        lang = language_of(request, None)
        if allowed:
            fault = MethodNotAllowed("api.method", method=request.method, path=request.url.path)
            response = error_response(fault, lang)
            response.headers["allow"] = ", ".join(sorted(allowed))
        else:
            response = error_response(NotFound("api.no-route", path=request.url.path), lang)
        await response(scope, receive, send)


class MethodNotAllowed(MingwuError):
    """RFC 9110 15.5.6."""

    status = 405
