"""Data templates over a real enterprise node, in Chromium: list, template, editor, conflicts."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

# as ``nameplane`` made them
PREFIX = "88.888.101"
INDUSTRY = {"category": "C", "division": "36", "group": "367", "class": "3670"}


class Api:
    """The node's own routes, as another program uses them."""

    def __init__(self, base: str, token: str) -> None:
        self._base = f"{base}/api/identity"
        self._headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        reply = httpx.request(method, self._base + path, json=body, headers=self._headers)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def counted(self) -> str:
        """How many parts are registered now, as pages write it; other tests register some, too."""
        (found,) = self("GET", "/templates?text=S1-PART-1.0")["templates"]
        assert found["names"] >= 131
        return f"{found['names']:,}"

    def made(self, version: str, *items: dict[str, Any]) -> int:
        """A template in use; gives its number."""
        body = {"prefix": PREFIX, "version": version, "name_en": f"{version} template",
                "industry": INDUSTRY, "items": items or ({"type": "name", "required": True},),
                "kind": "lot"}  # fmt: skip
        return int(self("POST", "/templates?publish=1", body)["number"])

    def registered(self, version: str, suffix: str, **values: str) -> None:
        item = {"name": f"{PREFIX}/{suffix}", "values": values,
                "template": {"prefix": PREFIX, "version": version}}  # fmt: skip
        assert self("POST", "/names/register", {"items": [item]})["done"] == 1


@pytest.fixture
def api(console: str, session: str) -> Api:
    return Api(console, session)


def card(page: Page, item: str) -> Locator:
    """The opened card of an item in the editor."""
    found = page.locator(".mw-item-card", has=page.locator(f"summary small:text-is('{item}')"))
    if found.get_attribute("open") is None:
        found.locator("summary").click()
    return found


def put(card: Locator, field: str, text: str) -> None:
    card.locator(f"[data-field={field}] :is(input, textarea)").fill(text)


def store(page: Page, label: str = "Store") -> None:
    page.get_by_role("button", name="Store…").click()
    page.get_by_role("dialog").get_by_role("button", name=label, exact=True).click()


def panel(page: Page, title: str) -> Locator:
    return page.locator("section.mw-panel", has=page.locator("h2", has_text=title))


# ------------------------------------------------------------------ the list
def test_templates_are_found_by_words_kind_industry_and_state(inside: Page, api: Api) -> None:
    api.made("LIST-1")
    inside.goto("/names/templates")
    part = inside.locator("tbody tr", has_text="S1-PART-1.0")
    expect(part.get_by_role("link", name=api.counted(), exact=True)).to_be_visible()
    inside.get_by_label("Kind").select_option(label="Algorithm")
    expect(inside.locator("tbody tr")).to_have_count(1)
    inside.get_by_label("Kind").select_option(label="All kinds")
    inside.get_by_role("button", name="Industry").click()
    dialog = inside.get_by_role("dialog")
    dialog.get_by_label("Code or name").fill("software")
    dialog.locator("[data-code='65']").click()
    expect(inside.locator("tbody tr").first).to_contain_text("6513")
    expect(inside.locator("tbody tr", has_text="S1-PART-1.0")).to_have_count(0)
    assert "industry=65" in inside.url
    inside.goto("/names/templates?q=LIST-1")
    inside.get_by_role("button", name="retired").click()
    expect(inside.get_by_text("No template matches")).to_be_visible()


def test_an_industry_is_found_by_digits_words_or_levels(inside: Page) -> None:
    inside.goto("/names/templates?new")
    inside.get_by_role("button", name="New template").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Industry").click()
    dialog = inside.locator("dialog.mw-industry")
    dialog.locator("[data-code='C']").click()
    dialog.get_by_role("button", name="Show what is below 36", exact=True).click()
    expect(dialog.locator(".mw-crumbs")).to_contain_text("36 Automobiles")
    dialog.get_by_label("Code or name").fill("汽车")
    expect(dialog.locator("[data-code='36']")).to_be_visible()
    dialog.get_by_label("Code or name").fill("new-energy veh")
    expect(dialog.locator("[data-code='3612']")).to_contain_text("Manufacturing / Automobiles")
    dialog.get_by_label("Code or name").fill("5161")
    dialog.get_by_role("button", name="Use 5161").click()
    expect(form.get_by_label("Industry")).to_contain_text("5161")
    expect(form.get_by_label("Industry")).to_contain_text("Wholesale")


