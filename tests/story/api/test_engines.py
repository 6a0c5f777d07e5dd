"""The API over the house's own registry and trust (SQLite) with the lab's whole plant."""

import time

import httpx
import numpy as np
import pytest

from mingwu.api.app import create_app
from mingwu.api.engines import HistoryEngine, LocalResolve, RegistryPlant, TrustJournal, TrustPeople
from mingwu.api.ports import TagRow
from mingwu.api.services import make_services
from mingwu.api.settings import ApiSettings
from mingwu.bus.lastvalue import LastValues
from mingwu.history.records import Series
from mingwu.identity.cards import sync_cards
from mingwu.identity.records import RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.process import site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.batch import Columns
from mingwu.kernel.quality import GOOD, SIMULATED
from mingwu.lab.plant.s1 import plant_file
from mingwu.lab.settings import LabSettings
from mingwu.registry.plantfile import dump, parse
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.settings import StoreSettings
from mingwu.trust.service import Trust
from mingwu.trust.settings import PasswordSettings, TrustSettings

pytestmark = pytest.mark.anyio
CELL = "88.888.101/DEV.DCM2500.01"


@pytest.fixture(scope="module")
def plant_text() -> str:
    return dump(plant_file(LabSettings()))


@pytest.fixture(scope="module")
def registry(tmp_path_factory, plant_text):
    path = tmp_path_factory.mktemp("registry") / "registry.db"
    registry = Registry.open(RegistrySettings(store=StoreSettings(url=f"sqlite:///{path}")))
    RegistryPlant(registry).import_text(plant_text, "admin")
    yield registry
    registry.close()


@pytest.fixture
def trust(tmp_path):
    store = StoreSettings(url=f"sqlite:///{tmp_path / 'trust.db'}")
    settings = TrustSettings(store=store, password=PasswordSettings(scrypt_log2_n=10))
    trust = Trust.open(settings)
    yield trust
    trust.close()


@pytest.fixture
def services(registry, trust):
    return make_services(
        ApiSettings(port=0),
        plant=RegistryPlant(registry),
        people=TrustPeople(trust),
        journal=TrustJournal(trust),
        live=LastValues(),
    )


@pytest.fixture
async def client(services):
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://mw") as client:
        yield client


async def test_first_login_changes_the_password_then_everything_opens(client, trust) -> None:
    first = trust.accounts.ensure_admin()
    login = {"account": "admin", "password": first}
    assert (await client.post("/api/session", json=login)).json()["must_change"] is True
    assert (await client.get("/api/tags")).json()["code"] == "api.must-change"
    weak = await client.put("/api/session/password", json={"old": first, "new": "short"})
    assert weak.json()["code"] == "trust.weak-password"
    change = {"old": first, "new": "die casting at 210"}
    assert (await client.put("/api/session/password", json=change)).status_code == 200
    assert (await client.get("/api/tags")).status_code == 401  # the old session ended
    again = {"account": "Admin", "password": "die casting at 210"}
    assert (await client.post("/api/session", json=again)).status_code == 200
    assert (await client.get("/api/tags")).status_code == 200
    lines = (await client.get("/api/journal")).json()["lines"]
    assert [line["action"] for line in lines[::-1]] == [
        "session.login", "account.password", "session.login",
    ]  # fmt: skip
    (line,) = (await client.get("/api/journal?action=account&limit=5")).json()["lines"]
    assert (line["action"], line["outcome"]) == ("account.password", "ok")
    older = (await client.get(f"/api/journal?before={line['seq']}&actor=admin")).json()["lines"]
    assert [one["action"] for one in older] == ["session.login"]
    assert (await client.get(f"/api/journal?until_ms={line['time_ns'] // 10**6 - 60_000}")).json()[
        "lines"
    ] == []
    checked = (await client.get("/api/journal/check")).json()
    assert (checked["sound"], checked["entries"]) == (True, 3)
    assert checked["head"] == trust.journal.head().hash


async def test_guessing_is_slowed(client, trust) -> None:
    trust.accounts.ensure_admin()
    login = {"account": "admin", "password": "guess"}
    codes = [(await client.post("/api/session", json=login)).status_code for _ in range(6)]
    assert codes[:5] == [401] * 5
    last = await client.post("/api/session", json=login)
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) > 0


@pytest.fixture
async def inside(client, trust):
    from mingwu.trust.roles import Role

    trust.accounts.create("eva", "a long password", Role.ENGINEER)
    await client.post("/api/session", json={"account": "eva", "password": "a long password"})
    return client


