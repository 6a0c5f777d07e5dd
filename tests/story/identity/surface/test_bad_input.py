"""Every route of the identity plane with malformed input: a coded answer, nothing broken."""

import asyncio
import random
import re
import sqlite3
from contextlib import closing
from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
SEED, DRAWS = 20_261_125, 40
TEMPLATE = {
    "prefix": "88.888.101", "version": "1", "industry": {"category": "C", "division": "36"},
    "items": [{"type": "name", "required": True}],
}  # fmt: skip
NAME = "88.888.101/KNOWN.1"
PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")
CODED_503 = {"usage.not-begun", "api.part-missing", "secondlevel.upstream-down"}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}


@pytest.fixture(scope="module")
async def known(surface):
    """A template, a name and a prefix that must be there afterwards as they are now."""
    async with surface.client(surface.token) as client:
        made = await client.post("/api/identity/templates?publish=1", json=TEMPLATE)
        assert made.status_code == 200, made.text
        item = {"name": NAME, "template": {"prefix": "88.888.101", "version": "1"},
                "values": {"name": "壳体"}}  # fmt: skip
        made = await client.post("/api/identity/names/register", json={"items": [item]})
        assert made.json()["done"] == 1, made.text
        login = {"username": "clerk", "password": surface.password}
        return (await client.post("/identity/token", json=login)).json()["data"]["token"]


def filled(path, draw, texts=(NAME,)):
    """The path with odd parameters."""

    def one(match):
        if match[2] == "int":
            return draw.choice(("1", "0", "7", "9" * 30))
        text = draw.choice((draw.choice(texts), NAME, "88.101", "x" * 3_000))
        return quote(text, safe="") or "%20"

    return PLACE.sub(one, path)


def is_coded(door, reply):
    """Whether a refusal says which one it is, in the form of its interface."""
    if "json" not in reply.headers.get("content-type", ""):
        return False
    body = reply.json()
    if door.is_facade and {"status", "code"} & set(body):
        return True
    if door.path.startswith("/iiidap") and body.get("errorCode") == reply.status_code:
        return True
    return bool(body.get("code") and body.get("message"))


def fault_of(door, reply):
    """What is wrong with an answer."""
    shown = f"{reply.status_code} {reply.text[:200]}"
    if "Traceback" in reply.text or "/site-packages/" in reply.text:
        return f"a trace: {shown}"
    if reply.status_code >= 500:
        known = is_coded(door, reply) and reply.json().get("code") in CODED_503
        return "" if known else shown
    if reply.status_code < 400 and not door.is_facade:
        return ""
    return "" if is_coded(door, reply) else shown


async def asked(client, door, path, **more):
    async with asyncio.timeout(60):
        reply = await client.request(door.method, path, **more)
    fault = fault_of(door, reply)
    shown = {key: str(value)[:200] for key, value in more.items()}
    return f"{door.method} {path[:200]} {shown}: {fault}" if fault else ""


async def all_asked(surface, known, calls):
    """The faults of all calls: (door, path, arguments)."""
    found = []
    async with surface.client(surface.token) as client, surface.client(known) as facade:
        for door, path, more in calls:
            fault = await asked(facade if door.is_facade else client, door, path, **more)
            if fault:
                found.append(fault)
    return found


def check(found):
    assert not found, f"{len(found)} faults\n" + "\n".join(sorted(found)[:40])


async def test_the_surface_is_known_whole(surface):
    paths = {str(door) for door in surface.doors}
    assert len(paths) > 150
    for one in ("POST /api/identity/names/register", "POST /identityv2/data/batchCreate",
                "GET /iiidap/{kind}/{asked:path}", "POST /carriers/exchange",
                "POST /api/secondlevel/applications", "GET /gs1/01/{rest:path}",
                "POST /api/v1/doip"):  # fmt: skip
        assert one in paths
    declared = [door for door in surface.doors if door.body not in {None, bytes}]
    assert len(declared) > 30


