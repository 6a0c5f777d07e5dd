"""Root, top, second-level and enterprise node in one place: the whole path, the duties, the drill.

Everything listens on loopback ports of the system's choice; the second-level node's resolver is
stopped for the takeover drill.
"""

import asyncio
import contextlib
import threading
import time

import msgspec
import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import chain
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.client.root import resolve_from, root_at
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.escrow import DIFF
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Kind,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel, run_duties
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.anchors import read_anchors
from mingwu.identity.trusted.client import verify_resolution
from mingwu.identity.trusted.derived import signer_under
from mingwu.identity.trusted.settings import TrustedSettings
from mingwu.identity.trusted.setup import found, signer_of
from mingwu.identity.trusted.signing import sign_due
from mingwu.identity.trusted.verdict import Verdict
from mingwu.kernel.errors import Conflict
from mingwu.lab.topnode.run import TopNode, run_topnode, topnode_key
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust import keys, secrets, sm2
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.site import read_site
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
NODE, HOSTED, OWN = "88.101", "88.101.1", "88.101.2"


def form(prefix, mode, site=None):
    first = f"91330000MA{int(prefix.rpartition('.')[2]):07d}"
    return ApplicationForm(
        prefix=prefix,
        organisation=Organisation(uscc=first + check_digit(first), name="企业", industry="C35"),
        legal_person=Person(name="张三"),
        contact=Person(name="李四", phone="13800000000"),
        mode=mode,
        site=site,
    )


class Country:
    """All nodes of the test."""

    def __init__(self, tmp_path, stack, epp):
        self.tmp = tmp_path
        self.epp = epp
        self.stack = stack
        self.second = None

    def store(self, name):
        store = RecordStore(self.tmp / name, map_bytes=2**27, durable=False)
        self.stack.callback(store.close)
        return store

    def server(self, store, name, prefix, port=0):
        settings = ResolverSettings(
            directory=str(self.tmp / name), port=port, http_port=0, prefixes=(prefix,),
            durable=False,
        )  # fmt: skip
        return ResolverServer(settings, store)

    async def start(self):
        enterprise = self.store("enterprise")
        enterprise.put(Record(f"{OWN}/X", (HandleValue(2000, "NAME", b"own", ttl=60),)))
        self.enterprise = await self.stack.enter_async_context(
            self.server(enterprise, "enterprise", OWN)
        )
        self.second_store = self.store("second")
        self.second = self.server(self.second_store, "second", NODE)
        await self.second.start()
        self.stack.push_async_callback(self.second.close)
        keys = str(self.tmp / "keys")
        scalar = secrets.load_or_make(self.tmp / "keys", "secondlevel-sm2.key", sm2.generate)
        known = KnownNode(
            prefix=NODE, public_key=sm2.public_point(scalar).hex(), port=self.second.port
        )
        top_settings = TopNodeSettings(
            directory=str(self.tmp / "top"), root_port=0, top_port=0, recursive_port=0,
            emergency_port=0, epp_port=0, http_port=0, nodes=(known,), map_bytes=2**27,
            probe_window=4, cache_ttl_s=60, negative_ttl_s=0,
        )  # fmt: skip
        self.known = known
        self.top = await self.stack.enter_async_context(TopNode(top_settings))
        settings = SecondLevelSettings(
            prefix=NODE, store=StoreSettings(url=sqlite_url(self.tmp / "second.db")),
            escrow_directory=str(self.tmp / "escrow"), secrets_directory=keys,
            upstream_url=f"http://127.0.0.1:{self.top.receiver.port}",
            upstream_epp=self.epp_address(),
            upstream_public_key=sm2.public_point(topnode_key(self.tmp / "top")).hex(),
            escrow_piece_bytes=1024, retry_s=0.001, upstream_poll_s=1e-6,
        )  # fmt: skip
        self.node = SecondLevel.open(
            settings, self.second_store, site_at("127.0.0.1", self.second.port)
        )
        self.stack.callback(self.node.close)
        site = SiteForm(host="127.0.0.1", port=self.enterprise.port)
        for one in (form(HOSTED, Mode.HOSTED), form(OWN, Mode.OWN, site)):
            self.node.applications.accept(self.node.applications.submit(one, "t").id, "clerk")
        items = [
            HostedItem(name=f"{HOSTED}/P{n}", template="T/1", values={"NAME": f"part {n}"})
            for n in range(40)
        ]
        assert all(one.code == 1 for one in self.node.hosted.register(HOSTED, items))

    def epp_address(self):
        if self.epp == "http":
            return f"http://127.0.0.1:{self.top.receiver.port}/epp"
        return f"127.0.0.1:{self.top.epp.port}"

    async def ask(self, name):
        return await resolve(name, f"127.0.0.1:{self.top.recursive.port}")


