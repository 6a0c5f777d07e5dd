"""Carriers that truly registered, reported and were attacked, on a map without tiles."""

import re
from collections.abc import Callable

import httpx
from playwright.sync_api import Locator, Page, expect

PAGE = "/carriers"


def facts(page: Page, serial: str) -> list[str]:
    row = page.locator("tbody tr", has_text=serial)
    return [
        str(row.locator(f"[data-fact={name}]").get_attribute("data-s"))
        for name in ("registered", "reported", "queried")
    ]


def drawer(page: Page) -> Locator:
    return page.locator("dialog.mw-drawer")


def test_three_facts_stand_apart(inside: Page) -> None:
    inside.goto(PAGE)
    expect(inside.locator("tbody tr")).to_have_count(15)
    assert facts(inside, "MWC-000001") == ["yes", "yes", "yes"]
    assert facts(inside, "MWC-000002") == ["yes", "yes", "no"]
    assert facts(inside, "MWC-000014") == ["yes", "no", "no"]
    assert facts(inside, "MWC-000015") == ["no", "no", "no"]
    for figure, number in (("registered", "14"), ("reported", "13"), ("queried", "4")):
        expect(inside.locator(f"[data-figure={figure}] b")).to_have_text(number)
    inside.locator("[data-value=silent]").click()
    expect(inside.locator("tbody tr")).to_have_count(1)
    expect(inside.locator("tbody tr")).to_contain_text("never reported")


def test_the_map_zooms_pans_and_opens_a_carrier(inside: Page) -> None:
    inside.goto(PAGE)
    expect(inside.locator(".fence")).to_have_count(3)
    scale = inside.locator(".mw-map-scale span")
    expect(scale).to_have_text(re.compile(r"\d+ km"))
    before = scale.inner_text()
    inside.locator(".mw-map-plot").focus()
    inside.keyboard.press("+")
    expect(scale).not_to_have_text(before)
    label = inside.locator(".mw-map-plot .degree").first
    was = label.get_attribute("x")
    inside.keyboard.press("ArrowLeft")
    expect(label).not_to_have_attribute("x", str(was))
    inside.keyboard.press("0")
    expect(scale).to_have_text(before)
    box = inside.locator(".mw-map-plot").bounding_box()
    assert box is not None
    inside.mouse.move(box["x"] + 300, box["y"] + 200)
    inside.mouse.wheel(0, -400)
    expect(scale).not_to_have_text(before)
    inside.keyboard.press("0")
    # the mould that was carried away leaves its cluster when one comes closer
    inside.locator(".mw-map-mark[data-tone=outside]").click()
    alone = inside.locator(".mw-map-mark[data-serial=MWC-000001]")
    expect(alone).to_be_visible()
    expect(inside.locator(".fence circle.true").first).to_be_visible()
    alone.focus()
    inside.keyboard.press("Enter")
    expect(drawer(inside)).to_contain_text("Outside its agreed place")
    expect(drawer(inside)).to_contain_text("Shots")


def test_evidence_of_fence_copy_and_replay_is_verified(inside: Page) -> None:
    for serial, code, verdict in (
        ("MWC-000001", "left-fence", "carrier"),
        ("MWC-000002", "cloned", "stranger"),
        ("MWC-000004", "replayed", "carrier"),
    ):
        inside.goto(f"{PAGE}?id={serial}")
        event = drawer(inside).locator(f"[data-code='carriers.{code}']")
        event.get_by_role("button", name="Verify the evidence").click()
        proof = event.locator(".mw-proof")
        expect(proof).to_have_attribute("data-verdict", verdict)
        expect(proof.locator("[data-check=signature]")).to_have_attribute("data-s", "true")
        expect(proof.locator("[data-check=key]")).to_have_attribute(
            "data-s", "false" if verdict == "stranger" else "true"
        )
        with inside.expect_download() as download:
            event.get_by_role("link", name="Evidence").click()
        assert download.value.suggested_filename.startswith(serial)


def live(page: Page) -> Locator:
    return page.locator("section[data-part=live]")


def test_its_name_shows_what_it_measured_and_proves_it(inside: Page) -> None:
    name = "88.888.102/MLD.M0013"
    for address in (f"/names/{name}", f"/resolve?name={name}"):
        inside.goto(address)
        expect(live(inside).locator(".mw-trust")).to_have_attribute("data-trusted", "true")
        shots = live(inside).locator("[data-reading=shots]")
        expect(shots.locator("b")).to_have_text(re.compile(r"^\d{2},\d{3}$"))
        expect(shots.locator("span").first).to_have_text("Shots")
        expect(shots.locator(".mw-st")).to_have_attribute("data-s", "good")
        expect(shots.locator("small").last).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
        heat = live(inside).locator("[data-reading=cavity_temperature] b")
        expect(heat).to_have_text(re.compile(r"\d°C$"))
        expect(live(inside)).to_contain_text(re.compile(r"Signed report \d"))
        live(inside).get_by_role("button", name="Verify the evidence").click()
        proof = live(inside).locator(".mw-proof")
        expect(proof).to_have_attribute("data-verdict", "carrier")
        expect(proof).to_contain_text("report #")
        with inside.expect_download() as download:
            live(inside).get_by_role("link", name="Evidence").click()
        assert download.value.suggested_filename.startswith("MWC-000013-")
    expect(live(inside).locator("header")).to_contain_text("Simulated")


