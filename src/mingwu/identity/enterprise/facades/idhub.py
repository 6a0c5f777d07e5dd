"""The façade of the deployed enterprise node (IDHub): DOIP over HTTP, and login by challenge.

Modelled on its public developer documents: ``/api/v1/doip?targetId=&operationId=`` with the
operations ``0.DOIP/Op.{Create,Retrieve,Update,Delete}`` and
``0.DOIP.EXTEND/Op.Update.Non.Overlay``; ``/api/v1/doip/public/challenge`` and
``/verify-response`` (the nonce signed with RSA, SHA-256, Base64). Replies are
``{"code", "message", "data"}``. The codes are those of the documents' table; where the documents
show both 1 and 10000 for success, the one of the operation's example is sent. HTTP status 200
throughout (not documented there), but 404 and 405 in the same form for paths and methods there are
not. Files and messages of that product are not offered.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.enterprise.door import (
    Asker,
    EnterpriseServices,
    FacadeDoor,
    address_of,
    language_of,
    raised,
    read_json,
)
from mingwu.identity.enterprise.facades.idhubforms import meta_content, number_of
from mingwu.identity.enterprise.facades.idhubmeta import Meta
from mingwu.identity.enterprise.facades.strays import with_strays
from mingwu.identity.enterprise.model import (
    Actor,
    ItemResult,
    Registration,
    TemplateRef,
    TemplateState,
)
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated, NotFound
from mingwu.kernel.names import parse
from mingwu.trust.roles import Permission, Role

log = logging.getLogger(__name__)

RETRIEVED, DONE = 1, 10_000
_ROOTS = ("/api/v1/doip", "/api/v1/open", "/api/v1/single-handle")
_NOBODY = Asker(Actor(name=""), Role.VIEWER)
_META_TYPE = "0.TYPE/DO.DOIPMETA"
_encode = msgspec.json.Encoder().encode

# Codes of the documents' table, by ours.
CODES = {
    "enterprise.login-needed": 101,
    "trust.no-session": 101,
    "enterprise.bad-credentials": 102,
    "trust.no-permission": 103,
    "enterprise.name-unknown": 104,
    "enterprise.name-taken": 105,
    "enterprise.template-taken": 105,
    "input.invalid": 106,
    "enterprise.bad-name": 40_508,
    "name.malformed": 40_508,
    "enterprise.template-unpublished": 600,
    "enterprise.value-missing": 601,
    "enterprise.value-bad": 601,
    "enterprise.value-taken": 601,
    "enterprise.value-unknown": 603,
    "enterprise.template-unknown": 604,
    "enterprise.template-bad": 601,
    "enterprise.industry-bad": 106,
    "enterprise.template-in-use": 606,
    "enterprise.foreign-prefix": 701,
    "enterprise.not-allowed": 702,
    "enterprise.application-unknown": 901,
    "enterprise.group-unknown": 901,
    "idhub.no-operation": 404,
}
_NO_READING, _NO_EDITING, _NO_DELETING, _NO_RIGHT, _OTHER = 403, 406, 700, 103, 500


class Attributes(msgspec.Struct):
    """``content``: item type → value."""

    content: dict[str, str | int | float | bool | None] = {}


class DigitalObject(msgspec.Struct):
    """Body of Create and Update; ``type`` is the template's handle."""

    type: str = ""
    attributes: Attributes = msgspec.field(default_factory=Attributes)


class Proof(msgspec.Struct):
    """Body of verify-response."""

    handle: str
    signature: str


Handler = Callable[[Request, Asker], Awaitable[tuple[int, Any]]]


