"""HTTP routes of the second-level node under /api/secondlevel, for the API to mount.

Looking needs the permission *read*, applying and registering *register*, deciding *system*; who
did what goes into the journal. Real-name data is masked wherever it is shown.
"""

import asyncio
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mingwu.identity.routing import Asked, Journal, Operation, routes_of
from mingwu.identity.secondlevel import report
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    Quota,
    Reason,
    State,
)
from mingwu.identity.secondlevel.reviewing import masked_application, masked_tenant
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.synctables import TABLES
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.trust.roles import Permission

ROOT = "/api/secondlevel"
TAG = "second-level"
# The printed report brings its style along; the door's policy for /api would refuse it.
_PRINT_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer decided; returning and rejecting take reasons."""

    action: Literal["accept", "return", "reject"]
    reasons: tuple[Reason, ...] = ()


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New limits, a new permission group, the networks an enterprise asks from; or some of it."""

    quota: Quota | None = None
    group: str = ""
    networks: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=50)] | (
        None
    ) = None


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list."""

    offset: Annotated[int, Meta(ge=0, le=2**31)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class QueuePages(Pages, frozen=True, kw_only=True):
    """Applications in one state, or all."""

    state: State | None = None


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month, ``YYYY-MM``, as data or to be printed."""

    month: str = ""
    form: str = ""


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door; changes go into ``journal``."""
    return routes_of(_SecondLevelRoutes(node, journal).operations())


class _SecondLevelRoutes:
    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    def operations(self) -> tuple[Operation, ...]:
        get = partial(Operation, method="GET", tag=TAG)
        applying = partial(Operation, tag=TAG, permission=Permission.REGISTER)
        deciding = partial(Operation, tag=TAG, permission=Permission.SYSTEM, errors=(404, 409))
        applications, tenant = f"{ROOT}/applications", f"{ROOT}/tenants/{{uscc}}"
        return (
            applying(
                method="POST", path=applications, work=self.submit, body=ApplicationForm,
                status=201, summary="Apply for a prefix, its change or its exit",
            ),
            applying(
                method="PUT", path=f"{applications}/{{id}}", work=self.submit, status=201,
                body=ApplicationForm, errors=(404, 409),
                summary="Send a returned application again",
            ),
            applying(
                method="GET", path=applications, work=self.queue, query=QueuePages,
                summary="The review queue",
            ),
            applying(
                method="GET", path=f"{applications}/{{id}}", work=self.application, errors=(404,),
                summary="One application with its steps and checks",
            ),
            deciding(
                method="POST", path=f"{applications}/{{id}}/decision", work=self.decide,
                body=Decision, summary="Accept, return or reject an application",
            ),
            get(path=f"{ROOT}/prefixes", work=self.prefixes, summary="Prefixes of enterprises"),
            applying(
                method="GET", path=f"{ROOT}/prefixes/{{prefix}}/upstream", work=self.upstream,
                errors=(404,), summary="What the top-level node holds about a prefix",
            ),
            applying(
                method="GET", path=f"{ROOT}/tenants", work=self.tenants, summary="Enterprises",
            ),
            deciding(
                method="PATCH", path=tenant, work=self.change_tenant, body=TenantChange,
                summary="Change an enterprise's quota or permission group",
            ),
            get(
                path=f"{ROOT}/statistics", work=self.statistics,
                summary="Use of each enterprise's names",
            ),
            get(
                path=f"{ROOT}/nodes", work=self.nodes, query=Pages,
                summary="State of enterprises' nodes and what happened to them",
            ),
            get(
                path=f"{ROOT}/duties", work=self.duties,
                summary="Duties toward the top-level node and what waits",
            ),
            get(
                path=f"{ROOT}/report", work=self.monthly, query=Month,
                summary="The monthly report, as data or as a page to print",
            ),
        )  # fmt: skip

    def submit(self, asked: Asked) -> object:
        form: ApplicationForm = asked.body
        again = asked.request.path_params.get("id", "")
        made = self._node.applications.submit(form, asked.account, id_=again)
        self._note(asked, "prefix-submit", made.id, prefix=form.prefix, kind=form.kind.value)
        return masked_application(made)

    def queue(self, asked: Asked) -> object:
        of: QueuePages = asked.query
        rows, total = self._node.applications.queue(
            state=of.state, offset=of.offset, limit=of.limit
        )
        return {"rows": [masked_application(row) for row in rows], "total": total}

    def application(self, asked: Asked) -> object:
        found = self._node.applications.get(asked.path("id"))
        return {
            "application": masked_application(found),
            "steps": self._node.applications.steps(asked.path("id")),
            "checks": self._node.reviewing.checks(found),
            "present": self._node.reviewing.present(found),
        }

    def decide(self, asked: Asked) -> object:
        decision: Decision = asked.body
        id_, queue = asked.path("id"), self._node.applications
        if decision.action == "accept":
            given = queue.accept(id_, asked.account)
            self._note(asked, "prefix-accept", id_, prefix=given.prefix)
            return given
        final = decision.action == "reject"
        sent = queue.send_back(id_, asked.account, decision.reasons, final=final)
        self._note(
            asked, f"prefix-{decision.action}", id_, prefix=sent.form.prefix,
            reasons=len(decision.reasons),
        )  # fmt: skip
        return masked_application(sent)

    def prefixes(self, _asked: Asked) -> object:
        return self._node.prefixes.all(active=False)

    async def upstream(self, asked: Asked) -> object:
        """What the top node holds about a prefix, beside what we told it."""
        row = await asyncio.to_thread(self._node.prefixes.get, asked.path("prefix"))
        told: dict[str, object] = {"prefix": row.prefix, "upstream": row.upstream, "asked": False}
        if self._node.settings.upstream_epp:
            held = await self._node.upstream.look(row.prefix)
            told |= {"asked": True, "registered": held is not None, "fields": held or {}}
        return told

    def tenants(self, _asked: Asked) -> object:
        return [masked_tenant(row) for row in self._node.tenants.all()]

    def change_tenant(self, asked: Asked) -> object:
        change: TenantChange = asked.body
        uscc = asked.path("uscc")
        changed = self._node.tenants.change(
            uscc, quota=change.quota, group=change.group, networks=change.networks
        )
        quota = msgspec.to_builtins(changed.quota)
        self._note(asked, "tenant-change", uscc, group=changed.group, quota=quota,
                   networks=changed.networks)  # fmt: skip
        return masked_tenant(changed)

    def statistics(self, _asked: Asked) -> object:
        return self._node.desk.tenant_use()

    def nodes(self, asked: Asked) -> object:
        monitoring = self._node.monitoring
        events, total = monitoring.latest(offset=asked.query.offset, limit=asked.query.limit)
        return {"nodes": monitoring.states(), "events": events, "total": total}

    def duties(self, _asked: Asked) -> object:
        tables = [
            {"id": one.id, "zh": one.zh, "en": one.en, "period": one.period.value}
            for one in TABLES.values()
        ]
        return {"tables": tables, "outbox": self._node.outbox.lag()}

    def monthly(self, asked: Asked) -> object:
        try:
            made = self._node.report(asked.query.month)
        except ValueError as error:
            raise InvalidInput("input.invalid", path="month", fault=told(error)) from error
        if asked.query.form == "html":
            page: Response = HTMLResponse(
                report.printable(made, asked.lang), headers=_PRINT_HEADERS
            )
            return page
        return made

    def _note(self, asked: Asked, action: str, subject: str, **detail: Any) -> None:
        if self._journal is not None:
            self._journal(asked.account, f"identity.{action}", subject, detail, asked.address)
