"""The camera itself: Chromium's fake device shows a film in which a symbol appears.

A module of its own: it starts a browser with other flags than the rest of the suite.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = os.environ.get("MINGWU_CHROMIUM", "/usr/bin/chromium")
NAME = "88.888.101/DEV.DCM2500.01"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def filmed(console: str, session: str, film: Path) -> Iterator[Page]:
    """A phone's page whose camera shows the film."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt install chromium")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(base_url=console, viewport=PHONE, locale="zh-CN")
        context.add_cookies([{"name": "mw_session", "value": session, "url": console}])
        yield context.new_page()
        browser.close()


def test_the_camera_finds_a_symbol_and_opens_the_live_page(filmed: Page) -> None:
    filmed.goto("/scan")
    filmed.locator(".mw-scan-bar .mw-btn-main").click()
    filmed.wait_for_url(f"**/things/{NAME}", timeout=30_000)
