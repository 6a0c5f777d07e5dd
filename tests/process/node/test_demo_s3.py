"""Scenario S3 as the command starts it: the whole path, honest figures, a takeover, kill -9."""

import asyncio
import json
import signal
import struct
from collections import Counter
from pathlib import Path

import pytest

from mingwu.identity.client.handleclient import resolve
from mingwu.identity.client.root import resolve_from, root_at
from mingwu.identity.secondlevel.iiidap.client import (
    address,
    authority,
    fetch,
    read_answer,
    read_bootstrap,
)
from mingwu.identity.trusted.client import verify_resolution
from mingwu.identity.usage.causes import Cause
from mingwu.lab.control import Request, forward
from mingwu.lab.enterprises.filling import note_file
from mingwu.lab.enterprises.load import CLIENTS, is_ours
from mingwu.lab.enterprises.settings import FACADES
from mingwu.lab.enterprises.trade import E_DRIVE, enterprises, registers_much
from mingwu.node.demo import s3
from mingwu.node.signing import anchors
from mingwu.trust.roles import Role
from mingwu.wire.handle.codes import Op, Rc

from .running import RunningDemo, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not is_ours(CLIENTS[0]), reason="only 127.0.0.1 on this system"),
]
NAMES = 600
QUICK = {
    "probe_interval_s = 2.0": "probe_interval_s = 0.2\nprobe_timeout_s = 0.5",
    "probe_interval_s = 5.0": "probe_interval_s = 0.5",
    "upstream_poll_s = 5.0": "upstream_poll_s = 1.0\nround_s = 0.5",
    "asked_per_s = 2.0": "asked_per_s = 40.0",
    "segment_s = 60": "segment_s = 5",
    "recursive_port =": "cache_ttl_s = 0\nnegative_ttl_s = 0\nrecursive_port =",
}


class Demo(RunningDemo):
    """The running scenario, small and quick."""

    def __init__(self, folder: Path) -> None:
        super().__init__("s3", s3.write(folder / "demo", identifiers=NAMES), QUICK, Role.ADMIN)
        self.enterprises = enterprises(self.config.lab_enterprises)
        self.much = registers_much(self.enterprises)
        self.drive = next(
            one for one in self.enterprises if one.trade is E_DRIVE and one is not self.much
        )

    async def status(self) -> dict:
        lab = self.config.lab
        return await forward(f"{lab.host}:{lab.control_port}", Request(action="status"))

    async def from_root(self, name: str):
        return await resolve_from(root_at(self.config.resolver.root), name)

    async def use(self, prefix: str) -> dict:
        rows = (await self.get("/secondlevel/desk/enterprises?limit=200"))["rows"]
        return next(row for row in rows if row["prefix"] == prefix)

    async def state(self) -> tuple:
        """What must outlive every process."""
        told = await self.status()
        rows = (await self.get("/secondlevel/desk/enterprises?limit=200"))["rows"]
        total = (await self.get("/secondlevel/desk/applications"))["total"]
        held = sum(row["identifiers"] for row in rows)
        return len(rows), held, total, told["registered"], told["deposits"]

    async def asked(self) -> int:
        return (await self.get("/identity/usage/span?days=2"))["total"]["resolutions"]


@pytest.fixture(scope="module")
async def demo(tmp_path_factory):
    running = Demo(tmp_path_factory.mktemp("s3"))
    done = note_file(running.config.lab_enterprises)
    try:

        async def is_filling() -> bool:
            return (await running.get("/secondlevel/desk/applications?state=accepted"))["total"] > 9

        await until(is_filling, "the first applications", 200)
        running.kill("console")
        assert not done.exists()  # it was filling, and goes on at the next start

        async def is_told_upstream() -> bool:
            told = await running.status()
            return told["registered"] == 60 and told["deposits"] == {s3.PREFIX: 2}

        await until(is_told_upstream, "registration, deposits before and after signing", 200)
        yield running
    finally:
        await running.stop()


def ports(found) -> list[int]:
    return [int(server.rpartition(":")[2]) for server in found.path]


async def test_the_whole_path_resolves_from_the_root(demo):
    lab, resolver = demo.config.lab_topnode, demo.config.resolver.port
    motor, own_first = demo.enterprises[4], demo.config.lab_enterprises.own_first_port
    path = [lab.root_port, lab.top_port, resolver, own_first + 4]

    async def comes_along() -> bool:
        found = await demo.from_root(motor.identifier(3))
        return found.ok and ports(found) == path

    await until(
        comes_along, "the whole path"
    )  # a resolver killed before was taken over for a while
    found = await demo.from_root(demo.drive.identifier(0))
    assert ports(found)[-1] == resolver
    values = {value.type: value.text() for value in found.values if value.index >= 500}
    assert values["MW.SIMULATED"] == "true"
    assert values["ALIAS.GS1"].startswith("01/")
    inside = await demo.from_root(values["REL.contains"])
    assert inside.ok
    assert inside.handle.partition("/")[0] != demo.drive.prefix
    by_recursion = await resolve(demo.drive.identifier(1), f"127.0.0.1:{lab.recursive_port}")
    assert by_recursion.ok
    home = await resolve(f"0.NA/{demo.drive.prefix}", f"127.0.0.1:{resolver}")
    assert demo.drive.name in [value.text() for value in home.values if value.type == "OWNER"]
    chain = await demo.get(f"/identity/chain/{demo.drive.identifier(0)}")
    assert chain["crosses"]


