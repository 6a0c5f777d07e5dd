"""The forms of the deployed enterprise node's metadata interface, and what they mean here.

Bodies as structs, replies as plain data; data types are numbers there (1 text, 2 number, 3 date),
times are Beijing time without zone. A metadata handle is a template's; ``metaCode`` is our
template version; ``classifyCode`` our class. Nothing here asks the store.
"""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from mingwu.identity.enterprise.granting.grants import Grant, May, Scope
from mingwu.identity.enterprise.model import (
    MAX_VALUE_CHARS,
    DataType,
    Industry,
    Item,
    Template,
    TemplateDef,
    TemplateState,
)
from mingwu.identity.enterprise.queries import MAX_PAGE
from mingwu.identity.enterprise.templates.industry import Industries
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

_BEIJING = timezone(timedelta(hours=8))
_TYPES = {1: DataType.STRING, 2: DataType.NUMBER, 3: DataType.DATE}
_TYPE_WORDS = {1: "字符型", 2: "数值型", 3: "日期型"}


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


def number_of(kind: DataType) -> int:
    """The documents' number of a data type; text for those they do not have."""
    return next((number for number, known in _TYPES.items() if known is kind), 1)


def meta_content(template: Template, industries: Industries) -> dict[str, Any]:
    """What resolving a template's handle answers."""
    definition = template.definition
    changed = shown_time(template.changed_at_ms)
    created = shown_time(template.created_at_ms)
    basic = {
        "metaName": definition.name_zh,
        "metaCode": definition.version,
        "industry": industries.label(definition.industry, "zh"),
        **industry_out(definition.industry),
        "metaState": state_of(template),
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
    number = number_of(item.data_type)
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
    number = number_of(item.data_type)
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


def item_out(item: Item) -> dict[str, Any]:
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


def item_data(body: MetaItem, before: Item) -> dict[str, Any]:
    limits = body.item_schema_create_d_t_o
    kind = _TYPES.get(limits.data_type)
    if kind is None:
        raise InvalidInput(
            "input.invalid",
            path="dataType",
            fault=Phrase("1 text, 2 number, 3 date", "1 文本，2 数值，3 日期"),
        )
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


def basic_data(body: MetaBody) -> dict[str, Any]:
    return {
        "name_zh": body.meta_name,
        "classify": body.classify_code,
        "standard": body.standard,
        "description": body.meta_desc,
    }


def industry_data(body: MetaBody) -> dict[str, str]:
    return {
        "category": body.industry_category,
        "division": body.industry_specific,
        "group": body.industry_trade,
        "class": body.industry_subclass,
    }


def industry_out(industry: Industry) -> dict[str, str]:
    return {
        "industryCategory": industry.category,
        "industrySpecific": industry.division,
        "industryTrade": industry.group,
        "industrySubclass": industry.class_,
    }


def checked(data: dict[str, Any]) -> TemplateDef:
    try:
        return msgspec.convert(data, TemplateDef)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path="body", fault=told(error)) from error


def template_row(template: Template) -> dict[str, Any]:
    definition = template.definition
    return {
        "id": template.number,
        "metaHandle": definition.handle,
        "metaCode": definition.version,
        "metaName": definition.name_zh,
        "metaState": state_of(template),
        "isQuote": 0,
        "createdTime": shown_time(template.created_at_ms),
        "classifyName": definition.classify,
    }


def state_of(template: Template) -> int:
    return int(template.state is TemplateState.PUBLISHED)


def grants_of(users: list[str], scope: Scope, target: str, item: str, may: May) -> list[Grant]:
    return [Grant(grantee=user, scope=scope, target=target, item=item, may=may) for user in users]


def shown_time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(_BEIJING):%Y-%m-%d %H:%M:%S}"


def time_range(query: Any) -> tuple[int | None, int | None]:
    found: list[int | None] = []
    for name in ("startTime", "endTime"):
        text = query.get(name, "")
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=_BEIJING) if text else None
        except ValueError as error:
            raise InvalidInput("input.invalid", path=name, fault=told(error)) from error
        found.append(int(moment.timestamp() * 1000) if moment else None)
    return found[0], found[1]


def page_of(query: Any) -> tuple[int, int]:
    try:
        page, size = int(query.get("page") or 0), int(query.get("size") or 10)
    except ValueError as error:
        raise InvalidInput("input.invalid", path="page", fault=told(error)) from error
    return max(page, 0), min(max(size, 1), MAX_PAGE)


def paged(content: list[Any], total: int, page: int, size: int) -> dict[str, Any]:
    return {
        "pageSize": size,
        "pageNumber": page + 1,
        "totalCount": total,
        "totalPage": -(-total // size),
        "content": content,
    }
