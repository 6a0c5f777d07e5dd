"""HTTP routes for names of hosted enterprises: register, change, deregister, list.

Two doors to the same work: the node's own people (permission *register*) for any enterprise, and an
enterprise's program, which shows a key of its enterprise (``tenantkeys``) and reaches what is its
own only: its prefixes, names, applications and figures. Each call is a line of the journal.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.routing import Route

from mingwu.identity.routing import Asked, Journal, Operation, routes_of
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    ItemOutcome,
)
from mingwu.identity.secondlevel.monitoring import REGISTER
from mingwu.identity.secondlevel.reviewing import masked_application, masked_tenant
from mingwu.identity.secondlevel.routes.node import ROOT, TAG
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.tenantkeys import TenantKey
from mingwu.identity.secondlevel.unified import DataQuery
from mingwu.kernel.errors import NotFound
from mingwu.trust.roles import Permission
from mingwu.wire.handle.codes import Rc

_BODY_BYTES = 8 << 20
_MINE = ROOT + "/tenant"
_NAMES = tuple[Annotated[str, Meta(max_length=255)], ...]


class KeyForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key is for, in the operator's words."""

    label: Annotated[str, Meta(min_length=1, max_length=100)]


class NamesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Names behind ``after``, in their order."""

    after: Annotated[str, Meta(max_length=255)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class OwnQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question over a template, as :class:`DataQuery`; who asks is known by the key."""

    template: str
    conditions: dict[str, str] = {}
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


def routes(node: SecondLevel, journal: Journal | None = None) -> list[Route]:
    """Routes for the API to mount behind its door."""
    own = _OwnRoutes(node, journal)
    return routes_of((*_StaffRoutes(node, journal).operations(), *own.operations()))


class _Names:
    """The work itself, for whoever may: ``of`` is an enterprise's credit code, empty for staff."""

    def __init__(self, node: SecondLevel, journal: Journal | None) -> None:
        self._node, self._journal = node, journal

    def page(self, prefix: str, of: NamesPage) -> dict[str, Any]:
        rows = self._node.lookup.names(prefix, after=of.after, limit=of.limit)
        return {"rows": rows, "after": rows[-1]["name"] if len(rows) == of.limit else ""}

    def register(self, asked: Asked, actor: str, of: str) -> object:
        prefix, began = asked.path("prefix"), time.perf_counter_ns()
        made = self._node.hosted.register(prefix, asked.body, of=of)
        took_us = (time.perf_counter_ns() - began) // 1000
        self._node.monitoring.count(self._node.settings.prefix, REGISTER, took_us)
        return self._told(asked, actor, "hosted-register", prefix, made)

    def change(self, asked: Asked, actor: str, of: str) -> object:
        prefix = asked.path("prefix")
        made = self._node.hosted.change(prefix, asked.body, of=of)
        return self._told(asked, actor, "hosted-change", prefix, made)

    def remove(self, asked: Asked, actor: str, of: str) -> object:
        prefix = asked.path("prefix")
        made = self._node.hosted.remove(prefix, asked.body, of=of)
        return self._told(asked, actor, "hosted-remove", prefix, made)

    def _told(
        self, asked: Asked, actor: str, action: str, prefix: str, made: Sequence[ItemOutcome]
    ) -> object:
        done = sum(one.code == Rc.SUCCESS for one in made)
        self.note(asked, actor, action, prefix, items=len(made), done=done)
        return [
            {
                "name": one.name, "code": one.code, "error": one.error,
                "message": one.text(asked.lang),
            }
            for one in made
        ]  # fmt: skip

    def note(self, asked: Asked, actor: str, action: str, subject: str, **detail: Any) -> None:
        if self._journal is not None:
            self._journal(actor, f"identity.{action}", subject, detail, asked.address)


class _StaffRoutes(_Names):
    def operations(self) -> tuple[Operation, ...]:
        names = f"{ROOT}/prefixes/{{prefix}}/identifiers"
        one = partial(
            Operation, path=names, tag=TAG, permission=Permission.REGISTER, errors=(404,),
            body_bytes=_BODY_BYTES,
        )  # fmt: skip
        keys = f"{ROOT}/tenants/{{uscc}}/keys"
        key = partial(Operation, tag=TAG, permission=Permission.SYSTEM, errors=(404,))
        return (
            one(
                method="GET", work=lambda asked: self.page(asked.path("prefix"), asked.query),
                query=NamesPage, summary="Names of a hosted enterprise",
            ),
            one(
                method="POST", work=lambda asked: self.register(asked, asked.account, ""),
                body=tuple[HostedItem, ...],
                summary="Register names of a hosted enterprise, one result per item",
            ),
            one(
                method="PUT", work=lambda asked: self.change(asked, asked.account, ""),
                body=tuple[HostedItem, ...],
                summary="Change names of a hosted enterprise, one result per item",
            ),
            one(
                method="DELETE", work=lambda asked: self.remove(asked, asked.account, ""),
                body=_NAMES, summary="Deregister names of a hosted enterprise, one result per item",
            ),
            key(method="GET", path=keys, work=self.keys, summary="Keys of an enterprise"),
            key(
                method="POST", path=keys, work=self.make_key, body=KeyForm, status=201,
                errors=(404, 409), summary="Make a key for an enterprise; its secret is told once",
            ),
            key(
                method="DELETE", path=f"{keys}/{{id}}", work=self.remove_key,
                summary="End a key of an enterprise",
            ),
        )  # fmt: skip

    def keys(self, asked: Asked) -> object:
        uscc = asked.path("uscc")
        self._node.tenants.get(uscc)
        return self._node.keys.of(uscc)

    def make_key(self, asked: Asked) -> object:
        uscc = asked.path("uscc")
        made, secret = self._node.keys.make(uscc, asked.body.label, asked.account)
        self.note(asked, asked.account, "tenant-key", uscc, key=made.id, label=made.label)
        return {"key": made, "secret": secret}

    def remove_key(self, asked: Asked) -> object:
        uscc, id_ = asked.path("uscc"), asked.path("id")
        self._node.keys.remove(uscc, id_)
        self.note(asked, asked.account, "tenant-key-end", uscc, key=id_)
        return {"removed": id_}


