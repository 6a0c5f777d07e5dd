"""HTTP handlers of the second-level node, for the API to mount.

``routes(node)`` gives Starlette routes under /api/secondlevel. The door in front puts
``request.state.principal`` (with ``account`` and ``role``) on the request; handlers need a role of
at least the one declared here. Faults are raised as MingwuError for the API to render.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mingwu.identity.routing import Journal
from mingwu.identity.secondlevel import report
from mingwu.identity.secondlevel.desk import masked_application, masked_tenant
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Quota,
    Reason,
    State,
)
from mingwu.identity.secondlevel.monitoring import REGISTER
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.synctables import TABLES
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotAuthenticated
from mingwu.kernel.shapes import told
from mingwu.trust.roles import Permission, Role, require
from mingwu.wire.handle.codes import Rc

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
ROOT = "/api/secondlevel"
_BODY_BYTES = 8 << 20
_MOST = 1000
# The printed report brings its style along; the door's policy for /api would refuse it.
_PRINT_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer decided: accept, return or reject, the latter two with reasons."""

    action: str
    reasons: tuple[Reason, ...] = ()


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New limits, a new permission group, or both."""

    quota: Quota | None = None
    group: str = ""


def json_reply(content: object, status: int = 200, media: str = "application/json") -> Response:
    """A JSON reply."""
    return Response(msgspec.json.encode(content), status, media_type=media)


def language(request: Request) -> str:
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "en" if asked.lower().startswith("en") else "zh"


async def _body(request: Request, kind: type[T]) -> T:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY_BYTES:
            raise InvalidInput(
                "input.invalid", path="$", fault=Phrase("body too large", "请求体过大")
            )
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidInput("input.invalid", path="$", fault=told(error)) from error


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, at most ``most``; raises InvalidInput."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput("input.invalid", path=name, fault=Phrase("not a number", "不是数字"))
    return min(int(text), most)


def account(request: Request, permission: Permission) -> str:
    """The caller's account if its role has the permission; NotAuthenticated or Denied."""
    principal = getattr(request.state, "principal", None)
    if principal is None:
        raise NotAuthenticated("trust.no-session")
    require(Role(principal.role), permission)
    return str(principal.account)


