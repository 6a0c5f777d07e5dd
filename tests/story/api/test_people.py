"""Logging in and out, languages, roles, who may what, and what the journal remembers."""

import pytest

from mingwu.api.app import ENDPOINTS
from mingwu.api.ports import Principal
from mingwu.kernel.errors import NotAuthenticated

pytestmark = pytest.mark.anyio


def concrete(path: str) -> str:
    return path.replace("{id:path}", "88.888.101/DEV.DCM2500.01").replace("{name}", "power")


async def test_login_gives_a_cookie_that_scripts_cannot_read(anybody, services) -> None:
    body = {"account": "admin", "password": "admin-password"}
    reply = await anybody.post("/api/session", json=body)
    assert reply.status_code == 200
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    me = (await anybody.get("/api/session")).json()
    assert (me["account"], me["role"], me["token"]) == ("admin", "admin", "")
    await anybody.delete("/api/session")
    assert (await anybody.get("/api/session")).status_code == 401
    assert [line.action for line in services.journal.lines] == ["session.login", "session.logout"]


async def test_wrong_password_says_so_in_the_browsers_language(anybody, services) -> None:
    reply = await anybody.post(
        "/api/session",
        json={"account": "secret typed here", "password": "x"},
        headers={"Accept-Language": "zh-CN"},
    )
    assert reply.status_code == 401
    assert reply.json()["message"] == "需要登录后才能访问"
    assert reply.json()["next"]
    assert services.journal.lines[0].action == "session.refused"
    assert "secret" not in str(services.journal.lines)


@pytest.mark.parametrize("one", [e for e in ENDPOINTS if e.role], ids=lambda e: e.method + e.path)
async def test_every_route_but_the_open_ones_needs_a_session(anybody, one) -> None:
    reply = await anybody.request(one.method, concrete(one.path))
    assert reply.status_code == 401
    assert reply.json()["code"] == "api.login-required"
    assert "www-authenticate" in reply.headers


@pytest.mark.parametrize(
    "one", [e for e in ENDPOINTS if e.role in ("operator", "engineer", "admin")],
    ids=lambda e: e.method + e.path,
)  # fmt: skip
async def test_viewers_only_look(viewer, one) -> None:
    reply = await viewer.request(one.method, concrete(one.path), json={})
    assert reply.status_code == 403
    assert reply.json()["code"] == "api.role-required"


async def test_a_first_password_opens_nothing_but_its_change(anybody, services) -> None:
    class Fresh:
        def verify(self, token: str) -> Principal:
            return Principal(account="admin", role="admin", must_change=True)

    services.door._people = Fresh()
    anybody.headers["Authorization"] = "Bearer anything"
    assert (await anybody.get("/api/tags")).json()["code"] == "api.must-change"
    assert (await anybody.get("/api/session")).json()["must_change"] is True
    body = {"old": "admin-password", "new": "a better password"}
    assert (await anybody.put("/api/session/password", json=body)).status_code == 200
    with pytest.raises(NotAuthenticated):
        services.people.login("admin", "admin-password", "")


async def test_another_site_cannot_act_in_a_users_name(anybody, services) -> None:
    token, _ = services.people.login("admin", "admin-password", "")
    anybody.cookies["mw_session"] = token
    evil = {"Origin": "http://evil.example"}
    reply = await anybody.post("/api/plant", json={"text": ""}, headers=evil)
    assert reply.json()["code"] == "api.foreign-origin"
    own = {"Origin": "http://mw"}
    assert (await anybody.post("/api/plant", json={"text": "x"}, headers=own)).status_code == 200


async def test_language_is_remembered(admin, services) -> None:
    reply = await admin.put("/api/session/language", json={"language": "zh"})
    assert "mw_lang=zh" in reply.headers["set-cookie"]
    admin.cookies.clear()
    assert (await admin.get("/api/things/88.1/X")).json()["message"].startswith("没有以")
    assert (await admin.get("/api/session")).json()["language"] == "zh"
    bad = await admin.put("/api/session/language", json={"language": "fr"})
    assert bad.json()["code"] == "input.invalid"


async def test_admin_makes_and_changes_accounts(admin, viewer, services) -> None:
    new = {"name": "li", "password": "a long password", "role": "operator"}
    assert (await admin.post("/api/accounts", json=new)).status_code == 201
    assert (await admin.post("/api/accounts", json=new)).status_code == 409
    assert (await viewer.get("/api/tags")).status_code == 200
    reply = await admin.patch("/api/accounts/viewer", json={"role": "engineer"})
    assert reply.status_code == 200
    assert (await viewer.get("/api/tags")).status_code == 401  # its sessions ended at once
    assert (await admin.patch("/api/accounts/nobody", json={})).status_code == 404
    names = [one["name"] for one in (await admin.get("/api/accounts")).json()["accounts"]]
    assert names == ["admin", "viewer", "li"]
    lines = (await admin.get("/api/journal?limit=2")).json()["lines"]
    assert [line["action"] for line in lines] == ["account.changed", "account.created"]