class Idhub:
    """The handlers of DOIP and of the login."""

    def __init__(self, services: EnterpriseServices) -> None:
        self.services = services
        self.node = services.node
        self.door = FacadeDoor(services)
        self.limit = services.node.settings.body_bytes
        self._operations: dict[tuple[str, str], Handler] = {
            ("POST", "0.DOIP/Op.Create"): self._create,
            ("POST", "0.DOIP/Op.Update"): self._update,
            ("POST", "0.DOIP.EXTEND/Op.Update.Non.Overlay"): self._update,
            ("POST", "0.DOIP/Op.Delete"): self._delete,
            ("GET", "0.DOIP/Op.Retrieve"): self._retrieve,
        }

    async def doip(self, request: Request) -> Response:
        """One operation on one target."""
        lang = language_of(request, "zh")
        operation = request.query_params.get("operationId", "")
        handler = self._operations.get((request.method, operation))
        if handler is None:
            what = "操作类型不存在" if lang == "zh" else f"there is no operation {operation}"
            return _reply(CODES["idhub.no-operation"], what)
        try:
            asker = await self._asker(request, is_reading=request.method == "GET")
            code, data = await handler(request, asker)
        except MingwuError as error:
            return failed(error, lang, _refusal(operation))
        return done(code, lang, data)

    async def _asker(self, request: Request, *, is_reading: bool) -> Asker:
        if is_reading and "authorization" not in request.headers:
            return _NOBODY
        return await run_in_threadpool(self.door.asker, request)

    async def _create(self, request: Request, asker: Asker) -> tuple[int, Any]:
        asker.require(Permission.REGISTER)
        body, item = await self._item(request)
        results = await run_in_threadpool(
            lambda: self.node.registrations.register([item], actor=asker.actor)
        )
        await self._noted("register", results, asker, request)
        return DONE, body

    async def _update(self, request: Request, asker: Asker) -> tuple[int, Any]:
        body, item = await self._item(request)
        merge = request.query_params["operationId"].endswith("Non.Overlay")
        results = await run_in_threadpool(
            lambda: self.node.registrations.change([item], actor=asker.actor, merge=merge)
        )
        await self._noted("change", results, asker, request)
        return DONE, body

    async def _delete(self, request: Request, asker: Asker) -> tuple[int, Any]:
        asker.require(Permission.REGISTER)
        target = request.query_params.get("targetId", "")
        results = await run_in_threadpool(
            lambda: self.node.registrations.deregister([target], actor=asker.actor)
        )
        await self._noted("deregister", results, asker, request)
        return DONE, None

    async def _retrieve(self, request: Request, asker: Asker) -> tuple[int, Any]:
        target = request.query_params.get("targetId", "")
        parse(target)
        return RETRIEVED, await run_in_threadpool(self._retrieved, target, asker)

    def _retrieved(self, target: str, asker: Asker) -> dict[str, Any]:
        try:
            template = self.node.templates.get(TemplateRef(handle=target))
        except NotFound:
            return self._instance(target, asker)
        if template.state is not TemplateState.PUBLISHED:
            raise InvalidInput("enterprise.template-unpublished", template=template.label)
        content = meta_content(template, self.node.industries)
        return {"id": template.definition.handle, "type": _META_TYPE, "attributes": content}

    def _instance(self, target: str, asker: Asker) -> dict[str, Any]:
        identifier = self.node.current(target)
        template = self.node.register.template_of(target)
        shown = self.node.visible(identifier, template, asker.actor)
        values = [value for value in identifier.values if value.index in shown]
        if identifier.values and not values:
            who = asker.actor.name or "-"
            raise Denied("enterprise.no-access", who=who, right=Phrase("read", "读取"), name=target)
        items = {item.index: item for item in template.definition.items}
        name, kind = identifier.row.name, template.definition.handle
        elements = [
            {
                "index": value.index,
                "type": value.type,
                "name": items[value.index].name_zh or value.type,
                "dataType": number_of(items[value.index].data_type),
                "value": value.value,
            }
            for value in values
        ]
        content = {value.type: value.value for value in values}
        attributes = {"id": name, "type": kind, "elements": elements, "content": content}
        return {"id": name, "type": kind, "attributes": attributes}

    async def _item(self, request: Request) -> tuple[DigitalObject, Registration]:
        body = await read_json(request, DigitalObject, self.limit)
        values = {
            kind: "" if value is None else str(value)
            for kind, value in body.attributes.content.items()
        }
        target = request.query_params.get("targetId", "")
        template = TemplateRef(handle=body.type)
        return body, Registration(name=target, template=template, values=values)

    async def _noted(
        self, action: str, results: list[ItemResult], asker: Asker, request: Request
    ) -> None:
        result = results[0]
        if result.fault is not None:
            raise raised(result.fault)
        address = address_of(request)
        await run_in_threadpool(
            lambda: self.services.note(asker.actor, action, result.name, address, via="idhub")
        )

    # -- login --------------------------------------------------------------------------------

    async def challenge(self, request: Request) -> Response:
        """``GET /api/v1/doip/public/challenge?handle=``: a nonce for an application identity."""
        lang = language_of(request, "zh")
        handle = request.query_params.get("handle", "")
        try:
            parse(handle)
            nonce = await run_in_threadpool(self.node.applications.challenge, handle)
        except MingwuError as error:
            return failed(error, lang, _OTHER)
        return done(RETRIEVED, lang, nonce)

    async def verify(self, request: Request) -> Response:
        """``POST /api/v1/doip/public/verify-response``: the signed nonce for a token."""
        lang = language_of(request, "zh")
        try:
            proof = await read_json(request, Proof, self.limit)
            application = await run_in_threadpool(
                self.node.applications.answer, proof.handle, proof.signature, address_of(request)
            )
            token = await run_in_threadpool(self.door.token_of, application)
        except MingwuError as error:
            return failed(error, lang, _OTHER)
        return done(RETRIEVED, lang, {"token": token})


