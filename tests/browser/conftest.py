"""One console process over the in-memory plant and one Chromium for all browser tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("MINGWU_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 30_000


@contextmanager
def served(server: Path) -> Iterator[str]:
    """The address of the console that the program ``server`` serves until the end."""
    process = subprocess.Popen([sys.executable, str(server)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], AbstractContextManager[str]]:
    """Runs a program that serves a console and prints its port."""
    return served


@pytest.fixture(scope="session")
def console() -> Iterator[str]:
    with served(Path(__file__).with_name("serve_fake.py")) as base:
        yield base


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Playwright's loop counts as running while it lives: it must not outlive its module."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Seen:
    """What a page said to its console and fetched, for the rules every page must keep."""

    def __init__(self, page: Page, base: str) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("request", lambda asked: self._asked(asked.url, base))

    def _asked(self, url: str, base: str) -> None:
        if not url.startswith((base, base.replace("http", "ws"), "data:", "blob:")):
            self.foreign.append(url)


@pytest.fixture
def page(browser: Browser, console: str) -> Iterator[Page]:
    """A logged-out page in English, desktop width; fails on script errors and foreign requests."""
    context = browser.new_context(
        base_url=console, viewport={"width": 1440, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(DEADLINE_MS)
    expect.set_options(timeout=DEADLINE_MS)
    page = context.new_page()
    seen = Seen(page, console)
    page.seen = seen  # type: ignore[attr-defined]
    yield page
    context.close()
    assert seen.errors == []
    assert seen.foreign == []


@pytest.fixture(scope="session")
def session(console: str) -> str:
    body = {"account": "admin", "password": "admin-password"}
    token: str = httpx.post(f"{console}/api/session", json=body).json()["token"]
    return token


@pytest.fixture
def inside(page: Page, console: str, session: str) -> Page:
    """The page, logged in, nowhere yet."""
    page.context.add_cookies([{"name": "mw_session", "value": session, "url": console}])
    return page
