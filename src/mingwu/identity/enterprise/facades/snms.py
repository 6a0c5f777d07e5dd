"""The façade that existing ERP and MES systems call: the business system's HTTP interface (SNMS).

Modelled on the public developer documents of the deployed second-level and enterprise business
systems (paths ``/identity/token``, ``/identityv2/data…``, ``/snms/api/v3|v5/template``):
``{"status", "message", "data"}`` with status 1 done, -1 not logged in, -2 refused (why: message),
-3 no permission, -4 internal. Messages are Chinese unless English is asked for. Not documented
there and chosen here: HTTP status 200 for all of these, 404 and 405 for paths and methods there are
not, in the same form; an update keeps values it does not name.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.enterprise.dataquery import DataQuery, query
from mingwu.identity.enterprise.door import (
    Asker,
    EnterpriseServices,
    FacadeDoor,
    address_of,
    language_of,
    raised,
    read_json,
)
from mingwu.identity.enterprise.facades.strays import with_strays
from mingwu.identity.enterprise.model import (
    ItemResult,
    Registration,
    TemplateRef,
)
from mingwu.identity.enterprise.templates.snmsform import TemplateBody, definition_of, shown
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated
from mingwu.trust.roles import Permission

log = logging.getLogger(__name__)

DONE, NOT_LOGGED_IN, REFUSED, NO_PERMISSION, INTERNAL = 1, -1, -2, -3, -4
_ROOTS = ("/identity", "/identityv2", "/snms")
_SERVER_FAULT = 500  # HTTP statuses from here on are ours to mend
_TEMPLATE_ID, _TEMPLATE = (1000, "TEMPLATE_ID"), (1001, "TEMPLATE")
_encode = msgspec.json.Encoder().encode


class Login(msgspec.Struct):
    """Body of both token calls."""

    username: str
    password: str


class Data(msgspec.Struct):
    """A value's data; only the format ``string`` is known."""

    value: str | int | float | bool | None = ""
    format: str = "string"


class RecordValue(msgspec.Struct):
    """One value of a record."""

    index: int
    type: str
    data: Data
    auth: str | int | None = ""


class Record(msgspec.Struct):
    """An identifier as this interface writes it."""

    handle: str
    templateVersion: str = ""  # noqa: N815 - the interface's name
    value: list[RecordValue] = []


class Handle(msgspec.Struct):
    """Body of a deletion."""

    handle: str


class Handles(msgspec.Struct):
    """The other form of a batch deletion's body."""

    handles: list[str]


Handler = Callable[[Request, Asker, str], Awaitable[Any]]