async def test_the_top_nodes_bootstrap_file_leads_to_who_holds_a_prefix(demo):
    url = f"http://127.0.0.1:{demo.config.lab_topnode.http_port}/iiidap/bootstrap.json"
    base = authority(read_bootstrap(await fetch(url)), demo.drive.prefix)
    told = read_answer(await fetch(address(base, "prefix", demo.drive.prefix)), base)
    (holder,) = told["entities"]
    assert ["fn", {}, "text", demo.drive.name] in holder["vcardArray"][1]
    many = read_answer(await fetch(address(base, "prefixes", query={"name": "88.101.*"})), base)
    assert len(many["prefixSearchResults"]) == demo.config.secondlevel.iiidap_page
    found = await demo.client.post("/secondlevel/query", json={"template": "*/T.1", "limit": 5})
    assert len(found.json()["rows"]) == 5
    assert found.json()["counts"]["unlinked"] == s3.OWN_NODES - FACADES


async def test_answers_are_trusted_from_the_root_down(demo):
    root, name = demo.config.resolver.root, demo.drive.identifier(0)
    server = demo.config.lab_enterprises.resolver

    async def is_trusted() -> bool:
        found = await demo.from_root(name)
        report = await verify_resolution(found, server, anchors(demo.config), root=root_at(root))
        return report.is_trusted

    await until(is_trusted, "signatures of all names")


async def test_the_queue_holds_what_is_to_be_decided(demo):
    rows = (await demo.get("/secondlevel/desk/applications?limit=200"))["rows"]
    assert Counter(row["state"] for row in rows) == {
        "accepted": 60, "submitted": 5, "returned": 1, "rejected": 1,
    }  # fmt: skip
    returned = next(row for row in rows if row["state"] == "returned")
    whole = await demo.get(f"/secondlevel/applications/{returned['id']}")
    assert whole["application"]["reasons"][0]["field"] == "organisation.name"
    assert [step["actor"] for step in whole["steps"]] == [
        "simulated applicant", "simulated reviewer",
    ]  # fmt: skip


async def test_one_question_goes_to_hosted_names_and_own_nodes(demo):
    first, second, third = (one.prefix for one in demo.enterprises[:3])

    async def asked(**conditions: str) -> tuple[list[dict], dict[str, str]]:
        reply = await demo.client.post(
            "/secondlevel/query", json={"template": "*/T.1", "conditions": conditions, "limit": 900}
        )
        found = reply.raise_for_status().json()
        return found["rows"], {one["prefix"]: one["state"] for one in found["nodes"]}

    async def take_part() -> bool:
        _, states = await asked(LOCATION=demo.enterprises[0].place)
        return [states[one] for one in (first, second, third)] == [
            "answered", "refused", "unlinked",
        ]  # fmt: skip

    await until(take_part, "the nodes' answers")
    rows, _ = await asked(**{"DESC.en": "drive motor 00001*"})
    assert [row["name"] for row in rows] == [
        demo.enterprises[0].identifier(number) for number in range(10, 20)
    ]
    rows, _ = await asked(LOCATION=demo.enterprises[0].place)
    assert {s3.PREFIX, first} >= {row["source"] for row in rows}
    assert {row["prefix"] for row in rows} > {first}


def recounted(folder: Path) -> tuple[Counter, Counter, set[str], set[tuple[str, int]]]:
    """The log counted by the page about its format, with nothing of the program's own code.

    Answered questions by cause; by prefix; distinct clients; names that others resolved.
    """
    causes, prefixes, asked, clients = Counter(), Counter(), set(), set()
    for file in sorted(folder.glob("*.mwu")):
        data, at, who, where = file.read_bytes(), 8, [], []
        while at + 9 <= len(data):
            kind, size, _ = struct.unpack_from("<BII", data, at)
            payload = data[at + 9 : at + 9 + size]
            at += 9 + size
            if kind == 2:
                who += [row[0] for row in json.loads(payload)]
            elif kind == 3:
                where += json.loads(payload)
            elif kind == 4:
                for entry in struct.iter_unpack("<IIIIQHHBBH", payload):
                    _, client, prefix, _, name, rc, op, cause, _, _ = entry
                    if op != Op.RESOLVE:
                        continue
                    causes[cause] += 1
                    if cause > Cause.OWNER:
                        continue
                    prefixes[where[prefix]] += 1
                    clients.add(who[client])
                    if cause == Cause.CLIENT and rc == Rc.SUCCESS:
                        asked.add((where[prefix], name))
    return causes, prefixes, clients, asked


