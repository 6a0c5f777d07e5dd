"""One request to an own route below ``/api/identity``: who asks, what for, how it is answered.

A route is a row of a table: method, path, the work, the permission it needs, what its body is, and
under which action the journal notes it. The work runs in a thread. Errors are ``{code, message,
next}`` in the asker's language; batches answer 200 with one result per item.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.enterprise.door import (
    Asker,
    EnterpriseServices,
    address_of,
    asker_of,
    language_of,
    read_body,
    read_json,
)
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.model import ItemResult, Template
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.kernel.shapes import told
from mingwu.trust.accounts import Accounts
from mingwu.trust.roles import Permission

BASE = "/api/identity"
_JSON = "application/json"
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, parsed. ``accounts`` only where the node's accounts are at hand."""

    node: EnterpriseNode
    request: Request
    asker: Asker
    lang: str
    body: Any = None
    accounts: Accounts | None = None

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
        """The query parameters as ``cls``; InvalidInput ``input.invalid``."""
        params = {name: text for name, text in self.request.query_params.items() if text}
        params.pop("lang", None)
        try:
            return msgspec.convert(params, cls, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput("input.invalid", path="query", fault=told(error)) from error


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
    work: Work
    permission: Permission = Permission.READ
    body: Any = None
    action: str = ""
    told: Told = _told


def mounted(rows: Iterable[OwnRoute], services: EnterpriseServices) -> list[Route]:
    """The routes of a table."""
    return [Route(BASE + one.path, _endpoint(one, services), methods=[one.method]) for one in rows]


def _endpoint(route: OwnRoute, services: EnterpriseServices) -> Any:
    limit = services.node.settings.body_bytes

    async def serve(request: Request) -> Response:
        lang = language_of(request, "en")
        try:
            asker = asker_of(request)
            asker.require(route.permission)
            body: Any = None
            if route.body is bytes:
                body = await read_body(request, limit)
            elif route.body is not None:
                body = await read_json(request, route.body, limit)
            call = Visit(services.node, request, asker, lang, body, services.accounts)
            result = await run_in_threadpool(_work, route, services, call)
        except MingwuError as error:
            return Response(_encode(error.as_dict(lang)), error.status, media_type=_JSON)
        except ValueError as error:  # an unknown word where a list of words is meant
            fault = InvalidInput("input.invalid", path="query", fault=told(error))
            return Response(_encode(fault.as_dict(lang)), fault.status, media_type=_JSON)
        if isinstance(result, Response):
            return result
        return Response(_encode(result), media_type=_JSON)

    return serve


def _work(route: OwnRoute, services: EnterpriseServices, call: Visit) -> object:
    result = route.work(call)
    if route.action:
        subject, detail = route.told(call, result)
        services.note(call.asker.actor, route.action, subject, address_of(call.request), **detail)
    return result


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
