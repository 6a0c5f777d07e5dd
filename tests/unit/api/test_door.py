"""The door: languages, origins, roles, remembered sessions, headers."""

import pytest
from starlette.requests import Request

from mingwu.api.door import (
    Doorkeeper,
    language_of,
    require_own_origin,
    require_role,
    token_of,
)
from mingwu.api.ports import Principal
from mingwu.kernel.errors import Denied, NotAuthenticated
from mingwu.kernel.languages import accepted_language


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de, zh;q=0.3, en;q=0.2", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=nonsense, en;q=0.5", "en"),
        ("fr", "en"),
    ],
)
def test_accepted_language(header: str, language: str) -> None:
    assert accepted_language(header) == language


def test_language_of_prefers_page_then_account_then_browser() -> None:
    zh = Principal(account="a", role="viewer", language="zh")
    assert language_of(request(cookie="mw_lang=en", accept_language="zh"), zh) == "en"
    assert language_of(request(accept_language="en"), zh) == "zh"
    assert language_of(request(cookie="mw_lang=xx", accept_language="zh"), None) == "zh"


def test_token_from_bearer_or_cookie() -> None:
    assert token_of(request(authorization="Bearer abc", cookie="mw_session=def")) == "abc"
    assert token_of(request(cookie="mw_session=def")) == "def"
    assert token_of(request(authorization="Basic abc")) == ""


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "mw:8080", "origin": "http://mw:8080", "sec_fetch_site": "same-origin"},
        {"host": "inner", "x_forwarded_host": "mw.example", "origin": "https://mw.example"},
    ],
)
def test_own_origin_passes(headers: dict[str, str]) -> None:
    require_own_origin(request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "mw:8080", "origin": "http://evil"},
        {"host": "mw:8080", "origin": "null"},
        {"host": "mw:8080", "sec_fetch_site": "cross-site"},
        {"host": "mw:8080", "origin": "http://mw:8080.evil"},
    ],
)
def test_foreign_origin_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Denied):
        require_own_origin(request(**headers))


def test_roles_rise() -> None:
    engineer = Principal(account="e", role="engineer")
    assert require_role(engineer, "operator") is engineer
    with pytest.raises(Denied):
        require_role(engineer, "admin")
    with pytest.raises(NotAuthenticated):
        require_role(None, "viewer")
    with pytest.raises(Denied, match="first password"):
        require_role(Principal(account="a", role="admin", must_change=True), "viewer")


@pytest.mark.anyio
async def test_doorkeeper_believes_for_a_while_and_forgets() -> None:
    asked: list[str] = []

    class People:
        def verify(self, token: str) -> Principal | None:
            asked.append(token)
            return Principal(account="a", role="viewer") if token == "good" else None

    now = [0.0]
    door = Doorkeeper(People(), believe_s=3, monotonic=lambda: now[0])  # type: ignore[arg-type]
    good = request(cookie="mw_session=good")
    assert await door.principal(request()) is None
    assert (await door.principal(good)).account == "a"
    assert (await door.principal(good)).account == "a"
    assert asked == ["good"]
    now[0] = 3.1
    await door.principal(good)
    door.forget()
    await door.principal(good)
    assert asked == ["good"] * 3
    assert await door.principal(request(cookie="mw_session=bad")) is None