class _OwnRoutes(_Names):
    def operations(self) -> tuple[Operation, ...]:
        names, applications = f"{_MINE}/identifiers/{{prefix}}", f"{_MINE}/applications"
        one = partial(Operation, tag=TAG, permission=None, admit=self._key, errors=(401, 403, 404))
        return (
            one(
                method="GET", path=_MINE, work=self.about,
                summary="The enterprise that a key belongs to: limits, group, prefixes, use",
            ),
            one(
                method="GET", path=names, work=self.own_names, query=NamesPage,
                summary="Names of one's own enterprise",
            ),
            one(
                method="POST", path=names, work=self.own(self.register), body_bytes=_BODY_BYTES,
                body=tuple[HostedItem, ...], summary="Register names of one's own enterprise",
            ),
            one(
                method="PUT", path=names, work=self.own(self.change), body_bytes=_BODY_BYTES,
                body=tuple[HostedItem, ...], summary="Change names of one's own enterprise",
            ),
            one(
                method="DELETE", path=names, work=self.own(self.remove), body_bytes=_BODY_BYTES,
                body=_NAMES, summary="Deregister names of one's own enterprise",
            ),
            one(
                method="POST", path=f"{_MINE}/query", work=self.query, body=OwnQuery,
                summary="Data of a template, as far as one's own enterprise may see it",
            ),
            one(
                method="GET", path=applications, work=self.applications,
                summary="Applications of one's own enterprise",
            ),
            one(
                method="POST", path=applications, work=self.submit, body=ApplicationForm,
                status=201, errors=(401, 404, 409), summary="Apply in the name of one's enterprise",
            ),
            one(
                method="PUT", path=f"{applications}/{{id}}", work=self.submit, status=201,
                body=ApplicationForm, errors=(401, 404, 409),
                summary="Send a returned application of one's own enterprise again",
            ),
        )  # fmt: skip

    def _key(self, request: Request) -> TenantKey:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        return self._node.keys.holder(secret.strip() if scheme.lower() == "bearer" else "")

    def own(self, work: Any) -> Any:
        """``work`` in the name of the enterprise whose key is shown."""

        def done(asked: Asked) -> object:
            key: TenantKey = asked.admitted
            return work(asked, _actor(key), key.uscc)

        return done

    def about(self, asked: Asked) -> object:
        key: TenantKey = asked.admitted
        use = {one["uscc"]: one for one in self._node.desk.tenant_use()}
        return {
            "key": key,
            "enterprise": masked_tenant(self._node.tenants.get(key.uscc)),
            "prefixes": self._node.prefixes.all(uscc=key.uscc),
            "use": use.get(key.uscc),
            "simulated": self._node.settings.simulated,
        }

    def own_names(self, asked: Asked) -> object:
        key, prefix = asked.admitted, asked.path("prefix")
        if all(one.prefix != prefix for one in self._node.prefixes.all(uscc=key.uscc)):
            raise NotFound("secondlevel.prefix-unknown", prefix=prefix)
        return self.page(prefix, asked.query)

    async def query(self, asked: Asked) -> object:
        question = DataQuery(**msgspec.structs.asdict(asked.body), asker=asked.admitted.uscc)
        return await self._node.unified.query(question)

    def applications(self, asked: Asked) -> object:
        found = self._node.applications.of(asked.admitted.uscc)
        return {"rows": [masked_application(one) for one in found]}

    def submit(self, asked: Asked) -> object:
        key, form = asked.admitted, asked.body
        id_ = asked.request.path_params.get("id", "")
        if id_ and self._node.applications.get(id_).form.organisation.uscc != key.uscc:
            raise NotFound("secondlevel.application-unknown", id=id_)
        if form.organisation.uscc != key.uscc:
            raise NotFound("secondlevel.tenant-unknown", uscc=form.organisation.uscc)
        made = self._node.applications.submit(form, _actor(key), id_=id_)
        self.note(asked, _actor(key), "prefix-submit", made.id, prefix=form.prefix,
                  kind=form.kind.value)  # fmt: skip
        return masked_application(made)


def _actor(key: TenantKey) -> str:
    """How the journal names a program of an enterprise."""
    return f"{key.uscc}/{key.id}"
