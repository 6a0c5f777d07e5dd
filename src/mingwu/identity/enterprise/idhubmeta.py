"""Metadata (data templates), lists and grants in the form of the deployed enterprise node.

Paths ``/api/v1/open/meta/…``, ``/api/v1/open/handle/page``, ``/api/v1/open/classes-grant/…``,
``/api/v1/single-handle/authorization``, modelled on its public developer documents. Handlers
return (code, data). Data types are numbers there: 1 text, 2 number, 3 date. A metadata handle is a
template's; its ``metaCode`` is our template version.
"""

import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from mingwu.identity.enterprise.door import Asker, EnterpriseServices, read_json
from mingwu.identity.enterprise.grants import EVERYTHING, GROUP, Grant, May, Scope
from mingwu.identity.enterprise.industry import Industries
from mingwu.identity.enterprise.model import (
    MAX_VALUE_CHARS,
    DataType,
    Industry,
    Item,
    Template,
    TemplateDef,
    TemplateRef,
    TemplateState,
)
from mingwu.identity.enterprise.queries import MAX_PAGE, Search
from mingwu.kernel.errors import InvalidInput, MingwuError
from mingwu.trust.roles import Permission

OK, DONE = 1, 10_000
_BEIJING = timezone(timedelta(hours=8))
_TYPES = {1: DataType.STRING, 2: DataType.NUMBER, 3: DataType.DATE}
_TYPE_WORDS = {1: "字符型", 2: "数值型", 3: "日期型"}
_PUBLIC, _CHOSEN = 1, 2
_READ, _WRITE = 1, 2
_SINGLE = 2

Handler = Callable[[Request, Asker], Awaitable[tuple[int, Any]]]


class ItemSchema(msgspec.Struct, rename="camel"):
    """Limits of an item."""

    data_type: int = 1
    min_length: int | None = None
    max_length: int | None = None
    date_format: str = "YYYY-MM-DD"


class MetaItem(msgspec.Struct, rename="camel"):
    """An item; ``item_state`` 0 enabled, 1 disabled, 2 not yet in force."""

    english_name: str
    chinese_name: str = ""
    item_code: str = ""
    item_index: int | None = None
    item_state: int | None = None
    required: int = 0
    unique_field: int = 0
    definition: str = ""
    comment: str = ""
    item_schema_create_d_t_o: ItemSchema = msgspec.field(
        name="itemSchemaCreateDTO", default_factory=ItemSchema
    )


class MetaBody(msgspec.Struct, rename="camel"):
    """Metadata to create or whose basic data to change."""

    meta_code: str = ""
    meta_name: str = ""
    meta_handle: str = ""
    classify_code: str = ""
    industry_category: str = ""
    industry_specific: str = ""
    industry_trade: str = ""
    industry_subclass: str = ""
    standard: str = ""
    meta_desc: str = ""
    items: list[MetaItem] = msgspec.field(name="metaItemCreateDTOS", default_factory=list)


class ItemsBody(msgspec.Struct, rename="camel"):
    """Items to change or add."""

    meta_handle: str
    items: list[MetaItem] = msgspec.field(name="metaItemDTOS", default_factory=list)


class PublishBody(msgspec.Struct, rename="camel"):
    """Which metadata to publish or withdraw."""

    meta_handle_list: list[str]
    op_type: str


class CopyInfo(msgspec.Struct, rename="camel"):
    """What differs in a copy."""

    meta_code: str
    classify_code: str = ""


class CopyBody(msgspec.Struct, rename="camel"):
    """Metadata to copy."""

    baseon_handle: str
    base_info: CopyInfo


class PublicItems(msgspec.Struct, rename="camel"):
    """Items to open to everybody (scope 1) or not (2)."""

    meta_handle: str
    scope: int
    items: list[str]


class Access(msgspec.Struct, rename="camel"):
    """Grants of one item; ``scope`` 1 everybody, 2 those named."""

    item: str
    auth_type: int
    scope: int = 2
    handle_users: list[str] = []
    remove_handle_users: list[str] = []


class ClassGrants(msgspec.Struct, rename="camel"):
    """Grants for all identifiers of a template."""

    meta_handle: str
    access_list: list[Access]