@pytest.fixture
async def country(tmp_path, request):
    async with contextlib.AsyncExitStack() as stack:
        made = Country(tmp_path, stack, getattr(request, "param", "http"))
        await made.start()
        yield made


def value(result, kind="NAME"):
    return next(one.text() for one in result.values if one.type == kind)


async def test_the_whole_path_resolves_through_the_recursive_node(country):
    assert value(await country.ask(f"{HOSTED}/P7")) == "part 7"
    assert value(await country.ask(f"{OWN}/X")) == "own"
    direct = await resolve(f"{OWN}/X", f"127.0.0.1:{country.top.root.port}")
    ports = [int(hop.rpartition(":")[2]) for hop in direct.path]
    assert ports == [
        country.top.root.port, country.top.top.port, country.second.port, country.enterprise.port,
    ]  # fmt: skip
    assert (await country.ask(f"{HOSTED}/NONE")).rc == Rc.HANDLE_NOT_FOUND
    assert (await country.ask("88.101.99/X")).rc == Rc.NOT_RESPONSIBLE
    hits = country.top.recursive.hits
    await country.ask(f"{HOSTED}/P7".lower())
    assert country.top.recursive.hits == hits + 1


@pytest.mark.parametrize("country", ["tcp", "http"], indirect=True)
async def test_duties_reach_the_top_node_and_are_acknowledged(country):
    await country.node.round()
    rows = country.top.receiver.rows
    assert country.top.receiver.refused == []
    assert {"T1", "T2", "T3", "T6", "T7", "T8", "T9"} <= set(rows)
    assert (rows["T9"], rows["T6"], rows["T7"]) == (40, 2, 2)
    assert set(country.top.epp.registered) == {HOSTED, OWN}
    assert [row.upstream for row in country.node.prefixes.all()] == ["registered"] * 2
    assert all(row["waiting"] == row["refused"] == 0 for row in country.node.outbox.lag())
    assert len(country.top.receiver.deposits[NODE]) == 1
    before = dict(rows)
    await country.node.round()
    assert dict(country.top.receiver.rows) == before


async def test_takeover_at_51_percent_and_hand_back(country):
    await country.node.round()
    for _ in range(4):
        await country.top.probe_nodes()
    assert not country.top.taken_over
    port = country.second.port
    await country.second.close()
    for failed in (1, 2):
        await country.top.probe_nodes()
        assert country.top.failed_percent(NODE) == 25 * failed
        assert not country.top.taken_over
    assert (await country.ask(f"{HOSTED}/P9")).rc == Rc.ERROR
    await country.top.probe_nodes()
    assert country.top.taken_over == {NODE}
    await country.node.round()
    assert [one["kind"] for one in country.node.report()["emergencies"]] == ["takeover"]
    began = time.monotonic()
    assert value(await country.ask(f"{HOSTED}/P9")) == "part 9"
    assert value(await country.ask(f"{OWN}/X")) == "own"
    assert time.monotonic() - began < 10
    again = country.server(country.second_store, "second", NODE, port)
    await again.start()
    try:
        for _ in range(4):
            await country.top.probe_nodes()
        assert not country.top.taken_over
        assert value(await country.ask(f"{HOSTED}/P11")) == "part 11"
        await country.node.round()
        assert all(one["ended"] for one in country.node.report()["emergencies"])
    finally:
        await again.close()


class Vouched:
    """The node as its own anchor: everything it answers for is signed."""

    def __init__(self, country):
        self.store = country.second_store
        key = country.tmp / "record-key"
        mine = TrustedSettings(issuer=f"301:0.NA/{NODE}", key_file=str(key), algorithm="sm2-sm3")
        self.signer = signer_of(mine)
        anchor_key = keys.generate(keys.Algorithm.SM2)
        self.anchors = read_anchors([found(self.store, NODE, anchor_key, self.signer.key)])
        self.root = root_at(f"127.0.0.1:{country.top.root.port}")

    def sign(self):
        for prefix in self.store.prefixes():
            sign_due(self.store, signer_under(self.store, self.signer, prefix), prefix)

    async def verdict(self, name):
        """The verdict of whoever resolves from the root, and the port of the node that answered."""
        result = await resolve_from(self.root, name)
        report = await verify_resolution(result, self.root.server, self.anchors, root=self.root)
        return report.verdict, int(result.path[-1].rpartition(":")[2])


