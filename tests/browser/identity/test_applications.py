"""The review queue of prefix applications over a real second-level node, in Chromium."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

QUEUE = "/secondlevel/applications"


def open_row(page: Page, text: str) -> None:
    page.locator("tbody tr", has_text=text).locator(".mw-row-link").click()
    expect(page.locator(".mw-application h2")).to_be_visible()


def test_the_queue_shows_material_and_checks_and_hides_citizen_numbers(inside: Page) -> None:
    inside.goto(QUEUE)
    expect(inside.locator("[data-value=accepted]")).to_contain_text(re.compile(r"\d"))
    open_row(inside, "88.101.1063")
    detail = inside.locator(".mw-application")
    expect(detail).to_contain_text("Simulated battery pack maker 63")
    expect(detail).to_contain_text("Own node")
    expect(detail).to_contain_text("127.0.0.1:9")
    expect(detail).to_contain_text("110*************2X")
    assert "19491231" not in inside.content()
    for check in ("uscc", "citizen", "prefix", "quota", "site"):
        expect(detail.locator(f"[data-check={check}]")).to_have_attribute("data-s", "passed")
    expect(detail.locator("[data-check=licence]")).to_have_attribute("data-s", "absent")
    expect(inside.locator(".mw-sim").first).to_be_visible()


def test_citizen_numbers_leave_the_node_by_no_route(console: str, session: str) -> None:
    headers = {"Authorization": f"Bearer {session}"}
    base = f"{console}/api/secondlevel"
    rows = httpx.get(f"{base}/desk/applications?limit=200", headers=headers).json()["rows"]
    paths = [f"/applications/{row['id']}" for row in rows if row["state"] != "accepted"]
    paths += ["/applications", "/tenants", "/desk/enterprises?limit=200", "/desk/applications"]
    for path in paths:
        reply = httpx.get(base + path, headers=headers)
        assert reply.status_code == 200, path
        assert "19491231" not in reply.text, path


def test_an_application_is_returned_corrected_and_accepted(inside: Page) -> None:
    inside.goto(f"{QUEUE}?new=1")
    prefix = inside.get_by_label("Prefix", exact=True)
    expect(prefix).to_have_value(re.compile(r"88\.101\.\d+"))
    given = prefix.input_value()
    inside.get_by_role("button", name="Submit").click()
    expect(inside.get_by_text("This is needed.").first).to_be_visible()
    inside.get_by_label("Credit code", exact=True).fill("91330000MB0000099X")
    inside.locator("fieldset", has_text="Organisation").get_by_label("Name", exact=True).fill(
        "浏览器测试企业"
    )
    inside.locator("fieldset", has_text="Legal person").get_by_label("Name").fill("王五")
    inside.locator("fieldset", has_text="Contact").get_by_label("Name").fill("赵六")
    inside.get_by_label("Phone").fill("not a phone")
    inside.get_by_role("button", name="Submit").click()
    expect(inside.get_by_role("alert")).to_contain_text("check digit")
    expect(inside.get_by_label("Phone")).to_have_attribute("aria-invalid", "true")
    inside.seen.errors.clear()  # the browser reports the 400 itself
    inside.get_by_label("Credit code", exact=True).fill(
        "91330000MB0000098" + check("91330000MB0000098")
    )
    inside.get_by_label("Phone").fill("0571-88889999")
    inside.locator("tbody .mw-row-link").first.click()  # a slip
    question = inside.get_by_role("dialog", name="Throw away what was filled in?")
    question.get_by_role("button", name="Cancel").click()
    inside.get_by_role("button", name="Submit").click()
    expect(inside.locator(".mw-application")).to_contain_text(given)

    inside.get_by_role("button", name="Return with reasons").click()
    dialog = inside.get_by_role("dialog")
    dialog.get_by_role("button", name="Return with reasons").click()
    expect(dialog.get_by_role("alert")).to_contain_text("marked in red")
    expect(dialog.get_by_label("What must be corrected")).to_be_focused()
    dialog.get_by_label("About").select_option("contact.phone")
    dialog.get_by_label("What must be corrected").fill("Nobody answers this number")
    dialog.get_by_role("button", name="Return with reasons").click()
    expect(inside.locator(".mw-reasons")).to_contain_text("Nobody answers this number")
    inside.get_by_role("button", name="Correct and submit again").click()
    inside.get_by_label("Phone").fill("0571-88880000")
    inside.get_by_role("button", name="Submit again").click()
    expect(inside.locator(".mw-application")).to_contain_text("0571-88880000")
    expect(inside.locator(".mw-steps li")).to_have_count(3)

    inside.get_by_role("button", name="Accept", exact=True).click()
    inside.get_by_role("dialog").get_by_role("button", name="Accept").click()
    expect(inside.locator(".mw-application > header")).to_contain_text("Accepted")
    expect(inside.get_by_role("button", name="Apply for a change")).to_be_visible()


def check(first: str) -> str:
    from mingwu.identity.secondlevel.uscc import check_digit

    return check_digit(first)


def test_who_may_not_decide_is_told(as_account: Callable[[str], Page]) -> None:
    page = as_account("viewer")
    page.goto(QUEUE)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Apply for a prefix")).to_be_hidden()
    page.seen.errors.clear()  # the browser reports the 403 itself


def test_the_queue_by_keyboard(inside: Page) -> None:
    inside.goto(QUEUE)
    first = inside.locator(".mw-row-link").first
    first.focus()
    inside.keyboard.press("Enter")
    expect(inside.locator(".mw-application h2")).to_be_focused()
    inside.get_by_role("button", name="Reject", exact=True).press("Enter")
    dialog = inside.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Reject", exact=True).press("Enter")  # a reason is missing
    expect(dialog).to_be_visible()
    inside.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_queue_on_a_phone(inside: Page, console: str, lang: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": lang, "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(QUEUE)
    inside.locator(".mw-row-link").first.click()
    expect(inside.locator(".mw-application")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.locator(".mw-back").click()
    expect(inside.locator("tbody tr").first).to_be_visible()
