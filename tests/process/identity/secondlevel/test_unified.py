"""Unified queries over enterprises' own nodes, all over real sockets.

Two enterprise nodes with their façades on uvicorn, one that lets the second-level node in and one
that does not; one that accepts connections and never answers; one address where nobody listens;
one that answers nonsense; one that gave no access. The second-level node is asked over its API.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from mingwu.api.door import Doorkeeper
from mingwu.api.engines import TrustPeople
from mingwu.api.guarding import guard
from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.facades import idhub, snms
from mingwu.identity.enterprise.granting.grants import Grant, Scope
from mingwu.identity.enterprise.model import (
    Actor,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.routes import queries as queryhttp
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.keys import Algorithm, generate
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
PASSWORD = "a long enough password 7"
TEMPLATE = "88.101/META_PART"
BOSS = Actor(name="boss", account="boss", may_all=True)


def uscc(number):
    first = f"91330000MA{number:07d}"
    return first + check_digit(first)


class World:
    def __init__(self, tmp_path, stack):
        self.tmp, self.stack = tmp_path, stack
        self.notes = []

    async def start(self):
        self.trust = Trust.open(
            TrustSettings(store=StoreSettings(url=sqlite_url(self.tmp / "trust.db")))
        )
        self.stack.callback(self.trust.close)
        self.trust.accounts.create("admin7", PASSWORD, Role.ADMIN)
        self.trust.accounts.create("partner", PASSWORD, Role.VIEWER)
        self.token = self.trust.sessions.create_token("admin7", "test")
        settings = SecondLevelSettings(
            store=StoreSettings(url=sqlite_url(self.tmp / "second.db")),
            escrow_directory=str(self.tmp / "escrow"),
            secrets_directory=str(self.tmp / "secrets"),
            query_timeout_s=2.0,
            simulated=True,
        )
        self.node = SecondLevel.open(settings, self.store("second"), site_at("127.0.0.1", 2641))
        self.stack.callback(self.node.close)
        self.accept(1, Mode.HOSTED)
        hosted = [
            HostedItem(name=f"88.101.1/PRT.{n:04d}", template=TEMPLATE, values={"LOT": f"L{n % 2}"})
            for n in range(5)
        ]
        assert all(one.code == 1 for one in self.node.hosted.register("88.101.1", hosted))
        routes = queryhttp.routes(self.node, lambda *note: self.notes.append(note))
        self.base = await self.serve(guard(routes, Doorkeeper(TrustPeople(self.trust))))
        return self

    def store(self, name):
        store = RecordStore(self.tmp / name, map_bytes=2**26, durable=False)
        self.stack.callback(store.close)
        return store

    def accept(self, number, mode):
        form = ApplicationForm(
            prefix=f"88.101.{number}", mode=mode,
            organisation=Organisation(uscc=uscc(number), name=f"企业{number}", industry="C3670"),
            legal_person=Person(name="张三"), contact=Person(name="李四", phone="13800000000"),
            site=SiteForm(host="127.0.0.1", port=2700) if mode is Mode.OWN else None,
        )  # fmt: skip
        queue = self.node.applications
        queue.accept(queue.submit(form, "applicant").id, "reviewer")

    async def serve(self, routes):
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_level="warning", lifespan="off"
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())

        async def stop():
            server.should_exit = True
            await task

        self.stack.push_async_callback(stop)
        while not server.started:
            await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    async def enterprise(self, number, key):
        """An enterprise's own node that knows an application by ``key``; names and grants in it."""
        prefix = f"88.101.{number}"
        self.accept(number, Mode.OWN)
        settings = EnterpriseSettings(
            store=StoreSettings(url=sqlite_url(self.tmp / f"own{number}.db")), prefixes=(prefix,)
        )
        node = EnterpriseNode.open(settings, self.store(f"own{number}"))
        self.stack.callback(node.close)
        template = TemplateDef(
            prefix=prefix, version="PART-1", name_zh="零件", kind="part",
            industry=Industry(category="C", division="36", group="367", class_="3670"),
            items=(Item(type="LOT", name_zh="批次"), Item(type="COST", restricted=True)),
        )  # fmt: skip
        node.templates.create(template, actor="boss", publish=True)
        names = [
            Registration(
                name=f"{prefix}/PRT.{n:04d}", template=TemplateRef(prefix, "PART-1"),
                values={"LOT": f"L{n % 2}", "COST": str(n)},
            )
            for n in range(5)
        ]  # fmt: skip
        assert all(one.ok for one in node.registrations.register(names, actor=BOSS))
        handle = f"{prefix}/App_second"
        node.applications.create(
            handle, login=handle, account="partner", public_key=key.public().pem().decode()
        )
        noted = []
        services = EnterpriseServices(
            node=node, accounts=self.trust.accounts, sessions=self.trust.sessions,
            journal=lambda *note: noted.append(note),
        )  # fmt: skip
        url = await self.serve([*snms.routes(services), *idhub.routes(services)])
        return node, handle, url, node.templates.list()[0].definition.handle, noted

    def client(self, lang="en"):
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": lang}
        return httpx.AsyncClient(base_url=self.base + "/api/secondlevel", headers=headers)

    async def link(self, number, url, handle, own_template=""):
        if number not in {2, 3}:
            self.accept(number, Mode.OWN)
        templates = {TEMPLATE: own_template} if own_template else {}
        form = {"url": url, "application": handle, "templates": templates}
        async with self.client() as client:
            reply = await client.put(f"/links/88.101.{number}", json=form, timeout=20)
        assert reply.status_code == 200, reply.text
        return reply.json()["tried"]

    async def query(self, **more):
        async with self.client() as client:
            reply = await client.post("/query", json={"template": TEMPLATE, **more}, timeout=20)
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture
async def world(tmp_path):
    async with AsyncExitStack() as stack:
        yield await World(tmp_path, stack).start()