async def test_the_whole_plant_is_listed(inside, services) -> None:
    overview = (await inside.get("/api/overview")).json()
    assert overview["simulated"]
    assert sum(overview["tags"].values()) > 1500
    cell = next(one for one in overview["machines"] if one["thing"]["id"] == CELL)
    assert cell["rule"]["code"] is not None
    assert cell["rule"]["alarm"] is not None
    assert cell["thing"]["gateway"] == "gw1"
    places = (await inside.get("/api/places")).json()
    assert places["places"][0]["level"] == "enterprise"
    found = (await inside.get("/api/things?q=M0187")).json()
    mould = next(one for one in found["things"] if one["id"].endswith("MLD.M0187"))
    relations = (await inside.get(f"/api/things/{mould['id']}")).json()["relations"]
    assert relations
    assert all(one["id"] != mould["id"] for one in relations)


async def test_live_values_and_thing_description(inside, services) -> None:
    index = await services.index.get()
    tag = index.tag_named(CELL, "state")
    assert tag.heartbeat_s > 0
    services.live.seed(
        Columns(
            np.array([tag.number], np.uint32),
            np.array([time.time_ns()]),
            np.array([1.0]),
            np.array([GOOD | SIMULATED], np.uint8),
        )
    )
    one = (await inside.get(f"/api/things/{CELL}/properties/state")).json()
    assert (one["value"], one["state"], one["simulated"]) == (1.0, "good", True)
    td = (await inside.get(f"/api/things/{CELL}/td")).json()
    assert "state" in td["properties"]


async def test_import_again_changes_nothing_and_faults_have_paths(inside, plant_text) -> None:
    again = await inside.post("/api/plant", json={"text": plant_text})
    assert again.json() == {"counts": {}}
    broken = plant_text.replace('driver = "modbus"', "driver = 5", 1)
    reply = await inside.post("/api/plant", json={"text": broken})
    assert reply.status_code == 400
    assert reply.json()["faults"][0]["path"].startswith("$.thing[")
    exported = (await inside.get("/api/plant")).text
    assert parse(exported).file == parse(plant_text).file


async def test_names_resolve_from_the_shared_store(inside, services, registry, tmp_path) -> None:
    store = RecordStore(tmp_path / "names", map_bytes=1 << 24)
    sync_cards(store, registry.cards(), base_url="http://mw")
    store.home("88.888.101")
    site = site_of(ResolverSettings(), 2641, 8000)
    resolve = LocalResolve(Resolver(store, site, live=services.live))
    object.__setattr__(services, "resolve", resolve)
    reply = (await inside.get(f"/api/handles/{CELL}")).json()
    kinds = {value["type"] for value in reply["values"]}
    assert {"DESC.zh", "MW.KIND", "MW.LIVE.state"} <= kinds
    only = (await inside.get(f"/api/handles/{CELL}?type=URL")).json()
    assert {value["type"] for value in only["values"]} == {"URL"}
    assert (await inside.get("/api/handles/88.888.101/NOPE")).status_code == 404
    store.close()


class History:
    """The history client's two questions, answered from constants."""

    def __init__(self, times_ns: list[int], before: bool) -> None:
        self.times, self.before = np.array(times_ns, np.int64), before

    async def series(self, tag, start_ns, end_ns, buckets, method) -> Series:
        n = len(self.times)
        values = np.arange(n, dtype=float)
        return Series(self.times, values, values - 1, values + 1, np.ones(n, np.uint64),
                      np.full(n, GOOD, np.uint8), n, "points", 1000)  # fmt: skip

    async def at(self, tags, time_ns, *, lookback_s) -> Columns:
        assert lookback_s >= 60
        n = int(self.before)
        return Columns(np.array(tags[:n], np.uint32), np.full(n, time_ns - 9, np.int64),
                       np.full(n, 42.0), np.full(n, GOOD | SIMULATED, np.uint8))  # fmt: skip


@pytest.mark.parametrize(
    ("times", "before", "expected"),
    [
        ([200, 300], True, [100, 200, 300]),
        ([200, 300], False, [200, 300]),
        ([100, 300], True, [100, 300]),
        ([], True, [100]),
        ([], False, []),
    ],
)
async def test_a_series_starts_with_the_value_that_held(times, before, expected) -> None:
    engine = HistoryEngine(History(times, before))
    tag = TagRow(number=7, thing="t", name="n")
    series = await engine.series(tag, 100, 1000, points=10, method="minmax")
    assert series.time_ns.tolist() == expected
    assert len(series.value) == len(series.quality) == len(expected)
    assert len(series.low) == len(series.high)
    if len(expected) > len(times):
        assert series.value[0] == 42.0
        assert series.quality[0] == GOOD | SIMULATED
