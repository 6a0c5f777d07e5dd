"""The data access service of a node, found through the simulated top node's bootstrap file.

Real sockets: the node's routes behind the API's door on uvicorn, the top node beside it, the
command as a process of its own. Answers are held against RDAP's shapes in words of our own (JSON
Schema) and read by an independent client's parser (whoisit).
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack

import httpx
import jsonschema
import pytest
import uvicorn
from starlette.applications import Starlette
from whoisit.parser import ParseEntity

from mingwu.api.door import Doorkeeper
from mingwu.api.engines import TrustPeople
from mingwu.api.guarding import guard
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.iiidap import http as iiidaphttp
from mingwu.identity.secondlevel.iiidap.client import authority, fetch, read_bootstrap
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.kernel.errors import NotFound, Overloaded, Unavailable
from mingwu.lab.topnode.run import TopNode
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import TrustSettings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
PHONE, PASSWORD = "13800000000", "a long enough password 7"

# RFC 9083 sections 4 to 7 as far as they are used here; 9537 4.2, 8977 2; written from memory of
# the clauses, not taken from anywhere.
_TEXT = {"type": "string", "minLength": 1}
_LINK = {
    "type": "object",
    "required": ["value", "rel", "href"],
    "properties": {
        "value": {"type": "string", "pattern": "^https?://"},
        "href": {"type": "string", "pattern": "^(https?|hdl):"},
        "rel": _TEXT,
        "type": _TEXT,
        "title": _TEXT,
    },
    "additionalProperties": False,
}
_NOTICE = {
    "type": "object",
    "required": ["description"],
    "properties": {
        "title": _TEXT,
        "type": {"enum": ["result set truncated due to authorization"]},
        "description": {"type": "array", "minItems": 1, "items": _TEXT},
        "links": {"type": "array", "items": _LINK},
    },
    "additionalProperties": False,
}
_EVENT = {
    "type": "object",
    "required": ["eventAction", "eventDate"],
    "properties": {
        "eventAction": {"enum": ["registration", "last changed"]},
        "eventDate": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    },
    "additionalProperties": False,
}
_OBJECT = {
    "type": "object",
    "required": ["objectClassName"],
    "properties": {
        "objectClassName": {"enum": ["identifier", "prefix", "entity"]},
        "handle": _TEXT,
        "status": {"type": "array", "items": {"enum": ["active", "private"]}},
        "events": {"type": "array", "items": _EVENT},
        "links": {"type": "array", "items": _LINK},
        "remarks": {"type": "array", "items": _NOTICE},
        "entities": {"type": "array", "items": {"$ref": "#/$defs/object"}},
        "roles": {"type": "array", "items": {"enum": ["registrant", "administrative"]}},
        "publicIds": {"type": "array", "items": {"required": ["type", "identifier"]}},
        "vcardArray": {
            "type": "array",
            "prefixItems": [
                {"const": "vcard"},
                {
                    "type": "array",
                    "minItems": 2,
                    "prefixItems": [{"const": ["version", {}, "text", "4.0"]}],
                    "items": {"type": "array", "minItems": 4},
                },
            ],
            "items": False,
        },
    },
    "allOf": [
        {"if": {"properties": {"objectClassName": {"const": "entity"}}},
         "then": {"required": ["roles", "vcardArray"]}},
    ],
}  # fmt: skip
_REDACTED = {
    "type": "object",
    "required": ["name", "prePath", "method"],
    "properties": {
        "name": {"type": "object", "required": ["description"]},
        "prePath": {"type": "string", "pattern": r"^\$"},
        "pathLang": {"const": "jsonpath"},
        "method": {"const": "removal"},
        "reason": {"type": "object", "required": ["description"]},
    },
    "additionalProperties": False,
}
_PAGING = {
    "type": "object",
    "required": ["pageSize"],
    "properties": {
        "totalCount": {"type": "integer"},
        "pageSize": {"type": "integer"},
        "links": {"type": "array", "items": _LINK},
    },
    "additionalProperties": False,
}
_SORTING = {
    "type": "object",
    "required": ["currentSort", "availableSorts"],
    "properties": {
        "availableSorts": {
            "items": {
                "required": ["property", "jsonPath", "default"],
                "properties": {
                    "jsonPath": {"pattern": r"^\$"},
                    "default": {"type": "boolean"},
                    "links": {"items": _LINK},
                },
            }
        }
    },
}
_TOP = {
    "required": ["rdapConformance", "lang"],
    "properties": {
        "rdapConformance": {"type": "array", "contains": {"const": "rdap_level_0"}},
        "notices": {"type": "array", "minItems": 1, "items": _NOTICE},
        "lang": {"enum": ["zh", "en"]},
        "redacted": {"type": "array", "items": _REDACTED},
        "paging_metadata": _PAGING,
        "sorting_metadata": _SORTING,
    },
}
LOOKUP = {"$defs": {"object": _OBJECT}, "allOf": [_TOP, _OBJECT]}
HELP = {"allOf": [_TOP, {"not": {"required": ["objectClassName"]}}]}
ERROR = {
    "required": ["rdapConformance", "errorCode", "title", "description"],
    "properties": {
        "errorCode": {"type": "integer"},
        "title": _TEXT,
        "description": {"type": "array", "items": _TEXT},
    },
}


def search_schema(kind):
    results = f"{kind}SearchResults"
    listed = {"type": "array", "items": {"$ref": "#/$defs/object"}}
    return {
        "$defs": {"object": _OBJECT},
        "allOf": [_TOP, {"required": [results], "properties": {results: listed}}],
    }


def uscc(number):
    first = f"91330000MA{number:07d}"
    return first + check_digit(first)


class World:
    """A node with two enterprises, its routes on a port, the top node, tokens of two accounts."""

    def __init__(self, tmp_path, stack):
        self.tmp, self.stack = tmp_path, stack

    async def start(self):
        store = RecordStore(self.tmp / "records", map_bytes=2**26, durable=False)
        self.stack.callback(store.close)
        settings = SecondLevelSettings(
            store=StoreSettings(url=sqlite_url(self.tmp / "node.db")),
            escrow_directory=str(self.tmp / "escrow"),
            secrets_directory=str(self.tmp / "secrets"),
            iiidap_page=3, iiidap_per_minute=100, simulated=True,
        )  # fmt: skip
        self.node = SecondLevel.open(settings, store, site_at("127.0.0.1", 2641))
        self.stack.callback(self.node.close)
        self.accept(1, Mode.HOSTED)
        self.accept(2, Mode.OWN)
        items = [HostedItem(name=f"88.101.1/PRT.{n:04d}", template="T") for n in range(7)]
        self.node.hosted.register("88.101.1", items)
        trust = Trust.open(
            TrustSettings(store=StoreSettings(url=sqlite_url(self.tmp / "trust.db")))
        )
        self.stack.callback(trust.close)
        self.tokens = {}
        for role in (Role.VIEWER, Role.ENGINEER):
            trust.accounts.create(role.value, PASSWORD, role)
            self.tokens[role] = trust.sessions.create_token(role.value, "test")
        app = Starlette(routes=guard(iiidaphttp.routes(self.node), Doorkeeper(TrustPeople(trust))))
        self.base = f"http://127.0.0.1:{await self.serve(app)}/iiidap"
        known = (
            KnownNode(public_key="04" + "00" * 64, iiidap_url=self.base),
            KnownNode(app_id="other", prefix="88.102", public_key="04" + "11" * 64),
        )
        top = TopNode(
            TopNodeSettings(
                directory=str(self.tmp / "top"), root_port=0, top_port=0, recursive_port=0,
                emergency_port=0, epp_port=0, http_port=0, nodes=known, map_bytes=2**26,
            )
        )  # fmt: skip
        self.top = await self.stack.enter_async_context(top)
        self.bootstrap = f"http://127.0.0.1:{self.top.receiver.port}/iiidap/bootstrap.json"
        return self

    def accept(self, number, mode):
        form = ApplicationForm(
            prefix=f"88.101.{number}", mode=mode,
            organisation=Organisation(uscc=uscc(number), name=f"企业{number}", industry="C3670"),
            legal_person=Person(name="张三"),
            contact=Person(name="李四", phone=PHONE),
            site=SiteForm(host="127.0.0.1", port=2700) if mode is Mode.OWN else None,
        )  # fmt: skip
        queue = self.node.applications
        queue.accept(queue.submit(form, "applicant").id, "reviewer")

    async def serve(self, app):
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())

        async def stop():
            server.should_exit = True
            await task

        self.stack.push_async_callback(stop)
        while not server.started:
            await asyncio.sleep(0.01)
        return server.servers[0].sockets[0].getsockname()[1]

    def client(self, role=None):
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx.AsyncClient(base_url=self.base + "/", headers=headers)

    async def command(self, *arguments, lang="en_GB.UTF-8"):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mingwu", "iiidap", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": lang},
        )  # fmt: skip
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()


@pytest.fixture
async def world(tmp_path):
    async with AsyncExitStack() as stack:
        yield await World(tmp_path, stack).start()


async def test_every_answer_has_rdaps_shape(world):
    lookups = ("prefix/88.101.1", "prefix/88.101.2", "identifier/88.101.1/PRT.0001",
               "identifier/88.101.2/ANY", f"entity/{uscc(1)}", f"entity/{uscc(2)}")  # fmt: skip
    searches = {
        "identifier": "identifiers?name=88.101.1/*",
        "prefix": "prefixes?name=*&sort=lastChangedDate:d",
        "entity": "entities?fn=企业*",
    }
    for role in (None, Role.VIEWER, Role.ENGINEER):
        async with world.client(role) as client:
            for lang in ("zh", "en"):
                client.headers["Accept-Language"] = lang
                for path in lookups:
                    jsonschema.validate((await client.get(path)).json(), LOOKUP)
                for kind, path in searches.items():
                    more = "&count=true" if role else ""
                    jsonschema.validate((await client.get(path + more)).json(), search_schema(kind))
                jsonschema.validate((await client.get("help")).json(), HELP)
                for path in ("prefix/88.101.9", "domain/x", "prefixes", "identifiers?name=*a"):
                    reply = await client.get(path)
                    jsonschema.validate(reply.json(), ERROR)
                    assert reply.json()["errorCode"] == reply.status_code


async def test_an_independent_client_reads_enterprises(world):
    async with world.client() as stranger, world.client(Role.ENGINEER) as engineer:
        path = f"entity/{uscc(1)}"
        hidden, shown = (await stranger.get(path)).json(), (await engineer.get(path)).json()

    class Nowhere:
        def get_rir_name_by_endpoint_url(self, _url):
            return ""

    def parsed(told):
        return ParseEntity(Nowhere(), told, uscc(1)).parse()

    one, two = parsed(hidden), parsed(shown)
    assert one["handle"] == two["handle"] == uscc(1)
    assert one["url"] == f"{world.base}/entity/{uscc(1)}"
    assert one["redacted"] == ["联系人"]
    assert two["redacted"] == []
    assert one["last_changed_date"] is not None
    assert one["public_ids"][0]["identifier"] == uscc(1)
    assert "administrative" not in one["entities"]
    (contact,) = two["entities"]["administrative"]
    assert (contact["name"], contact["tel"]) == ("李四", PHONE)


async def test_head_and_the_door(world):
    async with world.client() as client:
        got, headed = await client.get("prefix/88.101.1"), await client.head("prefix/88.101.1")
        assert headed.status_code == 200
        assert headed.content == b""
        assert headed.headers["content-length"] == got.headers["content-length"]
        assert (await client.head("prefix/88.101.9")).status_code == 404
        client.headers["Authorization"] = "Bearer nonsense"
        assert PHONE not in (await client.get("prefix/88.101.1")).text


async def test_the_client_follows_the_bootstrap_file(world):
    for source in (world.bootstrap, world.base + "/bootstrap.json"):
        bootstrap = read_bootstrap(await fetch(source))
        assert authority(bootstrap, "88.101.1") == world.base + "/"
        for prefix in ("88.102", "88.1011", "88", "10.5240"):
            with pytest.raises(NotFound):
                authority(bootstrap, prefix)
    with pytest.raises(Unavailable):
        await fetch("http://127.0.0.1:9/iiidap/help")
    with pytest.raises(NotFound, match=r"88\.101\.9"):
        await fetch(world.base + "/prefix/88.101.9", lang="en")

    async def insist():
        for _ in range(120):
            await fetch(world.base + "/help")

    with pytest.raises(Overloaded) as told:
        await insist()
    assert told.value.params["wait_s"] >= 1


async def test_the_command(world):
    at = ("--bootstrap", world.bootstrap)
    code, out, _ = await world.command("query", "88.101.1/PRT.0001", *at)
    assert code == 0
    assert "Identifier" in out
    assert "left out: Shown to authorised accounts only" in out
    assert "mingwu resolve 88.101.1/PRT.0001" in out
    assert "# Simulated data" in out
    code, out, _ = await world.command("query", "88.101.2/X", *at, lang="zh_CN.UTF-8")
    assert "mingwu resolve 88.101.2/X --server 127.0.0.1:2700" in out
    assert "持有企业" in out
    token = world.tmp / "token"
    token.write_text(world.tokens[Role.ENGINEER] + "\n")
    code, out, _ = await world.command("query", uscc(1), "--token-file", str(token), *at)
    assert code == 0
    assert f"李四 {PHONE}" in out
    code, out, _ = await world.command("search", "identifiers", "88.101.1/PRT*", *at)
    assert out.count("88.101.1/PRT.") == 4, out  # three, and one in the next step
    assert "--token-file" in out
    found = await world.command(
        "search", "identifiers", "88.101.1/PRT*", "--pages", "9", "--count",
        "--token-file", str(token), *at,
    )  # fmt: skip
    assert "7 of 7 shown" in found[1]
    code, out, _ = await world.command(
        "search", "prefixes", "88.101.*", "--json", "--server", world.base
    )
    assert [one["handle"] for one in json.loads(out)["prefixSearchResults"]] == [
        "88.101.1", "88.101.2",
    ]  # fmt: skip
    code, out, _ = await world.command("help", *at)
    assert code == 0
    assert "/iiidap/bootstrap.json" in out
    code, _, err = await world.command("query", "88.101.9", *at)
    assert code == 1
    assert "88.101.9 is not a prefix of this node" in err
    code, _, err = await world.command("query", "88.102.1/X", *at)
    assert (code, "names no service for 88.102.1" in err) == (1, True)