async def hang(_reader, writer):
    try:
        await asyncio.sleep(60)
    finally:
        writer.close()


async def test_own_nodes_refuse_in_the_language_of_who_asks(world):
    _, shut, url, _, _ = await world.enterprise(2, generate(Algorithm.RSA))
    await world.link(2, url, shut)
    told = {}
    for lang in ("zh", "en"):
        async with world.client(lang) as client:
            reply = await client.post("/query", json={"template": TEMPLATE}, timeout=20)
        (node,) = (one for one in reply.json()["nodes"] if one["prefix"] == "88.101.2")
        assert node["state"] == "refused"
        told[lang] = node[f"message_{lang}"]
    assert told["zh"].isascii() is False
    assert told["en"].isascii() is True, told


async def test_one_answer_from_nodes_of_every_kind(world):
    _, good, good_url, template, noted = await world.enterprise(2, world.node.query_key())
    _, shut, shut_url, _, _ = await world.enterprise(3, generate(Algorithm.RSA))
    quiet = await asyncio.start_server(hang, "127.0.0.1", 0)
    world.stack.callback(quiet.close)
    quiet_url = f"http://127.0.0.1:{quiet.sockets[0].getsockname()[1]}"

    async def nonsense(_request):
        return Response(b'{"code": 1, "data": [')

    odd_url = await world.serve([Route("/{rest:path}", nonsense, methods=["GET", "POST"])])
    assert (await world.link(2, good_url, good, template))["state"] == "answered"
    assert (await world.link(3, shut_url, shut))["state"] == "refused"
    assert (await world.link(4, quiet_url, "88.101.4/App"))["state"] == "unreachable"
    assert (await world.link(5, "http://127.0.0.1:9", "88.101.5/App"))["state"] == "unreachable"
    assert (await world.link(6, odd_url, "88.101.6/App"))["state"] == "unreachable"
    world.accept(7, Mode.OWN)
    began = asyncio.get_running_loop().time()
    found = await world.query(conditions={"LOT": "L1"})
    took = asyncio.get_running_loop().time() - began
    assert took < 5, "nodes are asked side by side, each with its limit"
    assert [row["name"] for row in found["rows"]] == [
        "88.101.1/PRT.0001", "88.101.1/PRT.0003", "88.101.2/PRT.0001", "88.101.2/PRT.0003",
    ]  # fmt: skip
    assert found["rows"][2]["values"] == {"LOT": "L1"}, "what was not granted is not told"
    states = {one["prefix"]: (one["state"], one["rows"], one["code"]) for one in found["nodes"]}
    assert states == {
        "88.101": ("answered", 2, ""),
        "88.101.2": ("answered", 2, ""),
        "88.101.3": ("refused", 0, "secondlevel.node-refused"),
        "88.101.4": ("unreachable", 0, "secondlevel.node-silent"),
        "88.101.5": ("unreachable", 0, "secondlevel.node-silent"),
        "88.101.6": ("unreachable", 0, "secondlevel.node-bad"),
        "88.101.7": ("unlinked", 0, "secondlevel.node-unlinked"),
    }
    assert all(one["message_zh"] and one["next_zh"] and one["next_en"]
               for one in found["nodes"] if one["state"] != "answered")  # fmt: skip
    assert found["counts"] == {"answered": 2, "refused": 1, "unreachable": 3, "unlinked": 1}
    assert found["simulated"] is True
    actions = [note[1] for note in world.notes]
    assert actions == ["identity.link-set"] * 5
    (note,) = [one for one in noted if one[1] == "identity.query"]
    assert note[3]["asker"] == world.node.settings.operator_uscc


