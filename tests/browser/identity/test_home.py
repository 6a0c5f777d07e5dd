"""How a node without a plant opens, and what its menu says."""

from playwright.sync_api import Page, Route, expect


def without_a_plant(inside: Page) -> None:
    def empty(route: Route) -> None:
        body = route.fetch().json()
        lists = {key: [] for key, value in body.items() if isinstance(value, list)}
        route.fulfill(json=body | lists)

    inside.route("**/api/places", empty)
    inside.route("**/api/overview*", empty)


def test_a_node_without_a_plant_opens_with_what_it_does(inside: Page) -> None:
    without_a_plant(inside)
    inside.goto("/")
    cards = inside.locator(".mw-home .mw-card")
    expect(cards.first).to_contain_text("Prefix applications")
    cards.filter(has_text="Resolution statistics").click()
    expect(inside.locator("h1")).to_contain_text("Resolution statistics")


def test_the_menu_marks_nothing_that_runs_here(inside: Page) -> None:
    inside.goto("/")
    for name in ("Prefix applications", "Data of enterprises", "Duties", "Active carriers"):
        entry = inside.locator(".mw-nav", has_text=name)
        expect(entry).to_have_count(1)
        expect(entry.locator("small")).to_have_count(0)
