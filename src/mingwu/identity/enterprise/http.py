"""The node's own HTTP interface below ``/api/identity``, for the console and for programs.

The routes are mounted behind the API's door, which says who asks (``request.state.principal``) and
guards cookies and origins. Names stand in the query (``?name=``), because they contain slashes.
Replies are JSON; errors are ``{code, message, next}`` in the asker's language; batch calls answer
200 with one result per item. Reading needs the role viewer, registering engineer.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mingwu.identity.enterprise import tables
from mingwu.identity.enterprise.door import (
    Asker,
    EnterpriseServices,
    address_of,
    asker_of,
    language_of,
    read_body,
    read_json,
)
from mingwu.identity.enterprise.grants import Grant, Group, Scope
from mingwu.identity.enterprise.importing import Importer, ImportReport, Mapping
from mingwu.identity.enterprise.industry import IndustryRow
from mingwu.identity.enterprise.lifecycle import Action, State, possible
from mingwu.identity.enterprise.model import (
    IdentifierRow,
    ItemResult,
    Registration,
    Template,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.queries import Search
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.kernel.plant import Kind
from mingwu.trust.roles import Permission

log = logging.getLogger(__name__)

BASE = "/api/identity"
_encode = msgspec.json.Encoder().encode


class NameBody(msgspec.Struct, forbid_unknown_fields=True):
    """One name to register or change; ``version`` is what a change is based on (0: any)."""

    name: str
    values: dict[str, str] = {}
    template: TemplateRef = TemplateRef()
    kind: Kind | None = None
    version: int = 0


class NamesBody(msgspec.Struct, forbid_unknown_fields=True):
    """A batch; ``draft`` writes down only, ``merge`` keeps values that are not given."""

    items: list[NameBody]
    draft: bool = False
    merge: bool = False
    dry: bool = False
    note: str = ""


class MoveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Names to submit, file or deregister."""

    names: list[str]
    note: str = ""


class GrantsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Grants to give or take."""

    grants: list[Grant]


class AccessBody(msgspec.Struct, forbid_unknown_fields=True):
    """Access of one identifier of its own."""

    name: str
    own: bool
    is_public: bool = False


class ApplicationBody(msgspec.Struct, forbid_unknown_fields=True):
    """An application identity to create, or its new key."""

    handle: str
    login: str = ""
    account: str = ""
    title: str = ""
    public_key: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, parsed."""

    node: EnterpriseNode
    request: Request
    asker: Asker
    lang: str
    body: Any = None

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    @property
    def name(self) -> str:
        """The parameter ``name``; InvalidInput without it."""
        found = self.query("name")
        if not found:
            raise InvalidInput("input.invalid", path="name", fault="it is missing")
        return found

    @property
    def number(self) -> int:
        """The template number of the path."""
        return int(self.request.path_params["number"])

    def template(self) -> Template:
        """The template of the path."""
        return self.node.register.template(self.number)


Work = Callable[[Visit], object]


# ---------------------------------------------------------------- templates
def _templates(call: Visit) -> object:
    state = TemplateState(call.query("state")) if call.query("state") else None
    found = call.node.templates.list(
        classify=call.query("classify"), text=call.query("text"), state=state
    )
    counts = call.node.templates.counts()
    return {"templates": [{**_plain(one), "names": counts.get(one.number, 0)} for one in found]}


def _create_template(call: Visit) -> object:
    publish = call.query("publish") in {"1", "true"}
    return call.node.templates.create(call.body, actor=call.asker.actor.name, publish=publish)


def _change_template(call: Visit) -> object:
    ref = TemplateRef(handle=call.template().definition.handle)
    return call.node.change_template(ref, call.body, actor=call.asker.actor.name)


def _publish_template(call: Visit) -> object:
    ref = TemplateRef(handle=call.template().definition.handle)
    what = call.request.path_params["what"]
    if what not in {"publish", "withdraw"}:
        raise InvalidInput("input.invalid", path="what", fault="publish or withdraw")
    published = what == "publish"
    return call.node.templates.set_published(ref, published=published, actor=call.asker.actor.name)


