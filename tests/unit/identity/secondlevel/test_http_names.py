"""Names of hosted enterprises over HTTP: the node's people for all, a key for its own."""

from types import SimpleNamespace

import httpx
import msgspec
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import Kind
from mingwu.identity.secondlevel.routes import hostednames, node, operating
from mingwu.store.engine import reading

pytestmark = pytest.mark.anyio
NAMES = "/prefixes/88.101.1/identifiers"
OWN = "/tenant/identifiers/88.101.1"


@pytest.fixture
def lines():
    return []


@pytest.fixture
def client(node_, lines):
    def journal(actor, action, subject, detail, address):
        lines.append((actor, action, subject, detail))

    parts = (hostednames, node, operating)
    app = Starlette(routes=[one for part in parts for one in part.routes(node_, journal)])

    async def with_door(scope, receive, send):
        role = dict(scope["headers"]).get(b"x-role", b"").decode()
        if role:
            scope.setdefault("state", {})["principal"] = SimpleNamespace(account=role, role=role)
        await app(scope, receive, send)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(with_door), base_url="http://node/api/secondlevel"
    )


@pytest.fixture
def node_(node, accepted):
    accepted(1)
    accepted(2)
    return node


def item(number, **values):
    return {"name": f"88.101.1/PRT.{number:04d}", "template": "88.101/T.1", "values": values}


async def ask(client, method, path, content=None, *, role="", key="", status=200):
    headers = {"x-role": role} if role else {}
    if key:
        headers["authorization"] = f"Bearer {key}"
    reply = await client.request(method, path, json=content, headers=headers)
    assert reply.status_code == status, reply.text
    return reply.json()


def value(records: RecordStore, number, kind):
    record = records.get(f"88.101.1/PRT.{number:04d}")
    return record and [one.data.decode() for one in record.values if one.type == kind]


async def test_the_nodes_people_register_change_list_and_deregister(client, records, lines):
    engineer = {"role": "engineer"}
    async with client:
        for method in ("GET", "POST", "PUT", "DELETE"):
            body = None if method == "GET" else []
            await ask(client, method, NAMES, body, role="viewer", status=403)
            await ask(client, method, NAMES, body, status=401)
        made = await ask(client, "POST", NAMES, [item(1, A="a"), item(2, A="a")], **engineer)
        assert [one["code"] for one in made] == [1, 1]
        done = await ask(client, "PUT", NAMES, [item(1, A="b"), item(9, A="b")], **engineer)
        assert [one["code"] for one in done] == [1, 100]
        assert value(records, 1, "A") == ["b"]
        page = await ask(client, "GET", NAMES + "?limit=1", **engineer)
        assert [row["values"] for row in page["rows"]] == [{"A": "b"}]
        page = await ask(client, "GET", f"{NAMES}?limit=1&after={page['after']}", **engineer)
        assert [row["name"] for row in page["rows"]] == ["88.101.1/PRT.0002"]
        gone = ["88.101.1/PRT.0001", "88.101.2/PRT.0001"]
        done = await ask(client, "DELETE", NAMES, gone, **engineer)
        assert [one["code"] for one in done] == [1, 102]
        assert value(records, 1, "A") is None
        await ask(client, "PUT", "/prefixes/88.101.9/identifiers", [], **engineer, status=404)
    told = [(action.removeprefix("identity.hosted-"), detail["done"])
            for _, action, _, detail in lines]  # fmt: skip
    assert told == [("register", 2), ("change", 1), ("remove", 1)]


