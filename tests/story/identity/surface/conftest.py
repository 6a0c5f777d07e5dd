"""The whole identity surface in one process: every part open, every route to be called."""

import asyncio
import importlib.util
import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from mingwu.api.app import create_app
from mingwu.identity.enterprise.facades import idhub, idhubforms, snms
from mingwu.identity.enterprise.templates import snmsform as snmsforms
from mingwu.identity.routing import operation_of
from mingwu.identity.secondlevel.model import ApplicationForm, HostedItem
from mingwu.identity.secondlevel.routes import node as secondlevel
from mingwu.node.config import IdentityPart, load
from mingwu.node.config import Role as NodeRole
from mingwu.node.webrole import serving
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust

PASSWORD = "a long enough password 7"
ROOTS = ("/api/identity", "/api/secondlevel", "/iiidap", "/gs1", "/identity", "/snms", "/api/v1",
         "/carriers")  # fmt: skip
# Bodies of routes whose declaration does not say them.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/secondlevel/applications"): ApplicationForm,
    ("PUT", "/api/secondlevel/applications/{id}"): ApplicationForm,
    ("POST", "/api/secondlevel/applications/{id}/decision"): secondlevel.Decision,
    ("POST", "/api/secondlevel/prefixes/{prefix}/identifiers"): tuple[HostedItem, ...],
    ("PATCH", "/api/secondlevel/tenants/{uscc}"): secondlevel.TenantChange,
    ("POST", "/snms/api/v5/template"): snmsforms.TemplateBody,
    ("PUT", "/snms/api/v5/template"): snmsforms.TemplateBody,
    ("POST", "/snms/api/v3/template"): snmsforms.TemplateBody,
    ("DELETE", "/snms/api/v5/template"): snmsforms.TemplateBody,
    ("POST", "/identity/token"): snms.Login,
    ("POST", "/identity/token/v1"): snms.Login,
    ("POST", "/identityv2/data"): snms.Record,
    ("PUT", "/identityv2/data"): snms.Record,
    ("DELETE", "/identityv2/data"): snms.Handle,
    ("POST", "/identityv2/data/batchCreate"): list[snms.Record],
    ("PUT", "/identityv2/data/batchUpdate"): list[snms.Record],
    ("DELETE", "/identityv2/data/batchDelete"): snms.Handles,
    ("POST", "/api/v1/doip"): idhub.DigitalObject,
    ("POST", "/api/v1/doip/public/verify-response"): idhub.Proof,
    ("POST", "/api/v1/open/meta/create"): idhubforms.MetaBody,
    ("PUT", "/api/v1/open/meta/update-basic-info"): idhubforms.MetaBody,
    ("PUT", "/api/v1/open/meta/update-item"): idhubforms.ItemsBody,
    ("PUT", "/api/v1/open/meta/publish-or-withdraw"): idhubforms.PublishBody,
    ("POST", "/api/v1/open/meta/baseon-create"): idhubforms.CopyBody,
    ("POST", "/api/v1/open/classes-grant/item/batch-public"): idhubforms.PublicItems,
    ("POST", "/api/v1/open/classes-grant/authorization"): idhubforms.ClassGrants,
    ("POST", "/api/v1/single-handle/authorization"): idhubforms.SingleGrants,
}


@pytest.fixture(scope="module")
def odd() -> ModuleType:
    """The odd input (``odd.py`` beside this file)."""
    spec = importlib.util.spec_from_file_location("surface_odd", Path(__file__).with_name("odd.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Door:
    """One method of one route; ``body`` is the declared type, bytes, or None."""

    method: str
    path: str
    body: Any = None

    @property
    def is_facade(self) -> bool:
        """Answers in a scheme of its own, with HTTP status 200 for faults."""
        return self.path.startswith(("/identity/", "/identityv2/", "/snms/", "/api/v1/"))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Surface:
    """The application, its doors, and clients for those who may and those who may not."""

    app: Any
    doors: tuple[Door, ...]
    token: str
    password: str
    data: Path

    def client(self, token: str = "") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def _declared(route: Route) -> Any:
    operation = operation_of(route)
    if operation is not None:
        return operation.body
    try:
        row = inspect.getclosurevars(route.endpoint).nonlocals.get("route")
    except TypeError:
        return None
    return getattr(row, "body", None)


def _doors(routes: Any, bodies: dict[tuple[str, str], Any], base: str = "") -> Iterator[Door]:
    for route in routes:
        path = base + getattr(route, "path", "")
        if isinstance(route, Mount):
            yield from _doors(route.routes, bodies, path)
        elif isinstance(route, Route) and path.startswith(ROOTS):
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Door(method, path, bodies.get((method, path)))


@pytest.fixture(scope="module")
async def surface(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Surface]:
    folder = tmp_path_factory.mktemp("surface")
    parts = ", ".join(f'"{part}"' for part in IdentityPart)
    file = folder / "mingwu.toml"
    file.write_text(
        f"""
[node]
roles = ["api"]
identity = [{parts}]
[bus]
urls = ["nats://127.0.0.1:9"]
[history]
url = "http://127.0.0.1:9"
[resolver]
port = 9
http_port = 0
prefixes = ["88.888.101", "88.101"]
map_bytes = {2**27}
[enterprise]
body_bytes = {1 << 20}
"""
    )
    config = load(file)
    config.data.mkdir(mode=0o700, exist_ok=True)
    trust = Trust.open(config.trust)
    trust.accounts.create("clerk", PASSWORD, Role.ADMIN)
    token = trust.sessions.create_token("clerk", "surface")
    trust.close()
    stop = asyncio.Event()
    async with serving(config, config.api, NodeRole.API, stop) as services:
        app = create_app(services)
        bodies = {
            (method, route.path): _declared(route)
            for route in services.guarded
            for method in route.methods or ()
        }
        doors = tuple(_doors(app.routes, bodies | BODIES))
        yield Surface(app, doors, token, PASSWORD, config.data)
        stop.set()