def _delete_template(call: Visit) -> object:
    call.node.templates.delete(TemplateRef(handle=call.template().definition.handle))
    return {"deleted": call.number}


# ---------------------------------------------------------------- names
def _search(call: Visit) -> object:
    params = dict(call.request.query_params)
    try:
        search = msgspec.convert(params, Search, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path="query", fault=str(error)) from error
    rows, total = call.node.register.search(search)
    return {"names": rows, "total": total}


def _detail(call: Visit) -> object:
    identifier = call.node.register.get(call.name)
    template = call.node.register.template_of(call.name)
    shown = call.node.visible(identifier, template, call.asker.actor)
    items = {item.index: item for item in template.definition.items}
    values = [
        {
            "index": value.index,
            "type": value.type,
            "value": value.value if value.index in shown else None,
            "restricted": items[value.index].restricted,
            "name_zh": items[value.index].name_zh,
            "name_en": items[value.index].name_en,
            "unit": items[value.index].unit,
        }
        for value in identifier.values
    ]
    return {
        **_plain(identifier.row),
        "actions": _actions(call, identifier.row),
        "values": values,
        "template": {
            "number": template.number,
            "handle": template.definition.handle,
            "version": template.definition.version,
            "name_zh": template.definition.name_zh,
            "name_en": template.definition.name_en,
        },
    }


def _actions(call: Visit, row: IdentifierRow) -> list[Action]:
    """What the asker may do to a name in its state; grants allow changing at most."""
    can = possible(row.state)
    if call.asker.actor.may_all:
        return can
    granted = call.node.grants.changeable(row, call.asker.actor)
    return [action for action in can if action is Action.CHANGE and granted]


def _history(call: Visit) -> object:
    current = call.node.register.get(call.name).row
    rows = []
    for row in call.node.register.history(call.name):
        template = call.node.register.template(row.template)
        hidden = call.node.hidden(current, template, call.asker.actor)
        plain = _plain(row)
        plain["values"] = [
            _plain_value(value.index, value.type, value.value)
            for value in row.values
            if value.index not in hidden
        ]
        rows.append(plain)
    return {"name": current.name, "versions": rows}


def _register(call: Visit) -> object:
    results = call.node.registrations.register(
        _items(call.body.items),
        actor=call.asker.actor,
        draft=call.body.draft,
        note=call.body.note,
        dry=call.body.dry,
    )
    return _results(results, call.lang)


def _change(call: Visit) -> object:
    results = call.node.registrations.change(
        _items(call.body.items),
        actor=call.asker.actor,
        merge=call.body.merge,
        note=call.body.note,
        dry=call.body.dry,
    )
    return _results(results, call.lang)


def _submit(call: Visit) -> object:
    do, body = call.node.registrations, call.body
    return _results(do.submit(body.names, actor=call.asker.actor, note=body.note), call.lang)


def _file(call: Visit) -> object:
    do, body = call.node.registrations, call.body
    return _results(do.file(body.names, actor=call.asker.actor, note=body.note), call.lang)


def _deregister(call: Visit) -> object:
    do, body = call.node.registrations, call.body
    return _results(do.deregister(body.names, actor=call.asker.actor, note=body.note), call.lang)


def _filing(call: Visit) -> object:
    rows: list[IdentifierRow] = call.node.register.awaiting_filing()
    counts = call.node.register.counts()["state"]
    waiting = counts.get(State.REGISTERED, 0) + counts.get(State.CHANGED, 0)
    return {"names": rows, "total": waiting}


# ---------------------------------------------------------------- access
def _grants(call: Visit) -> object:
    scope = Scope(call.query("scope")) if call.query("scope") else None
    return {"grants": call.node.grants.list(scope, call.query("target"))}