async def test_a_key_reaches_what_is_its_enterprises_own_only(client, node_, lines, make_form):
    mine, other = (node_.prefixes.get(f"88.101.{one}").uscc for one in (1, 2))
    async with client:
        keys = f"/tenants/{mine}/keys"
        for role, status in (("", 401), ("viewer", 403), ("engineer", 403)):
            await ask(client, "POST", keys, {"label": "erp"}, role=role, status=status)
        await ask(client, "POST", f"/tenants/{other[:-1]}Z/keys", {"label": "x"}, role="admin",
                  status=404)  # fmt: skip
        made = await ask(client, "POST", keys, {"label": "erp"}, role="admin", status=201)
        key = made["secret"]
        done = await ask(client, "POST", OWN, [item(1, A="a")], key=key)
        assert done[0]["code"] == 1
        await ask(client, "PUT", OWN, [item(1, A="c")], key=key)
        page = await ask(client, "GET", OWN, key=key)
        assert page["rows"][0]["values"] == {"A": "c"}
        node_.hosted.register("88.101.2", [msgspec.convert(
            item(1, A="z") | {"name": "88.101.2/PRT.0001"}, hostednames.HostedItem)])  # fmt: skip
        found = await ask(client, "POST", "/tenant/query", {"template": "88.101/T.1"}, key=key)
        assert [row["name"] for row in found["rows"]] == ["88.101.1/PRT.0001"]
        about = await ask(client, "GET", "/tenant", key=key)
        assert about["enterprise"]["uscc"] == about["use"]["uscc"] == mine
        assert [one["prefix"] for one in about["prefixes"]] == ["88.101.1"]
        for method in ("GET", "POST", "PUT", "DELETE"):  # somebody else's
            body = None if method == "GET" else []
            await ask(client, method, "/tenant/identifiers/88.101.2", body, key=key, status=404)
        foreign = msgspec.to_builtins(make_form(7, uscc=other))
        await ask(client, "POST", "/tenant/applications", foreign, key=key, status=404)
        own = msgspec.to_builtins(make_form(8, uscc=mine))
        sent = await ask(client, "POST", "/tenant/applications", own, key=key, status=201)
        await ask(client, "PUT", f"/tenant/applications/{sent['id']}", own, key=key, status=409)
        rows = (await ask(client, "GET", "/tenant/applications", key=key))["rows"]
        assert [row["form"]["prefix"] for row in rows] == ["88.101.8", "88.101.1"]
        theirs = node_.applications.queue(limit=9)[0][1].id
        await ask(client, "PUT", f"/tenant/applications/{theirs}", own, key=key, status=404)
        # and nothing of the node's own people
        await ask(client, "GET", "/tenants", key=key, status=401)
        await ask(client, "GET", keys, key=key, status=401)
    told = [line for line in lines if line[0] == f"{mine}/{made['key']['id']}"]
    assert {line[1] for line in told} == {
        "identity.hosted-register", "identity.hosted-change", "identity.prefix-submit"
    }  # fmt: skip
    assert key not in str(lines)


