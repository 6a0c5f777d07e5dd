"""The menu knows which pages have their part on this node."""

from starlette.routing import Route

from mingwu.console import namepages, nodepages, templatepages
from mingwu.console.presence import absent_pages, home_cards
from mingwu.console.texts import tables as texts


def route(path: str) -> Route:
    return Route(path, lambda _: None)


def test_without_routes_every_page_of_names_and_nodes_is_absent() -> None:
    menus = (*namepages.MENU, *templatepages.MENU, *nodepages.MENU)
    assert absent_pages([]) == {"/scan", *(path for path, _, _ in menus)}


def test_a_node_opens_with_what_it_has() -> None:
    absent = absent_pages([route("/api/identity/usage/days"), route("/api/identity/names")])
    assert {"/usage", "/names"}.isdisjoint(absent)
    cards = home_cards(texts.table("en"), absent)
    assert [(one["href"], one["title"], one["icon"]) for one in cards] == [
        ("/usage", "Resolution statistics", "bars"),
        ("/names", "Registration", "register"),
    ]
    assert all(one["why"] for one in home_cards(texts.table("zh"), frozenset()))
