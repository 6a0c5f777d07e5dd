"""Registration over a real enterprise node, in Chromium."""

from playwright.sync_api import Locator, Page, expect

# as ``nameplane`` made them
PREFIX, PARTS = "88.888.101", 130
DRAFT = f"{PREFIX}/PRT.EAH3.0007"
TEMPLATE = "Part template · S1-PART-1.0"


def fill(form: Locator, item: str, text: str) -> None:
    form.locator(f"[data-item={item}] input").fill(text)


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit").click()


def test_names_are_found_by_text_template_and_state_in_pages(inside: Page) -> None:
    inside.goto("/names")
    expect(inside.locator("tbody tr")).to_have_count(50)
    inside.get_by_label("Part of a name").fill("PRT.EAH3")
    expect(inside.locator(".mw-foot")).to_contain_text(f"1–50 of {PARTS}")
    inside.get_by_role("button", name="Next page").click()
    expect(inside.locator(".mw-foot")).to_contain_text("51–100")
    inside.get_by_role("button", name="draft").click()
    expect(inside.locator("tbody tr")).to_have_count(1)
    expect(inside.locator("tbody tr")).to_contain_text(DRAFT)
    assert "state=draft" in inside.url
    inside.get_by_label("Template").select_option(label="Machine template")
    expect(inside.get_by_text("No name matches")).to_be_visible()
    inside.goto("/names?q=MLD.M0187")
    inside.get_by_role("link", name=f"{PREFIX}/MLD.M0187").click()
    expect(inside.locator("h1")).to_have_text("Mould M0187")


def test_a_form_made_from_the_template_says_faults_at_their_fields(inside: Page) -> None:
    inside.goto("/names")
    inside.get_by_role("button", name="Register a name").click()
    form = inside.get_by_role("dialog")
    form.get_by_label("Template").select_option(label=TEMPLATE)
    form.get_by_role("button", name="Register", exact=True).click()
    expect(form.locator("[data-item=name] .mw-hint")).to_have_text("This must be filled in.")
    form.get_by_label("Identifier", exact=True).fill(f"{PREFIX}/PRT.NEW.1")
    fill(form, "name", "新零件（模拟）")
    fill(form, "model", "EAH3")
    fill(form, "mass_kg", "heavy")
    form.get_by_role("button", name="Register", exact=True).click()
    expect(form.locator("[data-item=mass_kg] .mw-hint")).to_contain_text("not a number")
    fill(form, "mass_kg", "3.25")
    form.get_by_role("button", name="Register", exact=True).click()
    inside.wait_for_url(f"**/names/{PREFIX}/PRT.NEW.1")
    expect(inside.locator("tr[data-index='2006']")).to_contain_text("3.25")
    inside.goto(f"/names?new={PREFIX}/PRT.NEW.1")
    form.get_by_label("Template").select_option(label=TEMPLATE)
    fill(form, "name", "x")
    fill(form, "model", "x")
    form.get_by_role("button", name="Register", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("exists already")


def test_a_draft_may_lack_what_is_required_and_is_submitted_later(inside: Page) -> None:
    inside.goto(f"/names?new={PREFIX}/PRT.NEW.2")
    form = inside.get_by_role("dialog")
    form.get_by_label("Template").select_option(label=TEMPLATE)
    fill(form, "name", "草稿（模拟）")
    form.get_by_label("Only write it down").check()
    form.get_by_role("button", name="Save the draft").click()
    inside.wait_for_url(f"**/names/{PREFIX}/PRT.NEW.2")
    expect(inside.locator(".mw-head .mw-st")).to_have_text("draft")
    submit(inside)
    expect(inside.get_by_role("alert")).to_contain_text("“model” is required")
    inside.keyboard.press("Escape")
    inside.get_by_role("button", name="Change").click()
    fill(inside.get_by_role("dialog"), "model", "EAH3")
    inside.get_by_role("button", name="Store the change").click()
    expect(inside.locator(".mw-versions > li")).to_have_count(2)
    submit(inside)
    expect(inside.locator(".mw-head .mw-st")).to_have_text("registered")


def test_a_viewer_looks_only(as_viewer: Page) -> None:
    as_viewer.goto("/names")
    expect(as_viewer.locator("tbody tr")).to_have_count(50)
    expect(as_viewer.get_by_role("button", name="Register a name")).to_have_count(0)
    expect(as_viewer.get_by_role("link", name="Import names")).to_have_count(0)
    as_viewer.goto(f"/names/{PREFIX}/NOBODY")
    expect(as_viewer.get_by_text("Nobody registered this name here")).to_be_visible()
    expect(as_viewer.get_by_role("link", name="Register a name")).to_have_count(0)


def test_on_a_phone(inside: Page) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto("/names")
    expect(inside.locator("tbody tr")).to_have_count(50)
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
    inside.get_by_role("button", name="Register a name").click()
    expect(inside.get_by_role("dialog")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