def _grant(call: Visit) -> object:
    call.node.grants.grant(call.body.grants, actor=call.asker.actor.name)
    return {"granted": len(call.body.grants)}


def _revoke(call: Visit) -> object:
    return {"revoked": call.node.grants.revoke(call.body.grants)}


def _access(call: Visit) -> object:
    call.node.register.get(call.body.name)
    body = call.body
    call.node.grants.set_own_access(body.name, own=body.own, is_public=body.is_public)
    return body


def _put_group(call: Visit) -> object:
    call.node.grants.put_group(call.body)
    return call.body


def _remove_group(call: Visit) -> object:
    call.node.grants.remove_group(call.name)
    return {"removed": call.name}


def _create_application(call: Visit) -> object:
    body = call.body
    secret = call.node.applications.create(
        body.handle,
        login=body.login or body.handle,
        account=body.account or call.asker.actor.account,
        title=body.title,
        public_key=body.public_key,
    )
    return {"handle": body.handle, "secret": secret}


def _change_application(call: Visit) -> object:
    body = call.body
    if body.public_key:
        call.node.applications.set_key(body.handle, body.public_key)
    call.node.applications.set_enabled(body.handle, enabled=body.enabled)
    return call.node.applications.get(body.handle)


# ---------------------------------------------------------------- imports from tables
def _put_mapping(call: Visit) -> object:
    Importer(call.node).put(call.body, actor=call.asker.actor.name)
    return call.body


def _import(call: Visit) -> ImportReport:
    """The body is a table; without one, ``source`` names a configured database."""
    importer, settings = Importer(call.node), call.node.settings
    mapping, most = importer.mapping(call.query("mapping")), settings.import_rows
    if call.query("source"):
        rows = tables.source_rows(importer.source(call.query("source")), most=most)
    elif call.body.startswith(b"PK"):
        unpacked = settings.unpacked_bytes
        rows = tables.workbook_rows(call.body, sheet=mapping.sheet, most=most, unpacked=unpacked)
    else:
        rows = tables.csv_rows(call.body, most=most)
    dry = call.query("dry", "true") not in {"0", "false"}
    return importer.run(mapping, rows, actor=call.asker.actor, dry=dry)


# ---------------------------------------------------------------- forms
def _items(bodies: list[NameBody]) -> list[Registration]:
    return [
        Registration(
            name=one.name,
            template=one.template,
            values=one.values,
            kind=one.kind,
            version=one.version,
        )
        for one in bodies
    ]


def _results(results: list[ItemResult], lang: str) -> dict[str, Any]:
    return {
        "done": sum(result.ok for result in results),
        "refused": sum(not result.ok for result in results),
        "results": [_result(result, lang) for result in results],
    }


def _result(result: ItemResult, lang: str) -> dict[str, Any]:
    if result.fault is None:
        return {"name": result.name, "ok": True, "state": result.state, "version": result.version}
    fault = result.fault
    return {
        "name": result.name,
        "ok": False,
        "code": fault.code,
        "item": str(fault.params.get("item", "")),
        "message": fault.text(lang),
        "message_zh": fault.text("zh"),
        "message_en": fault.text("en"),
        "next": fault.next_step(lang),
    }


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _plain_value(index: int, kind: str, text: str) -> dict[str, Any]:
    return {"index": index, "type": kind, "value": text}


# ---------------------------------------------------------------- routes
@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: str
    work: Work
    permission: Permission = Permission.READ
    body: Any = None
    action: str = ""