class Snms:
    """The handlers; each returns what goes into ``data``."""

    def __init__(self, services: EnterpriseServices) -> None:
        self.services = services
        self.node = services.node
        self.door = FacadeDoor(services)
        self.limit = services.node.settings.body_bytes

    # -- identifiers --------------------------------------------------------------------------

    async def detail(self, request: Request, asker: Asker, lang: str) -> Any:
        """``GET /identityv2/data/detail?handle=``."""
        name = request.query_params.get("handle", "")
        if not name:
            what = "缺少必要的请求参数: handle" if lang == "zh" else "parameter handle is missing"
            raise InvalidInput("input.invalid", path="handle", fault=what)
        return await run_in_threadpool(self._detail, name, asker)

    def _detail(self, name: str, asker: Asker) -> dict[str, Any]:
        identifier = self.node.current(name)
        template = self.node.register.template_of(name)
        shown = self.node.visible(identifier, template, asker.actor)
        definition = template.definition
        heads = ((*_TEMPLATE_ID, definition.handle), (*_TEMPLATE, definition.version))
        rows = [
            *heads,
            *((v.index, v.type, v.value) for v in identifier.values if v.index in shown),
        ]
        return {
            "prefix": identifier.row.prefix,
            "handle": identifier.row.name,
            "templateVersion": definition.version,
            "value": [
                {
                    "auth": "1",
                    "index": index,
                    "type": kind,
                    "data": {"format": "string", "value": text},
                }
                for index, kind, text in rows
            ],
        }

    async def create(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``POST /identityv2/data``."""
        record = await read_json(request, Record, self.limit)
        return _single(await self._register([record], asker, request))

    async def update(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``PUT /identityv2/data``."""
        record = await read_json(request, Record, self.limit)
        return _single(await self._change([record], asker, request))

    async def delete(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``DELETE /identityv2/data``."""
        body = await read_json(request, Handle, self.limit)
        return _single(await self._deregister([body.handle], asker, request))

    async def batch_create(self, request: Request, asker: Asker, lang: str) -> Any:
        """``POST /identityv2/data/batchCreate``."""
        records = await read_json(request, list[Record], self.limit)
        return _each(await self._register(records, asker, request), lang)

    async def batch_update(self, request: Request, asker: Asker, lang: str) -> Any:
        """``PUT /identityv2/data/batchUpdate``."""
        records = await read_json(request, list[Record], self.limit)
        return _each(await self._change(records, asker, request), lang)

    async def batch_delete(self, request: Request, asker: Asker, lang: str) -> Any:
        """``DELETE /identityv2/data/batchDelete``; the body is a list or ``{"handles": […]}``."""
        body = await read_json(request, list[str] | Handles, self.limit)  # type: ignore[arg-type]
        names = body.handles if isinstance(body, Handles) else body
        return _each(await self._deregister(list(names), asker, request), lang)

    async def query(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``POST /identityv2/data/query``: names of a template with given values.

        Not in the documents: an addition for the node above, which asks the nodes of its
        enterprises what was granted to it.
        """
        asked = await read_json(request, DataQuery, self.limit)
        page = await run_in_threadpool(query, self.node, asked, asker.actor)
        note = {"count": len(page.rows), "asker": asked.asker, "via": "snms"}
        await run_in_threadpool(
            lambda: self.services.note(
                asker.actor, "query", asked.template, address_of(request), **note
            )
        )
        return page

    async def _register(
        self, records: Sequence[Record], asker: Asker, request: Request
    ) -> list[ItemResult]:
        asker.require(Permission.REGISTER)
        items = [_registration(record) for record in records]
        results = await run_in_threadpool(
            lambda: self.node.registrations.register(items, actor=asker.actor)
        )
        return await self._noted("register", results, asker, request)

    async def _change(
        self, records: Sequence[Record], asker: Asker, request: Request
    ) -> list[ItemResult]:
        items = [_registration(record) for record in records]
        results = await run_in_threadpool(
            lambda: self.node.registrations.change(items, actor=asker.actor, merge=True)
        )
        return await self._noted("change", results, asker, request)

    async def _deregister(
        self, names: Sequence[str], asker: Asker, request: Request
    ) -> list[ItemResult]:
        asker.require(Permission.REGISTER)
        results = await run_in_threadpool(
            lambda: self.node.registrations.deregister(names, actor=asker.actor)
        )
        return await self._noted("deregister", results, asker, request)

    async def _noted(
        self, action: str, results: list[ItemResult], asker: Asker, request: Request
    ) -> list[ItemResult]:
        good = [result.name for result in results if result.ok]
        if good:
            subject = good[0] if len(good) == 1 else f"{good[0]} …"
            await self._note(action, subject, asker, request, count=len(good))
        return results

    async def _note(
        self, action: str, subject: str, asker: Asker, request: Request, **detail: Any
    ) -> None:
        await run_in_threadpool(
            lambda: self.services.note(
                asker.actor, action, subject, address_of(request), via="snms", **detail
            )
        )

    # -- templates ----------------------------------------------------------------------------

    async def template_get(self, request: Request, _asker: Asker, _lang: str) -> Any:
        """``GET /snms/api/v5/template?prefix=&version=``."""
        query = request.query_params
        ref = TemplateRef(query.get("prefix", ""), query.get("version", ""))
        return shown(await run_in_threadpool(self.node.templates.get, ref))

    async def template_create(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``POST /snms/api/v5/template``: published at once."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, TemplateBody, self.limit)
        definition = definition_of(body, ())
        made = await run_in_threadpool(
            lambda: self.node.templates.create(definition, actor=asker.actor.name, publish=True)
        )
        await self._note("template.create", made.definition.handle, asker, request)
        return True

    async def template_change(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``PUT /snms/api/v5/template``: items it does not name stay as they are."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, TemplateBody, self.limit)
        handle = await run_in_threadpool(self._template_change, body, asker)
        await self._note("template.change", handle, asker, request)
        return True

    def _template_change(self, body: TemplateBody, asker: Asker) -> str:
        """Stores a revision; the template's handle."""
        ref = TemplateRef(body.prefix, body.version)
        old = self.node.templates.get(ref).definition
        new = definition_of(body, old.items)
        definition = msgspec.structs.replace(
            old,
            items=new.items,
            industry=new.industry if body.industry_category else old.industry,
            type=new.type,
            description=new.description or old.description,
        )
        self.node.change_template(ref, definition, actor=asker.actor.name)
        return definition.handle

    async def template_delete(self, request: Request, asker: Asker, _lang: str) -> Any:
        """``DELETE /snms/api/v5/template``; only one nothing is registered with."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, TemplateBody, self.limit)
        ref = TemplateRef(body.prefix, body.version)
        handle = (await run_in_threadpool(self.node.templates.get, ref)).definition.handle
        await run_in_threadpool(lambda: self.node.templates.delete(ref, even_published=True))
        await self._note("template.delete", handle, asker, request)
        return True

    # -- tokens -------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        """``POST /identity/token``: name and password in clear (behind TLS)."""
        return await self._login(request, self.door.token)

    async def dated_token(self, request: Request) -> Response:
        """``POST /identity/token/v1``: name and ``sha256(sha256(secret) + yyyy-MM-dd)``."""
        return await self._login(request, self.door.dated_token)

    async def _login(self, request: Request, check: Callable[[str, str, str], str]) -> Response:
        lang = language_of(request, "zh")
        try:
            body = await read_json(request, Login, self.limit)
            token = await run_in_threadpool(
                check, body.username, body.password, address_of(request)
            )
        except NotAuthenticated as error:
            return _reply(REFUSED, error.text(lang), None)
        except MingwuError as error:
            return _failed(error, lang)
        return _reply(DONE, "success", {"token": token})


def _single(results: list[ItemResult]) -> bool:
    fault = results[0].fault
    if fault is not None:
        raise raised(fault)
    return True


def _each(results: list[ItemResult], lang: str) -> list[dict[str, Any]]:
    return [
        {
            "handle": result.name,
            "code": DONE if result.fault is None else REFUSED,
            "msg": "success" if result.fault is None else result.fault.text(lang),
        }
        for result in results
    ]


def _registration(record: Record) -> Registration:
    values = {value.type: _text(value.data.value) for value in record.value}
    return Registration(
        name=record.handle,
        template=TemplateRef(record.handle.partition("/")[0], record.templateVersion),
        values=values,
        indexes={value.type: value.index for value in record.value},
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _reply(status: int, message: str, data: Any) -> Response:
    body = _encode({"status": status, "message": message, "data": data})
    return Response(body, media_type="application/json")


def _failed(error: MingwuError, lang: str) -> Response:
    if isinstance(error, NotAuthenticated):
        status = NOT_LOGGED_IN
    elif isinstance(error, Denied) or error.code == "enterprise.no-access":
        status = NO_PERMISSION
    elif error.status >= _SERVER_FAULT:
        status = INTERNAL
        log.warning("request failed code=%s %s", error.code, error)
    else:
        status = REFUSED
    return _reply(status, error.text(lang), None)


def routes(services: EnterpriseServices) -> list[Route]:
    """The façade's routes; they authenticate themselves."""
    snms = Snms(services)

    def guarded(handler: Handler) -> Any:
        async def serve(request: Request) -> Response:
            lang = language_of(request, "zh")
            try:
                asker = await run_in_threadpool(snms.door.asker, request)
                return _reply(DONE, "success", await handler(request, asker, lang))
            except MingwuError as error:
                return _failed(error, lang)

        return serve

    data, paths = "/identityv2/data", ("/snms/api/v3/template", "/snms/api/v5/template")
    table: list[tuple[str, str, Handler]] = [
        ("GET", f"{data}/detail", snms.detail),
        ("POST", data, snms.create),
        ("PUT", data, snms.update),
        ("DELETE", data, snms.delete),
        ("POST", f"{data}/batchCreate", snms.batch_create),
        ("PUT", f"{data}/batchUpdate", snms.batch_update),
        ("DELETE", f"{data}/batchDelete", snms.batch_delete),
        ("POST", f"{data}/query", snms.query),
    ]
    for path in paths:
        table += [
            ("GET", path, snms.template_get),
            ("POST", path, snms.template_create),
            ("PUT", path, snms.template_change),
            ("DELETE", path, snms.template_delete),
        ]
    offered = [
        Route("/identity/token", snms.token, methods=["POST"]),
        Route("/identity/token/v1", snms.dated_token, methods=["POST"]),
        *(Route(path, guarded(handler), methods=[method]) for method, path, handler in table),
    ]
    return with_strays(offered, _ROOTS, lambda message: _reply(REFUSED, message, None))
