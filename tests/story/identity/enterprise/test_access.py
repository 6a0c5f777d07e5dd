"""Access over HTTP: grants, groups, application identities, explanations; who may ask what."""

import json

import pytest

pytestmark = pytest.mark.anyio

PREFIX = "88.888.101"
BASE = "/api/identity"
NAME = f"{PREFIX}/N.1"
APP = f"{PREFIX}/App_mes"
ADMIN = {"x-test-principal": "root:admin"}
ENGINEER = {"x-test-principal": "eng:engineer"}
VIEWER = {"x-test-principal": "view:viewer"}
DEFINITION = {
    "prefix": PREFIX, "version": "P1", "name_zh": "零件", "name_en": "Part", "kind": "part",
    "industry": {"category": "C", "division": "36", "group": "367", "class": "3670"},
    "items": [{"type": "name", "required": True}, {"type": "secret", "restricted": True}],
}  # fmt: skip


@pytest.fixture
async def name(client):
    await client.post(f"{BASE}/templates?publish=true", json=DEFINITION, headers=ENGINEER)
    item = {"name": NAME, "template": {"prefix": PREFIX, "version": "P1"},
            "values": {"name": "件", "secret": "s"}}  # fmt: skip
    reply = await client.post(f"{BASE}/names/register", json={"items": [item]}, headers=ENGINEER)
    assert reply.json()["done"] == 1
    return NAME


def granted(grantee, **more):
    grant = {"grantee": grantee, "scope": "identifier", "target": NAME, "item": "secret"}
    return {"grants": [grant | more]}


async def explained(client, who, headers):
    params = {"name": NAME} | ({"who": who} if who else {})
    return await client.get(f"{BASE}/access/explain", params=params, headers=headers)


async def test_grants_and_why(client, world, name):
    reply = await client.post(f"{BASE}/grants", json=granted("View"), headers=ENGINEER)
    assert reply.json() == {"granted": 1}
    reply = await client.get(f"{BASE}/grants", params={"name": name}, headers=ENGINEER)
    [row] = reply.json()["grants"]
    assert (row["grantee"], row["kind"], row["target"]) == ("view", "account", NAME)
    assert world.lines[-1][2:4] == (
        NAME,
        {"granted": 1, "grants": [f"View read identifier {NAME} secret"]},
    )

    said = (await explained(client, "", VIEWER)).json()
    assert said["asker"]["role"] == "viewer"
    secret = said["items"][1]
    assert [one["because"] for one in secret["read"]] == ["grant"]
    assert secret["change"] == []
    detail = await client.get(f"{BASE}/names/detail", params={"name": name}, headers=VIEWER)
    assert detail.json()["values"][1]["value"] == "s"

    said = (await explained(client, "eng", ENGINEER)).json()
    assert [one["because"] for one in said["items"][1]["read"]] == ["owner", "role"]
    said = (await explained(client, "nobody", ENGINEER)).json()
    assert said["asker"]["known"] is False
    said = (await explained(client, "*", ENGINEER)).json()
    assert [bool(one["read"]) for one in said["items"]] == [True, False]

    reply = await client.get(f"{BASE}/access", params={"name": name}, headers=ENGINEER)
    assert [one["type"] for one in reply.json()["restricted"]] == ["secret"]
    body = {"name": name, "own": True, "is_public": True}
    assert (await client.put(f"{BASE}/access", json=body, headers=ENGINEER)).status_code == 200
    assert (await explained(client, "*", ENGINEER)).json()["items"][1]["read"][0][
        "because"
    ] == "open"
    reply = await client.request("DELETE", f"{BASE}/grants", json=granted("view"), headers=ENGINEER)
    assert reply.json() == {"revoked": 1}
    assert [line[1] for line in world.lines[-2:]] == ["identity.access", "identity.revoke"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (granted("nobody"), 404),
        (granted("group:none"), 404),
        (granted(""), 400),
        (granted("view", target=f"{PREFIX}/none"), 404),
        (granted("view", item="odd"), 400),
        (granted("view", scope="template", target="77"), 404),
        (granted("view", scope="template", target="x"), 400),
        (granted("view", may="rule"), 400),
        ({"grants": []}, 400),
    ],
    ids=range(9),
)
async def test_grants_that_mean_nothing(client, world, name, body, status):
    reply = await client.post(f"{BASE}/grants", json=body, headers=ENGINEER)
    assert reply.status_code == status
    assert world.node.grants.list() == []


async def test_least_privilege(client, world, name):
    """Who is below a route's role is refused, and nothing happened."""
    before = len(world.lines)
    group, app = {"name": "g", "members": ["li"]}, {"handle": APP}
    for method, path, body, needs in (
        ("GET", "/grants", None, "engineer"), ("POST", "/grants", granted("view"), "engineer"),
        ("DELETE", "/grants", granted("view"), "engineer"), ("GET", "/groups", None, "engineer"),
        ("PUT", "/groups", group, "engineer"), ("DELETE", "/groups?name=g", None, "engineer"),
        ("GET", f"/access?name={NAME}", None, "engineer"),
        ("PUT", "/access", {"name": NAME, "own": True}, "engineer"),
        ("GET", f"/access/explain?name={NAME}&who=eng", None, "engineer"),
        ("GET", "/access/grantees", None, "engineer"), ("GET", "/applications", None, "engineer"),
        ("POST", "/applications", app, "admin"), ("PUT", "/applications", app, "admin"),
        ("POST", f"/applications/secret?name={APP}", None, "admin"),
        ("DELETE", f"/applications?name={APP}", None, "admin"),
    ):  # fmt: skip
        below = [VIEWER] if needs == "engineer" else [VIEWER, ENGINEER]
        for who in below:
            reply = await client.request(method, BASE + path, json=body, headers=who)
            assert reply.status_code == 403, (method, path, who)
        assert (await client.request(method, BASE + path, json=body)).status_code == 401
    assert len(world.lines) == before
    assert world.node.grants.groups() == world.node.applications.list() == []