async def test_a_strangers_body_is_not_read(client):
    sent = 0

    async def much():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"[" * 65536

    async with client:
        for headers in ({}, {"authorization": "Bearer mwt-wrong"}, {"authorization": "Basic x"}):
            reply = await client.post(OWN, content=much(), headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (401, "secondlevel.key-wrong")
    assert sent == 0


async def test_a_key_is_replaced_and_ended_and_its_group_counts(client, node_):
    uscc = node_.prefixes.get("88.101.1").uscc
    async with client:
        keys = f"/tenants/{uscc}/keys"
        old, new = [await ask(client, "POST", keys, {"label": one}, role="admin", status=201)
                    for one in ("old", "new")]  # fmt: skip
        with reading(node_.engine) as connection:
            stored = str(connection.execute(select(schema.key)).all())
        assert old["secret"] not in stored
        await ask(client, "GET", "/tenant", key=old["secret"])
        await ask(client, "DELETE", f"{keys}/{old['key']['id']}", role="admin")
        await ask(client, "DELETE", f"{keys}/{old['key']['id']}", role="admin", status=404)
        await ask(client, "GET", "/tenant", key=old["secret"], status=401)
        await ask(client, "GET", "/tenant", key="", status=401)
        await ask(client, "GET", "/tenant", key=new["secret"])
        (shown,) = await ask(client, "GET", keys, role="admin")
        assert (shown["label"], shown["calls"]) == ("new", 1)
        node_.tenants.set_group(uscc, "suspended")
        body = {"template": "88.101/T.1"}
        await ask(client, "POST", OWN, [item(1)], key=new["secret"], status=403)
        await ask(client, "POST", "/tenant/query", body, key=new["secret"], status=403)
        for _ in range(19):
            await ask(client, "POST", keys, {"label": "x"}, role="admin", status=201)
        await ask(client, "POST", keys, {"label": "x"}, role="admin", status=409)


async def test_what_the_operator_tells_goes_into_tables_and_report(client, node_, clock, lines):
    node_.duties.make()  # the first round is behind us
    engineer = {"role": "engineer"}
    clock.ms += 1000
    async with client:
        template = {"handle": "88.101.1/T.9", "prefix": "88.101.1", "definition": {"A": "text"}}
        await ask(client, "PUT", "/metadata", template, role="viewer", status=403)
        await ask(client, "PUT", "/metadata", template, **engineer)
        await ask(client, "PUT", "/metadata", template | {"prefix": "88.101.9"}, **engineer,
                  status=404)  # fmt: skip
        program = {"id": "trace", "prefix": "88.101.1", "name": "追溯", "purpose": ""}
        await ask(client, "PUT", "/software", program, **engineer)
        event = {"kind": "maintenance", "zh": "升级数据库", "en": "database upgrade", "cause": 2}
        begun = await ask(client, "POST", "/events", event, **engineer, status=201)
        end = f"/events/{begun['number']}/end"
        await ask(client, "POST", "/events", event | {"kind": "outage"}, **engineer, status=400)
        clock.ms += 3_600_000
        made = node_.duties.make()
        assert (made["T11"], made["M2"]) == (1, 1)
        await ask(client, "POST", end, **engineer)
        await ask(client, "POST", end, **engineer, status=404)
        clock.ms += 40 * 86_400_000
        assert node_.duties.make()["T10"] == 1
        await ask(client, "DELETE", "/software/trace", **engineer)
        await ask(client, "DELETE", "/software/trace", **engineer, status=404)
        assert await ask(client, "GET", "/software", role="viewer") == []
        shown = await ask(client, "GET", "/metadata", role="viewer")
        assert [row["handle"] for row in shown] == ["88.101.1/T.9"]
        report = await ask(client, "GET", "/report?month=2026-09", role="viewer")
    (row,) = report["maintenance"]
    assert (row["zh"], bool(row["ended"])) == ("升级数据库", True)
    assert len(lines) == 5


async def test_a_tenant_is_changed_whole_or_not_at_all(client, node_, lines, make_form):
    uscc = node_.prefixes.get("88.101.1").uscc
    before = node_.tenants.get(uscc).quota
    quota = {"prefixes": 9, "identifiers": 9, "daily_requests": 9}
    async with client:
        path = f"/tenants/{uscc}"
        change = {"quota": quota, "group": "nosuch"}
        await ask(client, "PATCH", path, change, role="admin", status=404)
        assert node_.tenants.get(uscc).quota == before
        assert not lines
        changed = await ask(client, "PATCH", path, change | {"group": "reader"}, role="admin")
        assert (changed["quota"], changed["group"]) == (quota, "reader")
        bad = {"quota": quota, "networks": ["10.0.0.0/99"]}
        reply = await ask(client, "PATCH", path, bad, role="admin", status=400)
        assert reply["message"].startswith("$.networks")
        networks = {"networks": ["203.0.113.7/24", "2001:db8::/32"]}
        changed = await ask(client, "PATCH", path, networks, role="admin")
        assert changed["networks"] == ["203.0.113.0/24", "2001:db8::/32"]
        assert (changed["quota"], changed["group"]) == (quota, "reader")
    node_.count()
    told = {"88.101.1": ("203.0.113.0/24", "2001:db8::/32")}
    assert node_._records.owners() == told
    row = node_.desk.enterprises(q=uscc, sort="", order="", only="", offset=0, limit=1)["rows"][0]
    assert list(row["networks"]) == changed["networks"]
    node_.applications.accept(node_.applications.submit(make_form(1, kind=Kind.EXIT), "a").id, "r")
    node_.count()
    assert node_._records.owners() == {}
