"""One console over a real enterprise node for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page


@pytest.fixture(scope="session")
def console(serve: Callable[[Path], AbstractContextManager[str]]) -> Iterator[str]:
    with serve(Path(__file__).with_name("serve_names.py")) as base:
        yield base


def _login(base: str, account: str) -> str:
    body = {"account": account, "password": f"{account}-password"}
    return str(httpx.post(f"{base}/api/session", json=body).json()["token"])


@pytest.fixture(scope="session")
def session(console: str) -> str:
    return _login(console, "admin")


@pytest.fixture(scope="session")
def desk_template(console: str, session: str) -> dict[str, str]:
    """A template like that of parts, for names in numbers that other tests must not count."""
    base, head = f"{console}/api/identity/templates", {"Authorization": f"Bearer {session}"}
    found = httpx.get(base, params={"text": "S1-PART-1.0"}, headers=head).json()["templates"]
    made = {**found[0]["definition"], "version": "DESK-1.0", "handle": "", "name_en": "Desk parts"}
    httpx.post(f"{base}?publish=true", json=made, headers=head).raise_for_status()
    return {"prefix": made["prefix"], "version": made["version"]}


@pytest.fixture
def as_viewer(page: Page, console: str) -> Page:
    """The page, logged in as somebody who may only look."""
    token = _login(console, "viewer")
    page.context.add_cookies([{"name": "mw_session", "value": token, "url": console}])
    return page