async def test_groups(client, world, name):
    group = {"name": "Auditors", "zh": "审计组", "en": "Auditors", "members": ["view", APP]}
    assert (await client.put(f"{BASE}/groups", json=group, headers=ENGINEER)).status_code == 200
    await client.post(f"{BASE}/grants", json=granted("group:auditors"), headers=ENGINEER)
    [found] = (await client.get(f"{BASE}/groups", headers=ENGINEER)).json()["groups"]
    assert (found["zh"], len(found["members"]), found["grants"]) == ("审计组", 2, 1)
    for bad in ({"name": ""}, {"name": "x", "members": ["group:Auditors"]}):
        assert (await client.put(f"{BASE}/groups", json=bad, headers=ENGINEER)).status_code == 400
    said = (await explained(client, "view", ENGINEER)).json()
    assert said["items"][1]["read"][0]["via"] == "GROUP:AUDITORS"
    grantees = (await client.get(f"{BASE}/access/grantees", headers=ENGINEER)).json()["grantees"]
    assert {one["who"] for one in grantees} == {"group:AUDITORS", "eng", "view"}
    await client.delete(f"{BASE}/groups", params={"name": "AUDITORS"}, headers=ENGINEER)
    assert world.node.grants.list() == []
    assert [line[1:3] for line in world.lines[-1:]] == [("identity.group.remove", "AUDITORS")]


async def test_an_application_from_its_secret_to_its_end(client, world, name):
    async def login(secret):
        body = {"username": "mes", "password": secret}
        data = (await client.post("/identity/token", json=body)).json()["data"]
        return {"Authorization": "Bearer " + data["token"]} if data else None

    async def read(head):
        reply = await client.get("/identityv2/data/detail", params={"handle": NAME}, headers=head)
        return reply.json()["status"]

    body = {"handle": APP, "login": "mes", "account": "eng", "title": "MES"}
    made = (await client.post(f"{BASE}/applications", json=body, headers=ADMIN)).json()
    assert (await client.post(f"{BASE}/applications", json=body, headers=ADMIN)).status_code == 409
    old = await login(made["secret"])
    assert await read(old) == 1
    [shown] = (await client.get(f"{BASE}/applications", headers=ENGINEER)).json()["applications"]
    assert shown["last_used_at_ms"] > 0
    assert made["secret"] not in json.dumps(shown)

    path = f"{BASE}/applications/secret"
    again = (await client.post(path, params={"name": APP}, headers=ADMIN)).json()["secret"]
    assert again != made["secret"]
    assert await read(old) == -1, "tokens of the old secret stopped"
    assert await login(made["secret"]) is None
    new = await login(again)
    assert await read(new) == 1

    change = {"handle": APP, "title": "MES 2"}
    shown = (await client.put(f"{BASE}/applications", json=change, headers=ADMIN)).json()
    assert (shown["title"], shown["enabled"], shown["account"]) == ("MES 2", True, "eng")
    assert await read(new) == 1
    off = {"handle": APP, "enabled": False}
    await client.put(f"{BASE}/applications", json=off, headers=ADMIN)
    assert await read(new) == -1
    shown = (await client.put(f"{BASE}/applications", json=change, headers=ADMIN)).json()
    assert shown["enabled"] is False, "another change does not let it in again"
    await client.put(f"{BASE}/applications", json=off | {"enabled": True}, headers=ADMIN)
    newer = await login(again)
    assert await read(new) == -1, "tokens from before stay dead"
    assert await read(newer) == 1

    await client.post(f"{BASE}/grants", json=granted(APP), headers=ENGINEER)
    await client.delete(f"{BASE}/applications", params={"name": APP.upper()}, headers=ADMIN)
    assert await read(newer) == -1
    assert world.node.grants.list() == []
    await client.post(f"{BASE}/applications", json=body, headers=ADMIN)
    assert await read(newer) == -1, "a later one of this name gets nothing of it"
    assert made["secret"] not in repr(world.lines)
    assert again not in repr(world.lines)
    told = [line[1].removeprefix("identity.application.") for line in world.lines
            if "application" in line[1]]  # fmt: skip
    assert told == ["create", "secret", *["change"] * 4, "remove", "create"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"handle": "88.999/App"}, 400),
        ({"handle": "no name"}, 400),
        ({"handle": APP, "account": "nobody"}, 404),
        ({"handle": APP, "account": "eng", "public_key": "x"}, 400),
        ({"handle": APP, "odd": 1}, 400),
        ({}, 400),
    ],
    ids=range(6),
)
async def test_broken_applications(client, world, body, status):
    reply = await client.post(f"{BASE}/applications", json=body, headers=ADMIN)
    assert reply.status_code == status
    assert world.node.applications.list() == []
