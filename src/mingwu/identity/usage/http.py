"""Usage over HTTP.

============================================  ========  ==========================================
``GET /api/identity/usage``                   viewer    window of 30 days: share resolved by others,
                                                        per prefix (``days``)
``GET /api/identity/usage/days``              viewer    figures per day (``first``, ``last``)
``GET /api/identity/usage/span``              viewer    figures of the last ``days`` days, what they
                                                        were counted from
``GET /api/identity/usage/month``             viewer    figures of a month's days (``month``)
``GET /api/identity/usage/clients``           engineer  busiest clients (``days``, ``limit``)
``GET /api/identity/usage/prefix/{prefix}``   viewer    one prefix
``GET /api/identity/usage/name``              viewer    one name (``name``, ``days``); its clients
                                                        for engineers only
``GET /api/identity/usage/log``               viewer    segments with their SHA-256
``GET /api/identity/usage/log/export``        engineer  ZIP of sealed segments and public key
``GET /api/identity/usage/log/check``         engineer  the sealed log checked and counted again
``GET /api/identity/usage/log/{number}``      engineer  one sealed segment
``GET /api/identity/usage/key``               anybody   public key, PEM
============================================  ========  ==========================================

The door puts ``request.state.principal`` (with ``role``) there before these handlers run.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

import mingwu.identity.usage.errors  # noqa: F401 — registers the texts
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated

_encode = msgspec.json.Encoder().encode
_ROLES = ("viewer", "operator", "engineer", "admin")
_BASE = "/api/identity/usage"
_CHUNK = 256 * 1024
_MOST_DAYS = 400
_MOST_CLIENTS = 1000
_MOST_NAME = 255

Handler = Callable[[Request], Awaitable[Response]]


def routes(statistics: UsageStatistics) -> list[Route]:
    """Routes over the statistics of this node."""
    handlers = _Handlers(statistics)
    table: tuple[tuple[str, Handler, str], ...] = (
        ("", handlers.window, "viewer"),
        ("/days", handlers.days, "viewer"),
        ("/span", handlers.span, "viewer"),
        ("/month", handlers.month, "viewer"),
        ("/clients", handlers.clients, "engineer"),
        ("/prefix/{prefix}", handlers.prefix, "viewer"),
        ("/name", handlers.name, "viewer"),
        ("/log", handlers.segments, "viewer"),
        ("/log/export", handlers.export, "engineer"),
        ("/log/check", handlers.check, "engineer"),
        ("/log/{number:int}", handlers.segment, "engineer"),
        ("/key", handlers.key, ""),
    )
    return [
        Route(_BASE + path, _guarded(handler, role), methods=["GET"])
        for path, handler, role in table
    ]


def _guarded(handler: Handler, role: str) -> Handler:
    async def serve(request: Request) -> Response:
        try:
            if role:
                _require(request, role)
            return await handler(request)
        except MingwuError as error:
            lang = "zh" if request.query_params.get("lang") == "zh" else "en"
            body = _encode(error.as_dict(lang))
            return Response(body, error.status, media_type="application/json")

    return serve


def _require(request: Request, role: str) -> None:
    principal = getattr(request.state, "principal", None)
    if principal is None:
        raise NotAuthenticated("usage.login-required")
    if principal.role not in _ROLES or _ROLES.index(principal.role) < _ROLES.index(role):
        raise Denied("usage.role-required", role=role)


class _Handlers:
    def __init__(self, statistics: UsageStatistics) -> None:
        self._statistics = statistics

    async def window(self, request: Request) -> Response:
        days = _number(request, "days", 30, _MOST_DAYS)
        return _json(await run_in_threadpool(self._statistics.window, days))

    async def days(self, request: Request) -> Response:
        today = datetime.now(UTC).timestamp() + self._statistics.day_offset_s
        day = datetime.fromtimestamp(today, UTC).strftime("%Y-%m-%d")
        last = request.query_params.get("last", day)
        first = request.query_params.get("first", last)
        return _json(await run_in_threadpool(self._statistics.days, first, last))

    async def span(self, request: Request) -> Response:
        days = _number(request, "days", 30, _MOST_DAYS)
        return _json(await run_in_threadpool(self._statistics.span, days))

    async def check(self, request: Request) -> Response:
        del request
        found = await run_in_threadpool(self._statistics.check)
        counted = found.report
        told = {
            "sound": found.sound,
            "findings": found.findings,
            "segments": found.segments,
            "head": found.head,
            "entries": counted.entries if counted else None,
            "resolutions": counted.total.resolutions if counted else None,
        }
        return _json(told)

    async def month(self, request: Request) -> Response:
        month = request.query_params.get("month", datetime.now(UTC).strftime("%Y-%m"))
        return _json(await run_in_threadpool(self._statistics.month, month))

    async def clients(self, request: Request) -> Response:
        days = _number(request, "days", 30, _MOST_DAYS)
        limit = _number(request, "limit", 20, _MOST_CLIENTS)
        return _json(await run_in_threadpool(self._statistics.clients, days, limit))

    async def prefix(self, request: Request) -> Response:
        prefix = request.path_params["prefix"]
        return _json(await run_in_threadpool(self._statistics.prefix, prefix))

    async def name(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        if not 0 < len(name) <= _MOST_NAME:
            raise InvalidInput(
                "input.invalid", path="$.name", fault=f"1 to {_MOST_NAME} characters"
            )
        days = _number(request, "days", 30, _MOST_DAYS)
        use: dict[str, Any] = msgspec.to_builtins(
            await run_in_threadpool(self._statistics.name, name, days)
        )
        if _ROLES.index(request.state.principal.role) < _ROLES.index("engineer"):
            use["clients"] = None
        return _json(use)

    async def segments(self, request: Request) -> Response:
        del request
        return _json(await run_in_threadpool(self._statistics.segments))

    async def segment(self, request: Request) -> Response:
        path = await run_in_threadpool(self._statistics.segment, request.path_params["number"])
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    async def export(self, request: Request) -> Response:
        del request
        spool = await run_in_threadpool(self._statistics.export)
        chunks = iter(lambda: spool.read(_CHUNK), b"")
        return StreamingResponse(
            chunks,
            media_type="application/zip",
            headers={"content-disposition": 'attachment; filename="usage-log.zip"'},
            background=BackgroundTask(spool.close),
        )

    async def key(self, request: Request) -> Response:
        del request
        return Response(self._statistics.public_key, media_type="application/x-pem-file")


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(most)) + 2):
        raise InvalidInput("input.invalid", path=f"$.{name}", fault="not a whole number")
    value = int(text)
    if not 1 <= value <= most:
        raise InvalidInput("input.invalid", path=f"$.{name}", fault=f"outside 1..{most}")
    return value


def _json(body: Any) -> Response:
    return Response(_encode(body), media_type="application/json")
