"""Routes of access: grants, identity groups, application identities."""

import msgspec

from mingwu.identity.enterprise.grants import Grant, Group, Scope
from mingwu.identity.enterprise.visits import OwnRoute, Visit
from mingwu.trust.roles import Permission


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


_SETUP, _ADMIN = Permission.CONFIGURE, Permission.ACCOUNTS
ROUTES = (
    OwnRoute("GET", "/groups", lambda c: {"groups": c.node.grants.groups()}),
    OwnRoute("PUT", "/groups", _put_group, _SETUP, Group, "group"),
    OwnRoute("DELETE", "/groups", _remove_group, _SETUP, None, "group.remove"),
    OwnRoute("GET", "/grants", _grants),
    OwnRoute("POST", "/grants", _grant, _SETUP, GrantsBody, "grant"),
    OwnRoute("DELETE", "/grants", _revoke, _SETUP, GrantsBody, "revoke"),
    OwnRoute("PUT", "/access", _access, _SETUP, AccessBody, "access"),
    OwnRoute("GET", "/applications", lambda c: {"applications": c.node.applications.list()},
             _SETUP),
    OwnRoute("POST", "/applications", _create_application, _ADMIN, ApplicationBody,
             "application.create"),
    OwnRoute("PUT", "/applications", _change_application, _ADMIN, ApplicationBody,
             "application.change"),
)  # fmt: skip
