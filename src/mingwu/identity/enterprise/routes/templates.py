"""Routes of data templates and industry codes below ``/api/identity``.

Looking needs the role viewer, changing engineer. A template's revision is its entity tag: changes
may carry ``If-Match`` (or ``?base=``) and are refused with 409 when somebody else was there first.
``…/check`` says what a definition would mean and stores nothing.
"""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta
from starlette.responses import Response

from mingwu.identity.enterprise.granting.readings import grantable
from mingwu.identity.enterprise.model import Template, TemplateDef, TemplateRef
from mingwu.identity.enterprise.routes.visits import OwnRoute, Visit, faults_of, plain
from mingwu.identity.enterprise.templates import file, readymade
from mingwu.identity.enterprise.templates.diff import difference
from mingwu.identity.enterprise.templates.effect import Effect, effect
from mingwu.identity.enterprise.templates.industry import IndustryRow
from mingwu.identity.enterprise.templates.keeping import MAX_PAGE, TemplateSearch
from mingwu.identity.enterprise.templates.rules import judged
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.trust.roles import Permission

_YES = {"1", "true"}
_FORMS: dict[str, Callable[[Template], bytes]] = {
    "mingwu": file.dump,
    "snms": file.dump_snms,
}
_encode = msgspec.json.Encoder().encode


class TemplateList(TemplateSearch, frozen=True, kw_only=True):
    """What a list of templates shows; ``brief`` leaves the items out."""

    brief: bool = False


