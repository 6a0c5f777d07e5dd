"""The OpenAPI 3.1 document, made from the endpoint declarations."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import json as msgjson

from mingwu.api.records import ErrorReply
from mingwu.api.routing import JSON

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_REASONS = {
    400: "The input does not fit",
    401: "Not logged in, or bad credentials",
    403: "Not allowed",
    404: "There is no such thing",
    409: "Contradicts what is stored",
    429: "Too many",
    503: "A part is not running",
}


class Described(Protocol):
    """A declared route: an endpoint of the API, or an operation of a package mounted behind it."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def operation_id(self) -> str: ...
    @property
    def role(self) -> str | None: ...
    @property
    def query(self) -> type[msgspec.Struct]: ...
    @property
    def body(self) -> Any: ...
    @property
    def reply(self) -> Any: ...
    @property
    def media_type(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def errors(self) -> tuple[int, ...]: ...


Schemas = dict[Any, dict[str, Any]]
"""Type to its JSON Schema, which refers to the document's components."""


def document(described: Sequence[Described], version: str) -> dict[str, Any]:
    """The whole document."""
    types = list({ErrorReply: 0} | {one: 0 for d in described for one in (d.body, d.reply) if one})
    found, components = msgjson.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas: Schemas = dict(zip(types, found, strict=True))
    paths: dict[str, Any] = {}
    for one in described:
        path = _PARAMETER.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, schemas)
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
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "mw_session"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"bearer": []}],
    }


def _operation(one: Described, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.operation_id,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": _parameters(one),
        "responses": _responses(one, schemas),
    }
    if one.role is None:
        operation["security"] = []
    else:
        operation["description"] = f"Least role: {one.role}."
    if one.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": schemas[one.body]}},
        }
    return operation


def _parameters(one: Described) -> list[dict[str, Any]]:
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
            entry |= {"style": "form", "explode": shape["items"] == {"type": "string"}}
        parameters.append(entry)
    return parameters


def _responses(one: Described, schemas: Schemas) -> dict[str, Any]:
    codes = set(one.errors)
    if one.role is not None:
        codes |= {401, 403}
    if one.query.__struct_fields__ or one.body is not None:
        codes.add(400)
    error = {JSON: {"schema": schemas[ErrorReply]}}
    responses: dict[str, Any] = {
        str(code): {"description": _REASONS[code], "content": error} for code in sorted(codes)
    }
    responses[str(one.status)] = {
        "description": "Done",
        "content": {one.media_type: {"schema": schemas[one.reply]}},
    }
    return responses