# ------------------------------------------------------------------ one template
def test_one_template_shows_items_names_and_its_file(
    inside: Page, api: Api, tmp_path: Path
) -> None:
    inside.goto("/names/templates?q=S1-PART")
    inside.get_by_role("link", name="Part template").click()
    expect(inside.locator("h1")).to_have_text("Part template")
    mass = inside.locator("tr[data-item=mass_kg]")
    expect(mass).to_contain_text("0 – 1000 · at most 3 decimals")
    expect(inside.locator("tr[data-item=inspector]")).to_contain_text("Restricted")
    expect(panel(inside, "About the template")).to_contain_text("36 Automobiles")
    expect(inside.get_by_role("link", name=f"All {api.counted()}", exact=True)).to_be_visible()
    with inside.expect_download() as waiting:
        inside.get_by_role("link", name="Export", exact=True).click()
    waiting.value.save_as(tmp_path / "file.json")
    file = json.loads((tmp_path / "file.json").read_text("utf-8"))
    assert file["definition"]["version"] == "S1-PART-1.0"


def test_a_template_that_is_not_there(inside: Page) -> None:
    inside.goto("/names/templates/99999")
    expect(inside.get_by_text("There is no such template")).to_be_visible()
    inside.seen.errors.clear()  # type: ignore[attr-defined] # the 404 of the route


def test_a_ready_made_template_is_made_edited_taken_into_use_and_retired(inside: Page) -> None:
    inside.goto("/names/templates")
    inside.get_by_role("button", name="New template").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Begin with").select_option(label="Work permit, 9 items")
    form.get_by_role("button", name="Make it and edit").click()
    expect(form.get_by_text("Choose an industry.")).to_be_visible()
    form.get_by_label("Industry").click()
    inside.locator("dialog.mw-industry").get_by_label("Code or name").fill("3423")
    inside.locator("dialog.mw-industry [data-code='3423']").click()
    form.get_by_label("English name").fill("Hot work permit")
    form.get_by_role("button", name="Make it and edit").click()
    expect(inside.locator("h1")).to_have_text("Edit Hot work permit")
    preview = inside.locator(".mw-preview")
    work = preview.locator("[data-item=work] select")
    expect(work.locator("option")).to_have_count(9)
    put(card(inside, "work"), "choices", "动火\n高处")
    put(card(inside, "work"), "default", "动火")
    expect(work.locator("option")).to_have_count(3)
    inside.get_by_role("button", name="Add an item").click()
    fresh = inside.locator(".mw-item-card").last
    put(fresh, "type", "gas_ppm")
    put(fresh, "name_en", "Gas")
    fresh.locator("[data-field=data_type] select").select_option("number")
    put(fresh, "low", "0")
    put(fresh, "high", "25")
    expect(preview.locator("[data-item=gas_ppm]")).to_contain_text("0 – 25")
    store(inside)
    expect(inside.locator("h1")).to_have_text("Hot work permit")
    expect(inside.locator(".mw-head .mw-st")).to_have_text("draft")
    expect(inside.locator("tr[data-item=gas_ppm]")).to_contain_text("0 – 25")
    inside.get_by_role("button", name="Take into use").click()
    inside.get_by_role("dialog").get_by_role("button", name="Take into use").click()
    expect(inside.locator(".mw-head .mw-st")).to_have_text("in use")
    inside.get_by_role("link", name="Register a name").click()
    form = inside.get_by_role("dialog")
    expect(form.locator("[data-item=work] select")).to_have_value("动火")
    inside.go_back()
    inside.get_by_role("button", name="Retire").click()
    inside.get_by_role("dialog").get_by_role("button", name="Retire").click()
    expect(inside.locator(".mw-head .mw-st")).to_have_text("retired")
    expect(inside.locator(".mw-versions > li")).to_have_count(4)