class Pages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list."""

    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class Codes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which industry codes: right below ``parent``, or found by ``text``."""

    parent: str = ""
    text: str = ""
    level: Annotated[int, Meta(ge=0, le=4)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50


def _ref(call: Visit) -> TemplateRef:
    return TemplateRef(handle=call.template().definition.handle)


def _base(call: Visit) -> int:
    """The revision a change is based on; 0 when the request does not say."""
    tag = call.query("base") or call.request.headers.get("if-match", "")
    tag = tag.strip().removeprefix("W/").strip('"')
    if tag in {"", "*"}:
        return 0
    if not tag.isdecimal() or not tag.isascii():
        raise InvalidInput(
            "input.invalid", path="If-Match", fault=Phrase("not a revision's number", "不是修订号")
        )
    return int(tag)


# ---------------------------------------------------------------- looking
def _list(call: Visit) -> object:
    wanted = call.wanted(TemplateList)
    found, total = call.node.templates.search(wanted)
    counts = call.node.templates.counts()
    rows = []
    for one in found:
        row = {**plain(one), "names": counts.get(one.number, 0)}
        row["items"] = len(one.definition.items)
        if wanted.brief:
            row["definition"].pop("items", None)
        rows.append(row)
    return {"templates": rows, "total": total, "states": call.node.templates.states()}


def _one(call: Visit) -> object:
    template = call.template()
    industry = template.definition.industry
    body = {
        **plain(template),
        "names": call.node.templates.names(template.number),
        "industry_zh": call.node.industries.label(industry, "zh"),
        "industry_en": call.node.industries.label(industry, "en"),
        "readings": [
            {"type": one.type, "name_zh": one.name_zh, "name_en": one.name_en}
            for one in grantable(template.definition, call.node.unpublished)
        ],
    }
    headers = {"ETag": f'"{template.revision}"'}
    return Response(_encode(body), headers=headers, media_type="application/json")


def _revisions(call: Visit) -> object:
    pages = call.wanted(Pages)
    found = call.node.templates.revisions(_ref(call), offset=pages.offset, limit=pages.limit)
    return {"revisions": found, "total": call.template().revision}


def _revision(call: Visit) -> object:
    return call.node.templates.revision(_ref(call), int(call.request.path_params["revision"]))


def _difference(call: Visit) -> object:
    """From one revision (``from``) to another (``to``, the current one if not given).

    What it means for names is told to those who may see all their values.
    """
    template, ref = call.template(), _ref(call)
    old = call.node.templates.revision(ref, int(call.query("from", "1")))
    new = call.node.templates.revision(ref, int(call.query("to", str(template.revision))))
    means = None
    if call.asker.actor.may_all:
        means = effect(call.node.engine, template, old.definition, new.definition)
    found = _meaning(old.definition, new.definition, means, call.lang)
    return {"from": old.revision, "to": new.revision, **found}


def _meaning(old: TemplateDef, new: TemplateDef, means: Effect | None, lang: str) -> dict[str, Any]:
    differs = difference(old, new)
    if means is None:
        return {"difference": differs, "effect": None}
    first = [
        {"name": one.name, "state": one.state, "faults": faults_of(one.faults, lang)}
        for one in means.first
    ]
    counts = {name: getattr(means, name) for name in ("names", "judged", "invalid", "newly")}
    return {"difference": differs, "effect": {**counts, "first": first}}


def _export(call: Visit) -> object:
    form = call.query("form", "mingwu")
    if form not in _FORMS:
        raise InvalidInput(
            "input.invalid",
            path="form",
            fault=Phrase(f"one of {', '.join(_FORMS)}", f"应为下列之一：{', '.join(_FORMS)}"),
        )
    template = call.template()
    name = quote(f"{template.definition.version}.json", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(_FORMS[form](template), headers=headers, media_type="application/json")


def _readymade(call: Visit) -> object:
    return {"templates": readymade.shipped(), "prefixes": call.node.settings.prefixes}


def _industries(call: Visit) -> object:
    """With ``text`` also every code above the found ones, so that paths can be shown."""
    wanted, given = call.wanted(Codes), call.request.query_params
    if "text" not in given:
        return {"industries": call.node.industries.list(given.get("parent"))}
    rows = call.node.industries.search(wanted.text, level=wanted.level, limit=wanted.limit)
    return {"industries": rows, "above": call.node.industries.above(rows)}


# ---------------------------------------------------------------- changing
def _create(call: Visit) -> object:
    publish = call.query("publish") in _YES
    return call.node.templates.create(call.body, actor=call.asker.actor.name, publish=publish)


def _change(call: Visit) -> object:
    actor = call.asker.actor.name
    return call.node.change_template(_ref(call), call.body, actor=actor, base=_base(call))


def _check(call: Visit) -> object:
    """What storing the body would mean for this template; stores nothing."""
    template = call.template()
    old = template.definition
    kept = {name: getattr(old, name) for name in ("prefix", "version", "handle")}
    new, faults = judged(msgspec.structs.replace(call.body, **kept), old)
    means = Effect(names=0) if faults else effect(call.node.engine, template, old, new)
    return {
        "revision": template.revision,
        "faults": faults_of(faults, call.lang),
        "definition": new,
        **_meaning(old, new, means, call.lang),
    }


def _publish(call: Visit) -> object:
    what = call.request.path_params["what"]
    if what not in {"publish", "withdraw"}:
        raise InvalidInput(
            "input.invalid",
            path="what",
            fault=Phrase("publish or withdraw", "应为 publish 或 withdraw"),
        )
    return call.node.templates.set_published(
        _ref(call), published=what == "publish", actor=call.asker.actor.name, base=_base(call)
    )


def _delete(call: Visit) -> object:
    call.node.templates.delete(_ref(call))
    return {"deleted": call.number}


def _read(call: Visit) -> object:
    """What a file holds and what is wrong with it; stores nothing."""
    definition = _of_file(call)
    existing = _existing(call, definition)
    found, faults = judged(definition, existing.definition if existing else None)
    return {"definition": found, "faults": faults_of(faults, call.lang), "existing": existing}


def _import(call: Visit) -> object:
    """A template from a file: a new one, or with ``revise`` a revision of the one it names."""
    definition, actor = _of_file(call), call.asker.actor.name
    if call.query("revise") in _YES and _existing(call, definition) is not None:
        ref = TemplateRef(definition.prefix, definition.version)
        return call.node.change_template(ref, definition, actor=actor, base=_base(call))
    publish = call.query("publish") in _YES
    return call.node.templates.create(definition, actor=actor, publish=publish)


def _of_file(call: Visit) -> TemplateDef:
    prefix, version = call.query("prefix"), call.query("version")
    return file.read(call.body, prefix=prefix, version=version)


def _existing(call: Visit, like: TemplateDef) -> Template | None:
    try:
        return call.node.templates.get(TemplateRef(like.prefix, like.version))
    except NotFound:
        return None


def _told(call: Visit, result: Any) -> tuple[str, dict[str, Any]]:
    """The line of the journal: which template, and what it is now."""
    if isinstance(result, Template):
        detail = {"revision": result.revision, "state": result.state.value}
        return result.definition.handle, detail
    return str(call.request.path_params.get("number", "import")), {}


_SETUP = Permission.CONFIGURE
ROUTES = (
    OwnRoute("GET", "/industries", "Industry codes (GB/T 4754) by code and name",
             _industries, query=Codes),
    OwnRoute("PUT", "/industries", "Add or rename an industry code",
             lambda call: call.node.industries.put(call.body), _SETUP, IndustryRow, "industry"),
    OwnRoute("GET", "/templates", "Data templates", _list, query=TemplateList),
    OwnRoute("POST", "/templates", "Create a template",
             _create, _SETUP, TemplateDef, "template.create", _told),
    OwnRoute("GET", "/templates/readymade", "Ready-made templates", _readymade),
    OwnRoute("POST", "/templates/read", "What a template file holds; stores nothing",
             _read, _SETUP, bytes),
    OwnRoute("POST", "/templates/import", "Create or revise a template from a file",
             _import, _SETUP, bytes, "template.import", _told),
    OwnRoute("GET", "/templates/{number:int}", "One template", _one),
    OwnRoute("GET", "/templates/{number:int}/revisions", "Revisions of a template",
             _revisions, query=Pages),
    OwnRoute("GET", "/templates/{number:int}/revisions/{revision:int}", "One revision",
             _revision),
    OwnRoute("GET", "/templates/{number:int}/difference",
             "What differs between two revisions, and what it means for names", _difference),
    OwnRoute("GET", "/templates/{number:int}/export", "A template as a file", _export),
    OwnRoute("PUT", "/templates/{number:int}", "Store a new revision",
             _change, _SETUP, TemplateDef, "template.change", _told),
    OwnRoute("DELETE", "/templates/{number:int}", "Delete a template that no name uses",
             _delete, _SETUP, None, "template.delete", _told),
    OwnRoute("POST", "/templates/{number:int}/check",
             "What storing a definition would mean; stores nothing", _check, _SETUP, TemplateDef),
    OwnRoute("POST", "/templates/{number:int}/{what:str}", "Publish or withdraw a template",
             _publish, _SETUP, None, "template.publish", _told),
)  # fmt: skip
