"""Statistics over a real signed usage log, in Chromium."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from mingwu.identity.usage.reaggregate import reaggregate

PAGE = "/usage"


def test_figures_tell_their_lineage_and_leave_out_what_does_not_count(
    inside: Page, console: str, session: str
) -> None:
    headers = {"Authorization": f"Bearer {session}"}
    span = httpx.get(f"{console}/api/identity/usage/span?days=14", headers=headers).json()
    counted = span["total"]["resolutions"]
    apart = sum(span["total"]["by_cause"][cause] for cause in ("health", "own", "console"))
    assert 0 < apart < span["entries"] - counted + 1
    inside.goto(PAGE)
    daily = inside.locator("[data-figure=daily]")
    expect(daily.locator("b")).to_have_text(f"{int(counted / 14 + 0.5):,}")
    expect(daily).to_contain_text(re.compile(r"[\d,]+ counted, [\d,]+ shown apart"))
    daily.locator("summary").click()
    expect(daily.locator("dl")).to_contain_text("health checks")
    expect(daily.locator("dl")).to_contain_text(span["key_id"][:12])
    for figure in ("share", "clients", "latency", "peak"):
        inside.locator(f"[data-figure={figure}] summary").click()
        expect(inside.locator(f"[data-figure={figure}] dl")).to_contain_text("Formula")
        inside.locator(f"[data-figure={figure}] summary").click()
    table = inside.locator("table", has_text="Not counted, by day")
    expect(table.locator("tbody tr")).to_have_count(14)
    inside.get_by_role("button", name="7 days").click()
    expect(table.locator("tbody tr")).to_have_count(7)


def test_prefixes_are_ordered_and_found(inside: Page) -> None:
    inside.goto(f"{PAGE}?prefix=88.101.1013")
    expect(inside.locator("td.mw-lead", has_text="88.101.1013")).to_have_count(1)
    expect(inside.locator(".mw-foot")).to_contain_text("1–1 of 1")
    inside.get_by_label("Prefix", exact=True).fill("")
    expect(inside.locator(".mw-foot")).to_contain_text("1–15 of")
    inside.locator("th button", has_text="Registered").click()
    expect(inside.locator(".mw-foot")).to_contain_text("1–15 of")
    expect(inside.locator("td.mw-lead.mw-mono").first).to_have_text("88.101.1013")


def test_the_log_is_checked_here_and_counted_again_outside(inside: Page, tmp_path: Path) -> None:
    inside.goto(PAGE)
    inside.get_by_role("button", name="Check now").click()
    verdict = inside.locator(".mw-ok")
    expect(verdict).to_contain_text("whole and truly signed")
    with inside.expect_download() as download:
        inside.get_by_role("link", name="Export").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    archive.extractall(tmp_path)
    key = (tmp_path / "public-key.pem").read_bytes()
    again = reaggregate(sorted(tmp_path.glob("*.mwu")), key)
    assert again.sound
    expect(verdict).to_contain_text(again.head)


def test_a_viewer_sees_figures_and_no_clients(as_account: Callable[[str], Page]) -> None:
    page = as_account("viewer")
    page.goto(PAGE)
    expect(page.get_by_text("Engineers and administrators see this list.")).to_be_visible()
    expect(page.get_by_role("button", name="Check now")).to_have_count(0)


def test_on_a_phone(inside: Page) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(PAGE)
    expect(inside.locator(".mw-bars svg")).to_have_count(2)
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.locator("[data-figure=share] summary").click()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