def test_a_copy_is_made_and_a_draft_deleted(inside: Page, api: Api) -> None:
    number = api.made("COPY-1", {"type": "name", "required": True}, {"type": "colour"})
    inside.goto(f"/names/templates/{number}")
    inside.get_by_role("link", name="Copy", exact=True).click()
    form = inside.get_by_role("dialog")
    expect(form.get_by_label("Begin with")).to_have_value("copy")
    expect(form.get_by_label("Version")).to_have_value("COPY-1-2")
    form.get_by_label("Version").fill("COPY-1")
    form.get_by_role("button", name="Make it and edit").click()
    expect(form.get_by_role("alert")).to_contain_text("exists already")
    inside.seen.errors.clear()  # type: ignore[attr-defined] # the 409 of the route
    form.get_by_label("Version").fill("COPY-2")
    form.get_by_role("button", name="Make it and edit").click()
    expect(inside.locator(".mw-item-card")).to_have_count(2)
    inside.get_by_role("button", name="Discard").click()
    inside.get_by_role("button", name="Delete").click()
    inside.get_by_role("dialog").get_by_role("button", name="Delete").click()
    inside.wait_for_url("**/names/templates")
    assert api("GET", "/templates?text=COPY-2")["total"] == 0
    inside.goto(f"/names/templates/{number}")
    expect(inside.get_by_role("button", name="Retire")).to_be_visible()
    expect(inside.get_by_role("button", name="Delete")).to_have_count(0)


# ------------------------------------------------------------------ editing
def test_storing_says_first_which_names_would_be_refused(inside: Page, api: Api) -> None:
    items = ({"type": "name", "required": True},
             {"type": "mass", "data_type": "number", "low": 0, "high": 100})  # fmt: skip
    number = api.made("EFFECT-1", *items)
    for count in range(4):
        api.registered("EFFECT-1", f"EFF.{count}", name="x", mass=str(count * 10))
    inside.goto(f"/names/templates/{number}?edit=1")
    put(card(inside, "mass"), "high", "15")
    inside.get_by_role("button", name="Store…").click()
    dialog = inside.get_by_role("dialog")
    expect(dialog.locator("[data-item=mass]")).to_contain_text("may refuse what was good")
    expect(dialog.locator(".mw-effect")).to_contain_text("2 of 4 names would be refused")
    expect(dialog.get_by_role("link", name=f"{PREFIX}/EFF.3")).to_be_visible()
    expect(dialog.locator(".mw-effect")).to_contain_text("above 15")
    dialog.get_by_role("button", name="Store all the same").click()
    expect(inside.locator(".mw-versions > li")).to_have_count(2)
    inside.get_by_text("What changed").click()
    changed = inside.locator(".mw-versions [data-item=mass]")
    expect(changed.locator("del")).to_have_text("100")
    expect(changed.locator("ins")).to_have_text("15")


def test_faults_of_a_definition_stand_at_their_items(inside: Page, api: Api) -> None:
    number = api.made("FAULT-1", {"type": "name"}, {"type": "count", "data_type": "number"})
    inside.goto(f"/names/templates/{number}?edit=1")
    put(card(inside, "count"), "low", "9")
    put(card(inside, "count"), "high", "1")
    put(card(inside, "name"), "min_length", "300")
    inside.get_by_role("button", name="Store…").click()
    expect(inside.get_by_text("Correct 2 item(s) first")).to_be_visible()
    expect(card(inside, "count").locator(".mw-said")).to_contain_text("above the high one")
    expect(card(inside, "name").locator(".mw-said")).to_contain_text("above the greatest")


