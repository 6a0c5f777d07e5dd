"""One declaration per route: who is let in, what is read, what is answered, what is described."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from mingwu.api.openapi import document
from mingwu.identity.routing import Asked, Operation, operation_of, routes_of
from mingwu.kernel.errors import NotFound
from mingwu.trust.roles import Permission


class Count(msgspec.Struct, frozen=True):
    many: int = 1


class Told(msgspec.Struct, frozen=True):
    who: str
    many: int
    text: str


def blocking(asked: Asked) -> Told:
    return Told(asked.account, asked.query.many, asked.path("name"))


async def waiting(asked: Asked) -> Told:
    await asyncio.sleep(0)
    return Told(asked.account, asked.body.many, asked.lang)


def missing(_asked: Asked) -> Any:
    raise NotFound("name.unknown", name="x")


one = partial(Operation, tag="test", reply=Told)
OPERATIONS = (
    one(method="GET", path="/a/{name:path}", work=blocking, summary="A", query=Count),
    one(
        method="POST", path="/b", work=waiting, summary="B", body=Count, body_bytes=64,
        permission=Permission.REGISTER, status=201,
    ),
    one(method="GET", path="/c", work=missing, summary="C", permission=None),
)  # fmt: skip


@pytest.fixture
def ask():
    app = Starlette(routes=routes_of(OPERATIONS))

    def send(method: str, path: str, role: str = "", content: bytes = b"") -> httpx.Response:
        async def with_door(scope, receive, send):
            if role:
                person = SimpleNamespace(account="eve", role=role)
                scope.setdefault("state", {})["principal"] = person
            await app(scope, receive, send)

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(with_door)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, path, content=content)

        return asyncio.run(go())

    return send


def test_answers(ask):
    assert ask("GET", "/a/x/y?many=3", "viewer").json() == {"who": "eve", "many": 3, "text": "x/y"}
    made = ask("POST", "/b?lang=zh", "engineer", b'{"many": 4}')
    assert (made.status_code, made.json()) == (201, {"who": "eve", "many": 4, "text": "zh"})


@pytest.mark.parametrize(
    ("method", "path", "role", "content", "status", "code"),
    [
        ("GET", "/a/x", "", b"", 401, "trust.no-session"),
        ("POST", "/b", "viewer", b"", 403, "trust.no-permission"),
        ("GET", "/a/x?many=three", "viewer", b"", 400, "input.invalid"),
        ("POST", "/b", "admin", b'{"many": "4"}', 400, "input.invalid"),
        ("POST", "/b", "admin", b"x" * 65, 400, "input.invalid"),
        ("GET", "/c?lang=zh", "", b"", 404, "name.unknown"),
    ],
)
def test_refusals(ask, method, path, role, content, status, code):
    told = ask(method, path, role, content)
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert told.json()["next"]


def test_the_reference_is_made_from_the_declarations():
    declared = [operation_of(route) for route in routes_of(OPERATIONS)]
    paths = document(declared, "1")["paths"]
    post = paths["/b"]["post"]
    assert post["operationId"] == "post_b"
    assert post["description"] == "Least role: engineer."
    body = post["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Count"}
    assert set(post["responses"]) == {"201", "400", "401", "403"}
    assert [one["name"] for one in paths["/a/{name}"]["get"]["parameters"]] == ["name", "many"]
    assert paths["/c"]["get"]["security"] == []
