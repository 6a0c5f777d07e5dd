"""Routes of access: grants, identity groups, application identities, who may see what and why.

Who was granted what is nobody's business but that of engineers; everybody may ask about oneself.
Grants and groups are changed by engineers, application identities (they log in) by administrators.
A secret is in the one reply that made it and nowhere else, the journal least of all.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from mingwu.identity.enterprise.granting.explaining import Inquired, checked_grantee, checked_group
from mingwu.identity.enterprise.granting.grants import EVERYTHING, Grant, Group, May, Scope
from mingwu.identity.enterprise.granting.readings import grantable, reading_items
from mingwu.identity.enterprise.granting.search import GrantSearch, Who, kind_of
from mingwu.identity.enterprise.model import Template
from mingwu.identity.enterprise.routes.visits import BASE, OwnRoute, Visit, plain
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Denied, InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.trust.roles import Permission, may

_MOST_GRANTS = 1000
_TOLD = 50  # grants and members that a line of the journal names


class GrantsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Grants to give or take."""

    grants: Annotated[list[Grant], Meta(min_length=1, max_length=_MOST_GRANTS)]


class AccessBody(msgspec.Struct, forbid_unknown_fields=True):
    """Access of one identifier of its own."""

    name: str
    own: bool
    is_public: bool = False


class NewApplication(msgspec.Struct, forbid_unknown_fields=True):
    """An application identity to create; ``login`` empty: its handle."""

    handle: str
    login: Annotated[str, Meta(max_length=128)] = ""
    account: str = ""
    title: Annotated[str, Meta(max_length=200)] = ""
    public_key: str = ""


class ApplicationChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be different; None stays as it is."""

    handle: str
    account: str | None = None
    title: Annotated[str, Meta(max_length=200)] | None = None
    public_key: str | None = None
    enabled: bool | None = None


# ---------------------------------------------------------------- grants
def _grants(call: Visit) -> object:
    rows, total = call.node.access.search(call.wanted(GrantSearch))
    return {"grants": rows, "total": total}


def _grant(call: Visit) -> object:
    grants = [_checked(call, one) for one in call.body.grants]
    call.node.grants.grant(grants, actor=call.asker.actor.name)
    return {"granted": len(grants)}


def _revoke(call: Visit) -> object:
    return {"revoked": call.node.grants.revoke(call.body.grants)}


def _checked(call: Visit, grant: Grant) -> Grant:
    """A grant that means something: its target exists and has the item, its account exists."""
    if grant.scope is Scope.TEMPLATE:
        if not grant.target.isascii() or not grant.target.isdigit():
            raise InvalidInput(
                "input.invalid",
                path="target",
                fault=Phrase("the number of a template", "应为数据模板的编号"),
            )
        template: Template = call.node.register.template(int(grant.target))
    else:
        template = call.node.register.template_of(grant.target)
    readings = {item.type for item in grantable(template.definition, call.node.unpublished)}
    types = {item.type for item in template.definition.items} | readings
    if grant.item != EVERYTHING and grant.item not in types:
        raise InvalidInput("enterprise.value-unknown", item=grant.item, index="-")
    if grant.item in readings and grant.may is May.WRITE:
        fault = Phrase("readings can be read only", "实时读数只能授予读取权限")
        raise InvalidInput("input.invalid", path="may", fault=fault)
    who = checked_grantee(grant.grantee)
    if kind_of(who) is Who.ACCOUNT and call.accounts is not None:
        who = call.accounts.get(who).name
    return replace(grant, grantee=who)


def _told_grants(call: Visit, result: Any) -> tuple[str, dict[str, Any]]:
    grants: list[Grant] = call.body.grants
    told = [
        f"{one.grantee} {one.may.value} {one.scope.value} {one.target} {one.item}"
        for one in grants[:_TOLD]
    ]
    targets = {one.target for one in grants}
    return targets.pop() if len(targets) == 1 else f"{BASE}/grants", {**result, "grants": told}


def _access(call: Visit) -> object:
    call.node.register.get(call.body.name)
    body = call.body
    call.node.set_access(body.name, own=body.own, is_public=body.is_public)
    return body


def _told_access(call: Visit, _: Any) -> tuple[str, dict[str, Any]]:
    return call.body.name, {"own": call.body.own, "is_public": call.body.is_public}


# ---------------------------------------------------------------- who may see what
def _of_name(call: Visit) -> object:
    """Everything that was granted for one name, its owner, its restricted items."""
    identifier = call.node.register.get(call.name)
    template = call.node.register.template_of(call.name)
    grants, own, is_public = call.node.access.of_name(identifier.row.name, template.number)
    readings = reading_items(call.node.store, identifier.row.name)
    restricted = [one for one in (*template.definition.items, *readings) if one.restricted]
    return {
        "name": identifier.row.name,
        "owner": identifier.row.owner,
        "state": identifier.row.state,
        "template": template.number,
        "own": own,
        "is_public": is_public,
        "restricted": [
            {"index": one.index, "type": one.type, "name_zh": one.name_zh, "name_en": one.name_en}
            for one in restricted
        ],
        "grants": grants,
    }


def _explain(call: Visit) -> object:
    """Why somebody may read which values of a name; without ``who`` the asker, ``*`` the public."""
    actor = call.asker.actor
    who = call.query("who") or actor.name
    if fold(who) not in actor.names and not may(call.asker.role, Permission.CONFIGURE):
        raise Denied(
            "enterprise.no-access",
            who=actor.name,
            right=Phrase("ask about others", "查询他人"),
            name=who,
        )
    asker = _with_role(call, call.node.access.asker(who[:300]))
    identifier = call.node.register.get(call.name)
    template = call.node.register.template_of(call.name)
    return call.node.access.explain(identifier, template, asker)


def _with_role(call: Visit, asker: Inquired) -> Inquired:
    """What the accounts know of somebody."""
    actor = call.asker.actor
    if asker.kind is not Who.ACCOUNT:
        return asker
    if fold(asker.who) in actor.names:
        role = call.asker.role
        return replace(asker, role=role.value, may_all=may(role, Permission.REGISTER))
    if call.accounts is None:  # nothing is known, which is not the same as not there
        return asker
    try:
        account = call.accounts.get(asker.who)
    except NotFound:
        return replace(asker, known=False)
    return replace(
        asker, who=account.name, label_zh=account.display, label_en=account.display,
        role=account.role.value, may_all=may(account.role, Permission.REGISTER),
        enabled=account.enabled,
    )  # fmt: skip


def _grantees(call: Visit) -> object:
    """Whom grants may name: groups, applications and, where they are known, accounts."""
    groups = [
        {"who": f"group:{one.name}", "kind": Who.GROUP, "zh": one.zh, "en": one.en}
        for one in call.node.grants.groups()
    ]
    programs = [
        {"who": one.handle, "kind": Who.APPLICATION, "zh": one.title, "en": one.title}
        for one in call.node.applications.list()
    ]
    accounts = call.accounts.list() if call.accounts is not None else []
    people = [
        {"who": one.name, "kind": Who.ACCOUNT, "zh": one.display, "en": one.display}
        for one in accounts
    ]
    return {"grantees": [*groups, *programs, *people]}


# ---------------------------------------------------------------- groups
def _groups(call: Visit) -> object:
    found = []
    for group in call.node.grants.groups():
        _, granted = call.node.access.search(GrantSearch(grantee=f"group:{group.name}", limit=1))
        found.append({**plain(group), "grants": granted})
    return {"groups": found}


def _put_group(call: Visit) -> object:
    group = checked_group(call.body)
    call.node.grants.put_group(group)
    return group


def _told_group(call: Visit, _: Any) -> tuple[str, dict[str, Any]]:
    group: Group = call.body
    return group.name, {"members": list(group.members[:_TOLD]), "count": len(group.members)}


def _remove_group(call: Visit) -> object:
    call.node.grants.remove_group(call.name)
    return {"removed": call.name}


# ---------------------------------------------------------------- application identities
def _create_application(call: Visit) -> object:
    body: NewApplication = call.body
    prefix = body.handle.partition("/")[0]
    own = call.node.settings.prefixes
    if fold(prefix) not in {fold(one) for one in own}:
        known = ", ".join(own)
        raise InvalidInput("enterprise.foreign-prefix", name=body.handle[:255], prefixes=known)
    secret = call.node.applications.create(
        body.handle,
        login=body.login or body.handle,
        account=_account(call, body.account or call.asker.actor.account),
        title=body.title,
        public_key=body.public_key,
    )
    return {"handle": body.handle, "secret": secret}


def _account(call: Visit, name: str) -> str:
    """The account an application acts for; NotFound ``trust.no-account``."""
    return call.accounts.get(name).name if call.accounts is not None else name


def _change_application(call: Visit) -> object:
    body: ApplicationChange = call.body
    known = call.node.applications.get(body.handle)
    if body.public_key:
        call.node.applications.set_key(body.handle, body.public_key)
    if body.title is not None or body.account is not None:
        account = known.account if body.account is None else _account(call, body.account)
        title = known.title if body.title is None else body.title
        call.node.applications.set_profile(body.handle, title=title, account=account)
    if body.enabled is not None:
        call.node.applications.set_enabled(body.handle, enabled=body.enabled)
    return call.node.applications.get(body.handle)


def _told_application(call: Visit, _: Any) -> tuple[str, dict[str, Any]]:
    """What was set; of a key only that it was."""
    told = {name: value for name, value in plain(call.body).items() if value not in (None, "")}
    if "public_key" in told:
        told["public_key"] = "set"
    return told.pop("handle"), told


def _rotate(call: Visit) -> object:
    secret = call.node.applications.reset_secret(call.name)
    return {"handle": call.node.applications.get(call.name).handle, "secret": secret}


def _remove_application(call: Visit) -> object:
    call.node.applications.remove(call.name)
    return {"removed": call.name}


_SETUP, _ADMIN = Permission.CONFIGURE, Permission.ACCOUNTS
ROUTES = (
    OwnRoute("GET", "/groups", "Identity groups", _groups, _SETUP),
    OwnRoute("PUT", "/groups", "Create a group or change its members",
             _put_group, _SETUP, Group, "group", _told_group),
    OwnRoute("DELETE", "/groups", "Remove a group", _remove_group, _SETUP, None, "group.remove"),
    OwnRoute("GET", "/grants", "Grants by grantee, name and template",
             _grants, _SETUP, query=GrantSearch),
    OwnRoute("POST", "/grants", "Grant access",
             _grant, _SETUP, GrantsBody, "grant", _told_grants),
    OwnRoute("DELETE", "/grants", "Take grants back",
             _revoke, _SETUP, GrantsBody, "revoke", _told_grants),
    OwnRoute("GET", "/access", "Everything granted for one name", _of_name, _SETUP),
    OwnRoute("PUT", "/access", "Give one name access rules of its own",
             _access, _SETUP, AccessBody, "access", _told_access),
    OwnRoute("GET", "/access/explain", "Why somebody may read which values of a name", _explain),
    OwnRoute("GET", "/access/grantees", "Whom grants may name", _grantees, _SETUP),
    OwnRoute("GET", "/applications", "Application identities",
             lambda c: {"applications": c.node.applications.list()}, _SETUP),
    OwnRoute("POST", "/applications", "Create an application identity; its secret is told once",
             _create_application, _ADMIN, NewApplication, "application.create", _told_application),
    OwnRoute("PUT", "/applications", "Change an application identity",
             _change_application, _ADMIN, ApplicationChange, "application.change",
             _told_application),
    OwnRoute("POST", "/applications/secret", "A new secret, told once",
             _rotate, _ADMIN, None, "application.secret"),
    OwnRoute("DELETE", "/applications", "Remove an application identity",
             _remove_application, _ADMIN, None, "application.remove"),
)  # fmt: skip