async def test_bodies_that_are_none(surface, known, odd):
    draw = random.Random(SEED)
    check(await all_asked(surface, known, [
        (door, filled(door.path, draw, odd.TEXTS), {"content": body})
        for door in surface.doors if door.method != "GET" for body in odd.BROKEN
    ]))  # fmt: skip
    await unharmed(surface)


OPERATIONS = ("0.DOIP/Op.Create", "0.DOIP/Op.Update", "0.DOIP.EXTEND/Op.Update.Non.Overlay", "?")


async def test_wrong_values_at_every_place_of_a_body(surface, known, odd):
    draw = random.Random(SEED)
    calls = []
    for door in surface.doors:
        if door.body in {None, bytes}:
            continue
        for body in odd.bodies(door.body, draw, DRAWS):
            more = {"content": body}
            if door.path == "/api/v1/doip":
                target = {"targetId": "88.888.101/OTHER", "operationId": draw.choice(OPERATIONS)}
                more["params"] = target
            calls.append((door, filled(door.path, draw, odd.TEXTS), more))
    check(await all_asked(surface, known, calls))
    await unharmed(surface)


async def test_odd_queries_and_paths(surface, known, odd):
    draw = random.Random(SEED)
    calls = []
    for door in surface.doors:
        for _ in range(12):
            names = draw.sample(odd.QUERY, 6)
            params = {name: draw.choice(odd.TEXTS)[:400] for name in names}
            calls.append(
                (door, filled(door.path, draw, odd.TEXTS), {"params": params, "content": b"{}"})
            )
        every = dict.fromkeys(odd.QUERY, draw.choice(odd.TEXTS)[:60])
        calls.append((door, filled(door.path, draw, odd.TEXTS), {"params": every}))
    check(await all_asked(surface, known, calls))
    await unharmed(surface)


async def test_odd_headers(surface, known, odd):
    heads = (
        {"Content-Type": "text/plain"}, {"Content-Type": "\x7f"}, {"Accept": "x/y;q=9"},
        {"Accept-Language": "zh;q=x,,;;=" * 50}, {"If-Match": 'W/"x"'},
        {"Authorization": "Bearer " + "x" * 5_000}, {"Authorization": "Basic ====" },
        {"Authorization": "Handle a=b"}, {"Cookie": "mw_session=%00; mw_lang=fr"},
        {"Origin": "https://elsewhere.example"}, {"Range": "bytes=9-1"},
    )  # fmt: skip
    draw = random.Random(SEED)
    calls = [(door, filled(door.path, draw, odd.TEXTS), {"headers": head, "content": b"{}"})
             for door in surface.doors for head in heads]  # fmt: skip
    check(await all_asked(surface, known, calls))
    await unharmed(surface)


def plain(path):
    return PLACE.sub(lambda match: "7" if match[2] == "int" else "x", path)


async def test_without_a_login(surface, known):
    found = []
    async with surface.client() as stranger:
        for door in surface.doors:
            fault = await asked(stranger, door, plain(door.path), content=b"{}")
            found += [fault] if fault else []
    check(found)
    await unharmed(surface)


async def test_by_wrong_methods(surface, known):
    by_path = {}
    for door in surface.doors:
        by_path.setdefault(door.path, []).append(door)
    found = []
    async with surface.client(surface.token) as client:
        for path, doors in by_path.items():
            for method in METHODS - {door.method for door in doors}:
                reply = await client.request(method, plain(path), content=b"{}")
                fault = fault_of(doors[0], reply)
                found += [f"{method} {path}: {fault}"] if fault else []
    check(found)
    await unharmed(surface)


async def unharmed(surface):
    """What was registered before stands as it stood; the databases are sound."""
    async with surface.client(surface.token) as client:
        found = await client.get("/api/identity/names/detail", params={"name": NAME})
        assert (found.status_code, found.json()["state"]) == (200, "registered"), found.text
        assert found.json()["values"][0]["value"] == "壳体"
        record = await client.get(f"/api/identity/record/{NAME}")
        assert "壳体" in record.text
        assert (await client.get("/api/secondlevel/prefixes")).status_code == 200
    for file in surface.data.glob("*.db"):
        with closing(sqlite3.connect(file)) as link:
            assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",), file
