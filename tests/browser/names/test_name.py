"""The page of one name over a real enterprise node, record store, trust and usage log."""

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

# as ``nameplane`` made them
PREFIX, FAR = "88.888.101", "88.999.9"
MOULD, TAMPERED = f"{PREFIX}/MLD.M0187", f"{PREFIX}/DEV.AGV.06"
DRAFT, GONE = f"{PREFIX}/PRT.EAH3.0007", f"{PREFIX}/PRT.EAH3.0003"
GTIN = "(01)09506000134352(21)M0187"
EVIL = '<img src=x onerror="document.title=1"><script>document.title=1</script>'


def panel(page: Page, title: str) -> Locator:
    return page.locator("section.mw-panel", has=page.locator("h2", has_text=title))


def test_values_verdict_and_versions(inside: Page) -> None:
    inside.goto(f"/names/{MOULD}")
    values = panel(inside, "Values")
    expect(values.locator("tr[data-index='2006']")).to_contain_text("820")
    expect(values.locator("tr[data-index='500'] .mw-st")).to_have_text("signed")
    expect(inside.locator(".mw-verdict")).to_have_attribute("data-verdict", "trusted")
    expect(inside.locator(".mw-trust-chain li")).to_have_count(3)
    expect(inside.locator(".mw-trust-chain li").last).to_contain_text("configured anchor")
    versions = inside.locator(".mw-versions > li")
    expect(versions).to_have_count(3)
    expect(versions.nth(1).locator("del")).to_have_text("江洲精密/一厂/压铸")
    expect(versions.nth(1).locator("ins").first).to_have_text("临海/借出")


def test_who_asked_is_what_the_signed_log_says(inside: Page, console: str, session: str) -> None:
    headers = {"Authorization": f"Bearer {session}"}
    address = f"{console}/api/identity/usage/name"
    said = httpx.get(address, params={"name": MOULD}, headers=headers).json()
    assert said["total"]["by_cause"]["health"] > 0
    inside.goto(f"/names/{MOULD}")
    asked = panel(inside, "Who asked")
    counted = asked.locator("[data-figure=counted] b")
    expect(counted).to_have_text(str(said["total"]["resolutions"]))
    owner = asked.locator("tr", has_text="203.0.113.0/24").filter(has_text="Owners of the prefix")
    expect(owner.locator(".num")).to_have_text(str(said["total"]["by_cause"]["owner"]))
    inside.goto(f"/names/{TAMPERED}")
    expect(panel(inside, "Who asked")).to_contain_text("Nobody asked for this name")


def test_the_chain_crosses_systems_and_is_followed_by_click(inside: Page) -> None:
    inside.goto(f"/names/{MOULD}")
    chain = panel(inside, "Chain")
    expect(chain.get_by_text("crosses owners, places and systems")).to_be_visible()
    expect(chain.locator("a.node", has_text="GS1")).to_have_count(2)
    chain.locator("a.node", has_text="Loan order 31").click()
    inside.wait_for_url("**/names/88.888.202/ORD.31")
    expect(inside.locator("h1")).to_have_text("Loan order 31 (simulated)")
    expect(panel(inside, "About the name")).to_contain_text("临海压铸（模拟）")


def test_a_circle_of_aliases_is_marked(inside: Page) -> None:
    inside.goto(f"/names/{PREFIX}/RING.A")
    chain = panel(inside, "Chain")
    expect(chain.get_by_text("runs in a circle")).to_be_visible()
    expect(chain.locator("g.loop")).to_have_count(1)
    expect(chain.locator("g.loop text")).to_have_text("back again")
    expect(chain.locator("a.node")).to_have_count(3)


def test_a_forged_record_is_told_with_the_value(inside: Page) -> None:
    inside.goto(f"/names/{TAMPERED}")
    expect(inside.locator(".mw-verdict")).to_have_attribute("data-verdict", "tampered")
    expect(inside.locator(".mw-verdict p")).to_have_text("values were changed after signing")
    expect(inside.locator("tr[data-index='3'] .mw-st")).to_have_attribute("data-s", "bad")
    expect(inside.get_by_text("configured anchor")).to_have_count(0)


def test_html_in_values_is_text_and_restricted_values_stay_hidden(as_viewer: Page) -> None:
    as_viewer.goto(f"/names/{PREFIX}/PRT.EAH3.0005")
    expect(as_viewer.locator("tr[data-index='2002'] .mw-data")).to_have_text(EVIL)
    expect(as_viewer.locator("tr[data-index='2007']")).to_contain_text("restricted, not shown")
    expect(as_viewer.get_by_text("王五")).to_have_count(0)
    assert as_viewer.title() != "1"
    expect(as_viewer.get_by_role("button", name="Deregister")).to_have_count(0)


