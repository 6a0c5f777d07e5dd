"""Grants, groups, application identities and the check who may see what, in Chromium."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

# as ``nameplane`` made them
PREFIX, TEMPLATE = "88.888.101", "Part template · S1-PART-1.0"
EVIL = '<img src=x onerror="document.title=1">'

Ask = Callable[..., Any]


@pytest.fixture
def ask(console: str, session: str) -> Ask:
    """``ask(method, path, json=…)``: the node's own routes, as the administrator."""

    def call(method: str, path: str, **more: Any) -> Any:
        head = {"Authorization": f"Bearer {session}"}
        return httpx.request(method, f"{console}/api/identity{path}", headers=head, **more).json()

    return call


@pytest.fixture
def name(ask: Ask, desk_template: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A part of the test's own with a restricted value."""
    made = f"{PREFIX}/PRT.GRANT.{request.node.name.removeprefix('test_').upper()}"
    item = {
        "name": made, "template": desk_template,
        "values": {"name": "零件（模拟）", "model": "EAH3", "inspector": "赵六（模拟）"},
    }  # fmt: skip
    assert ask("POST", "/names/register", json={"items": [item]})["done"] == 1
    return made


def panel(page: Page, title: str) -> Locator:
    return page.locator("section.mw-panel", has=page.locator("h2", has_text=title))


def refused(page: Page, status: int) -> None:
    """The one refusal that the test wanted, which Chromium notes as an error."""
    [said] = page.seen.errors  # type: ignore[attr-defined]
    assert str(status) in said
    page.seen.errors.clear()  # type: ignore[attr-defined]


def verdict(page: Page, item: str, what: str) -> Locator:
    row = page.locator("[data-part=explained] tbody tr", has_text=item)
    return row.locator(f"[data-may={what}]")


def test_a_grant_is_given_found_and_taken_back(inside: Page, name: str, ask: Ask) -> None:
    inside.goto("/names/grants")
    inside.get_by_role("button", name="Grant access").click()
    form = inside.get_by_role("dialog")
    form.get_by_role("button", name="Grant", exact=True).click()
    expect(form.get_by_text("This must be filled in.")).to_be_visible()
    form.get_by_label("Grantee").fill("viewer")
    form.get_by_role("button", name="One name").click()
    form.get_by_label("Identifier").fill(name)
    form.get_by_label("Identifier").press("Tab")
    form.get_by_label("Inspector").check()
    expect(form.get_by_label("all items")).not_to_be_checked()
    form.get_by_role("button", name="Grant", exact=True).click()
    expect(form).to_have_count(0)
    inside.get_by_label("Grantee or identifier").fill(name)
    row = inside.locator("tbody tr", has_text=name)
    expect(inside.locator("tbody tr")).to_have_count(1)
    expect(row).to_contain_text("may read · inspector")
    expect(row).to_contain_text("person")
    inside.get_by_role("button", name="enterprise", exact=True).click()
    expect(inside.get_by_text("No grant matches")).to_be_visible()
    inside.get_by_role("button", name="person", exact=True).click()
    row.get_by_role("button", name="Take back").click()
    inside.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(inside.get_by_text("No grant matches")).to_be_visible()
    assert ask("GET", f"/grants?name={name}")["total"] == 0


def test_a_grantee_that_is_nobody_is_refused_at_once(inside: Page, name: str) -> None:
    inside.goto("/names/grants")
    inside.get_by_role("button", name="Grant access").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Grantee").fill("group:no-such-group")
    form.get_by_label("Template").select_option(label=TEMPLATE)
    form.get_by_label("Inspector").check()
    form.get_by_role("button", name="Grant", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("no identity group")
    refused(inside, 404)


def test_who_may_see_what_and_why(inside: Page, name: str, ask: Ask) -> None:
    ask(
        "PUT",
        "/groups",
        json={"name": "why", "en": "Inspectors", "zh": "质检", "members": ["viewer"]},
    )
    ask("POST", "/grants", json={"grants": [
        {"grantee": "group:why", "scope": "identifier", "target": name, "item": "inspector"},
    ]})  # fmt: skip
    inside.goto("/names/grants?tab=who")
    inside.get_by_label("Identifier").fill(name)
    inside.get_by_role("button", name="Check").click()
    expect(verdict(inside, "inspector", "read")).to_have_attribute("data-verdict", "no")
    expect(verdict(inside, "mass_kg", "read")).to_contain_text("not restricted")
    inside.get_by_label("Who", exact=True).fill("viewer")
    inside.get_by_role("button", name="Check").click()
    expect(verdict(inside, "inspector", "read")).to_contain_text("through group Inspectors")
    expect(verdict(inside, "inspector", "write")).to_have_attribute("data-verdict", "no")
    inside.get_by_label("Who", exact=True).fill("admin")
    inside.get_by_role("button", name="Check").click()
    expect(verdict(inside, "inspector", "read")).to_contain_text("Registered it.")
    expect(verdict(inside, "inspector", "write")).to_contain_text("Role engineer or above.")
    inside.get_by_label("Who", exact=True).fill("nobody")
    inside.get_by_role("button", name="Check").click()
    expect(inside.get_by_text("There is no such account.")).to_be_visible()
    expect(panel(inside, "Grants that count")).to_contain_text("Inspectors")
    inside.get_by_role("button", name="open to everybody").click()
    inside.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(verdict(inside, "inspector", "read")).to_contain_text("open to everybody")
    assert ask("GET", f"/access?name={name}")["is_public"] is True


def test_a_viewer_asks_about_oneself_only(as_viewer: Page, name: str, ask: Ask) -> None:
    ask("POST", "/grants", json={"grants": [
        {"grantee": "viewer", "scope": "identifier", "target": name, "item": "inspector"},
    ]})  # fmt: skip
    as_viewer.goto("/names/grants")
    expect(as_viewer.get_by_role("button", name="Identity groups")).to_have_count(0)
    expect(as_viewer.get_by_label("Who", exact=True)).to_have_count(0)
    as_viewer.get_by_label("Identifier").fill(name)
    as_viewer.get_by_role("button", name="Check").click()
    expect(verdict(as_viewer, "inspector", "read")).to_contain_text("Granted: this name")
    expect(as_viewer.get_by_text("Grants that count")).to_have_count(0)


def test_groups_are_made_changed_and_removed(inside: Page, ask: Ask) -> None:
    inside.goto("/names/grants?tab=groups")
    inside.get_by_role("button", name="New group").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Name", exact=True).fill("night-shift")
    form.get_by_label("English label").fill(EVIL)
    form.get_by_label("Add a member").fill("viewer")
    form.get_by_role("button", name="Add", exact=True).click()
    form.get_by_label("Add a member").fill("300:88.5/u")
    form.get_by_role("button", name="Save").click()
    row = inside.locator("tbody tr", has_text="NIGHT-SHIFT")
    expect(row).to_contain_text(EVIL)
    expect(row).to_contain_text("300:88.5/U")
    assert inside.title() != "1"
    row.get_by_role("button").click()
    form.get_by_role("button", name="Take viewer out").click()
    form.get_by_role("button", name="Save").click()
    expect(row).not_to_contain_text("viewer")
    row.get_by_role("button").click()
    form.get_by_role("button", name="Remove the group").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="Remove the group").click()
    expect(row).to_have_count(0)
    assert "NIGHT-SHIFT" not in [one["name"] for one in ask("GET", "/groups")["groups"]]


def test_an_application_with_its_secret_shown_once(inside: Page, ask: Ask) -> None:
    handle = f"{PREFIX}/App_browser"

    def known() -> Any:
        found = ask("GET", "/applications")["applications"]
        return next((one for one in found if one["handle"] == handle), None)

    inside.goto("/names/grants?tab=programs")
    inside.get_by_role("button", name="New application").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Identifier").fill("88.999/App_x")
    form.get_by_label("Title").fill("MES（模拟）")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("does not belong to this enterprise")
    refused(inside, 400)
    form.get_by_label("Identifier").fill(handle)
    form.get_by_role("button", name="Save").click()
    secret = inside.locator(".mw-secret code")
    expect(secret).to_be_visible()
    first = secret.inner_text()
    assert len(first) > 16
    inside.get_by_role("button", name="I have kept it").click()
    row = inside.locator("tbody tr", has_text=handle)
    row.get_by_role("button").click()
    assert first not in inside.content()
    form.get_by_role("button", name="New secret").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="New secret").click()
    expect(secret).to_be_visible()
    assert secret.inner_text() != first
    inside.get_by_role("button", name="I have kept it").click()
    row.get_by_role("button").click()
    form.get_by_role("button", name="Disable").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    assert known()["enabled"] is False
    form.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("enabled")
    form.get_by_role("button", name="Change").click()
    form.get_by_label("Title").fill("ERP（模拟）")
    form.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("ERP（模拟）")
    assert (known()["title"], known()["account"], known()["enabled"]) == (
        "ERP（模拟）",
        "admin",
        True,
    )
    row.get_by_role("button").click()
    form.get_by_role("button", name="Remove").click()
    inside.get_by_role("dialog").last.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert known() is None


def test_on_a_phone_in_chinese(inside: Page, console: str, name: str, ask: Ask) -> None:
    ask("POST", "/grants", json={"grants": [
        {"grantee": "viewer", "scope": "identifier", "target": name, "item": "inspector"},
    ]})  # fmt: skip
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    for tab in ("", "?tab=groups", "?tab=programs", f"?tab=who&name={name}&who=viewer"):
        inside.goto(f"/names/grants{tab}")
        expect(inside.locator(".mw-tabs [aria-pressed=true]")).to_be_in_viewport()
        expect(inside.locator("section.mw-panel").first).to_be_visible()
        assert inside.evaluate("document.documentElement.scrollWidth") <= 390, tab
    expect(verdict(inside, "inspector", "read")).to_contain_text("授权")
    inside.goto("/names/grants")
    inside.get_by_role("button", name="新增授权").click()
    expect(inside.get_by_role("dialog").get_by_label("被授权者")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
