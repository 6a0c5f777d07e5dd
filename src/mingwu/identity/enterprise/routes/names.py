"""The node's own HTTP interface below ``/api/identity``, for the console and for programs.

The routes are mounted behind the API's door, which says who asks (``request.state.principal``) and
guards cookies and origins. Names stand in the query (``?name=``), because they contain slashes.
Replies are JSON; errors are ``{code, message, next}`` in the asker's language; batch calls answer
200 with one result per item. Reading needs the role viewer, registering engineer.
"""

import msgspec
from starlette.routing import Route

from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.lifecycle import Action, possible
from mingwu.identity.enterprise.model import (
    IdentifierRow,
    Registration,
    TemplateRef,
)
from mingwu.identity.enterprise.queries import Search
from mingwu.identity.enterprise.routes import filing, grants, templates
from mingwu.identity.enterprise.routes.visits import OwnRoute, Visit, mounted
from mingwu.identity.enterprise.routes.visits import plain as _plain
from mingwu.identity.enterprise.routes.visits import results_of as _results
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind
from mingwu.trust.roles import Permission


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


# ---------------------------------------------------------------- names
def _search(call: Visit) -> object:
    params = dict(call.request.query_params)
    titled = params.pop("titles", "") == "true"
    try:
        search = msgspec.convert(params, Search, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path="query", fault=told(error)) from error
    rows, total = call.node.register.search(search)
    if not titled:
        return {"names": rows, "total": total}
    titles = _titles(call, rows)
    return {"names": [{**_plain(row), **titles[row.name]} for row in rows], "total": total}


def _titles(call: Visit, rows: list[IdentifierRow]) -> dict[str, dict[str, str]]:
    """What people call these names: items ``name`` and ``name_en``, where everybody may read."""
    register = call.node.register
    values = register.values_of([row.name for row in rows])
    hidden = {
        number: {one.type for one in register.template(number).definition.items if one.restricted}
        for number in {row.template for row in rows}
    }
    items = (("title_zh", "name"), ("title_en", "name_en"))
    return {
        row.name: {
            key: "" if item in hidden[row.template] else values[fold(row.name)][1].get(item, "")
            for key, item in items
        }
        for row in rows
    }


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
            {"index": value.index, "type": value.type, "value": value.value}
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


# ---------------------------------------------------------------- routes
_WRITE, _SETUP = Permission.REGISTER, Permission.CONFIGURE
_ROUTES = (
    OwnRoute("GET", "/names", "Registered names, searched and paged", _search),
    OwnRoute("GET", "/names/detail", "One name with its values and possible actions", _detail),
    OwnRoute("GET", "/names/history", "Versions of a name", _history),
    OwnRoute("POST", "/names/register", "Register names, one result per item",
             _register, _WRITE, NamesBody, "register"),
    OwnRoute("POST", "/names/change", "Change names",
             _change, Permission.READ, NamesBody, "change"),
    OwnRoute("POST", "/names/submit", "Submit drafts for filing",
             _submit, _WRITE, MoveBody, "submit"),
    OwnRoute("POST", "/names/file", "File names", _file, _WRITE, MoveBody, "file"),
    OwnRoute("POST", "/names/deregister", "Deregister names",
             _deregister, _WRITE, MoveBody, "deregister"),
    OwnRoute("GET", "/counts", "Names by state", lambda c: c.node.register.counts()),
)  # fmt: skip


def routes(services: EnterpriseServices) -> list[Route]:
    """The own routes; they want ``request.state.principal`` from the API's door."""
    return mounted([*_ROUTES, *templates.ROUTES, *filing.ROUTES, *grants.ROUTES], services)