def test_readings_have_chinese_names(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.goto("/names/88.888.102/MLD.M0013")
    shots = live(inside).locator("[data-reading=shots]")
    expect(shots.locator("span").first).to_have_text("模次")
    expect(inside.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(inside.locator("#popup")).not_to_contain_text("Connection")


def test_a_carrier_leads_to_its_name_and_says_who_asked_last(inside: Page) -> None:
    inside.goto(f"{PAGE}?id=MWC-000009")
    expect(drawer(inside).locator("[data-fact=queried]")).to_contain_text("partner")
    drawer(inside).get_by_role("link", name="88.888.102/MLD.M0009").click()
    inside.wait_for_url("**/names/88.888.102/MLD.M0009")
    expect(live(inside).locator("[data-reading=shots]")).to_be_visible()


def test_a_suspended_one_loses_its_readings_on_the_open_page(
    inside: Page, console: str, session: str
) -> None:
    serial, name = "MWC-000012", "88.888.102/MLD.M0012"
    headers = {"Authorization": f"Bearer {session}"}
    address = f"{console}/api/identity/carriers/{serial}/commands"

    def command(action: str) -> None:
        httpx.post(address, json={"action": action}, headers=headers).raise_for_status()

    inside.goto(f"/names/{name}")
    expect(live(inside).locator("[data-reading=shots]")).to_be_visible()
    command("suspend")
    expect(live(inside).locator(".mw-trust")).to_have_attribute("data-trusted", "false")
    expect(live(inside).locator(".mw-trust")).to_contain_text(f"Carrier {serial} is suspended")
    expect(live(inside).locator("[data-reading]")).to_have_count(0)
    expect(live(inside).get_by_role("button", name="Verify the evidence")).to_be_hidden()
    expect(inside.locator("tr", has_text="MW.CARRIER.SERIAL")).to_contain_text(serial)
    command("resume")
    expect(live(inside).locator("[data-reading=shots]")).to_be_visible()
    expect(live(inside).locator(".mw-trust")).to_have_attribute("data-trusted", "true")


def test_attacks_are_found_among_the_rest(inside: Page) -> None:
    inside.goto(PAGE)
    panel = inside.locator(".mw-map-row .mw-panel", has_text="Events")
    expect(panel.locator("[data-severity=info], [data-severity=warning]").first).to_be_visible()
    panel.get_by_role("button", name="Attack", exact=True).click()
    expect(panel.locator(".mw-events > li:not([data-severity=attack])")).to_have_count(0)
    expect(panel.locator("[data-code='carriers.cloned']")).to_be_visible()
    panel.get_by_role("button", name="MWC-000002").first.click()
    expect(drawer(inside)).to_contain_text("88.888.102/MLD.M0002")


def test_commands_go_down_and_change_what_a_query_gets(inside: Page) -> None:
    inside.goto(f"{PAGE}?id=MWC-000010")
    box = drawer(inside)
    expect(box.locator(".mw-trust")).to_have_attribute("data-trusted", "true")
    box.get_by_role("button", name="Send a set").click()
    form = inside.locator("dialog.mw-dialog")
    form.get_by_label("Value").fill("r14")
    form.get_by_role("button", name="Another parameter").click()
    form.get_by_label("Name", exact=True).last.fill("set_point")
    form.get_by_label("Value").last.fill("64.5")
    form.get_by_role("button", name="Send a set").click()
    order = box.locator("[data-order]", has_text="set_point = 64.50")
    expect(order).to_be_visible()
    box.get_by_role("button", name="Suspend").click()
    inside.locator("dialog.mw-dialog").get_by_role("button", name="Suspend").click()
    expect(box.locator(".mw-trust")).to_have_attribute("data-trusted", "false")
    expect(box.locator(".mw-trust")).to_contain_text("suspended")
    expect(box.locator(".mw-readings")).to_have_count(0)
    box.get_by_role("button", name="Resume").click()
    inside.locator("dialog.mw-dialog").get_by_role("button", name="Resume").click()
    expect(box.locator(".mw-trust")).to_have_attribute("data-trusted", "true")
    expect(box.get_by_role("button", name="Suspend")).to_be_visible()


def test_an_identifier_is_changed_and_a_carrier_revoked(inside: Page) -> None:
    inside.goto(f"{PAGE}?id=MWC-000011")
    box = drawer(inside)
    box.get_by_role("button", name="Change identifier").click()
    form = inside.locator("dialog.mw-dialog")
    form.get_by_label("New suffix").fill("MLD.M0011B")
    form.get_by_role("button", name="Change identifier").click()
    expect(box.locator("h2")).to_have_text("88.888.102/MLD.M0011B")
    box.get_by_role("button", name="Revoke").click()
    inside.locator("dialog.mw-dialog").get_by_role("button", name="Revoke").click()
    expect(box.locator(".mw-trust")).to_contain_text("revoked")
    expect(box.get_by_role("button", name="Suspend")).to_have_count(0)


def test_looking_is_no_query(inside: Page, console: str, session: str) -> None:
    headers = {"Authorization": f"Bearer {session}"}
    inside.goto(f"{PAGE}?id=MWC-000012")
    expect(drawer(inside).locator(".mw-trust")).to_be_visible()
    found = httpx.get(f"{console}/api/identity/carriers/MWC-000012", headers=headers).json()
    assert found["carrier"]["queries"] == 0


def test_a_viewer_gives_no_commands(as_account: Callable[[str], Page]) -> None:
    page = as_account("viewer")
    page.goto(f"{PAGE}?id=MWC-000008")
    expect(drawer(page)).to_contain_text("Engineers and administrators give commands.")
    expect(drawer(page).get_by_role("button", name="Suspend")).to_have_count(0)


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(PAGE)
    expect(inside.locator(".mw-map-mark").first).to_be_visible()
    expect(inside.locator("tbody tr").first).to_contain_text("已注册")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.locator(".mw-row-link").first.click()
    expect(drawer(inside)).to_contain_text("三个状态")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
