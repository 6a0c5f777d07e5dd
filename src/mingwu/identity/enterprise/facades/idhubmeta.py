"""Metadata (data templates), lists and grants in the form of the deployed enterprise node.

Paths ``/api/v1/open/meta/…``, ``/api/v1/open/handle/page``, ``/api/v1/open/classes-grant/…``,
``/api/v1/single-handle/authorization``, modelled on its public developer documents. Handlers
return (code, data); the forms are in :mod:`idhubforms`.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from mingwu.identity.enterprise.door import Asker, EnterpriseServices, address_of, read_json
from mingwu.identity.enterprise.facades.idhubforms import (
    ClassGrants,
    CopyBody,
    ItemsBody,
    MetaBody,
    PublicItems,
    PublishBody,
    SingleGrants,
    basic_data,
    checked,
    grants_of,
    industry_data,
    industry_out,
    item_data,
    item_out,
    page_of,
    paged,
    shown_time,
    state_of,
    template_row,
    time_range,
)
from mingwu.identity.enterprise.granting.grants import EVERYTHING, GROUP, Grant, May, Scope
from mingwu.identity.enterprise.model import Item, Template, TemplateDef, TemplateRef
from mingwu.identity.enterprise.queries import Search
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.trust.roles import Permission

OK, DONE = 1, 10_000
_PUBLIC = 1
_READ, _WRITE = 1, 2
_SINGLE = 2

Handler = Callable[[Request, Asker], Awaitable[tuple[int, Any]]]


class Meta:
    """The handlers."""

    def __init__(self, services: EnterpriseServices) -> None:
        self.services = services
        self.node = services.node
        self.limit = services.node.settings.body_bytes

    def table(self) -> list[tuple[str, str, Handler]]:
        """(method, path, handler) of all."""
        meta, grant = "/api/v1/open/meta", "/api/v1/open/classes-grant"
        return [
            ("POST", f"{meta}/create", self.create),
            ("GET", f"{meta}/info", self.info),
            ("GET", f"{meta}/page", self.page),
            ("GET", f"{meta}/classify-query", self.classify),
            ("PUT", f"{meta}/update-basic-info", self.update_basic),
            ("PUT", f"{meta}/update-item", self.update_items),
            ("PUT", f"{meta}/publish-or-withdraw", self.publish),
            ("DELETE", f"{meta}/delete", self.delete),
            ("POST", f"{meta}/baseon-create", self.copy),
            ("GET", "/api/v1/open/handle/page", self.handles),
            ("GET", "/api/v1/open/handle-user-group/list", self.identities),
            ("POST", f"{grant}/item/batch-public", self.batch_public),
            ("POST", f"{grant}/authorization", self.class_grants),
            ("POST", "/api/v1/single-handle/authorization", self.single_grants),
        ]

    # -- metadata -----------------------------------------------------------------------------

    async def create(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """A draft; it has to be published before names can be registered with it."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, MetaBody, self.limit)
        prefix = body.meta_handle.partition("/")[0] or self.node.settings.prefixes[0]
        definition = checked(
            {
                "prefix": prefix,
                "version": body.meta_code,
                "handle": body.meta_handle or f"{prefix}/META_{secrets.token_hex(8)}",
                "industry": industry_data(body),
                "items": [item_data(item, Item(type=item.english_name)) for item in body.items],
                **basic_data(body),
            }
        )
        template = await run_in_threadpool(
            lambda: self.node.templates.create(definition, actor=asker.actor.name)
        )
        await self._note("template.create", template.definition.handle, asker, request)
        return OK, {"metaHandle": template.definition.handle}

    async def info(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """One template whole."""
        asker.require(Permission.READ)
        template = await self._template(request.query_params.get("metaHandle", ""))
        return OK, await run_in_threadpool(self._info, template)

    def _info(self, template: Template) -> dict[str, Any]:
        definition, label = template.definition, self.node.industries.label
        return {
            "classifyCode": definition.classify,
            "metaHandle": definition.handle,
            "metaName": definition.name_zh,
            "metaCode": definition.version,
            "industry": label(definition.industry, "zh"),
            **industry_out(definition.industry),
            "metaState": state_of(template),
            "metaContributor": definition.prefix,
            "standard": definition.standard,
            "metaDesc": definition.description,
            "createdTime": shown_time(template.created_at_ms),
            "updatedTime": shown_time(template.changed_at_ms),
            "itemVOS": [item_out(item) for item in definition.items],
        }

    async def page(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Templates of a class; pages count from 0."""
        asker.require(Permission.READ)
        query = request.query_params
        found = await run_in_threadpool(
            lambda: self.node.templates.list(classify=query.get("classifyCode", ""))
        )
        wanted = query.get("metaHandle", "")
        state = query.get("metaState", "")
        start, end = time_range(query)
        rows = [
            one
            for one in found
            if (not wanted or one.definition.handle == wanted)
            and (not state or str(state_of(one)) == state)
            and (start is None or one.created_at_ms >= start)
            and (end is None or one.created_at_ms <= end)
        ]
        page, size = page_of(query)
        return OK, paged(
            [template_row(one) for one in rows[page * size : (page + 1) * size]],
            len(rows), page, size,
        )  # fmt: skip

    async def classify(self, _request: Request, asker: Asker) -> tuple[int, Any]:
        """The classes in use, one level."""
        asker.require(Permission.READ)
        found = await run_in_threadpool(self.node.templates.list)
        names = sorted({one.definition.classify for one in found if one.definition.classify})
        return OK, [
            {
                "id": number, "parentId": 0, "sort": number, "children": [], "classifyName": name,
                "classifyCode": name, "ancestors": "0", "level": 1,
            }
            for number, name in enumerate(names, start=1)
        ]  # fmt: skip

    async def update_basic(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Names, class, industry, description."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, MetaBody, self.limit)
        old = (await self._template(body.meta_handle)).definition
        data = msgspec.to_builtins(old) | basic_data(body)
        if body.industry_category:
            data["industry"] = industry_data(body)
        await self._change(old, data, asker, request)
        return DONE, None

    async def update_items(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Items by their English name; those not named stay."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, ItemsBody, self.limit)
        old = (await self._template(body.meta_handle)).definition
        items = {item.type: msgspec.to_builtins(item) for item in old.items}
        known = {item.type: item for item in old.items}
        for item in body.items:
            before = known.get(item.english_name, Item(type=item.english_name))
            items[item.english_name] = item_data(item, before)
        data = msgspec.to_builtins(old) | {"items": list(items.values())}
        await self._change(old, data, asker, request)
        return DONE, None

    async def _change(
        self, old: TemplateDef, data: dict[str, Any], asker: Asker, request: Request
    ) -> None:
        definition = checked(data)
        ref = TemplateRef(handle=old.handle)
        await run_in_threadpool(
            lambda: self.node.change_template(ref, definition, actor=asker.actor.name)
        )
        await self._note("template.change", old.handle, asker, request)

    async def _note(
        self, action: str, subject: str, asker: Asker, request: Request, **detail: Any
    ) -> None:
        await run_in_threadpool(
            lambda: self.services.note(
                asker.actor, action, subject, address_of(request), via="idhub", **detail
            )
        )

    async def publish(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Publish or withdraw several; each with its own result."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, PublishBody, self.limit)
        if body.op_type not in {"publish", "withdraw"}:
            raise InvalidInput(
                "input.invalid",
                path="opType",
                fault=Phrase("publish or withdraw", "应为 publish 或 withdraw"),
            )
        published = body.op_type == "publish"
        results = await run_in_threadpool(
            lambda: [
                self._published(handle, published=published, actor=asker.actor.name)
                for handle in body.meta_handle_list
            ]
        )
        for one in results:
            if one["state"] == "success":
                handle = one["metaHandle"]
                await self._note("template.publish", handle, asker, request, published=published)
        return DONE, results

    def _published(self, handle: str, *, published: bool, actor: str) -> dict[str, str]:
        try:
            ref = TemplateRef(handle=handle)
            self.node.templates.set_published(ref, published=published, actor=actor)
        except MingwuError as error:
            return {"metaHandle": handle, "state": "failed", "reason": error.text("zh")}
        return {"metaHandle": handle, "state": "success", "reason": ""}

    async def delete(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Delete templates nothing is registered with; published ones must be withdrawn first."""
        asker.require(Permission.CONFIGURE)
        handles = request.query_params.getlist("metaHandleList")
        for handle in handles:
            ref = TemplateRef(handle=handle)
            await run_in_threadpool(self.node.templates.delete, ref)
            await self._note("template.delete", handle, asker, request)
        return DONE, None

    async def copy(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """A draft with the items of another template."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, CopyBody, self.limit)
        old = (await self._template(body.baseon_handle)).definition
        data = msgspec.to_builtins(old) | {
            "version": body.base_info.meta_code,
            "handle": f"{old.prefix}/META_{secrets.token_hex(8)}",
            "classify": body.base_info.classify_code or old.classify,
        }
        definition = checked(data)
        template = await run_in_threadpool(
            lambda: self.node.templates.create(definition, actor=asker.actor.name)
        )
        await self._note("template.create", template.definition.handle, asker, request)
        return OK, {"metaHandle": template.definition.handle}

    async def _template(self, handle: str) -> Template:
        return await run_in_threadpool(self.node.templates.get, TemplateRef(handle=handle))

    # -- lists --------------------------------------------------------------------------------

    async def handles(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Identifiers of a template; pages count from 0."""
        asker.require(Permission.READ)
        query = request.query_params
        template = await self._template(query.get("metaHandle", "").strip('"'))
        start, end = time_range(query)
        page, size = page_of(query)
        search = Search(
            template=template.number, text=query.get("handleName", ""), offset=page * size,
            limit=size, changed_from_ms=start, changed_before_ms=end,
        )  # fmt: skip
        rows, total = await run_in_threadpool(self.node.register.search, search)
        content = [
            {
                "handleName": row.name,
                "createTime": shown_time(row.registered_at_ms),
                "updateTime": shown_time(row.changed_at_ms),
                "createdBy": row.owner,
            }
            for row in rows
        ]
        return OK, paged(content, total, page, size)

    async def identities(self, _request: Request, asker: Asker) -> tuple[int, Any]:
        """Application identities and identity groups that may be granted something."""
        asker.require(Permission.READ)
        settings = self.node.settings
        company = settings.enterprise_zh or settings.prefixes[0]
        applications = await run_in_threadpool(self.node.applications.list)
        groups = await run_in_threadpool(self.node.grants.groups)
        names = [(one.title or one.login, one.handle) for one in applications]
        names += [(one.zh or one.name, f"{GROUP}{one.name}") for one in groups]
        return DONE, [
            {"name": name, "userHandle": handle, "belongCompany": company} for name, handle in names
        ]

    # -- grants -------------------------------------------------------------------------------

    async def batch_public(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Open items of a template to everybody, or close them."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, PublicItems, self.limit)
        await self._set_public(body.meta_handle, body.items, body.scope == _PUBLIC, asker, request)
        return OK, None

    async def _set_public(
        self, handle: str, types: Sequence[str], is_public: bool, asker: Asker, request: Request
    ) -> None:
        old = (await self._template(handle)).definition
        unknown = set(types) - {item.type for item in old.items}
        if unknown:
            item = min(unknown)
            raise InvalidInput("enterprise.value-unknown", item=item, index="-")
        data = msgspec.to_builtins(old)
        for item in data["items"]:
            if item["type"] in types:
                item["restricted"] = not is_public
        await self._change(old, data, asker, request)

    async def class_grants(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Grants for all identifiers of a template, by item."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, ClassGrants, self.limit)
        template = await self._template(body.meta_handle)
        target = str(template.number)
        for access in body.access_list:
            if access.auth_type not in {_READ, _WRITE}:
                raise InvalidInput(
                    "input.invalid", path="authType", fault=Phrase("1 read, 2 write", "1 读，2 写")
                )
            if access.auth_type == _READ and access.scope == _PUBLIC:
                await self._set_public(body.meta_handle, [access.item], True, asker, request)
                continue
            may = May.READ if access.auth_type == _READ else May.WRITE
            given, taken = (
                grants_of(users, Scope.TEMPLATE, target, access.item, may)
                for users in (access.handle_users, access.remove_handle_users)
            )
            await self._store(given, taken, asker, request)
        return OK, None

    async def single_grants(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Access of one identifier of its own, or back to its template's."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, SingleGrants, self.limit)
        await run_in_threadpool(self.node.register.get, body.handle)
        own = body.grant_type == _SINGLE
        is_public = own and body.reader_scope == _PUBLIC
        await run_in_threadpool(
            lambda: self.node.set_access(body.handle, own=own, is_public=is_public)
        )
        await self._note("access", body.handle, asker, request, own=own, is_public=is_public)
        if own:
            for may, users, gone in (
                (May.READ, body.handle_user_readers, body.del_handle_user_readers),
                (May.WRITE, body.handle_user_writers, body.del_handle_user_writers),
            ):
                given, taken = (
                    grants_of(names, Scope.IDENTIFIER, body.handle, EVERYTHING, may)
                    for names in (users, gone)
                )
                await self._store(given, taken, asker, request)
        return OK, None

    async def _store(
        self, given: list[Grant], taken: list[Grant], asker: Asker, request: Request
    ) -> None:
        for one in given:
            if not one.grantee.lower().startswith(GROUP):
                await run_in_threadpool(self.node.applications.get, one.grantee)
        await run_in_threadpool(self.node.grants.revoke, taken)
        await run_in_threadpool(lambda: self.node.grants.grant(given, actor=asker.actor.name))
        for action, grants in (("revoke", taken), ("grant", given)):
            if grants:
                who = [f"{one.grantee} {one.may.value} {one.item}" for one in grants]
                await self._note(action, grants[0].target, asker, request, grants=who)
