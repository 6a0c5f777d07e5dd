"""Routes of other packages behind the API's door: who asks is told, foreign pages are refused."""

from dataclasses import replace

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from mingwu.api.app import create_app
from mingwu.kernel.errors import Denied

pytestmark = pytest.mark.anyio


async def whoami(request):
    principal = getattr(request.state, "principal", None)
    known = {"account": principal.account, "role": principal.role} if principal else {}
    return JSONResponse({**known, "lang": getattr(request.state, "lang", "")})


async def refusing(_request):
    raise Denied("api.role-required", role="admin", have="viewer")


def offered(services):
    paths = ("/api/identity/who", "/identity/who")
    guarded, free = (Route(path, whoami, methods=["GET", "POST"]) for path in paths)
    refused = Route("/api/identity/no", refusing)
    return replace(services, guarded=(guarded, refused), free=(free,))


async def asked(services, path, method="GET", account="", **headers):
    if account:
        token, _ = services.people.login(account, f"{account}-password", "")
        headers["Authorization"] = f"Bearer {token}"
    transport = httpx.ASGITransport(create_app(offered(services)))
    async with httpx.AsyncClient(transport=transport, base_url="http://mw") as client:
        return await client.request(method, path, headers=headers)


async def test_the_door_tells_who_asks_and_in_which_language(services):
    language = {"Accept-Language": "zh-CN"}
    reply = await asked(services, "/api/identity/who", account="admin", **language)
    assert reply.json() == {"account": "admin", "role": "admin", "lang": "zh"}


async def test_a_stranger_is_nobody(services):
    reply = await asked(services, "/api/identity/who", Authorization="Bearer made-up")
    assert reply.json() == {"lang": "en"}


async def test_another_sites_page_cannot_change_anything(services):
    foreign = {"Origin": "https://evil.example"}
    reply = await asked(services, "/api/identity/who", "POST", "admin", **foreign)
    assert (reply.status_code, reply.json()["code"]) == (403, "api.foreign-origin")


async def test_free_routes_do_without_the_door(services):
    reply = await asked(services, "/identity/who", "POST", "admin", Origin="https://evil.example")
    assert reply.json() == {"lang": ""}


async def test_a_wrong_method_is_answered_with_the_right_ones(services):
    reply = await asked(services, "/api/identity/who", "DELETE")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET, HEAD, POST"


async def test_an_error_raised_behind_the_door_is_a_reply_in_the_askers_language(services):
    reply = await asked(services, "/api/identity/no", **{"Accept-Language": "zh"})
    assert (reply.status_code, reply.json()["code"]) == (403, "api.role-required")
    assert reply.headers["content-language"] == "zh"
