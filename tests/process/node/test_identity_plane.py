"""The identity plane of a running demonstration, through its own doors: HTTP, Handle, files.

Only the roles that matter here run (no historian, no plant processes), so it starts quickly.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import dns.asyncresolver
import httpx
import msgspec
import pytest

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.bearers import HttpsBearer
from mingwu.identity.carriers.setup import prepare as prepare_carriers
from mingwu.identity.client.handleclient import ask, request, resolve
from mingwu.identity.trusted.client import verify_resolution
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.node.config import Config, IdentityPart, load
from mingwu.node.demo import s1
from mingwu.node.platform import prepare
from mingwu.node.signing import anchors
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.wire.handle.bodies import Resolve
from mingwu.wire.handle.codes import Op, OpFlag

from .running import until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

NAME = "88.888.101/MLD.M0187"
PASSWORD = "a long enough password 7"
TEMPLATE = {"prefix": "88.888.101", "version": "S1-PART-1.0"}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Plane:
    """Resolver and API of a demonstration, and tokens for two accounts."""

    def __init__(self, folder: Path) -> None:
        file = s1.write(folder / "demo")
        text = file.read_text().replace(
            '"bus", "historian", "writer", "gateway", "resolver", "console", "lab"',
            '"resolver", "api", "lab"',
        )
        parts = ", ".join(f'"{part}"' for part in IdentityPart)
        text = text.replace("[bus_server]", f"identity = [{parts}]\n\n[bus_server]", 1)
        text = text.replace('prefixes = ["88.888.101"]', 'prefixes = ["88.888.101", "88.101"]')
        port = load(file).console.port
        self.dns_port = free_port()
        more = f"\n[api]\nport = {port}\n\n[oid_dns]\nlisten = true\nport = {self.dns_port}\n"
        file.write_text(text + more)
        self.config: Config = load(file)
        prepare(self.config)
        trust = Trust.open(self.config.trust)
        self.tokens = {}
        for role in (Role.VIEWER, Role.ENGINEER):
            trust.accounts.create(role.value, PASSWORD, role)
            self.tokens[role] = trust.sessions.create_token(role.value, "test")
        trust.close()
        self.output = (folder / "output.txt").open("wb")
        self.children = [
            subprocess.Popen(
                [sys.executable, "-m", "mingwu", "run", role, "--config", str(file)],
                stdout=self.output,
                stderr=subprocess.STDOUT,
            )
            for role in ("resolver", "api")
        ]

    def client(self, role: Role | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        base = f"http://127.0.0.1:{self.config.api.port}"
        return httpx.AsyncClient(base_url=base, headers=headers, timeout=20)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.config.resolver.port}"

    def stop(self) -> None:
        """At once: without a bus here, a graceful end would wait for its connection attempts."""
        for child in self.children:
            child.kill()
            child.wait(20)
        self.output.close()


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    running = Plane(tmp_path_factory.mktemp("plane"))
    try:

        async def seeded() -> bool:
            async with running.client(Role.VIEWER) as client:
                found = await client.get("/api/identity/names/detail", params={"name": NAME})
                return found.status_code == 200

        await until(seeded, "the plant's things registered by the enterprise node", 90)
        yield running
    finally:
        running.stop()


async def test_a_name_registered_over_http_resolves_over_the_handle_protocol(plane: Plane):
    name = "88.888.101/PRT.TEST.1"
    body = {
        "items": [{"name": name, "template": TEMPLATE, "values": {"name": "壳体", "model": "EAH3"}}]
    }
    async with plane.client(Role.VIEWER) as client:
        refused = await client.post("/api/identity/names/register", json=body)
        assert refused.status_code == 403
    async with plane.client() as client:
        assert (await client.post("/api/identity/names/register", json=body)).status_code == 401
    async with plane.client(Role.ENGINEER) as client:
        made = await client.post("/api/identity/names/register", json=body)
        assert made.status_code == 200, made.text
        assert made.json().get("done") == 1, made.text
    result = await resolve(name, plane.server)
    assert "壳体" in {value.text() for value in result.values}


async def test_a_facade_has_its_own_login_over_the_same_accounts(plane: Plane):
    async with plane.client() as client:
        credentials = {"username": "engineer", "password": PASSWORD}
        reply = await client.post("/identity/token", json=credentials)
        token = reply.json()["data"]["token"]
        headers = {"Authorization": f"Bearer {token}"}
        found = await client.get(
            "/identityv2/data/detail", params={"handle": NAME}, headers=headers
        )
    assert found.json()["status"] == 1


async def test_records_are_signed_by_the_plants_own_anchor(plane: Plane):
    known = anchors(plane.config)

    async def trusted() -> bool:
        result = await resolve(NAME, plane.server)
        return (await verify_resolution(result, plane.server, known)).is_trusted

    await until(trusted, "a trusted verdict", 60)
    async with plane.client() as client:
        verdict = (await client.get(f"/api/identity/trust/{NAME}?lang=zh")).json()
    assert (verdict["verdict"], verdict["verdict_text"]) == ("trusted", "可信")
    command = ("resolve", NAME, "--server", plane.server, "--trust")
    config = ("--config", str(plane.config.file))
    asked = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mingwu", *command, *config],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "trusted: " in asked.stdout
    host, port = plane.server.split(":")
    flags = OpFlag.PUBLIC_ONLY | OpFlag.IDIS_TRUST_ASKED
    question = request(Op.RESOLVE, Resolve(NAME, types=("URL",)).encode(), flags=flags)
    reply = await ask(host, int(port), question, transport="tcp", timeout_s=5)
    assert reply.wants(OpFlag.IDIS_TRUST_VERIFIED)


async def test_a_question_is_in_the_statistics_and_not_counted_as_foreign(plane: Plane):
    await resolve(NAME, plane.server)

    async def counted() -> bool:
        async with plane.client(Role.VIEWER) as client:
            reply = await client.get("/api/identity/usage/days")
            return any(day["figures"]["by_cause"].get("own", 0) > 0 for day in reply.json())

    await until(counted, "the question in the day's figures", 20)
    async with plane.client() as client:
        assert (await client.get("/api/identity/usage/days")).status_code == 401
        key = (await client.get("/api/identity/usage/key")).content
    assert key.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert reaggregate([], key).sound


async def test_codes_aliases_and_gs1_links_over_http(plane: Plane):
    alias = "(01)09506000134352(21)M0187"
    async with plane.client(Role.ENGINEER) as client:
        readings = (await client.get("/api/identity/codes", params={"text": alias})).json()
        assert readings["readings"][0]["system"] == "gs1"
        given = await client.post("/api/identity/aliases", json={"name": NAME, "alias": alias})
        assert given.status_code == 200, given.text
    async with plane.client() as client:
        found = await client.get("/gs1/01/09506000134352/21/M0187?linkType=linkset")
        assert found.status_code == 200
        assert "M0187" in found.json()["linkset"][0]["itemDescription"]
        for root in ("/gs1", ""):
            found = await client.get(f"{root}/.well-known/gs1resolver", follow_redirects=True)
            assert found.json()["resolverRoot"].endswith("/gs1")


async def test_an_oid_of_a_thing_is_answered_over_dns(plane: Plane):
    async with plane.client(Role.ENGINEER) as client:
        given = {"name": NAME, "alias": "1.2.156.3001.187"}
        assert (await client.post("/api/identity/aliases", json=given)).status_code == 200
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], plane.dns_port
    found = await resolver.resolve("187.3001.156.2.1.oid-res.org", "NAPTR")
    assert b"!^.*$!urn:oid:1.2.156.3001.187!" in {one.regexp for one in found}


async def test_a_label_printed_here_is_read_here(plane: Plane):
    async with plane.client() as client:
        assert (await client.get(f"/api/identity/labels/symbol/{NAME}")).status_code == 401
    async with plane.client(Role.VIEWER) as client:
        made = await client.get(f"/api/identity/labels/symbol/{NAME}?format=png")
        read = await client.post("/api/identity/read", content=made.content)
        assert read.status_code == 200, read.text
        things = read.json()["symbols"][0]["things"]
        assert [(one["name"], one["simulated"]) for one in things] == [(NAME, True)]
        sheet = await client.get("/api/identity/labels/sheet", params={"name": NAME})
        assert sheet.content.startswith(b"%PDF-")


async def test_a_carrier_is_registered_by_the_running_enterprise_node(plane: Plane, tmp_path: Path):
    config = plane.config
    identity = prepare_carriers(config.data / "secrets")
    door = f"http://127.0.0.1:{config.api.port}"  # loopback; TLS stands before it in a plant
    factory = Factory(identity.authority, door, "88.888.101", int(time.time()))
    mould = moulds(3, 1)[2]
    key, new = await asyncio.to_thread(factory.open, tmp_path / "carrier", mould)
    new = msgspec.structs.replace(new, suffix="MLD.CARRIER.3")
    name = "88.888.101/MLD.CARRIER.3"
    async with plane.client(Role.ENGINEER) as client, HttpsBearer(door) as bearer:
        body = msgspec.json.encode(new)
        assert (await client.post("/api/identity/carriers", content=body)).status_code == 200
        agent = CarrierAgent(tmp_path / "carrier", key, bearer, accept=mould.apply)
        try:
            assert await agent.power_on() == name
            agent.measure(mould.readings())
            assert await agent.report() == 1
        finally:
            agent.close()
        found = await client.get("/api/identity/names/detail", params={"name": name})
        assert found.json()["state"] == "registered", found.text
        assert found.json()["owner"] == "88.888.101/App_carriers"
        live = (await client.get(f"/api/identity/carriers/discover/{name}")).json()
        assert (live["is_trusted"], live["simulated"]) == (True, True)
        unit = (await client.get(f"/api/identity/carriers/{new.serial}")).json()["carrier"]
        assert (unit["shown"], unit["certified"]) == ("active", "sealed-file")
        answer = await resolve(name, plane.server)
        values = {value.type: value.data for value in answer.values}
        assert values["carrier.state"] == b"active"
        assert values["MW.SIMULATED"] == b"true"
        shots = msgspec.json.decode(values["MW.LIVE.shots"])  # read by HTTPS' route, told at once
        assert (shots["report"], shots["quality"], shots["simulated"]) == (1, "good", True)
        order = {"action": "revoke"}
        done = await client.post(f"/api/identity/carriers/{new.serial}/commands", json=order)
        assert done.status_code == 200
        assert not (await resolve(name, plane.server)).ok
        live = (await client.get(f"/api/identity/carriers/discover/{name}")).json()
        assert (live["is_trusted"], live["readings"]) == (False, {})


async def test_the_reference_names_the_planes_routes(plane: Plane):
    async with plane.client() as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
        page = (await client.get("/api/docs")).text
    for path in ("/api/identity/usage/span", "/api/identity/carriers/{serial}/commands",
                 "/api/identity/chain/{text}", "/api/identity/trust/{name}",
                 "/api/identity/names/register", "/api/secondlevel/applications"):  # fmt: skip
        assert path in paths
        assert path in page
    ids = [one["operationId"] for path in paths.values() for one in path.values()]
    assert len(set(ids)) == len(ids)


async def test_second_level_node_and_carriers_answer_where_they_are_asked_for(plane: Plane):
    async with plane.client(Role.VIEWER) as client:
        prefixes = await client.get("/api/secondlevel/prefixes")
        carriers = await client.get("/api/identity/carriers")
        about = await client.get("/api/secondlevel/desk/about")
        marks = await client.get("/api/identity/carriers/desk/marks")
        span = await client.get("/api/identity/usage/span?days=7")
        where = await client.get("/api/secondlevel/desk/delegation")
    assert (prefixes.status_code, carriers.status_code) == (200, 200)
    assert (about.json()["prefix"], about.json()["simulated"]) == ("88.101", True)
    assert len(marks.json()["marks"]) <= 1  # the carrier of the test above, in any order
    assert len(span.json()["key_id"]) == 32
    assert where.json()["state"] == "not-asked"
    assert carriers.json()["total"] <= 1
    async with plane.client() as client:
        assert (await client.get("/api/secondlevel/prefixes")).status_code == 401
        assert (await client.get("/iiidap/help")).status_code == 200
    assert (await resolve("0.NA/88.101", plane.server)).ok