async def test_the_statistics_are_those_of_the_log(demo):
    async def is_much_asked() -> bool:
        return (await demo.status())["asked"]["owner"] >= 15

    await until(is_much_asked, "questions of clients and owner")
    for _ in range(3):
        await resolve(demo.much.identifier(5), demo.config.lab_enterprises.resolver)  # our own
    demo.kill("lab", signal.SIGSTOP)  # nobody asks any more
    try:
        await asyncio.sleep(0.6)
        causes, prefixes, clients, asked = await asyncio.to_thread(
            recounted, demo.config.data / "usage"
        )
        span = await demo.get("/identity/usage/span?days=2")
        window = await demo.get("/identity/usage")
    finally:
        demo.kill("lab", signal.SIGCONT)
    figures = span["total"]
    assert figures["resolutions"] == causes[Cause.CLIENT] + causes[Cause.OWNER]
    assert figures["by_cause"]["own"] == causes[Cause.OWN] >= 3
    assert figures["by_cause"]["health"] == causes[Cause.HEALTH] > 0
    assert figures["clients"] == len(clients) > 20
    rows = {row["prefix"]: row for row in window["prefixes"]}
    assert {prefix: row["resolutions"] for prefix, row in rows.items() if row["resolutions"]} == (
        prefixes
    )
    by_others = Counter(prefix for prefix, _ in asked)
    assert {p: row["resolved_by_others"] for p, row in rows.items() if p in by_others} == by_others
    much = rows[demo.much.prefix]
    assert (much["registered"], much["resolved_by_others"], much["share"]) == (NAMES // 6, 0, 0)
    assert much["resolutions"] >= 15  # its owner asks, which is of no use to anybody

    async def stands_out() -> bool:
        row = await demo.use(demo.much.prefix)
        return row["is_unused"] and row["requests"] > 0

    await until(stands_out, "the tenant that registers much")


async def test_the_top_level_node_takes_over_and_hands_back(demo):
    lab, resolver = demo.config.lab_topnode, demo.config.resolver.port
    name = demo.drive.identifier(2)

    async def answered_by(port: int) -> bool:
        return ports(await demo.from_root(name))[-1] == port

    async def delegation() -> str:
        return (await demo.get("/secondlevel/desk/delegation"))["state"]

    await until(lambda: answered_by(resolver), "the node's own answer")
    await asyncio.to_thread(demo.fault, "start", "cut-link", s3.PREFIX)
    await until(lambda: answered_by(lab.emergency_port), "the takeover")
    assert (await demo.from_root(name)).ok
    assert (await demo.from_root(demo.enterprises[0].identifier(1))).ok
    first = await demo.from_root(demo.drive.identifier(0))
    assert ports(first)[-1] == lab.emergency_port
    assert "ALIAS.GS1" in {value.type for value in first.values}
    root, trusted = root_at(demo.config.resolver.root), anchors(demo.config)
    report = await verify_resolution(first, demo.config.resolver.root, trusted, root=root)
    assert report.is_trusted, report
    assert await delegation() == "taken-over"

    async def told(is_open: bool) -> bool:
        events = (await demo.get(f"/secondlevel/desk/nodes/{s3.PREFIX}"))["events"]
        found = [one for one in events if one["kind"] == "takeover"]
        return bool(found) and (found[0]["ended_ms"] == 0) == is_open

    await until(lambda: told(is_open=True), "the top-level node's notice")
    await asyncio.to_thread(demo.fault, "stop", "cut-link", s3.PREFIX)
    await until(lambda: answered_by(resolver), "the return")
    assert await delegation() == "here"
    await until(lambda: told(is_open=False), "the end of the event")

    demo.kill("resolver", signal.SIGSTOP)  # not a drill
    try:
        await until(lambda: answered_by(lab.emergency_port), "the takeover of a silent node")
        assert (await demo.from_root(name)).ok
    finally:
        demo.kill("resolver", signal.SIGCONT)
    await until(lambda: answered_by(resolver), "the return of the silent node")


async def test_an_own_node_that_is_down_shows_and_comes_back_at_its_port(demo):
    prefix = demo.enterprises[1].prefix

    async def is_down(wanted: bool) -> bool:
        return (await demo.use(prefix))["is_down"] == wanted

    await asyncio.to_thread(demo.fault, "start", "node-down", prefix)
    await until(lambda: is_down(wanted=True), "the failed probes")
    await asyncio.to_thread(demo.fault, "stop", "node-down", prefix)
    await until(lambda: is_down(wanted=False), "the good probe")
    assert (await demo.from_root(demo.enterprises[1].identifier(0))).ok


@pytest.mark.parametrize("role", ["resolver", "console", "lab", "all, by request"])
async def test_ended_it_goes_on_and_keeps_everything(demo, role):
    before, asked = await demo.state(), await demo.asked()
    assert before[:2] == (60, NAMES)
    if role.startswith("all"):
        await demo.end()
        demo.start()
    else:
        demo.kill(role)

    async def goes_on() -> bool:
        return await demo.asked() > asked + 5 and await demo.state() == before

    await until(goes_on, "the same as before the end", 100)

    async def answers() -> bool:
        chosen = (demo.enterprises[5], demo.drive, demo.enterprises[-1])
        return all([(await demo.from_root(one.identifier(one.names - 1))).ok for one in chosen])

    await until(answers, "names from the root down")