def test_a_viewer_sees_how_often_and_not_by_whom(as_viewer: Page) -> None:
    as_viewer.goto(f"/names/{MOULD}")
    asked = panel(as_viewer, "Who asked")
    expect(asked.locator("[data-figure=counted] b")).not_to_have_text("0")
    expect(asked.get_by_text("Engineers and administrators see this list.")).to_be_visible()
    expect(as_viewer.get_by_text("203.0.113.0/24")).to_have_count(0)


def test_a_code_of_another_system_leads_to_the_name(inside: Page) -> None:
    inside.goto(f"/names/{GTIN}")
    leads = panel(inside, "Where this code leads")
    expect(leads.get_by_role("link")).to_have_count(2)  # the mould and its class
    leads.get_by_role("link", name="Mould M0187").click()
    expect(inside.locator("#name-id")).to_have_text(MOULD)


def test_a_name_of_another_node_is_asked_there(inside: Page) -> None:
    inside.goto(f"/names/{FAR}/LOT.77")
    expect(inside.locator("h1")).to_have_text("Lot 77 (simulated)")
    expect(panel(inside, "Values").locator("tr[data-index='2']")).to_contain_text("far/shore")
    expect(panel(inside, "About the name")).to_contain_text(re.compile(r"127\.0\.0\.1:\d+"))
    expect(panel(inside, "Trust")).to_contain_text("Judged by its own node")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (DRAFT, "No verdict"),
        (GONE, "deregistered"),
        (f"{PREFIX}/NOBODY", "Nobody registered this name here"),
        ("hello world", "No code system knows this text"),
        ("(01)09506000134353", "This code is not sound"),
    ],
)
def test_what_has_no_record_says_why(inside: Page, name: str, words: str) -> None:
    inside.goto(f"/names/{name}")
    expect(inside.get_by_text(words).first).to_be_visible()


def test_live_values_move_and_the_thing_page_leads_here(inside: Page) -> None:
    inside.goto(f"/things/{PREFIX}/DEV.DCM2500.01")
    inside.get_by_role("link", name="All about this name").click()
    live = panel(inside, "Live values")
    expect(live.locator(".mw-live")).not_to_have_count(0)
    moved = "before => document.querySelector('.mw-lives').innerText !== before"
    inside.wait_for_function(moved, arg=live.locator(".mw-lives").inner_text())
    expect(panel(inside, "Trust")).to_contain_text("Live, not signed")
    expect(inside.locator(".mw-sim").first).to_be_visible()


def test_change_file_and_deregister(inside: Page, console: str) -> None:
    name = f"{PREFIX}/PRT.EAH3.0042"
    inside.goto(f"/names/{name}")
    inside.get_by_role("button", name="Change").click()
    form = inside.get_by_role("dialog")
    form.locator("[data-item=mass_kg] input").fill("5000")
    form.get_by_role("button", name="Store the change").click()
    expect(form.locator("[data-item=mass_kg] .mw-hint")).to_contain_text("above 1000")
    form.locator("[data-item=mass_kg] input").fill("3.5")
    form.get_by_label("Note").fill("weighed again")
    form.get_by_role("button", name="Store the change").click()
    latest = inside.locator(".mw-versions > li").first
    expect(latest).to_contain_text("3.2 → 3.5")
    expect(latest).to_contain_text("weighed again")
    inside.get_by_role("button", name="File", exact=True).click()
    inside.get_by_label("Receipt").fill("R-2026-1")
    inside.get_by_role("button", name="Filed").click()
    expect(inside.locator(".mw-head .mw-st")).to_have_text("filed")
    inside.get_by_role("button", name="Deregister").click()
    inside.get_by_label("Reason").fill("scrapped")
    inside.get_by_role("dialog").get_by_role("button", name="Deregister").click()
    expect(inside.locator(".mw-head .mw-st")).to_have_text("deregistered")
    expect(inside.get_by_role("button", name="Register again")).to_be_visible()
    assert httpx.get(f"{console}/api/handles/{name}").json()["responseCode"] != 1


def test_the_search_field_and_the_resolve_page_lead_here(inside: Page) -> None:
    inside.goto(f"/resolve?name={MOULD}")
    inside.get_by_role("link", name="All about this name").click()
    expect(inside.locator("#name-id")).to_have_text(MOULD)
    inside.locator("#mw-q").fill(GTIN)
    inside.get_by_role("option", name="Name or code").click()
    expect(panel(inside, "Where this code leads")).to_be_visible()


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(f"/names/{MOULD}")
    expect(inside.locator(".mw-verdict b")).to_have_text("可信")
    expect(inside.locator(".mw-chain a.node").first).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