async def test_what_is_taken_over_is_trusted_and_keeps_its_aliases(country):
    """From the FULL deposit, and from the DIFF on it."""
    node, top = country.node, country.top
    vouched, book = Vouched(country), AliasBook(country.second_store)
    names, gtin = (
        [f"{HOSTED}/P{n}" for n in (7, 8, 100)],
        "https://id.gs1.org/01/09506000134352/21/",
    )
    book.add(names[0], gtin + "7")
    vouched.sign()
    await node.round()
    assert len(top.receiver.deposits[NODE]) == 1
    for name in names[:2]:
        assert await vouched.verdict(name) == (Verdict.TRUSTED, country.second.port)
    node.hosted.register(HOSTED, [HostedItem(name=names[2], template="T/1", values={"NAME": "x"})])
    book.add(names[1], gtin + "8")
    vouched.sign()
    node.escrow.make(DIFF, bytes.fromhex(node.settings.upstream_public_key))
    await node.round()
    assert len(top.receiver.deposits[NODE]) == 2
    await country.second.close()
    for _ in range(4):
        await top.probe_nodes()
    assert top.taken_over == {NODE}
    for name in (*names, f"{NODE}/TRUST"):
        assert await vouched.verdict(name) == (Verdict.TRUSTED, top.emergency.port), name

    source = local_source(country.store("elsewhere"), server=vouched.root.server)
    for name, end in ((names[0], "7"), (names[1], "8")):
        walked = await chain(name, source)
        assert f"gs1:01/09506000134352/21/{end}" in {one.id for one in walked.nodes}
        assert AliasBook(top._spare).names(gtin + end) == [name]
    home = await resolve(f"0.NA/{HOSTED}", f"127.0.0.1:{top.emergency.port}")
    (site,) = (read_site(one.data) for one in home.values if one.type == "HS_SITE")
    assert site.servers[0].interfaces[0].port == top.emergency.port


def taking_over():
    """Another enterprise takes over the hosted prefix, with a node of its own."""
    taking = form(HOSTED, Mode.OWN, SiteForm(host="127.0.0.1", port=9))
    first = "91330000MA0000077"
    buyer = msgspec.structs.replace(taking.organisation, uscc=first + check_digit(first))
    return msgspec.structs.replace(
        taking, kind=Kind.CHANGE, organisation=buyer, holder=taking.organisation.uscc,
        consent_sha256="ab" * 32,
    )  # fmt: skip


@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_prefix_comes_back_when_the_top_node_refuses_to_pass_it_on(country, when):
    node, queue, journal = country.node, country.node.applications, []
    node.journal = lambda *line: journal.append(line)
    await node.round()
    before = node.prefixes.get(HOSTED)
    if when == "later":
        country.top.registry._review_s = 3600
    else:  # the top node knows another holder
        country.top.registry.registered[HOSTED]["uscc"] = "somebody else"
    passing = queue.submit(taking_over(), "t").id
    queue.accept(passing, "clerk")
    assert (await country.ask(f"{HOSTED}/P7")).rc == Rc.ERROR  # the new holder's node is silent
    if when == "later":
        with pytest.raises(Conflict, match="being passed on"):
            queue.submit(form(HOSTED, Mode.HOSTED), "t")
        await node.round()
        assert node.prefixes.get(HOSTED).upstream == "pending"
        country.top.registry.decide(HOSTED, approve=False)
    await node.round()
    row = node.prefixes.get(HOSTED)
    assert (row.uscc, row.mode, row.site, row.upstream) == (
        before.uscc, before.mode, before.site, "registered",
    )  # fmt: skip
    country.top.recursive.forget()
    assert value(await country.ask(f"{HOSTED}/P7")) == "part 7"
    rejected = queue.get(passing)
    assert rejected.state == "rejected"
    assert ("serverCancelled" if when == "later" else "2201") in rejected.reasons[0].text
    assert [step["state"] for step in queue.steps(passing)][-2:] == ["accepted", "rejected"]
    assert [line[:3] for line in journal] == [
        ("top-level-node", "identity.prefix-hand-back", passing)
    ]
    assert all(row["waiting"] == row["refused"] == 0 for row in node.outbox.lag())
    change = msgspec.structs.replace(form(HOSTED, Mode.HOSTED), kind=Kind.CHANGE)
    assert queue.submit(change, "t").state == "submitted", "the prefix can be changed again"


