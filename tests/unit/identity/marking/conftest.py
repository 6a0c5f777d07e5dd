"""A store with a machine, a mould with a GS1 code, and the marking routes with somebody known."""

from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.marking.http import routes
from mingwu.identity.marking.settings import MarkingSettings

BASE = "https://mingwu.example.com"


@pytest.fixture
def coded(store):
    """The store; Part.7 carries a serialised GTIN, the casting cell its class."""
    book = AliasBook(store)
    book.add("88.888.101/Part.7", "(01)09506000134352(21)7")
    book.add("88.888.101/DEV.DCM2500.01", "(01)09506000134352")
    return store


@pytest.fixture
def marking(coded, asgi):
    """Asks the marking routes as a viewer."""

    def ask(settings: MarkingSettings | None = None, *, known: bool = True):
        app = Starlette(routes=routes(coded, settings, base_url=BASE))

        async def with_principal(scope, receive, send):
            scope["state"] = {"lang": "en"}
            if known:
                scope["state"]["principal"] = SimpleNamespace(account="v", role="viewer")
            await app(scope, receive, send)

        return asgi(with_principal)

    return ask
