"""Pages of parts that do not run on this node: they say so, and how to switch the part on."""

import httpx
import pytest
from playwright.sync_api import Page, expect

PARTS = [
    ("/secondlevel/applications", "secondlevel"),
    ("/secondlevel/enterprises", "secondlevel"),
    ("/secondlevel/duties", "secondlevel"),
    ("/usage", "usage"),
    ("/carriers", "carriers"),
    ("/names/templates", "enterprise"),
]
PAGE_BYTES = 60_000


@pytest.mark.parametrize(("path", "part"), PARTS)
def test_an_absent_part_says_how_to_switch_it_on(inside: Page, path: str, part: str) -> None:
    inside.goto(path)
    absent = inside.locator(f"[data-absent={part}]")
    expect(absent).to_contain_text("This part does not run on this node")
    # the others stay: what this node runs, and the part besides
    expect(absent.locator("code")).to_contain_text(f'identity = ["codes", "marking", "{part}"]')
    expect(inside.locator(f".mw-nav[href='{path}'] small")).to_have_text("off")
    inside.seen.errors.clear()  # the browser reports the 404 itself


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", [path for path, _ in PARTS])
def test_a_page_is_small(console: str, session: str, path: str, lang: str) -> None:
    cookies = f"mw_session={session}; mw_lang={lang}"
    reply = httpx.get(console + path, headers={"Cookie": cookies})
    assert reply.status_code == 200
    assert len(reply.content) <= PAGE_BYTES
