"""The console as a person uses it, in Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

CELL = "/things/88.888.101/DEV.DCM2500.01"
DATA_PAGES = ["/", "/tags", "/gateways", "/history", "/resolve", CELL]


def wait_for_change(page: Page, selector: str) -> None:
    """Wait until the element's text is another one than now."""
    element = page.locator(selector).first
    expect(element).not_to_have_text("—")
    before = element.inner_text()
    expect(element).not_to_have_text(before)


def test_login_refuses_then_lets_in_and_remembers_where_to(page: Page) -> None:
    page.goto("/tags?quality=bad")
    assert "/login?next=" in page.url
    page.fill("#account", "admin")
    page.fill("#password", "wrong")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("needs a login")
    page.seen.errors.clear()  # the browser reports the 401 itself
    page.fill("#password", "admin-password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tags?quality=bad")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.click("#mw-logout")
    page.wait_for_url("**/login")
    page.goto("/gateways")
    assert "/login" in page.url


def test_logging_out_asks_for_nothing(page: Page, console: str) -> None:
    body = {"account": "admin", "password": "admin-password"}
    page.request.post(f"{console}/api/session", data=body)
    page.goto("/")
    expect(page.locator("#mw-link")).to_have_attribute("data-state", "on")
    page.evaluate("window.addEventListener('pagehide', () => sessionStorage.setItem("
                  "'asked', String(document.querySelectorAll('dialog').length)))")  # fmt: skip
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    assert page.evaluate("sessionStorage.getItem('asked')") == "0"
    page.seen.errors.clear()  # what the page was asking for meanwhile is refused


def test_login_goes_nowhere_else(page: Page) -> None:
    page.goto("/login?next=//evil.example/")
    page.fill("#account", "viewer")
    page.fill("#password", "viewer-password")
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"^http://127\.0\.0\.1:\d+/$"))


def test_overview_is_live(inside: Page) -> None:
    inside.goto("/")
    expect(inside.locator(".mw-card")).to_have_count(20)
    wait_for_change(inside, ".mw-card dd")
    expect(inside.locator("#mw-link")).to_have_attribute("data-state", "on")
    lost = inside.locator(".mw-card[data-s=offline]")
    expect(lost).to_have_count(1)
    expect(lost).to_contain_text("Machining centre 7")
    expect(lost).to_contain_text("Offline")
    expect(inside.locator(".mw-spark path").first).to_be_attached()
    expect(inside.get_by_text("No alarm rules yet")).to_be_visible()
    inside.get_by_role("button", name="Machining 13").click()
    expect(inside.locator(".mw-card")).to_have_count(12)
    assert "place=" in inside.url


@pytest.mark.parametrize("path", DATA_PAGES)
def test_simulated_data_says_so(inside: Page, path: str) -> None:
    inside.goto(path)
    expect(inside.locator(".mw-top .mw-sim")).to_be_visible()
    expect(inside.locator(".mw-top .mw-sim")).to_have_text("Simulated")


def test_tag_table_filters_pages_and_lives(inside: Page) -> None:
    inside.goto("/tags")
    expect(inside.locator("tbody tr")).to_have_count(50)
    expect(inside.locator(".mw-foot")).to_contain_text("1–50 of 1,790")
    inside.get_by_role("button", name="Next page").click()
    expect(inside.locator(".mw-foot")).to_contain_text("51–100")
    inside.fill("#tag-filter", "die_temperature")
    expect(inside.locator("tbody tr")).to_have_count(2)
    assert "q=die_temperature" in inside.url
    wait_for_change(inside, "tbody tr .mw-val")
    inside.fill("#tag-filter", "no such tag anywhere")
    expect(inside.get_by_text("No tag matches")).to_be_visible()
    inside.get_by_role("button", name="Clear the filter").click()
    inside.locator("[data-state=bad]").click()
    expect(inside.locator("tbody .mw-st").first).to_have_text("Bad · not connected")
    inside.locator("th button", has_text="Tag").click()
    expect(inside.locator("th[aria-sort=ascending]")).to_have_text("Tag")


def window_of(page: Page) -> tuple[int, int]:
    chart = page.locator(".mw-chart")
    return int(chart.get_attribute("data-start")), int(chart.get_attribute("data-end"))


