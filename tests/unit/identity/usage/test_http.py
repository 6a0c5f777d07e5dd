"""Figures and the log itself over HTTP, and an outsider counting from the export."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette

from mingwu.identity.usage.http import routes
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.identity.usage.segment import files, path_of
from mingwu.identity.usage.settings import UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.errors import NotFound

REGISTERED = {"88.888.101": 4, "88.888.102": 10}
BASE = "/api/identity/usage"


@pytest.fixture
def statistics(log, settings, feeder, clock):
    feeder.ask("88.888.101/A")
    feeder.ask("88.888.101/NONE", rc=100)
    log.seal()
    feeder.ask("88.888.101/B", "203.0.113.9")
    return UsageStatistics(
        settings,
        public_key=log.public_key,
        registered=lambda: REGISTERED,
        flush=log.flush,
        now=lambda: clock.ms / 1000 + 1,
    )


@pytest.fixture
def client(statistics):
    app = Starlette(routes=routes(lambda: statistics))

    async def with_door(scope, receive, send):
        role = dict(scope["headers"]).get(b"x-role")
        if role:
            scope.setdefault("state", {})["principal"] = SimpleNamespace(
                account="a", role=role.decode()
            )
        await app(scope, receive, send)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(with_door),
        base_url="http://node",
        headers={"x-role": "admin"},
    )


@pytest.mark.anyio
async def test_figures(client):
    async with client:
        window = (await client.get(BASE)).json()
        assert (window["registered"], window["resolved_by_others"]) == (14, 1)
        days = (await client.get(f"{BASE}/days?first=2026-11-22&last=2026-11-24")).json()
        assert [(d["day"], d["figures"]["resolutions"]) for d in days] == [("2026-11-23", 3)]
        month = (await client.get(f"{BASE}/month?month=2026-11")).json()
        assert month == days
        span = (await client.get(f"{BASE}/span?days=3")).json()
        assert span["days"] == days
        assert (span["last"], span["total"]["resolutions"], span["unsealed"]) == (
            "2026-11-23", 3, True,
        )  # fmt: skip
        assert (span["first_segment"], span["last_segment"]) == (1, 2)
        checked = (await client.get(f"{BASE}/log/check")).json()
        assert (checked["sound"], checked["segments"], checked["resolutions"]) == (True, 1, 2)
        top = (await client.get(f"{BASE}/clients?limit=1")).json()
        assert [one["network"] for one in top] == ["198.51.100.0/24"]
        one = (await client.get(f"{BASE}/prefix/88.888.101")).json()
        assert (one["resolutions"], one["resolved_by_others"], one["share"]) == (3, 1, 0.25)


@pytest.mark.anyio
async def test_who_asked_for_a_name(client):
    async with client:
        use = (await client.get(f"{BASE}/name?name=88.888.101/a")).json()  # however it is spelt
        assert (use["total"]["resolutions"], use["total"]["by_cause"]["client"]) == (1, 1)
        assert [one["network"] for one in use["clients"]] == ["198.51.100.0/24"]
        assert ([day["day"] for day in use["days"]], use["since"]) == (["2026-11-23"], "2026-11-23")
        owner = (await client.get(f"{BASE}/name?name=88.888.101/B")).json()
        assert (owner["total"]["by_cause"]["owner"], owner["clients"][0]["cause"]) == (1, "owner")
        never = (await client.get(f"{BASE}/name?name=88.888.101/NEVER")).json()
        assert (never["total"]["resolutions"], never["last_ms"], never["clients"]) == (0, 0, [])
        as_viewer = {"x-role": "viewer"}
        told = (await client.get(f"{BASE}/name?name=88.888.101/A", headers=as_viewer)).json()
        assert (told["total"]["resolutions"], told["clients"]) == (1, None)


@pytest.mark.anyio
async def test_outsider_counts_from_the_export(client, tmp_path):
    async with client:
        export = await client.get(f"{BASE}/log/export")
        key = (await client.get(f"{BASE}/key")).content
        listed = (await client.get(f"{BASE}/log")).json()
        single = (await client.get(f"{BASE}/log/1")).content
    with zipfile.ZipFile(io.BytesIO(export.content)) as archive:
        archive.extractall(tmp_path / "outside")
    result = reaggregate(list((tmp_path / "outside").glob("*.mwu")), key)
    assert result.sound, result.findings
    assert result.report.total.resolutions == 2  # the open segment is not exported
    assert listed[0]["sha256"] == result.head
    assert [one["sealed"] for one in listed] == [True, False]
    assert (tmp_path / "outside" / "00000001.mwu").read_bytes() == single


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "role", "status", "code"),
    [
        ("/log/check", "operator", 403, "trust.no-permission"),
        ("", "", 401, "trust.no-session"),
        ("/clients", "viewer", 403, "trust.no-permission"),
        ("/log/export", "operator", 403, "trust.no-permission"),
        ("/log/2", "admin", 404, "usage.no-segment"),
        ("/log/99", "admin", 404, "usage.no-segment"),
        ("/prefix/9.9", "admin", 404, "name.unknown"),
        ("/days?first=yesterday", "admin", 400, "input.invalid"),
        ("/days?first=2026-11-23&last=2026-11-01", "admin", 400, "input.invalid"),
        ("?days=0", "admin", 400, "input.invalid"),
        ("/name", "admin", 400, "input.invalid"),
        ("/clients?limit=ten", "admin", 400, "input.invalid"),
    ],
)
async def test_refusals(client, path, role, status, code):
    async with client:
        reply = await client.get(BASE + path, headers={"x-role": role})
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert reply.json()["message"]


@pytest.mark.anyio
async def test_anybody_may_have_the_key(client, log):
    async with client:
        assert (await client.get(f"{BASE}/key", headers={"x-role": ""})).content == log.public_key


def test_reading_beside_the_writer(log, feeder, settings, tmp_path):
    feeder.ask("88.888.101/A")
    log.flush()
    beside = UsageStatistics.beside(settings, lambda: REGISTERED)
    assert beside.public_key == log.public_key
    assert [day.figures.resolutions for day in beside.days("2026-11-23", "2026-11-23")] == [1]
    feeder.ask("88.888.101/B")
    log.flush()
    assert [day.figures.resolutions for day in beside.month("2026-11")] == [2]
    with pytest.raises(NotFound):
        UsageStatistics.beside(UsageSettings(directory=str(tmp_path / "none")), dict)


@pytest.mark.parametrize("size", [0, 12])
def test_a_segment_that_is_being_created_breaks_no_figure(log, feeder, settings, size):
    """The next segment is there before its head is, while the one before it is sealed."""
    feeder.ask("88.888.101/A")
    log.flush()
    (first,) = files(Path(settings.directory))
    path_of(Path(settings.directory), 2).write_bytes(first.read_bytes()[:size])
    beside = UsageStatistics.beside(settings, lambda: REGISTERED)
    assert [day.figures.resolutions for day in beside.days("2026-11-23", "2026-11-23")] == [1]
    assert [one.number for one in beside.segments()] == [1]
    with beside.export() as spool, zipfile.ZipFile(spool) as archive:
        assert archive.namelist() == ["public-key.pem"]
    with pytest.raises(NotFound):
        beside.segment(2)


def test_what_others_asked_of_names_since_a_moment(statistics, clock, feeder):
    late = clock.ms
    names = {"88.888.101/a": 0, "88.888.101/B": 0, "88.888.101/NONE": 0, "88.888.101/NEVER": 0}
    (name, asked), *more = statistics.asked_by_others(names, 0).items()
    assert more == []  # failures, the owner's and the operator's own questions are not others'
    assert (name, asked.times, asked.network) == ("88.888.101/a", 1, "198.51.100.0/24")
    assert statistics.asked_by_others({"88.888.101/A": asked.last_ms}, 0) == {}
    assert statistics.asked_by_others({}, 0) == {}
    clock.ms += 60_000
    for source in ("198.51.7.7", "198.51.7.8", "127.0.0.1", "192.0.2.3"):
        feeder.ask("88.888.101/A", source)
    feeder.ask("88.888.102/X")
    names = {"88.888.101/A": asked.last_ms, "88.888.102/X": 0}
    found = statistics.asked_by_others(names, late)
    assert found["88.888.101/A"].times == 2
    assert found["88.888.101/A"].network == "198.51.7.0/24"
    assert found["88.888.101/A"].last_ms == clock.ms
    assert found["88.888.102/X"].times == 1
    assert statistics.asked_by_others(names, clock.ms + 3_600_000) == {}
