"""The OpenAPI 3.1 document, made from the endpoint declarations."""

import re
from typing import Any

import msgspec
from msgspec import json as msgjson

from mingwu.api.records import ErrorReply
from mingwu.api.routing import JSON, Endpoint

_PARAMETER = re.compile(r"{(\w+)(?::path)?}")
_REASONS = {
    400: "The input does not fit",
    401: "Not logged in, or bad credentials",
    403: "Not allowed",
    404: "There is no such thing",
    409: "Contradicts what is stored",
    429: "Too many",
    503: "A part is not running",
}


def document(endpoints: tuple[Endpoint, ...], version: str) -> dict[str, Any]:
    """The whole document."""
    structs = _structs(endpoints)
    _, schemas = msgjson.schema_components(structs, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for one in endpoints:
        path = _PARAMETER.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mingwu",
            "version": version,
            "description": "Things by name, with live and remembered values. Live values come "
            "over the WebSocket /api/live; see its page in the documentation.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "mw_session"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"bearer": []}],
    }


def _structs(endpoints: tuple[Endpoint, ...]) -> list[Any]:
    found: dict[str, Any] = {"ErrorReply": ErrorReply}
    for one in endpoints:
        for cls in (one.body, one.reply):
            if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
                found[cls.__name__] = cls
    return list(found.values())


def _operation(one: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{one.method.lower()}_{getattr(one.handler, '__name__', 'call')}",
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": _parameters(one),
        "responses": _responses(one),
    }
    if one.role is None:
        operation["security"] = []
    else:
        operation["description"] = f"Least role: {one.role}."
    if one.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _reference(one.body)}},
        }
    return operation


def _parameters(one: Endpoint) -> list[dict[str, Any]]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(one.path)
    ]
    schema = msgjson.schema(one.query)
    fields: dict[str, Any] = next(iter(schema.get("$defs", {}).values()), {})
    required = fields.get("required", [])
    for name, shape in fields.get("properties", {}).items():
        entry = {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": shape,
        }
        if shape.get("type") == "array":
            entry |= {"style": "form", "explode": False}
        parameters.append(entry)
    return parameters


def _responses(one: Endpoint) -> dict[str, Any]:
    codes = set(one.errors)
    if one.role is not None:
        codes |= {401, 403}
    if one.query.__struct_fields__ or one.body is not None:
        codes.add(400)
    error = {JSON: {"schema": _reference(ErrorReply)}}
    responses: dict[str, Any] = {
        str(code): {"description": _REASONS[code], "content": error} for code in sorted(codes)
    }
    schema: dict[str, Any] = {"type": "object"}
    if one.reply is str:
        schema = {"type": "string"}
    elif one.reply is not dict:
        schema = _reference(one.reply)
    responses[str(one.status)] = {
        "description": "Done",
        "content": {one.media_type: {"schema": schema}},
    }
    return responses


def _reference(cls: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{cls.__name__}"}