class SingleGrants(msgspec.Struct, rename="camel"):
    """Grants for one identifier; ``grant_type`` 1 follows the template's, 2 its own."""

    handle: str
    grant_type: int
    reader_scope: int = 2
    handle_user_readers: list[str] = []
    handle_user_writers: list[str] = []
    del_handle_user_readers: list[str] = []
    del_handle_user_writers: list[str] = []


class Meta:
    """The handlers."""

    def __init__(self, services: EnterpriseServices) -> None:
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

    @staticmethod
    def number_of(kind: DataType) -> int:
        """The documents' number of a data type; text for those they do not have."""
        return next((number for number, known in _TYPES.items() if known is kind), 1)

    # -- metadata -----------------------------------------------------------------------------

    async def create(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """A draft; it has to be published before names can be registered with it."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, MetaBody, self.limit)
        prefix = body.meta_handle.partition("/")[0] or self.node.settings.prefixes[0]
        definition = _checked(
            {
                "prefix": prefix,
                "version": body.meta_code,
                "handle": body.meta_handle or f"{prefix}/META_{secrets.token_hex(8)}",
                "industry": _industry(body),
                "items": [_item(item, Item(type=item.english_name)) for item in body.items],
                **_basic(body),
            }
        )
        template = await run_in_threadpool(
            lambda: self.node.templates.create(definition, actor=asker.actor.name)
        )
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
            **_industry_out(definition.industry),
            "metaState": _state(template),
            "metaContributor": definition.prefix,
            "standard": definition.standard,
            "metaDesc": definition.description,
            "createdTime": _time(template.created_at_ms),
            "updatedTime": _time(template.changed_at_ms),
            "itemVOS": [_item_out(item) for item in definition.items],
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
        start, end = _times(query)
        rows = [
            one
            for one in found
            if (not wanted or one.definition.handle == wanted)
            and (not state or str(_state(one)) == state)
            and (start is None or one.created_at_ms >= start)
            and (end is None or one.created_at_ms <= end)
        ]
        page, size = _page(query)
        return OK, _paged(
            [_template_row(one) for one in rows[page * size : (page + 1) * size]],
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
        data = msgspec.to_builtins(old) | _basic(body)
        if body.industry_category:
            data["industry"] = _industry(body)
        await self._change(old, data, asker)
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
            items[item.english_name] = _item(item, before)
        await self._change(old, msgspec.to_builtins(old) | {"items": list(items.values())}, asker)
        return DONE, None

    async def _change(self, old: TemplateDef, data: dict[str, Any], asker: Asker) -> None:
        definition = _checked(data)
        ref = TemplateRef(handle=old.handle)
        await run_in_threadpool(
            lambda: self.node.change_template(ref, definition, actor=asker.actor.name)
        )

    async def publish(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Publish or withdraw several; each with its own result."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, PublishBody, self.limit)
        if body.op_type not in {"publish", "withdraw"}:
            raise InvalidInput("input.invalid", path="opType", fault="publish or withdraw")
        published = body.op_type == "publish"
        return DONE, await run_in_threadpool(
            lambda: [
                self._published(handle, published=published, actor=asker.actor.name)
                for handle in body.meta_handle_list
            ]
        )

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
        definition = _checked(data)
        template = await run_in_threadpool(
            lambda: self.node.templates.create(definition, actor=asker.actor.name)
        )
        return OK, {"metaHandle": template.definition.handle}

    async def _template(self, handle: str) -> Template:
        return await run_in_threadpool(self.node.templates.get, TemplateRef(handle=handle))

    # -- lists --------------------------------------------------------------------------------

    async def handles(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Identifiers of a template; pages count from 0."""
        asker.require(Permission.READ)
        query = request.query_params
        template = await self._template(query.get("metaHandle", "").strip('"'))
        start, end = _times(query)
        page, size = _page(query)
        search = Search(
            template=template.number, text=query.get("handleName", ""), offset=page * size,
            limit=size, changed_from_ms=start, changed_before_ms=end,
        )  # fmt: skip
        rows, total = await run_in_threadpool(self.node.register.search, search)
        content = [
            {
                "handleName": row.name,
                "createTime": _time(row.registered_at_ms),
                "updateTime": _time(row.changed_at_ms),
                "createdBy": row.owner,
            }
            for row in rows
        ]
        return OK, _paged(content, total, page, size)

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
        await self._set_public(body.meta_handle, body.items, body.scope == _PUBLIC, asker)
        return OK, None

    async def _set_public(
        self, handle: str, types: Sequence[str], is_public: bool, asker: Asker
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
        await self._change(old, data, asker)

    async def class_grants(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Grants for all identifiers of a template, by item."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, ClassGrants, self.limit)
        template = await self._template(body.meta_handle)
        target = str(template.number)
        for access in body.access_list:
            if access.auth_type not in {_READ, _WRITE}:
                raise InvalidInput("input.invalid", path="authType", fault="1 read, 2 write")
            if access.auth_type == _READ and access.scope == _PUBLIC:
                await self._set_public(body.meta_handle, [access.item], True, asker)
                continue
            may = May.READ if access.auth_type == _READ else May.WRITE
            given, taken = (
                _grants(users, Scope.TEMPLATE, target, access.item, may)
                for users in (access.handle_users, access.remove_handle_users)
            )
            await self._store(given, taken, asker)
        return OK, None

    async def single_grants(self, request: Request, asker: Asker) -> tuple[int, Any]:
        """Access of one identifier of its own, or back to its template's."""
        asker.require(Permission.CONFIGURE)
        body = await read_json(request, SingleGrants, self.limit)
        await run_in_threadpool(self.node.register.get, body.handle)
        own = body.grant_type == _SINGLE
        is_public = own and body.reader_scope == _PUBLIC
        await run_in_threadpool(
            lambda: self.node.grants.set_own_access(body.handle, own=own, is_public=is_public)
        )
        if own:
            for may, users, gone in (
                (May.READ, body.handle_user_readers, body.del_handle_user_readers),
                (May.WRITE, body.handle_user_writers, body.del_handle_user_writers),
            ):
                given, taken = (
                    _grants(names, Scope.IDENTIFIER, body.handle, EVERYTHING, may)
                    for names in (users, gone)
                )
                await self._store(given, taken, asker)
        return OK, None

    async def _store(self, given: list[Grant], taken: list[Grant], asker: Asker) -> None:
        for one in given:
            if not one.grantee.lower().startswith(GROUP):
                await run_in_threadpool(self.node.applications.get, one.grantee)
        await run_in_threadpool(self.node.grants.revoke, taken)
        await run_in_threadpool(lambda: self.node.grants.grant(given, actor=asker.actor.name))


def meta_content(template: Template, industries: Industries) -> dict[str, Any]:
    """What resolving a template's handle answers."""
    definition = template.definition
    changed = _time(template.changed_at_ms)
    created = _time(template.created_at_ms)
    basic = {
        "metaName": definition.name_zh,
        "metaCode": definition.version,
        "industry": industries.label(definition.industry, "zh"),
        **_industry_out(definition.industry),
        "metaState": _state(template),
        "metaContributor": definition.prefix,
        "standard": definition.standard,
        "metaDesc": definition.description,
        "isQuote": 0,
        "publishedTime": changed,
        "effectiveTime": created,
        "latestUpdateTime": changed,
    }
    content = {
        "basicInfo": basic,
        "itemInfos": [_item_info(item) for item in definition.items],
        "required": [item.type for item in definition.items if item.required],
        "uniqueness": [item.type for item in definition.items if item.unique],
        "inputItem": [item.type for item in definition.items if item.enabled],
        "listItem": [],
    }
    times = {"createTime": created, "updateTime": changed, "creator": template.created_by}
    return {"content": content, "metaData": times}


def _item_info(item: Item) -> dict[str, Any]:
    number = Meta.number_of(item.data_type)
    return {
        "itemBasicInfo": {
            "itemIndex": item.index,
            "itemCode": item.code or item.type,
            "enName": item.type,
            "cnName": item.name_zh,
            "state": int(not item.enabled),
        },
        "itemSchemaInfo": {**_schema_out(item), "dataTypeString": _TYPE_WORDS[number]},
    }


def _schema_out(item: Item) -> dict[str, Any]:
    number = Meta.number_of(item.data_type)
    shown: dict[str, Any] = {"dataType": number}
    if item.data_type is DataType.DATE:
        return shown | {"dateFormat": item.date_format}
    shown |= {"minLength": item.min_length, "maxLength": item.max_length}
    if item.data_type is DataType.NUMBER:
        shown["accuracy"] = item.decimals or 0
        if item.low is not None or item.high is not None:
            low, high = (
                bound if bound is not None else limit
                for bound, limit in ((item.low, -math.inf), (item.high, math.inf))
            )
            shown["numberRange"] = f"[{low:g},{high:g}]"
    return shown


def _item_out(item: Item) -> dict[str, Any]:
    return {
        "itemIndex": item.index,
        "itemCode": item.code or item.type,
        "englishName": item.type,
        "chineseName": item.name_zh,
        "itemState": int(not item.enabled),
        "definition": "",
        "inputNecessary": 1,
        "listItemNecessary": 0,
        "required": int(item.required),
        "uniqueField": int(item.unique),
        "comment": item.comment,
        "itemSchemaVO": _schema_out(item),
    }


def _item(body: MetaItem, before: Item) -> dict[str, Any]:
    limits = body.item_schema_create_d_t_o
    kind = _TYPES.get(limits.data_type)
    if kind is None:
        raise InvalidInput("input.invalid", path="dataType", fault="1 text, 2 number, 3 date")
    changes = {
        "index": body.item_index or before.index,
        "code": body.item_code,
        "name_zh": body.chinese_name,
        "data_type": kind.value,
        "required": bool(body.required),
        "unique": bool(body.unique_field),
        "enabled": before.enabled if body.item_state is None else body.item_state == 0,
        "min_length": limits.min_length or 0,
        "max_length": limits.max_length or MAX_VALUE_CHARS,
        "date_format": limits.date_format,
        "comment": body.comment or body.definition,
    }
    plain: dict[str, Any] = msgspec.to_builtins(before)
    return plain | changes


def _basic(body: MetaBody) -> dict[str, Any]:
    return {
        "name_zh": body.meta_name,
        "classify": body.classify_code,
        "standard": body.standard,
        "description": body.meta_desc,
    }


def _industry(body: MetaBody) -> dict[str, str]:
    return {
        "category": body.industry_category,
        "division": body.industry_specific,
        "group": body.industry_trade,
        "class": body.industry_subclass,
    }


def _industry_out(industry: Industry) -> dict[str, str]:
    return {
        "industryCategory": industry.category,
        "industrySpecific": industry.division,
        "industryTrade": industry.group,
        "industrySubclass": industry.class_,
    }


def _checked(data: dict[str, Any]) -> TemplateDef:
    try:
        return msgspec.convert(data, TemplateDef)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path="body", fault=str(error)) from error


def _template_row(template: Template) -> dict[str, Any]:
    definition = template.definition
    return {
        "id": template.number,
        "metaHandle": definition.handle,
        "metaCode": definition.version,
        "metaName": definition.name_zh,
        "metaState": _state(template),
        "isQuote": 0,
        "createdTime": _time(template.created_at_ms),
        "classifyName": definition.classify,
    }


def _state(template: Template) -> int:
    return int(template.state is TemplateState.PUBLISHED)


def _grants(users: list[str], scope: Scope, target: str, item: str, may: May) -> list[Grant]:
    return [Grant(grantee=user, scope=scope, target=target, item=item, may=may) for user in users]


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(_BEIJING):%Y-%m-%d %H:%M:%S}"


def _times(query: Any) -> tuple[int | None, int | None]:
    found: list[int | None] = []
    for name in ("startTime", "endTime"):
        text = query.get(name, "")
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=_BEIJING) if text else None
        except ValueError as error:
            raise InvalidInput("input.invalid", path=name, fault=str(error)) from error
        found.append(int(moment.timestamp() * 1000) if moment else None)
    return found[0], found[1]


def _page(query: Any) -> tuple[int, int]:
    try:
        page, size = int(query.get("page") or 0), int(query.get("size") or 10)
    except ValueError as error:
        raise InvalidInput("input.invalid", path="page", fault=str(error)) from error
    return max(page, 0), min(max(size, 1), MAX_PAGE)


def _paged(content: list[Any], total: int, page: int, size: int) -> dict[str, Any]:
    return {
        "pageSize": size,
        "pageNumber": page + 1,
        "totalCount": total,
        "totalPage": -(-total // size),
        "content": content,
    }