_WRITE, _SETUP, _ADMIN = Permission.REGISTER, Permission.CONFIGURE, Permission.ACCOUNTS
_ROUTES = (
    _Route("GET", "/industries", lambda c: {
        "industries": c.node.industries.list(c.request.query_params.get("parent"))}),
    _Route("PUT", "/industries", lambda c: c.node.industries.put(c.body), _SETUP, IndustryRow,
           "industry"),
    _Route("GET", "/templates", _templates),
    _Route("POST", "/templates", _create_template, _SETUP, TemplateDef, "template.create"),
    _Route("GET", "/templates/{number:int}", lambda c: c.template()),
    _Route("GET", "/templates/{number:int}/revisions", lambda c: {
        "revisions": c.node.templates.revisions(TemplateRef(handle=c.template().definition.handle))
    }),
    _Route("PUT", "/templates/{number:int}", _change_template, _SETUP, TemplateDef,
           "template.change"),
    _Route("DELETE", "/templates/{number:int}", _delete_template, _SETUP, None, "template.delete"),
    _Route("POST", "/templates/{number:int}/{what:str}", _publish_template, _SETUP, None,
           "template.publish"),
    _Route("GET", "/names", _search),
    _Route("GET", "/names/detail", _detail),
    _Route("GET", "/names/history", _history),
    _Route("POST", "/names/register", _register, _WRITE, NamesBody, "register"),
    _Route("POST", "/names/change", _change, Permission.READ, NamesBody, "change"),
    _Route("POST", "/names/submit", _submit, _WRITE, MoveBody, "submit"),
    _Route("POST", "/names/file", _file, _WRITE, MoveBody, "file"),
    _Route("POST", "/names/deregister", _deregister, _WRITE, MoveBody, "deregister"),
    _Route("GET", "/filing", _filing),
    _Route("GET", "/counts", lambda c: c.node.register.counts()),
    _Route("GET", "/groups", lambda c: {"groups": c.node.grants.groups()}),
    _Route("PUT", "/groups", _put_group, _SETUP, Group, "group"),
    _Route("DELETE", "/groups", _remove_group, _SETUP, None, "group.remove"),
    _Route("GET", "/grants", _grants),
    _Route("POST", "/grants", _grant, _SETUP, GrantsBody, "grant"),
    _Route("DELETE", "/grants", _revoke, _SETUP, GrantsBody, "revoke"),
    _Route("PUT", "/access", _access, _SETUP, AccessBody, "access"),
    _Route("GET", "/applications", lambda c: {"applications": c.node.applications.list()}, _SETUP),
    _Route("POST", "/applications", _create_application, _ADMIN, ApplicationBody,
           "application.create"),
    _Route("PUT", "/applications", _change_application, _ADMIN, ApplicationBody,
           "application.change"),
    _Route("GET", "/mappings", lambda c: {"mappings": Importer(c.node).mappings()}),
    _Route("PUT", "/mappings", _put_mapping, _SETUP, Mapping, "mapping"),
    _Route("POST", "/import", _import, _WRITE, bytes, "import"),
)  # fmt: skip


def routes(services: EnterpriseServices) -> list[Route]:
    """The own routes; they want ``request.state.principal`` from the API's door."""
    return [
        Route(BASE + one.path, _endpoint(one, services), methods=[one.method]) for one in _ROUTES
    ]


def _endpoint(route: _Route, services: EnterpriseServices) -> Any:
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
            call = Visit(services.node, request, asker, lang, body)
            result = await run_in_threadpool(_work, route, services, call)
        except MingwuError as error:
            return Response(_encode(error.as_dict(lang)), error.status, media_type=_JSON)
        except ValueError as error:  # an unknown word where a list of words is meant
            fault = InvalidInput("input.invalid", path="query", fault=str(error))
            return Response(_encode(fault.as_dict(lang)), fault.status, media_type=_JSON)
        return Response(_encode(result), media_type=_JSON)

    return serve


_JSON = "application/json"


def _work(route: _Route, services: EnterpriseServices, call: Visit) -> object:
    result = route.work(call)
    if route.action:
        counts = {}
        if isinstance(result, dict) and "done" in result:
            counts = {"done": result["done"], "refused": result["refused"]}
        subject = call.query("name") or str(call.request.path_params.get("number", "")) or BASE
        address = address_of(call.request)
        services.note(call.asker.actor, route.action, subject, address, **counts)
    return result