def test_another_editor_is_not_overwritten(inside: Page, api: Api) -> None:
    items = ({"type": "name"}, {"type": "mass", "data_type": "number", "high": 100})
    number = api.made("CLASH-1", *items)
    inside.goto(f"/names/templates/{number}?edit=1")
    put(card(inside, "name"), "name_en", "My title")
    put(card(inside, "mass"), "high", "50")
    theirs = api("GET", f"/templates/{number}")["definition"]
    theirs["description"] = "theirs"
    theirs["items"][1] |= {"unit": "kg", "high": 70}
    theirs["items"].append({"type": "supplier"})
    api("PUT", f"/templates/{number}?base=1", theirs)
    inside.get_by_role("button", name="Store…").click()
    conflict = inside.locator(".mw-conflict")
    expect(conflict).to_contain_text("Somebody else changed this template")
    expect(conflict).to_contain_text("admin stored revision 2")
    expect(conflict.locator("[data-item=mass] ins").first).to_contain_text("70")
    expect(conflict).to_contain_text("Both of you changed: mass: High limit")
    conflict.get_by_role("button", name="Put my changes on top").click()
    store(inside)
    expect(inside.locator("h1")).to_have_text("CLASH-1 template")
    now = api("GET", f"/templates/{number}")
    assert (now["revision"], now["definition"]["description"]) == (3, "theirs")
    assert now["definition"]["items"][1]["unit"] == "kg"
    assert now["definition"]["items"][1]["high"] == 50
    assert now["definition"]["items"][0]["name_en"] == "My title"
    assert now["definition"]["items"][2]["type"] == "supplier"


def test_one_who_stores_while_the_dialog_is_open_is_not_overwritten(inside: Page, api: Api) -> None:
    number = api.made("RACE-1")
    inside.goto(f"/names/templates/{number}?edit=1")
    put(card(inside, "name"), "name_en", "Mine")
    inside.get_by_role("button", name="Store…").click()
    dialog = inside.get_by_role("dialog")
    expect(dialog).to_contain_text("Store as revision 2?")
    theirs = api("GET", f"/templates/{number}")["definition"] | {"description": "theirs"}
    api("PUT", f"/templates/{number}?base=1", theirs)
    dialog.get_by_role("button", name="Store", exact=True).click()
    expect(inside.locator(".mw-conflict")).to_be_visible()
    inside.get_by_role("button", name="Take theirs, drop mine").click()
    expect(panel(inside, "About the template")).to_contain_text("theirs")
    assert api("GET", f"/templates/{number}")["revision"] == 2
    inside.seen.errors.clear()  # type: ignore[attr-defined] # the 409 of the route


def test_unsaved_changes_are_guarded(inside: Page, api: Api) -> None:
    number = api.made("GUARD-1")
    inside.goto(f"/names/templates/{number}?edit=1")
    expect(inside.get_by_role("button", name="Store…")).to_be_disabled()
    put(card(inside, "name"), "name_en", "Not stored")
    expect(inside.get_by_text("Not stored yet")).to_be_visible()
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    inside.on("dialog", answer)
    inside.locator(".mw-crumbs a").click(no_wait_after=True)
    inside.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(inside.get_by_text("Not stored yet")).to_be_visible()
    inside.get_by_role("button", name="Discard").click()
    inside.get_by_role("dialog").get_by_role("button", name="Discard them").click()
    expect(inside.locator("h1")).to_have_text("GUARD-1 template")
    inside.locator(".mw-crumbs a").click()
    inside.wait_for_url("**/names/templates")


# ------------------------------------------------------------------ files
def test_a_file_becomes_a_draft_or_the_next_revision(
    inside: Page, api: Api, tmp_path: Path
) -> None:
    number = api.made("FILE-1", {"type": "name"})
    file = tmp_path / "template.json"
    exported = api("GET", f"/templates/{number}/export")
    exported["definition"]["items"].append({"type": "colour", "choices": ["red", "blue"]})
    file.write_text(json.dumps(exported), "utf-8")
    inside.goto("/names/templates")
    inside.get_by_role("button", name="Import a file").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("File").set_input_files(file)
    expect(form).to_contain_text("FILE-1 exists already (revision 1)")
    form.get_by_label("Version").fill("FILE-2")
    form.get_by_role("button", name="Import as a draft").click()
    expect(inside.locator("h1")).to_contain_text("Edit")
    expect(inside.locator(".mw-item-card")).to_have_count(2)
    inside.goto("/names/templates")
    inside.get_by_role("button", name="Import a file").click()
    form.get_by_label("File").set_input_files(file)
    form.get_by_role("button", name="Make it the next revision").click()
    means = inside.locator("dialog.mw-dialog")
    expect(means.locator("[data-item=colour]")).to_contain_text("added")
    means.get_by_role("button", name="Store", exact=True).click()
    expect(inside.locator("h1")).to_contain_text("Edit")
    assert api("GET", f"/templates/{number}")["revision"] == 2


