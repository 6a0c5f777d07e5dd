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
    inside.get_by_role("button", name="Next page").press("Enter")
    expect(inside.locator(".mw-foot")).to_contain_text("51–100")
    expect(inside.get_by_role("button", name="Next page")).to_be_focused()
    inside.get_by_role("button", name="draft").click()
    expect(inside.locator("tbody tr")).to_have_count(1)
    expect(inside.locator("tbody tr .mw-two small")).not_to_be_empty()  # what people call it
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


def begin(page: Page, name: str) -> Locator:
    """The registration form, half filled in."""
    page.goto(f"/names?new={PREFIX}/{name}")
    form = page.locator("dialog.mw-drawer")
    form.get_by_label("Template").select_option(label=TEMPLATE)
    fill(form, "name", "半截表单（模拟）")
    return form


def test_a_slip_does_not_throw_a_filled_form_away(inside: Page) -> None:
    form = begin(inside, "PRT.SLIP.1")
    question = inside.get_by_role("dialog", name="Throw away what was filled in?")
    for slip in ("Escape", "Escape", "beside"):
        if slip == "beside":
            inside.mouse.click(40, 400)
        else:
            inside.keyboard.press(slip)
        expect(question).to_be_visible()
        question.get_by_role("button", name="Cancel").click()
        expect(form.locator("[data-item=name] input")).to_have_value("半截表单（模拟）")
    asked: list[str] = []
    inside.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    inside.evaluate("location.reload()")
    expect(form.locator("[data-item=name] input")).to_have_value("半截表单（模拟）")
    form.get_by_role("button", name="Close").click()
    question.get_by_role("button", name="Throw away").click()
    expect(form).to_have_count(0)
    assert asked == ["beforeunload"]
    begin(inside, "PRT.SLIP.1")
    inside.get_by_role("dialog").locator("[data-item=name] input").fill("")
    inside.keyboard.press("Escape")
    expect(form).to_have_count(0)  # nothing was filled in


def test_a_session_that_ends_costs_nothing_of_what_was_typed(inside: Page, console: str) -> None:
    body = {"account": "admin", "password": "admin-password"}
    inside.context.clear_cookies()
    inside.request.post(f"{console}/api/session", data=body)
    form = begin(inside, "PRT.SESSION.1")
    fill(form, "model", "EAH3")
    inside.request.delete(f"{console}/api/session")
    inside.context.clear_cookies()
    form.get_by_role("button", name="Register", exact=True).click()
    again = inside.get_by_role("dialog", name="Your session has ended")
    expect(again.get_by_label("Account")).to_have_value("admin")
    again.get_by_label("Password").fill("not-the-password")
    again.get_by_role("button", name="Log in").click()
    expect(again.get_by_role("alert")).to_be_visible()
    inside.keyboard.press("Escape")
    again.get_by_label("Password").fill("admin-password")
    again.get_by_role("button", name="Log in").click()
    inside.wait_for_url(f"**/names/{PREFIX}/PRT.SESSION.1")
    expect(inside.locator("h1")).to_have_text("半截表单（模拟）")
    expect(inside.locator(".mw-toast")).to_be_visible()
    # a console says 401 as an error of its own; nothing else went wrong
    seen = inside.seen.errors  # type: ignore[attr-defined]
    seen[:] = [one for one in seen if "401" not in one]


def test_logging_in_elsewhere_lets_a_waiting_page_go_on(inside: Page, console: str) -> None:
    inside.goto("/names")
    expect(inside.locator("tbody tr")).to_have_count(50)
    inside.context.clear_cookies()
    inside.get_by_role("button", name="draft").click()
    again = inside.get_by_role("dialog", name="Your session has ended")
    expect(again).to_be_visible()
    body = {"account": "admin", "password": "admin-password"}
    inside.request.post(f"{console}/api/session", data=body)
    inside.evaluate("dispatchEvent(new Event('focus'))")
    expect(again).to_have_count(0)
    expect(inside.locator("tbody tr").first).to_contain_text("draft")
    seen = inside.seen.errors  # type: ignore[attr-defined]
    seen[:] = [one for one in seen if "401" not in one]
