"""The filing queue over HTTP: pages, decisions, least privilege, the journal."""

import json

import pytest

pytestmark = pytest.mark.anyio

PREFIX = "88.888.101"
BASE = "/api/identity"
ENGINEER = {"x-test-principal": "eng:engineer"}
VIEWER = {"x-test-principal": "view:viewer"}
DEFINITION = {
    "prefix": PREFIX, "version": "P1", "name_zh": "零件", "name_en": "Part", "kind": "part",
    "industry": {"category": "C", "division": "36", "group": "367", "class": "3670"},
    "items": [{"type": "name", "required": True}, {"type": "secret", "restricted": True}],
}  # fmt: skip


@pytest.fixture
async def names(client):
    """Twelve parts with a restricted value each."""
    await client.post(f"{BASE}/templates?publish=true", json=DEFINITION, headers=ENGINEER)
    made = [f"{PREFIX}/N.{number:02}" for number in range(12)]
    items = [
        {"name": name, "template": {"prefix": PREFIX, "version": "P1"},
         "values": {"name": "件", "secret": "s"}}
        for name in made
    ]  # fmt: skip
    reply = await client.post(f"{BASE}/names/register", json={"items": items}, headers=ENGINEER)
    assert reply.json()["done"] == 12
    return made


async def test_the_queue_in_pages_with_counts(client, names):
    found, after = [], 0
    while True:
        query = {"limit": 5, "after": after, "owner": "eng", "age_h": "", "state": ""}
        page = (await client.get(f"{BASE}/filing", params=query, headers=VIEWER)).json()
        found += [row["name"] for row in page["names"]]
        assert page["total"] == 12
        after = page["next"]
        if not after:
            break
    assert found == names
    counts = (await client.get(f"{BASE}/filing/counts", headers=VIEWER)).json()
    assert counts["owner"] == {"eng": 12}
    assert counts["template"] == {"1": 12}
    for bad in ({"state": "filed"}, {"limit": 0}, {"limit": 5000}, {"odd": "1"}, {"kind": "x"}):
        reply = await client.get(f"{BASE}/filing", params=bad, headers=VIEWER)
        assert reply.status_code == 400, bad


async def test_decisions_are_told_name_by_name_and_in_the_journal(client, world, names):
    path = f"{BASE}/filing/return"
    body = {"items": [{"name": names[0], "version": 1}, {"name": names[1], "version": 9}]}
    assert (await client.post(path, json=body, headers=ENGINEER)).status_code == 400
    body["note"] = "质量缺失"
    assert (await client.post(path, json=body, headers=VIEWER)).status_code == 403
    reply = (await client.post(path, json=body, headers=ENGINEER)).json()
    assert [one.get("state") or one["code"] for one in reply["results"]] == [
        "returned", "enterprise.changed-meanwhile",
    ]  # fmt: skip
    query = {"name": names[0]}
    detail = (await client.get(f"{BASE}/names/detail", params=query, headers=ENGINEER)).json()
    assert detail["actions"] == ["change", "file", "deregister"]
    history = (await client.get(f"{BASE}/names/history", params=query, headers=VIEWER)).json()
    assert (history["versions"][0]["action"], history["versions"][0]["note"]) == (
        "return",
        "质量缺失",
    )
    actor, action, subject, told, _ = world.lines[-1]
    assert (actor, action, subject) == ("eng", "identity.filing", f"{BASE}/filing")
    assert told == {"decision": "return", "note": "质量缺失", "done": 1, "refused": 1}


async def test_all_that_match_in_steps(client, world, names):
    upto = (await client.get(f"{BASE}/filing", headers=ENGINEER)).json()["upto"]
    path, after, lefts = f"{BASE}/filing/file", 0, []
    while True:
        body = {"matching": {"text": "N."}, "upto": upto, "after": after, "limit": 5, "note": "R-1"}
        reply = (await client.post(path, json=body, headers=ENGINEER)).json()
        assert reply["refused"] == 0
        lefts.append(reply["left"])
        after = reply["next"]
        if not after:
            break
    assert lefts == [7, 2, 0]
    assert (await client.get(f"{BASE}/counts", headers=VIEWER)).json()["state"] == {"filed": 12}
    told = [line[3] for line in world.lines if line[1] == "identity.filing"]
    assert [one["sequences"] for one in told] == [[0, 5], [5, 10], [10, upto]]
    assert all(one["matching"] == {"text": "N."} for one in told)
    json.dumps(told)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"matching": {}},
        {"matching": {}, "upto": 9, "items": [{"name": "x"}]},
        {"matching": {"state": "filed"}, "upto": 9},
        {"matching": {"odd": 1}, "upto": 9},
        {"items": [{"name": "x", "version": -1}]},
        {"items": [{"name": "x"}], "note": "x" * 1001},
        {"items": [{"name": "x"}], "note": "\u0000"},
        {"items": [{"name": "x"}] * 2001},
    ],
    ids=range(10),
)
async def test_broken_decisions(client, names, body):
    reply = await client.post(f"{BASE}/filing/file", json=body, headers=ENGINEER)
    assert reply.status_code == 400
    assert reply.json()["next"]
    reply = await client.post(f"{BASE}/filing/burn", json={"items": [{"name": "x"}]},
                              headers=ENGINEER)  # fmt: skip
    assert reply.status_code == 400
    assert (await client.get(f"{BASE}/filing", headers=VIEWER)).json()["total"] == 12


async def test_lists_say_what_people_call_names_unless_it_is_restricted(client, names):
    query = {"titles": "true", "text": names[0]}
    listed = (await client.get(f"{BASE}/names", params=query, headers=VIEWER)).json()
    assert [(row["name"], row["title_zh"], row["title_en"]) for row in listed["names"]] == [
        (names[0], "件", "")
    ]
    shut = {"type": "name", "required": True, "restricted": True}
    hidden = {**DEFINITION, "version": "P2", "items": [shut]}
    await client.post(f"{BASE}/templates?publish=true", json=hidden, headers=ENGINEER)
    made = {"name": f"{PREFIX}/H.1", "template": {"prefix": PREFIX, "version": "P2"},
            "values": {"name": "密件"}}  # fmt: skip
    await client.post(f"{BASE}/names/register", json={"items": [made]}, headers=ENGINEER)
    listed = (await client.get(f"{BASE}/names?titles=true", headers=VIEWER)).json()
    titles = {row["name"]: row["title_zh"] for row in listed["names"]}
    assert (titles[f"{PREFIX}/H.1"], titles[names[1]], len(titles)) == ("", "件", 13)
    bare = (await client.get(f"{BASE}/names?limit=1", headers=VIEWER)).json()
    assert "title_zh" not in bare["names"][0]
