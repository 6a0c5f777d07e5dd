"""The template form of the deployed business systems (SNMS), and what it means here.

Modelled on their public documents (``/snms/api/v5/template``). The form knows text items with
lengths only: other data types, ranges and choices do not survive it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mingwu.identity.enterprise.model import DataType, Industry, Item, Template, TemplateDef
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput


class Metadata(msgspec.Struct, rename="camel"):
    """Limits of a template item."""

    min_length: int = 0
    max_length: int = 255
    type: str = "string"


class TemplateItem(msgspec.Struct, rename="camel"):
    """One item of a template; ``state`` 0 is disabled, 1 enabled."""

    id_type: str
    name: str = ""
    id_index: int | None = None
    required: bool = False
    state: int | None = None
    metadata: Metadata = msgspec.field(default_factory=Metadata)


class TemplateBody(msgspec.Struct, rename="camel"):
    """A template as this interface writes it."""

    prefix: str
    version: str
    industry_category: str = ""
    industry_specific: str = ""
    industry_trade: str = ""
    industry_subclass: str = ""
    type: int = 2
    description: str = ""
    items: list[TemplateItem] = []


def definition_of(body: TemplateBody, old: Sequence[Item]) -> TemplateDef:
    """The definition that a body means; items of ``old`` it does not name stay as they are."""
    known = {item.type: item for item in old}
    for item in body.items:
        before = known.get(item.id_type, Item(type=item.id_type))
        known[item.id_type] = msgspec.structs.replace(
            before,
            index=item.id_index or before.index,
            name_zh=item.name or before.name_zh,
            required=item.required,
            enabled=before.enabled if item.state is None else item.state != 0,
            min_length=item.metadata.min_length,
            max_length=item.metadata.max_length,
        )
    plain = msgspec.to_builtins(tuple(known.values()))
    industry = Industry(
        category=body.industry_category,
        division=body.industry_specific,
        group=body.industry_trade,
        class_=body.industry_subclass,
    )
    data = {
        "prefix": body.prefix,
        "version": body.version,
        "type": body.type,
        "description": body.description,
        "industry": msgspec.to_builtins(industry),
        "items": plain,
    }
    try:  # replace() does not check limits; this does
        return msgspec.convert(data, TemplateDef)
    except msgspec.ValidationError as error:
        raise InvalidInput("input.invalid", path="body", fault=told(error)) from error


def shown(template: Template) -> dict[str, Any]:
    """A template as this interface writes it."""
    definition = template.definition
    return {
        "id": template.number,
        "prefix": definition.prefix,
        "name": definition.name_zh,
        "version": definition.version,
        "handle": definition.handle,
        "industryCategory": definition.industry.category,
        "industrySpecific": definition.industry.division,
        "industryTrade": definition.industry.group,
        "industrySubclass": definition.industry.class_,
        "type": definition.type,
        "description": definition.description,
        "items": [
            {
                "name": item.name_zh,
                "idType": item.type,
                "idIndex": item.index,
                "metadataId": item.index,
                "metadata": {
                    "type": str(DataType.STRING),
                    "minLength": item.min_length,
                    "maxLength": item.max_length,
                },
                "required": item.required,
                "state": int(item.enabled),
            }
            for item in definition.items
        ],
    }
