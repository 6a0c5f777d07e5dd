"""One request to an own route below ``/api/identity``: who asks, what for, how it is answered.

A route is a row of a table: method, path, what it is for, the work, the permission it needs, what
its body and query are, and under which action the journal notes it; an operation of
``identity.routing`` is made from it. The work runs in a thread. Batches answer 200 with one result
per item.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from mingwu.identity.enterprise.door import Asker, EnterpriseServices, asker_of
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import ItemResult, Template
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.routing import Asked, Operation, routes_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.shapes import Nothing
from mingwu.trust.accounts import Accounts
from mingwu.trust.roles import Permission

BASE = "/api/identity"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, parsed. ``accounts`` only where the node's accounts are at hand."""

    node: EnterpriseNode
    request: Request
    asker: Asker
    lang: str
    body: Any = None
    accounts: Accounts | None = None
    parsed: Any = None

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    @property
    def name(self) -> str:
        """The parameter ``name``; InvalidInput without it."""
        found = self.query("name")
        if not found:
            raise InvalidInput(
                "input.invalid", path="name", fault=Phrase("it is missing", "未给出")
            )
        return found

    @property
    def number(self) -> int:
        """The template number of the path."""
        return int(self.request.path_params["number"])

    def template(self) -> Template:
        """The template of the path."""
        return self.node.register.template(self.number)

    def wanted(self, cls: type[T]) -> T:
        """The query as the route declares it."""
        if not isinstance(self.parsed, cls):
            raise TypeError(f"the route does not declare {cls.__name__}")
        return self.parsed


Work = Callable[[Visit], object]
Told = Callable[[Visit, Any], tuple[str, dict[str, Any]]]
"""What the journal says of a visit and its result: about what, and the details."""


def _told(call: Visit, result: Any) -> tuple[str, dict[str, Any]]:
    counts = {}
    if isinstance(result, dict) and "done" in result:
        counts = {"done": result["done"], "refused": result["refused"]}
    return call.query("name") or str(call.request.path_params.get("number", "")) or BASE, counts


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """A row of a table of routes; ``body`` bytes is taken as it comes.

    ``work`` gives plain data, or a response of its own (a file).
    """

    method: str
    path: str
    summary: str
    work: Work
    permission: Permission = Permission.READ
    body: Any = None
    action: str = ""
    told: Told = _told
    query: type[msgspec.Struct] = Nothing


def mounted(rows: Iterable[OwnRoute], services: EnterpriseServices) -> list[Route]:
    """The routes of a table."""
    return routes_of(_operation(one, services) for one in rows)


def _operation(route: OwnRoute, services: EnterpriseServices) -> Operation:
    def work(asked: Asked) -> object:
        call = Visit(
            services.node, asked.request, asker_of(asked.request), asked.lang, asked.body,
            services.accounts, asked.query,
        )  # fmt: skip
        try:
            result = route.work(call)
        except ValueError as error:  # an unknown word where one of several is meant
            raise InvalidInput("input.invalid", path="query", fault=told(error)) from error
        if route.action:
            subject, detail = route.told(call, result)
            services.note(call.asker.actor, route.action, subject, asked.address, **detail)
        return result

    return Operation(
        method=route.method, path=BASE + route.path, work=work, summary=route.summary,
        tag="enterprise", permission=route.permission, query=route.query, body=route.body,
        body_bytes=services.node.settings.body_bytes, errors=(404, 409) if route.body else (404,),
    )  # fmt: skip


def results_of(results: list[ItemResult], lang: str) -> dict[str, Any]:
    """How a batch went: counts, and one result per item."""
    return {
        "done": sum(result.ok for result in results),
        "refused": sum(not result.ok for result in results),
        "results": [_result(result, lang) for result in results],
    }


def _result(result: ItemResult, lang: str) -> dict[str, Any]:
    if result.fault is None:
        return {"name": result.name, "ok": True, "state": result.state, "version": result.version}
    faults = faults_of(result.faults, lang)
    return {"name": result.name, "ok": False, **faults[0], "faults": faults}


def faults_of(faults: Iterable[Fault], lang: str) -> list[dict[str, str]]:
    """Faults as JSON shows them; ``item`` says which item of a template they are about."""
    return [
        {
            "code": fault.code,
            "item": str(fault.params.get("item", "")),
            "message": fault.text(lang),
            "message_zh": fault.text("zh"),
            "message_en": fault.text("en"),
            "next": fault.next_step(lang),
        }
        for fault in faults
    ]


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """A record as JSON shows it."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