async def test_grants_pages_and_tokens_that_end(world):
    node, handle, url, template, _ = await world.enterprise(2, world.node.query_key())
    await world.link(2, url, handle, template)
    assert (await world.query(conditions={"COST": "3"}))["rows"] == []
    number = str(node.templates.list()[0].number)
    grant = Grant(grantee=handle, scope=Scope.TEMPLATE, target=number, item="COST")
    node.grants.grant([grant], actor="boss")
    (row,) = (await world.query(conditions={"COST": "3"}))["rows"]
    assert row["values"] == {"LOT": "L1", "COST": "3"}
    assert row["source"] == "88.101.2"
    seen, after = [], ""
    for _ in range(20):
        page = await world.query(limit=3, after=after)
        seen += [one["name"] for one in page["rows"]]
        after = page["after"]
        if not after:
            break
    assert seen == [f"88.101.{n}/PRT.{k:04d}" for n in (1, 2) for k in range(5)]
    node.grants.revoke([grant])
    last = (await world.query(conditions={"LOT": "L1"}))["rows"][-1]
    assert (last["source"], last["values"]) == ("88.101.2", {"LOT": "L1"})
    # a token that the node takes back is got anew; an application that is shut out is told
    node.applications.set_key(handle, world.node.query_key().public().pem().decode())
    assert (await world.query())["counts"]["answered"] == 2
    node.applications.set_enabled(handle, enabled=False)
    shut = await world.query()
    assert shut["counts"] == {"answered": 1, "refused": 1, "unreachable": 0, "unlinked": 0}
    assert len(shut["rows"]) == 5
    assert (await world.query(asker=uscc(1)))["counts"]["refused"] == 0, "own prefixes only"


async def test_the_command(world):
    _, handle, url, template, _ = await world.enterprise(2, world.node.query_key())
    world.accept(3, Mode.OWN)
    file = world.tmp / "token"
    file.write_text(world.token)
    at = ("--api", world.base, "--token-file", str(file))

    async def mingwu(*arguments, lang="en_GB.UTF-8"):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mingwu", "secondlevel", *arguments, *at,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": lang},
        )  # fmt: skip
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()

    code, out, err = await mingwu(
        "link", "88.101.2", url, handle, "--template", f"{TEMPLATE}={template}"
    )
    assert (code, "answered" in out) == (0, True), err
    code, out, _ = await mingwu("link", "88.101.3", "http://127.0.0.1:9", handle)
    assert (code, "unreachable" in out) == (1, True)
    code, out, _ = await mingwu("links")
    assert url in out
    assert "BEGIN PUBLIC KEY" in out
    code, out, _ = await mingwu("query", TEMPLATE, "LOT=L*", "--limit", "4", lang="zh_CN.UTF-8")
    assert code == 0
    assert "88.101.1/PRT.0003" in out
    assert "3 个节点中 2 个已应答" in out
    assert "--pages 2" in out
    code, out, _ = await mingwu("query", TEMPLATE, "--limit", "4", "--pages", "9", "--json")
    assert sum(out.count(f'"name": "88.101.{n}/PRT') for n in (1, 2)) == 10
    code, out, _ = await mingwu("unlink", "88.101.3")
    code, out, _ = await mingwu("query", "88.101/META_NONE")
    assert "Nothing was found." in out
    assert "no such template" in out
    assert "mingwu secondlevel link 88.101.3" in out
    code, _, err = await mingwu("query", TEMPLATE, "--asker", "9" * 18)
    assert (code, "may not query" in err) == (1, True)


async def test_the_door_of_links_and_queries(world):
    async with httpx.AsyncClient(base_url=world.base + "/api/secondlevel") as stranger:
        assert (await stranger.post("/query", json={"template": "T"})).status_code == 401
        token = world.trust.sessions.create_token("partner", "test")
        stranger.headers["Authorization"] = f"Bearer {token}"
        for method, path in (("POST", "/query"), ("GET", "/links"), ("PUT", "/links/88.101.1")):
            reply = await stranger.request(method, path, json={"template": "T"})
            assert reply.status_code == 403
    async with world.client() as client:
        told = (await client.get("/links")).json()
        assert told["links"] == []
        assert told["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
        form = {"url": "https://node.example", "application": "88.101.1/App"}
        assert (await client.put("/links/88.101.1", json=form)).status_code == 404
        bad = {**form, "url": "http://node.example"}
        assert (await client.put("/links/88.101.1", json=bad)).status_code == 400
        assert (await client.delete("/links/88.101.1")).status_code == 404
        for body in ({"template": "T", "limit": 0}, {"template": "T", "more": 1}, {}, []):
            assert (await client.post("/query", json=body)).status_code == 400
        unknown = {"template": "T", "asker": "9" * 18}
        assert (await client.post("/query", json=unknown)).status_code == 403
