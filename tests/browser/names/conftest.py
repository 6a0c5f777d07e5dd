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


@pytest.fixture
def as_viewer(page: Page, console: str) -> Page:
    """The page, logged in as somebody who may only look."""
    token = _login(console, "viewer")
    page.context.add_cookies([{"name": "mw_session", "value": token, "url": console}])
    return page