def test_a_file_that_is_no_template_says_why(inside: Page, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"hello": 1}', "utf-8")
    inside.goto("/names/templates")
    inside.get_by_role("button", name="Import a file").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("File").set_input_files(file)
    expect(form.get_by_role("alert")).to_contain_text("This is no template file")
    inside.seen.errors.clear()  # type: ignore[attr-defined] # the 400 of the route


# ------------------------------------------------------------------ registering, rights, phones
def test_every_fault_of_a_registration_stands_at_its_field(inside: Page, api: Api) -> None:
    day = {"type": "day", "data_type": "date", "date_format": "YYYY/MM/DD"}
    mass = {"type": "mass", "data_type": "number", "high": 10}
    number = api.made("FORM-1", {"type": "name", "required": True}, mass, day)
    inside.goto(f"/names?new={PREFIX}/FORM.1&with={number}")
    form = inside.get_by_role("dialog")
    for item, text in (("mass", "11"), ("day", "tomorrow")):
        form.locator(f"[data-item={item}] input").fill(text)
    form.get_by_role("button", name="Register", exact=True).click()
    expect(form.locator("[data-item=mass] .mw-hint")).to_contain_text("above 10")
    expect(form.locator("[data-item=day] .mw-hint")).to_contain_text("not a date like")
    expect(form.locator("[data-item=name] .mw-hint")).to_have_text("This must be filled in.")
    expect(form.get_by_role("alert")).to_contain_text("3 things to correct")
    assert api("GET", f"/names?template={number}")["total"] == 0


def test_what_people_write_into_a_template_is_shown_inert(inside: Page, api: Api) -> None:
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    number = api.made("EVIL-1", {"type": evil[:100], "name_en": evil, "choices": [evil],
                                 "default": evil, "comment": evil, "unit": evil})  # fmt: skip
    found = api("GET", f"/templates/{number}")["definition"]
    api("PUT", f"/templates/{number}", found | {"description": evil, "name_en": evil})
    for address in ("", f"/{number}", f"/{number}?edit=1"):
        inside.goto("/names/templates" + address)
        expect(inside.get_by_text("<img src=x").first).to_be_visible()
        assert inside.title() != "1"
    inside.goto(f"/names/templates/{number}")
    inside.get_by_text("What changed").click()
    expect(inside.locator(".mw-difference ins").first).to_contain_text("<img")
    assert inside.title() != "1"


def test_a_viewer_sees_templates_and_changes_none(as_viewer: Page) -> None:
    as_viewer.goto("/names/templates")
    expect(as_viewer.locator("tbody tr").first).to_be_visible()
    expect(as_viewer.get_by_role("button", name="New template")).to_have_count(0)
    as_viewer.get_by_role("link", name="Part template").click()
    expect(as_viewer.locator("h1")).to_have_text("Part template")
    expect(as_viewer.get_by_role("button", name="Edit")).to_have_count(0)
    as_viewer.goto(as_viewer.url + "?edit=1")
    expect(as_viewer.locator(".mw-items")).to_be_visible()
    expect(as_viewer.locator(".mw-savebar")).to_have_count(0)


@pytest.mark.parametrize("address", ["", "/{n}", "/{n}?edit=1"])
def test_nothing_is_wider_than_a_phone(inside: Page, api: Api, address: str) -> None:
    [part] = api("GET", "/templates?text=S1-PART&brief=1")["templates"]
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto("/names/templates" + address.format(n=part["number"]))
    expect(inside.locator("tbody tr, .mw-item-card").first).to_be_visible()
    if "edit" in address:
        card(inside, "mass_kg")
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
