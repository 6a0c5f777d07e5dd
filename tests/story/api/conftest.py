"""The API over the in-memory plant, without sockets."""

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from mingwu.api.app import create_app
from mingwu.api.services import Services


def _load() -> ModuleType:
    name = "mingwu_fakeplant"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "fakeplant.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def fakeplant() -> ModuleType:
    return _load()


@pytest.fixture
def services(fakeplant: ModuleType) -> Services:
    services: Services = fakeplant.make_fake_services()
    feed = fakeplant.Feed(services.live, services.plant.state().tags)
    feed.apply(services.plant.state().tags, time.time_ns())
    return services


@pytest.fixture
async def anybody(services: Services):
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://mw") as client:
        yield client


async def _as(services: Services, account: str):
    transport = httpx.ASGITransport(create_app(services))
    token, _ = services.people.login(account, f"{account}-password", "")
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://mw", headers=headers)


@pytest.fixture
async def admin(services: Services):
    async with await _as(services, "admin") as client:
        yield client


@pytest.fixture
async def viewer(services: Services):
    async with await _as(services, "viewer") as client:
        yield client
