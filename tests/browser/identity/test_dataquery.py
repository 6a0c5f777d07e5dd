"""Data of enterprises over a real second-level node: rows, nodes of every answer, links."""

from playwright.sync_api import Page, expect

PAGE = "/secondlevel/query"


def answer(page: Page, prefix: str):
    return page.locator(f".mw-answers li[data-prefix='{prefix}']")


def test_every_node_says_how_it_took_part(inside: Page) -> None:
    inside.goto(PAGE)
    expect(inside.get_by_label("Data template")).to_have_value("*/T.1")
    inside.get_by_label("Item", exact=True).fill("DESC.en")
    inside.get_by_label("Value", exact=True).fill("drive motor*")
    inside.get_by_role("button", name="Ask", exact=True).click()
    expect(inside.locator("tbody tr")).to_have_count(3)
    expect(inside.locator("tbody tr").first).to_contain_text("drive motor 1 (simulated)")
    expect(inside.locator("thead")).not_to_contain_text("COST")
    for key, n in {"answered": 2, "refused": 1, "unreachable": 1, "unlinked": 10}.items():
        expect(inside.locator(f"[data-figure={key}] b")).to_have_text(str(n))
    expect(answer(inside, "88.101.1001")).to_contain_text("3 names")
    expect(answer(inside, "88.101.1002")).to_contain_text("refused")
    expect(answer(inside, "88.101.1003")).to_contain_text("does not answer")
    expect(answer(inside, "88.101.1004")).to_contain_text("gave this node no access")
    expect(inside.locator("[data-todo=unlinked]")).to_have_count(1)  # once, not ten times
    expect(inside.locator("[data-todo=unlinked]")).to_contain_text("public key")
    assert "c=DESC.en%3Ddrive+motor*" in inside.url
    inside.reload()
    expect(inside.locator("tbody tr")).to_have_count(3)


def test_hosted_names_come_in_pages(inside: Page) -> None:
    inside.goto(f"{PAGE}?template=*/T.1&c=batch%3DL00000")
    expect(inside.locator("tbody tr")).to_have_count(100)
    expect(inside.locator("tbody tr").first).to_contain_text("Simulated")
    inside.get_by_role("button", name="More", exact=True).click()
    expect(inside.locator("tbody tr")).to_have_count(200)
    expect(answer(inside, "88.101")).to_contain_text("200 names")


def test_a_node_is_linked_tried_and_unlinked(inside: Page) -> None:
    inside.goto(f"{PAGE}?template=*/T.1&c=DESC.en%3Dnothing")
    expect(inside.get_by_text("No name meets this")).to_be_visible()
    node = answer(inside, "88.101.1004")
    node.get_by_role("button", name="Link").click()
    dialog = inside.get_by_role("dialog")
    expect(dialog).to_contain_text("BEGIN PUBLIC KEY")
    dialog.get_by_label("Address of its API").fill("http://node.example")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("loopback")
    inside.seen.errors.clear()  # the refusal, which was wanted
    dialog.get_by_label("Address of its API").fill("http://127.0.0.1:9")
    dialog.get_by_role("button", name="Save").click()
    expect(inside.locator(".mw-toast")).to_contain_text("does not work yet")
    expect(node).to_have_attribute("data-state", "unreachable")
    node.get_by_role("button", name="Change link").click()
    inside.get_by_role("dialog").get_by_role("button", name="Ask it no longer").click()
    expect(node).to_have_attribute("data-state", "unlinked")


def test_others_are_told_who_may_ask(as_account) -> None:
    page = as_account("viewer")
    page.goto(PAGE)
    expect(page.get_by_text("Administrators ask here")).to_be_visible()


def test_on_a_phone_in_chinese(inside: Page, console: str) -> None:
    inside.context.add_cookies([{"name": "mw_lang", "value": "zh", "url": console}])
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(f"{PAGE}?template=*/T.1&c=batch%3DL00000")
    expect(inside.locator("h1")).to_contain_text("企业数据查询")
    expect(inside.locator("tbody tr")).to_have_count(100)
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390
