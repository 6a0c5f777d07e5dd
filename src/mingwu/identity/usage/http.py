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

"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

import mingwu.identity.usage.errors  # noqa: F401 — registers the texts
from mingwu.identity.routing import Asked, Operation, routes_of
from mingwu.identity.usage.reaggregate import Finding
from mingwu.identity.usage.report import ClientUse, Day, PrefixUse, Window
from mingwu.identity.usage.statistics import NameUse, SegmentInfo, Span, UsageStatistics
from mingwu.trust.roles import Permission

_BASE = "/api/identity/usage"
_CHUNK = 256 * 1024
_MOST_DAYS = 400
_DAYS = Annotated[int, Meta(ge=1, le=_MOST_DAYS)]


class DaysQuery(msgspec.Struct, frozen=True):
    """The last so many days, today among them."""

    days: _DAYS = 30


class BetweenQuery(msgspec.Struct, frozen=True):
    """Two days, ``YYYY-MM-DD``; without the first only the last, without both today."""

    first: str = ""
    last: str = ""


class MonthQuery(msgspec.Struct, frozen=True):
    """A month, ``YYYY-MM``; without it the present one."""

    month: str = ""


class ClientsQuery(DaysQuery, frozen=True):
    """How many clients."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 20


class NameQuery(DaysQuery, frozen=True, kw_only=True):
    """One name."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed log checked: whether the chain holds, and what is counted from it anew."""

    sound: bool
    findings: tuple[Finding, ...]
    segments: int
    head: str
    entries: int | None
    resolutions: int | None


def routes(statistics: Callable[[], UsageStatistics]) -> list[Route]:
    """Routes over the statistics of this node; ``statistics`` raises while there are none."""
    return routes_of(_Usage(statistics).operations())


class _Usage:
    def __init__(self, statistics: Callable[[], UsageStatistics]) -> None:
        self._statistics = statistics

    def operations(self) -> tuple[Operation, ...]:
        get = partial(Operation, method="GET", tag="usage", errors=(404,))
        more = partial(get, permission=Permission.REGISTER)
        log = f"{_BASE}/log"
        return (
            get(
                path=_BASE, work=self.window, query=DaysQuery, reply=Window,
                summary="Share of names resolved by others in a window, per prefix",
            ),
            get(
                path=f"{_BASE}/days", work=self.days, query=BetweenQuery, reply=tuple[Day, ...],
                summary="Figures per day",
            ),
            get(
                path=f"{_BASE}/span", work=self.span, query=DaysQuery, reply=Span,
                summary="Figures of the last days, and what they were counted from",
            ),
            get(
                path=f"{_BASE}/month", work=self.month, query=MonthQuery, reply=tuple[Day, ...],
                summary="Figures of a month's days",
            ),
            more(
                path=f"{_BASE}/clients", work=self.clients, query=ClientsQuery,
                reply=tuple[ClientUse, ...], summary="Busiest clients",
            ),
            get(
                path=f"{_BASE}/prefix/{{prefix}}", work=self.prefix, reply=PrefixUse,
                summary="Use of one prefix",
            ),
            get(
                path=f"{_BASE}/name", work=self.name, query=NameQuery, reply=NameUse,
                summary="Use of one name; its clients for engineers only",
            ),
            get(
                path=log, work=self.segments, reply=list[SegmentInfo],
                summary="Segments of the log with their SHA-256",
            ),
            more(
                path=f"{log}/export", work=self.export, media_type="application/zip", reply=str,
                summary="Sealed segments and public key as ZIP",
            ),
            more(
                path=f"{log}/check", work=self.check, reply=Checked,
                summary="The sealed log checked and counted again",
            ),
            more(
                path=f"{log}/{{number:int}}", work=self.segment,
                media_type="application/octet-stream", reply=str, summary="One sealed segment",
            ),
            get(
                path=f"{_BASE}/key", work=self.key, permission=None,
                media_type="application/x-pem-file", reply=str, summary="The log's public key",
            ),
        )  # fmt: skip

    def window(self, asked: Asked) -> Window:
        return self._statistics().window(asked.query.days)

    def days(self, asked: Asked) -> tuple[Day, ...]:
        statistics = self._statistics()
        today = datetime.now(UTC).timestamp() + statistics.day_offset_s
        last = asked.query.last or datetime.fromtimestamp(today, UTC).strftime("%Y-%m-%d")
        return statistics.days(asked.query.first or last, last)

    def span(self, asked: Asked) -> Span:
        return self._statistics().span(asked.query.days)

    def month(self, asked: Asked) -> tuple[Day, ...]:
        month = asked.query.month or datetime.now(UTC).strftime("%Y-%m")
        return self._statistics().month(month)

    def clients(self, asked: Asked) -> tuple[ClientUse, ...]:
        return self._statistics().clients(asked.query.days, asked.query.limit)

    def prefix(self, asked: Asked) -> PrefixUse:
        return self._statistics().prefix(asked.path("prefix"))

    def name(self, asked: Asked) -> Any:
        use: dict[str, Any] = msgspec.to_builtins(
            self._statistics().name(asked.query.name, asked.query.days)
        )
        if not asked.may(Permission.REGISTER):
            use["clients"] = None
        return use

    def segments(self, _asked: Asked) -> Any:
        return self._statistics().segments()

    def check(self, _asked: Asked) -> Checked:
        found = self._statistics().check()
        counted = found.report
        return Checked(
            sound=found.sound,
            findings=found.findings,
            segments=found.segments,
            head=found.head,
            entries=counted.entries if counted else None,
            resolutions=counted.total.resolutions if counted else None,
        )

    def segment(self, asked: Asked) -> Response:
        path = self._statistics().segment(int(asked.path("number")))
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    def export(self, _asked: Asked) -> Response:
        spool = self._statistics().export()
        return StreamingResponse(
            iter(lambda: spool.read(_CHUNK), b""),
            media_type="application/zip",
            headers={"content-disposition": 'attachment; filename="usage-log.zip"'},
            background=BackgroundTask(spool.close),
        )

    def key(self, _asked: Asked) -> Response:
        return Response(self._statistics().public_key, media_type="application/x-pem-file")