class Handlers:
    """The handlers of one node."""

    def __init__(self, node: SecondLevel, journal: Journal | None = None) -> None:
        self.node = node
        self._journal = journal

    async def _note(
        self, request: Request, actor: str, action: str, subject: str, **detail: object
    ) -> None:
        if self._journal is not None:
            address = request.client.host if request.client is not None else ""
            await asyncio.to_thread(
                self._journal, actor, f"identity.{action}", subject, detail, address
            )

    async def submit(self, request: Request) -> Response:
        who = account(request, Permission.REGISTER)
        form = await _body(request, ApplicationForm)
        again = request.path_params.get("id", "")
        made = await asyncio.to_thread(self.node.applications.submit, form, who, id_=again)
        await self._note(
            request, who, "prefix-submit", made.id, prefix=form.prefix, kind=form.kind.value
        )
        return json_reply(masked_application(made), 201)

    async def queue(self, request: Request) -> Response:
        account(request, Permission.REGISTER)
        asked = request.query_params.get("state", "")
        try:
            state = State(asked) if asked else None
        except ValueError as error:
            raise InvalidInput("input.invalid", path="state", fault=told(error)) from error
        rows, total = await asyncio.to_thread(
            self.node.applications.queue, state=state,
            offset=number(request, "offset", 0, 2**31),
            limit=number(request, "limit", 100, _MOST),
        )  # fmt: skip
        return json_reply({"rows": [masked_application(row) for row in rows], "total": total})

    async def application(self, request: Request) -> Response:
        account(request, Permission.REGISTER)
        id_ = request.path_params["id"]
        found = await asyncio.to_thread(self.node.applications.get, id_)
        steps = await asyncio.to_thread(self.node.applications.steps, id_)
        checks = await asyncio.to_thread(self.node.desk.checks, found)
        told = {"application": masked_application(found), "steps": steps, "checks": checks}
        return json_reply(told)

    async def decide(self, request: Request) -> Response:
        who = account(request, Permission.SYSTEM)
        decision = await _body(request, Decision)
        id_, queue = request.path_params["id"], self.node.applications
        if decision.action == "accept":
            given = await asyncio.to_thread(queue.accept, id_, who)
            await self._note(request, who, "prefix-accept", id_, prefix=given.prefix)
            return json_reply(given)
        if decision.action not in {"return", "reject"}:
            raise InvalidInput(
                "input.invalid",
                path="$.action",
                fault=Phrase("accept, return or reject", "应为 accept、return 或 reject"),
            )
        final = decision.action == "reject"
        sent = await asyncio.to_thread(queue.send_back, id_, who, decision.reasons, final=final)
        await self._note(
            request, who, f"prefix-{decision.action}", id_, prefix=sent.form.prefix,
            reasons=len(decision.reasons),
        )  # fmt: skip
        return json_reply(masked_application(sent))

    async def prefixes(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await asyncio.to_thread(self.node.prefixes.all, active=False))

    async def upstream(self, request: Request) -> Response:
        """What the top node holds about a prefix, beside what we told it."""
        account(request, Permission.REGISTER)
        row = await asyncio.to_thread(self.node.prefixes.get, request.path_params["prefix"])
        told: dict[str, object] = {"prefix": row.prefix, "upstream": row.upstream, "asked": False}
        if self.node.settings.upstream_epp:
            held = await self.node.upstream.look(row.prefix)
            told |= {"asked": True, "registered": held is not None, "fields": held or {}}
        return json_reply(told)

    async def tenants(self, request: Request) -> Response:
        account(request, Permission.REGISTER)
        rows = await asyncio.to_thread(self.node.tenants.all)
        return json_reply([masked_tenant(row) for row in rows])

    async def change_tenant(self, request: Request) -> Response:
        who = account(request, Permission.SYSTEM)
        change = await _body(request, TenantChange)
        uscc = request.path_params["uscc"]
        if change.quota is not None:
            await asyncio.to_thread(self.node.tenants.set_quota, uscc, change.quota)
        if change.group:
            await asyncio.to_thread(self.node.tenants.set_group, uscc, change.group)
        changed = await asyncio.to_thread(self.node.tenants.get, uscc)
        quota = msgspec.to_builtins(changed.quota)
        await self._note(request, who, "tenant-change", uscc, group=changed.group, quota=quota)
        return json_reply(masked_tenant(changed))

    async def register(self, request: Request) -> Response:
        who = account(request, Permission.REGISTER)
        items = await _body(request, tuple[HostedItem, ...])
        prefix = request.path_params["prefix"]
        began = time.perf_counter_ns()
        outcomes = await asyncio.to_thread(self.node.hosted.register, prefix, items)
        took_us = (time.perf_counter_ns() - began) // 1000
        own = self.node.settings.prefix
        await asyncio.to_thread(self.node.monitoring.count, own, REGISTER, took_us)
        done = sum(one.code == Rc.SUCCESS for one in outcomes)
        await self._note(request, who, "hosted-register", prefix, items=len(items), done=done)
        lang = language(request)
        return json_reply([{"name": one.name, "code": one.code, "error": one.error,
                       "message": one.text(lang)} for one in outcomes])  # fmt: skip

    async def statistics(self, request: Request) -> Response:
        account(request, Permission.READ)
        return json_reply(await asyncio.to_thread(self.node.desk.tenant_use))

    async def nodes(self, request: Request) -> Response:
        account(request, Permission.READ)
        states = await asyncio.to_thread(self.node.monitoring.states)
        events, total = await asyncio.to_thread(
            self.node.monitoring.latest, offset=number(request, "offset", 0, 2**31),
            limit=number(request, "limit", 100, _MOST),
        )  # fmt: skip
        return json_reply({"nodes": states, "events": events, "total": total})

    async def duties(self, request: Request) -> Response:
        account(request, Permission.READ)
        lag = await asyncio.to_thread(self.node.outbox.lag)
        tables = [
            {"id": one.id, "zh": one.zh, "en": one.en, "period": one.period.value}
            for one in TABLES.values()
        ]
        return json_reply({"tables": tables, "outbox": lag})

    async def monthly(self, request: Request) -> Response:
        account(request, Permission.READ)
        month = request.query_params.get("month", "")
        try:
            made = await asyncio.to_thread(self.node.report, month)
        except ValueError as error:
            raise InvalidInput("input.invalid", path="month", fault=told(error)) from error
        if request.query_params.get("form") == "html":
            page = report.printable(made, language(request))
            return HTMLResponse(page, headers=_PRINT_HEADERS)
        return json_reply(made)


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door; changes go into ``journal``."""
    do = Handlers(node, journal)
    table: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/applications", do.submit),
        ("PUT", "/applications/{id}", do.submit),
        ("GET", "/applications", do.queue),
        ("GET", "/applications/{id}", do.application),
        ("POST", "/applications/{id}/decision", do.decide),
        ("GET", "/prefixes", do.prefixes),
        ("GET", "/prefixes/{prefix}/upstream", do.upstream),
        ("POST", "/prefixes/{prefix}/identifiers", do.register),
        ("GET", "/tenants", do.tenants),
        ("PATCH", "/tenants/{uscc}", do.change_tenant),
        ("GET", "/statistics", do.statistics),
        ("GET", "/nodes", do.nodes),
        ("GET", "/duties", do.duties),
        ("GET", "/report", do.monthly),
    )
    return [Route(ROOT + path, handler, methods=[method]) for method, path, handler in table]