async def test_a_prefix_passes_to_another_enterprise(country):
    await country.node.round()
    change = msgspec.structs.replace(taking_over(), mode=Mode.HOSTED, site=None)
    buyer = change.organisation
    country.top.registry._review_s = 3600
    queue = country.node.applications
    queue.accept(queue.submit(change, "t").id, "clerk")
    await country.node.round()
    assert country.node.prefixes.get(HOSTED).upstream == "pending"
    country.top.registry.decide(HOSTED, approve=True)
    await country.node.round()
    row = country.node.prefixes.get(HOSTED)
    assert (row.uscc, row.upstream) == (buyer.uscc, "registered")
    assert country.top.epp.registered[HOSTED]["uscc"] == buyer.uscc
    assert value(await country.ask(f"{HOSTED}/P7")) == "part 7"


async def test_a_silent_top_node_loses_nothing(country):
    await country.top.receiver.close()
    await country.node.round()
    lag = {row["subject"]: row for row in country.node.outbox.lag() if row["channel"] == "sync"}
    assert lag["T9"]["waiting"] == 1
    assert lag["T9"]["acknowledged"] == 0
    host, port = "127.0.0.1", country.top.receiver.port
    await country.top.receiver.start(host, port, country.top.epp.web_routes())
    async with asyncio.timeout(60):
        while any(row["waiting"] for row in country.node.outbox.lag()):
            await country.node.round()
            await asyncio.sleep(0.02)
    assert country.top.receiver.rows["T9"] == 40


async def test_a_stranger_is_refused_everywhere(country):
    stranger = SecondLevelSettings(
        prefix=NODE, store=StoreSettings(url=sqlite_url(country.tmp / "other.db")),
        escrow_directory=str(country.tmp / "escrow2"), secrets_directory=str(country.tmp / "k2"),
        upstream_url=country.node.settings.upstream_url,
        upstream_epp=country.node.settings.upstream_epp, retry_s=60.0,
    )  # fmt: skip
    other = SecondLevel.open(stranger, country.store("other"), site_at("127.0.0.1", 1))
    try:
        made = other.applications.submit(form("88.101.5", Mode.HOSTED), "x")
        other.applications.accept(made.id, "x")
        await other.round()
        refused = {entry.channel for entry in other.outbox.entries(state="refused")}
        assert {"sync", "epp"} <= refused
        assert other.prefixes.get("88.101.5").upstream == "refused"
    finally:
        other.close()
    assert country.top.epp.registered == {}
    assert not country.top.receiver.rows


async def test_the_recursive_node_answers_by_udp_in_many_packets(country):
    long = HandleValue(2000, "NAME", b"x" * 3000, ttl=60)
    country.second_store.put(Record(f"{HOSTED}/LONG", (long,)))
    server = f"127.0.0.1:{country.top.recursive.port}"
    found = await resolve(f"{HOSTED}/LONG", server, transport="udp")
    assert value(found) == "x" * 3000
    found = await resolve(f"{HOSTED}/LONG", server, transport="udp", types=("URL",))
    assert found.rc == Rc.VALUES_NOT_FOUND


async def test_equal_questions_under_way_are_asked_once(country):
    recursive = country.top.recursive
    before = country.top.root.statistics.snapshot()["answered"]
    name = f"{HOSTED}/P3"
    found = await asyncio.gather(*(recursive.look_up(name) for _ in range(20)))
    assert {value(one) for one in found} == {"part 3"}
    assert country.top.root.statistics.snapshot()["answered"] == before + 1


async def test_both_roles_run_until_they_are_stopped(country):
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_duties(country.node, stop))
        group.create_task(country.top.watch(stop))
        async with asyncio.timeout(60):
            while country.top.receiver.rows["T9"] < 40 or not country.node.monitoring.states():
                await asyncio.sleep(0.02)
        stop.set()
    assert list(country.top.probes[NODE]) == [True]


async def test_a_long_deposit_holds_up_no_other_duty(country, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(country.node, "make_deposit", lambda: done.wait(60))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_duties(country.node, stop))
        try:
            async with asyncio.timeout(50):
                while country.top.receiver.rows["T9"] < 40 or len(country.top.epp.registered) < 2:
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
            done.set()


async def test_run_topnode_serves_and_stops(tmp_path):
    settings = TopNodeSettings(
        directory=str(tmp_path / "top"), root_port=0, top_port=0, recursive_port=0,
        emergency_port=0, epp_port=0, http_port=0, map_bytes=2**27,
    )  # fmt: skip
    stop = asyncio.Event()
    task = asyncio.create_task(run_topnode(settings, stop))
    stop.set()
    async with asyncio.timeout(60):
        await task
