"""W3C Web of Things 1.1 documents: Thing Models of types, Thing Descriptions of things.

Written to the REC of 2023-12-05: ``@context`` is the array [v1, v1.1, …] so that consumers of
either version accept it (TD 1.1 §5.3.1.1); every affordance of a TD has a form that works. What
the API cannot do (invoke actions, push events, write properties) therefore stands in the Thing
Model only. Values carry their unit as a UCUM code. Terms in ``mw:`` are ours: ``mw:simulated``
marks a thing whose values come from a simulator, ``mw:tag`` is the tag number in live topics.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from mingwu.kernel.plant import ValueType
from mingwu.registry.expand import properties
from mingwu.registry.model import FieldDef, PropertyDef, RelationKind, TypeDef
from mingwu.registry.rows import RelationRow, TagRow, ThingRow

CONTEXT: list[Any] = [
    "https://www.w3.org/2019/wot/td/v1",
    "https://www.w3.org/2022/wot/td/v1.1",
    {"@language": "en", "mw": "urn:mingwu:"},
]
SESSION_COOKIE = "mw_session"

_JSON_TYPES = {
    ValueType.FLOAT: "number",
    ValueType.INT: "integer",
    ValueType.BOOL: "boolean",
    ValueType.TEXT: "string",
}
_NUMERIC = frozenset({ValueType.FLOAT, ValueType.INT})

# RFC 8288 relation types where IANA has one that says the same; ours otherwise.
_LINK_RELATIONS = {
    (RelationKind.PART_OF, True): "collection",
    (RelationKind.PART_OF, False): "item",
}


def thing_uri(name: str) -> str:
    """The identifier as a URI."""
    return "hdl:" + quote(name, safe="/:@!$&'()*+,;=~._-")


def thing_model(kind: TypeDef) -> dict[str, Any]:
    """The Thing Model (``application/tm+json``) of a type, repeated properties unrolled."""
    model: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "tm:ThingModel",
        "id": f"urn:mingwu:type:{kind.name}",
        **_titles(kind.name, kind.en, kind.zh),
        "version": {"model": kind.version},
        "mw:kind": kind.kind.value,
    }
    if kind.property:
        model["properties"] = {
            item.name: {
                **_titles(item.name, item.en, item.zh),
                **_schema(item),
                "readOnly": not item.writable,
                "observable": True,
            }
            for _, item, _ in properties(kind)
        }
    if kind.action:
        model["actions"] = {
            action.name: {
                **_titles(action.name, action.en, action.zh),
                **({"input": _object(action.input)} if action.input else {}),
                **({"output": _object(action.output)} if action.output else {}),
                "safe": action.safe,
                "idempotent": action.idempotent,
            }
            for action in kind.action
        }
    if kind.event:
        model["events"] = {
            event.name: {
                **_titles(event.name, event.en, event.zh),
                **({"data": _object(event.data)} if event.data else {}),
            }
            for event in kind.event
        }
    return model


def thing_description(
    thing: ThingRow,
    tags: Sequence[TagRow],
    relations: Iterable[RelationRow],
    *,
    base: str = "",
) -> dict[str, Any]:
    """The Thing Description (``application/td+json``) of a thing; ``base`` without final slash."""
    path = "/api/things/" + quote(thing.id, safe="/")
    description: dict[str, Any] = {
        "@context": CONTEXT,
        "id": thing_uri(thing.id),
        **_titles(thing.id, thing.en, thing.zh),
        "created": _time(thing.added_at_ms),
        "modified": _time(thing.changed_at_ms),
        # A person's browser has the session cookie, a program its token: either will do.
        "securityDefinitions": {
            "token_sc": {"scheme": "bearer", "in": "header", "format": "opaque"},
            "session_sc": {"scheme": "apikey", "in": "cookie", "name": SESSION_COOKIE},
            "either_sc": {"scheme": "combo", "oneOf": ["token_sc", "session_sc"]},
        },
        "security": ["either_sc"],
        "mw:kind": thing.kind.value,
        "mw:place": thing.place,
        "mw:simulated": thing.simulated,
        "links": _links(thing, relations),
    }
    if base:
        description["base"] = base.rstrip("/") + "/"
    if tags:
        description["properties"] = {tag.name: _property(tag, path, base) for tag in tags}
    return description


def _property(tag: TagRow, path: str, base: str) -> dict[str, Any]:
    live = f"/api/live?tag={tag.number}"
    if base.startswith(("http://", "https://")):
        live = "ws" + base.rstrip("/").removeprefix("http") + live
    return {
        **_titles(tag.name, tag.en, tag.zh),
        **_schema(tag),
        "readOnly": not tag.writable,
        "observable": True,
        "mw:tag": tag.number,
        "forms": [
            {
                "href": f"{path}/properties/{quote(tag.name, safe='')}",
                "op": ["readproperty"],
                "contentType": "application/json",
            },
            {
                "href": live,
                "op": ["observeproperty", "unobserveproperty"],
                "contentType": "application/json",
                "subprotocol": "mingwu.live",
            },
        ],
    }


def _links(thing: ThingRow, relations: Iterable[RelationRow]) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    if thing.type:
        href = f"/api/types/{quote(thing.type, safe='')}"
        links.append({"rel": "type", "href": href, "type": "application/tm+json"})
    if thing.documentation:
        links.append({"rel": "service-doc", "href": thing.documentation})
    for relation in relations:
        ours = relation.kind.value if relation.outward else f"{relation.kind.value}-of"
        links.append(
            {
                "rel": _LINK_RELATIONS.get((relation.kind, relation.outward), f"urn:mingwu:{ours}"),
                "href": f"/api/things/{quote(relation.id, safe='/')}/td",
                "type": "application/td+json",
            }
        )
    return links


def _titles(fallback: str, en: str, zh: str) -> dict[str, Any]:
    titles = {lang: text for lang, text in (("en", en), ("zh", zh)) if text}
    title: dict[str, Any] = {"title": en or zh or fallback}
    return title | ({"titles": titles} if titles else {})


def _schema(item: PropertyDef | FieldDef | TagRow) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _JSON_TYPES[item.type]}
    if item.type in _NUMERIC:
        schema["unit"] = item.unit
        if item.low is not None:
            schema["minimum"] = item.low
        if item.high is not None:
            schema["maximum"] = item.high
    return schema


def _object(fields: Iterable[FieldDef]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            field.name: {**_titles(field.name, field.en, field.zh), **_schema(field)}
            for field in fields
        },
        "required": [field.name for field in fields],
    }


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