def _refusal(operation: str) -> int:
    """The code for lacking access, which depends on what was wanted."""
    if operation.endswith("Op.Retrieve"):
        return _NO_READING
    return _NO_DELETING if operation.endswith("Op.Delete") else _NO_EDITING


def done(code: int, lang: str, data: Any = None) -> Response:
    """A success."""
    return _reply(code, "成功" if lang == "zh" else "success", data)


def failed(error: MingwuError, lang: str, refusal: int) -> Response:
    """An error in the documents' form; ``refusal`` stands for lacking access."""
    code = CODES.get(error.code, 0)
    if not code and error.code == "enterprise.no-access":
        code = _NO_RIGHT if error.params.get("name") == "*" else refusal
    if not code:
        code = (
            CODES["enterprise.bad-credentials"] if isinstance(error, NotAuthenticated) else _OTHER
        )
    return _reply(code, error.text(lang))


def _reply(code: int, message: str, data: Any = None) -> Response:
    body: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return Response(_encode(body), media_type="application/json")


def routes(services: EnterpriseServices) -> list[Route]:
    """The façade's routes; they authenticate themselves."""
    idhub = Idhub(services)
    meta = Meta(services)

    def guarded(handler: Handler) -> Any:
        async def serve(request: Request) -> Response:
            lang = language_of(request, "zh")
            try:
                asker = await run_in_threadpool(idhub.door.asker, request)
                code, data = await handler(request, asker)
            except MingwuError as error:
                return failed(error, lang, _NO_READING)
            return done(code, lang, data)

        return serve

    offered = [
        Route("/api/v1/doip", idhub.doip, methods=["GET", "POST"]),
        Route("/api/v1/doip/public/challenge", idhub.challenge, methods=["GET"]),
        Route("/api/v1/doip/public/verify-response", idhub.verify, methods=["POST"]),
        *(
            Route(path, guarded(handler), methods=[method])
            for method, path, handler in meta.table()
        ),
    ]
    unknown = CODES["idhub.no-operation"]
    return with_strays(offered, _ROOTS, lambda message: _reply(unknown, message))
