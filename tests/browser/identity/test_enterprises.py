"""Enterprises, their quotas and their nodes over a real second-level node, in Chromium."""

import re

from playwright.sync_api import Page, expect

PAGE = "/secondlevel/enterprises"
MUCH = "88.101.1013"  # registers a sixth of all; nobody but itself asks


def row(page: Page, text: str):
    return page.locator("tbody tr", has_text=text)


def test_the_tenant_that_registers_and_is_never_asked_stands_out(inside: Page) -> None:
    inside.goto(PAGE)
    much = row(inside, MUCH)
    expect(much.locator(".mw-share")).to_have_attribute("data-s", "bad")
    expect(much.locator(".mw-share")).to_have_text(re.compile(r"^0 % · 0"))
    expect(inside.locator("tbody .mw-share[data-s=bad]")).to_have_count(1)
    expect(inside.locator("[data-figure=unused] b")).to_have_text("1")
    inside.locator("[data-figure=unused]").click()
    expect(inside.locator("tbody tr")).to_have_count(1)
    assert "only=unused" in inside.url
    much.locator(".mw-row-link").click()
    drawer = inside.get_by_role("dialog")
    expect(drawer).to_contain_text("500 identifiers stand registered")
    inside.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_a_silent_node_is_shown_with_its_probes_and_event(inside: Page) -> None:
    inside.goto(f"{PAGE}?only=down")
    down = row(inside, "88.101.1071")
    expect(down).to_contain_text("Down")
    down.locator(".mw-row-link").click()
    drawer = inside.get_by_role("dialog")
    expect(drawer).to_contain_text("3 probes in 30 days, 3 failed")
    expect(drawer.locator("[data-open=true]")).to_contain_text("Node 88.101.1071 failed its probes")
    expect(drawer).to_contain_text("network")


def test_an_administrator_changes_quota_and_group(inside: Page) -> None:
    inside.goto(f"{PAGE}?q=88.101.1030")
    row(inside, "88.101.1030").locator(".mw-row-link").click()
    inside.get_by_role("button", name="Change quota or group").click()
    form = inside.get_by_role("dialog").last
    form.get_by_label("Identifiers", exact=True).fill("777")
    form.get_by_label("Permission group").select_option("reader")
    form.get_by_label("Asks from").fill("203.0.113.0/24, 2001:db8::/32")
    form.get_by_role("button", name="Save").click()
    drawer = inside.locator("dialog.mw-drawer")
    expect(drawer).to_contain_text("/ 777")
    expect(drawer).to_contain_text("Read-only tenant")
    expect(drawer).to_contain_text("203.0.113.0/24 2001:db8::/32")


def test_an_administrator_makes_a_key_for_a_program_and_ends_it(inside: Page) -> None:
    inside.goto(f"{PAGE}?q=88.101.1031")
    row(inside, "88.101.1031").locator(".mw-row-link").click()
    keys = inside.locator("[data-keys]")
    expect(keys).to_contain_text("No program of this enterprise has a key")
    keys.get_by_role("button", name="New key").click()
    form = inside.get_by_role("dialog").last
    form.get_by_label("What it is for").fill("ERP")
    form.get_by_role("button", name="New key").click()
    shown = inside.get_by_role("dialog").last
    secret = shown.locator("code").inner_text()
    assert secret.startswith("mwt-")
    own = "/api/secondlevel/tenant"
    headers = {"authorization": f"Bearer {secret}"}
    about = inside.request.get(own, headers=headers)
    assert [one["prefix"] for one in about.json()["prefixes"]] == ["88.101.1031"]
    shown.get_by_role("button", name="I have kept it").click()
    expect(keys).to_contain_text("ERP")
    keys.get_by_role("button", name="End key").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="End key").click()
    expect(keys).to_contain_text("No program of this enterprise has a key")
    assert inside.request.get(own, headers=headers).status == 401


def test_maintenance_is_reported_and_ended(inside: Page) -> None:
    inside.goto(PAGE)
    inside.get_by_role("button", name="Report maintenance or emergency").click()
    form = inside.get_by_role("dialog").last
    form.get_by_label("Text in Chinese").fill("更换电源")
    form.get_by_label("Text in English").fill("New power supply")
    form.get_by_label("Cause").select_option("2")
    form.get_by_role("button", name="Begin").click()
    event = inside.locator("li[data-open=true]", has_text="New power supply")
    expect(event).to_contain_text("88.101 · Maintenance · system")
    event.get_by_role("button", name="It is over").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="It is over").click()
    expect(inside.locator("li[data-open=false]", has_text="New power supply")).to_be_visible()


def test_pages_order_and_filter_come_from_the_server(inside: Page) -> None:
    inside.goto(PAGE)
    expect(inside.locator("tbody tr")).to_have_count(25)
    inside.get_by_role("button", name="Next page").click()
    expect(inside.locator(".mw-foot")).to_contain_text("26–50")
    inside.locator("th button", has_text="Enterprise").click()
    expect(inside.locator("tbody tr").first).to_contain_text("88.101.1001")
    inside.get_by_label("Enterprise, credit code or prefix").fill("nobody at all")
    expect(inside.get_by_text("No enterprise matches")).to_be_visible()


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(PAGE)
    expect(inside.locator("h1")).to_contain_text("企业与企业节点")
    inside.locator(".mw-row-link").first.click()
    expect(inside.get_by_role("dialog")).to_contain_text("注册未用")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