def test_trend_zooms_and_comes_back(inside: Page) -> None:
    inside.goto(CELL)
    chart = inside.locator(".mw-chart")
    expect(chart).to_have_attribute("data-points", re.compile(r"\d{3,}"))
    inside.get_by_role("button", name="1 h", exact=True).click()
    expect(inside.get_by_role("button", name="1 h", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    inside.wait_for_function(
        "() => { const c = document.querySelector('.mw-chart').dataset;"
        " return c.end - c.start > 3500000; }"
    )
    box = chart.bounding_box()
    with inside.expect_response(re.compile(r"/api/series\?.*width=")) as asked:
        inside.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
        for _ in range(6):
            inside.mouse.wheel(0, -200)
    assert asked.value.ok
    inside.wait_for_function(
        "() => { const c = document.querySelector('.mw-chart').dataset;"
        " return c.end - c.start < 1200000; }"
    )
    start, end = window_of(inside)
    assert end - start < 3_600_000 / 2
    live = inside.get_by_role("button", name="Live", exact=True)
    expect(live).to_have_attribute("aria-pressed", "false")
    live.click()
    expect(live).to_have_attribute("aria-pressed", "true")


def test_thing_page_tells_its_name(inside: Page) -> None:
    inside.goto(CELL)
    expect(inside.locator("h1")).to_have_text("Die-casting cell 1")
    expect(inside.locator("#thing-id")).to_have_text("88.888.101/DEV.DCM2500.01")
    expect(inside.locator(".mw-qr svg")).to_be_visible()
    expect(inside.locator(".mw-code code")).to_have_text("mingwu resolve 88.888.101/DEV.DCM2500.01")
    expect(inside.locator(".mw-rels")).to_contain_text("Mould M0187")
    wait_for_change(inside, "tr[data-tag=injection_speed] .mw-val")
    inside.get_by_role("link", name="Mould M0187").click()
    expect(inside.get_by_text("This thing has no tags")).to_be_visible()


def test_gateway_page_shows_devices_and_faults(inside: Page) -> None:
    inside.goto("/gateways")
    expect(inside.locator("tr[data-device]")).to_have_count(16)
    lost = inside.locator("tr[data-device=mc07]")
    expect(lost).to_contain_text("Lost")
    expect(lost).to_contain_text("does not answer")
    expect(lost).to_contain_text("Check power and network")
    expect(inside.locator(".mw-log li")).to_have_count(2)
    expect(inside.locator(".mw-gw-stats")).to_contain_text("15 / 16")


def test_history_explorer_draws_exports_and_counts(inside: Page) -> None:
    inside.goto("/history")
    expect(inside.get_by_text("Choose a tag to begin")).to_be_visible()
    inside.fill("#tag-pick", "melt cell 1")
    inside.locator("#tag-found a").first.click()
    expect(inside.locator(".mw-chart")).to_have_attribute("data-points", re.compile(r"\d{3,}"))
    expect(inside.get_by_role("heading", name="Completeness")).to_be_visible()
    assert "tags=3" in inside.url
    inside.get_by_role("button", name="LTTB").click()
    expect(inside.locator(".mw-chart-foot")).to_contain_text("LTTB")
    with inside.expect_download() as download:
        inside.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_resolve_page_answers_live(inside: Page) -> None:
    inside.goto("/resolve")
    inside.fill("#name", "88.888.101/DEV.DCM2500.01")
    inside.keyboard.press("Enter")
    expect(inside.locator(".mw-live b")).to_contain_text("°C")
    expect(inside.get_by_text("Open the thing")).to_be_visible()
    wait_for_change(inside, ".mw-live b")
    inside.fill("#name", "88.888.101/NOPE")
    inside.keyboard.press("Enter")
    expect(inside.get_by_text("is not registered")).to_be_visible()
    inside.seen.errors.clear()  # the browser reports the 404 itself


def test_language_switch_changes_words_and_stays(inside: Page) -> None:
    inside.goto("/tags")
    inside.click("#mw-lang")
    expect(inside.locator("h1")).to_have_text("点位监视")
    assert inside.locator("html").get_attribute("lang") == "zh-CN"
    inside.goto(CELL)
    expect(inside.locator("h1")).to_have_text("1 号压铸单元")
    expect(inside.locator(".mw-top .mw-sim")).to_have_text("仿真数据")
    inside.click("#mw-lang")
    expect(inside.locator("h1")).to_have_text("Die-casting cell 1")


def test_search_by_keyboard_opens_the_thing(inside: Page) -> None:
    inside.goto("/")
    expect(inside.locator(".mw-card").first).to_be_visible()
    inside.keyboard.press("/")
    inside.keyboard.type("MC630.05")
    expect(inside.locator("#mw-found a").first).to_contain_text("Machining centre 5")
    inside.keyboard.press("Enter")
    inside.wait_for_url("**/things/88.888.101/DEV.MC630.05")


def test_theme_is_remembered(inside: Page) -> None:
    inside.goto("/resolve")
    before = inside.locator("html").get_attribute("data-theme")
    inside.click("#mw-theme")
    after = inside.locator("html").get_attribute("data-theme")
    assert {before, after} == {"light", "dark"}
    inside.reload()
    assert inside.locator("html").get_attribute("data-theme") == after


def test_unknown_page_says_so(inside: Page) -> None:
    inside.goto("/things/88.888.101/NOPE")
    expect(inside.get_by_text("No such thing")).to_be_visible()
    inside.seen.errors.clear()  # the browser reports the 404 itself


@pytest.mark.parametrize("path", DATA_PAGES)
def test_phone_width_has_no_sideways_scroll(inside: Page, path: str) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(path)
    expect(inside.locator(".mw-panel").first).to_be_visible()
    expect(inside.locator(".mw-skel")).to_have_count(0)
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.click("#mw-burger")
    expect(inside.locator("#mw-side")).to_be_visible()
