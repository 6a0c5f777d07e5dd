"""The filing queue over a real enterprise node, in Chromium."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

# as ``nameplane`` made them
PREFIX = "88.888.101"
AGAIN, RETURNED = f"{PREFIX}/PRT.EAH3.0021", f"{PREFIX}/PRT.EAH3.0022"

Register = Callable[[str, int], list[str]]


@pytest.fixture
def register(console: str, session: str, desk_template: dict[str, str]) -> Register:
    """``register(tag, n)``: n parts of their own, by name."""

    def make(tag: str, number: int) -> list[str]:
        names = [f"{PREFIX}/PRT.{tag}.{n:04}" for n in range(number)]
        values = {"name": "零件（模拟）", "model": "EAH3"}
        for at in range(0, number, 500):
            part = names[at : at + 500]
            body = {
                "items": [{"name": n, "template": desk_template, "values": values} for n in part]
            }
            reply = httpx.post(
                f"{console}/api/identity/names/register", json=body,
                headers={"Authorization": f"Bearer {session}"}, timeout=30,
            )  # fmt: skip
            assert reply.json()["done"] == len(part)
        return names

    return make


def state_of(console: str, session: str, name: str) -> str:
    reply = httpx.get(
        f"{console}/api/identity/names/detail", params={"name": name},
        headers={"Authorization": f"Bearer {session}"},
    )  # fmt: skip
    return str(reply.json()["state"])


def rows(page: Page) -> Locator:
    return page.locator(".mw-queue tbody tr")


def only(page: Page, tag: str, number: int) -> None:
    page.goto(f"/names/filing?q=PRT.{tag}.")
    expect(rows(page)).to_have_count(min(number, 50))


def answer(page: Page, label: str, words: str, do: str) -> Locator:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(label).fill(words)
    dialog.get_by_role("button", name=do, exact=True).click()
    return dialog


def test_a_changed_name_shows_what_is_new_and_is_filed(inside: Page, console: str) -> None:
    inside.goto("/names/filing?state=changed&q=PRT.EAH3.0021")
    inside.get_by_role("button", name=AGAIN).click()
    detail = inside.locator(".mw-filing")
    expect(detail).to_contain_text("filed on")
    expect(detail.locator("del")).to_have_text("3.2")
    expect(detail.locator("ins")).to_have_text("3.4")
    expect(detail).to_contain_text("重新称重（模拟）")
    assert "id=" in inside.url
    expect(detail.get_by_role("button", name="File", exact=True)).to_be_visible()


def test_a_returned_name_shows_the_reason(inside: Page) -> None:
    inside.goto("/names/filing?state=returned&q=EAH3.0022")
    expect(rows(inside)).to_have_count(1)
    inside.get_by_role("button", name=RETURNED).click()
    expect(inside.locator(".mw-reasons")).to_contain_text("质检员未填写（模拟）")
    expect(inside.locator(".mw-filing").get_by_role("button", name="Return")).to_have_count(0)


def test_one_is_returned_and_the_next_one_opens(
    inside: Page, register: Register, console: str, session: str
) -> None:
    first, second = register("ONE", 2)
    only(inside, "ONE", 2)
    inside.get_by_role("button", name=first).click()
    inside.locator(".mw-filing").get_by_role("button", name="Return").click()
    dialog = inside.get_by_role("dialog")
    dialog.get_by_role("button", name="Return", exact=True).click()
    expect(dialog).to_be_visible()  # not without a reason
    answer(inside, "What must be corrected", "the mass lacks", "Return")
    expect(rows(inside)).to_have_count(1)
    expect(inside.locator(".mw-filing h2")).to_have_text(second)
    assert state_of(console, session, first) == "returned"
    inside.goto(f"/names/{first}")
    expect(inside.locator(".mw-versions > li").first).to_contain_text("the mass lacks")
    expect(inside.locator(".mw-head .mw-st")).to_have_text("returned")
    expect(inside.locator(".mw-returned")).to_contain_text("the mass lacks")
    inside.get_by_role("button", name="Change").click()
    inside.get_by_role("dialog").locator("[data-item=mass_kg] input").fill("3.3")
    inside.get_by_role("button", name="Store the change").click()
    expect(inside.locator(".mw-returned")).to_have_count(0)
    only(inside, "ONE", 2)


def test_chosen_ones_are_filed_together(
    inside: Page, register: Register, console: str, session: str
) -> None:
    names = register("SOME", 4)
    only(inside, "SOME", 4)
    for name in names[:3]:
        inside.get_by_label(f"Choose {name}").check()
    bar = inside.locator(".mw-bulk")
    expect(bar).to_contain_text("3 chosen")
    inside.get_by_label(f"Choose {names[2]}").uncheck()
    # changed by somebody else meanwhile: it is refused, and said so
    change = {"items": [{"name": names[1], "values": {"mass_kg": "2"}}], "merge": True}
    httpx.post(f"{console}/api/identity/names/change", json=change,
               headers={"Authorization": f"Bearer {session}"})  # fmt: skip
    bar.get_by_role("button", name="File", exact=True).click()
    dialog = answer(inside, "Receipt", "R-9", "Filed")
    expect(dialog).to_contain_text("1 filed · 1 refused")
    expect(dialog.locator(".mw-refused li")).to_contain_text("was changed meanwhile")
    dialog.get_by_role("button", name="Close").last.click()
    expect(rows(inside)).to_have_count(3)
    assert [state_of(console, session, name) for name in names] == [
        "filed", "registered", "registered", "registered",
    ]  # fmt: skip


def test_all_that_match_are_filed_and_what_came_later_is_not(
    inside: Page, register: Register, console: str, session: str
) -> None:
    names = register("MANY", 620)
    only(inside, "MANY", 620)
    expect(inside.locator(".mw-foot")).to_contain_text("1–50 of 620")
    inside.get_by_role("button", name="Next page").click()
    expect(inside.locator(".mw-foot")).to_contain_text("51–100")
    expect(rows(inside).first).to_contain_text(names[50])
    inside.get_by_label("Choose all on this page").check()
    inside.get_by_role("button", name="Choose all 620 that match").click()
    later = register("MANY.LATER", 1)[0]
    inside.locator(".mw-bulk").get_by_role("button", name="File", exact=True).click()
    answer(inside, "Receipt", "R-10", "Filed")
    expect(rows(inside)).to_have_count(1)
    expect(inside.locator(".mw-toast")).to_have_text("620 filed")
    assert state_of(console, session, later) == "registered"
    assert state_of(console, session, names[-1]) == "filed"


def test_long_work_shows_how_far_it_is_and_stops(inside: Page, register: Register) -> None:
    register("LONG", 1200)
    only(inside, "LONG", 1200)
    inside.get_by_label("Choose all on this page").check()
    inside.get_by_role("button", name=re.compile("Choose all 1,200")).click()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def let_go() -> None:
        while not held:
            inside.wait_for_timeout(50)
        held.pop().continue_()

    inside.route("**/api/identity/filing/file", hold)
    inside.locator(".mw-bulk").get_by_role("button", name="File", exact=True).click()
    dialog = answer(inside, "Receipt", "R-11", "Filed")
    let_go()
    expect(dialog.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "42")
    dialog.get_by_role("button", name="Stop").click()
    let_go()
    expect(dialog).to_contain_text("1,000 filed")
    inside.unroute("**/api/identity/filing/file")
    dialog.get_by_role("button", name="Go on").click()
    expect(
        inside.get_by_text("Nothing waits").or_(inside.get_by_text("No name matches"))
    ).to_be_visible()
    expect(inside.locator(".mw-toast")).to_have_text("1,200 filed")


def test_filters_and_the_empty_queue_say_why(inside: Page) -> None:
    inside.goto("/names/filing?q=nothing-like-this")
    expect(inside.get_by_text("No name matches")).to_be_visible()
    inside.get_by_label("Waiting since").select_option(label="30 days or longer")
    inside.get_by_label("Part of a name").fill("")
    expect(inside.get_by_text("No name matches")).to_be_visible()
    assert "age=720" in inside.url


def test_a_viewer_reads_and_decides_nothing(as_viewer: Page) -> None:
    as_viewer.goto("/names/filing?q=PRT.EAH3.0021")
    expect(rows(as_viewer)).to_have_count(1)
    as_viewer.get_by_role("button", name=AGAIN).click()
    detail = as_viewer.locator(".mw-filing")
    expect(detail).to_contain_text("mass", ignore_case=True)
    expect(detail.get_by_role("button", name="File")).to_have_count(0)
    expect(as_viewer.locator(".mw-tick")).to_have_count(0)


def test_on_a_phone_in_chinese(inside: Page, console: str, register: Register) -> None:
    names = register("PHONE", 3)
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    only(inside, "PHONE", 3)
    inside.get_by_label(f"选择 {names[1]}").check()
    expect(inside.locator(".mw-bulk")).to_contain_text("已选 1 个")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.get_by_role("button", name=names[0]).click()
    expect(inside.locator(".mw-filing")).to_be_visible()
    expect(rows(inside).first).to_be_hidden()
    inside.get_by_label("返回列表").click()
    expect(rows(inside).first).to_be_visible()
