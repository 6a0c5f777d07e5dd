"""A node with accounts behind a stand-in for the API's door (ASGI, no sockets)."""

from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware

from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.facades import idhub, snms
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.routes import imports, names
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings, ImportSource
from mingwu.identity.records import RecordStore
from mingwu.store.settings import StoreSettings
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import PasswordSettings, TrustSettings

PASSWORD = "copper-Kettle-47"


class Door(BaseHTTPMiddleware):
    """Stands in for the API's door: tests say who asks in a header."""

    async def dispatch(self, request, call_next):
        account, _, role = request.headers.get("x-test-principal", "").partition(":")
        request.state.principal = SimpleNamespace(account=account, role=role) if account else None
        request.state.lang = request.headers.get("x-test-lang", "")
        return await call_next(request)


@pytest.fixture
def world(tmp_path):
    """A node with accounts, its routes behind a stand-in door, and the journal's lines."""
    store = RecordStore(tmp_path / "names", map_bytes=2**28, durable=False)
    trust = Trust.open(
        TrustSettings(
            store=StoreSettings(url=f"sqlite:///{tmp_path / 'trust.db'}"),
            password=PasswordSettings(scrypt_log2_n=10),
        )
    )
    trust.accounts.create("eng", PASSWORD, Role.ENGINEER)
    trust.accounts.create("view", PASSWORD, Role.VIEWER)
    url = f"sqlite:///{tmp_path / 'enterprise.db'}"
    query = "SELECT * FROM part ORDER BY serial"
    sources = (
        ImportSource(name="erp", url=f"sqlite:///{tmp_path / 'erp.db'}", query=query),
        ImportSource(name="far", url="postgresql+psycopg://u:hidden@127.0.0.1:1/x", query=query),
    )
    settings = EnterpriseSettings(
        store=StoreSettings(url=url), sources=sources, upload_bytes=3_000_000
    )
    node = EnterpriseNode.open(settings, store)
    lines = []
    services = EnterpriseServices(
        node=node,
        accounts=trust.accounts,
        sessions=trust.sessions,
        journal=lambda *line: lines.append(line),
    )
    desk = ImportDesk(node, services.note_of)
    routes = [
        *names.routes(services),
        *imports.routes(services, desk),
        *snms.routes(services),
        *idhub.routes(services),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(Door)
    yield SimpleNamespace(app=app, node=node, store=store, lines=lines, desk=desk)
    desk.close()
    node.close()
    trust.close()
    store.close()


@pytest.fixture
async def client(world):
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mw") as client:
        yield client
