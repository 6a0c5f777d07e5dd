"""Which pages have the part of the node behind them here: told by the routes that are mounted.

The menu says which are off, and a node without a plant opens with what it does instead of zeros.
"""

from collections.abc import Iterable, Mapping

from starlette.routing import Route

from mingwu.console import nodepages

# Address of a page and the beginning of the routes that it asks.
_NEEDS = {
    "/names": "/api/identity/names",
    "/names/import": "/api/identity/imports",
    "/names/filing": "/api/identity/filing",
    "/names/grants": "/api/identity/grants",
    "/names/templates": "/api/identity/templates",
    "/scan": "/api/identity/read",
    "/secondlevel/applications": "/api/secondlevel/desk",
    "/secondlevel/enterprises": "/api/secondlevel/desk",
    "/secondlevel/query": "/api/secondlevel/query",
    "/usage": "/api/identity/usage",
    "/secondlevel/duties": "/api/secondlevel/desk",
    "/carriers": "/api/identity/carriers",
}

# What a node without a plant opens with: (address, key of the title, key of the words, icon).
_HOME = (
    *((path, key, key.replace("nav.", "") + ".lead", icon) for path, key, icon in nodepages.MENU),
    ("/names", "nav.registrations", "names.lead", "register"),
)


def absent_pages(routes: Iterable[Route]) -> frozenset[str]:
    """Addresses of the pages whose part is off."""
    paths = [route.path for route in routes]
    return frozenset(
        page for page, need in _NEEDS.items() if not any(path.startswith(need) for path in paths)
    )


def home_cards(words: Mapping[str, str], absent: frozenset[str]) -> list[dict[str, str]]:
    """Title, words, address and icon of the pages that work here."""
    return [
        {"href": path, "title": words[title], "why": words[why], "icon": icon}
        for path, title, why, icon in _HOME
        if path not in absent
    ]
