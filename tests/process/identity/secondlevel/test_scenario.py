"""S3 in small: 60 enterprises with real own nodes, a filling that was cut off, honest figures."""

import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import chain
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.client.handleclient import resolve
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import State
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.usage.causes import Cause
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.identity.usage.settings import OwnerSettings, UsageSettings
from mingwu.lab.enterprises import load as asking
from mingwu.lab.enterprises.filling import Filling
from mingwu.lab.enterprises.load import CLIENTS, OWNER_NETWORK, Load, is_ours
from mingwu.lab.enterprises.ownnodes import OwnNodes
from mingwu.lab.enterprises.settings import EnterpriseLabSettings
from mingwu.lab.enterprises.trade import E_DRIVE, enterprises, registers_much
from mingwu.node.namecounts import NameCounts
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
NODE, NAMES = "88.101", 3000


class Site:
    """A second-level node with its resolver and log, and the enterprises' own nodes."""

    def __init__(self, folder):
        self.folder = folder
        self.records = RecordStore(folder / "records", map_bytes=2**28, durable=False)
        self.usage = UsageSettings(
            directory=str(folder / "usage"), own_networks=("127.0.0.1/32",),
            owners=(OwnerSettings(prefix=f"{NODE}.1013", networks=(OWNER_NETWORK,)),),
        )  # fmt: skip
        self.log = UsageLog.open(
            self.usage, node="s3", registered=NameCounts(self.records, keep_s=0)
        )
        self.resolver = ResolverServer(
            ResolverSettings(
                directory=str(folder / "records"), port=0, http_port=0, prefixes=(NODE,),
                durable=False,
            ),
            self.records, usage=self.log,
        )  # fmt: skip

    async def __aenter__(self):
        await self.resolver.__aenter__()
        self.address = f"127.0.0.1:{self.resolver.port}"
        self.settings = EnterpriseLabSettings(
            directory=str(self.folder / "lab"), identifiers=NAMES, own_first_port=0,
            resolver=self.address,
        )  # fmt: skip
        self.own = await OwnNodes(self.settings).__aenter__()
        self.node = SecondLevel.open(
            SecondLevelSettings(
                store=StoreSettings(url=sqlite_url(self.folder / "node.db")),
                escrow_directory=str(self.folder / "escrow"),
                secrets_directory=str(self.folder / "keys"),
            ),
            self.records, site_at("127.0.0.1", self.resolver.port),
        )  # fmt: skip
        return self

    async def __aexit__(self, *_):
        self.node.close()
        await self.own.__aexit__()
        await self.resolver.__aexit__(None, None, None)
        self.log.close()
        self.records.close()

    def filling(self, stopped=lambda: False, note=lambda *_: None):
        return Filling(
            self.node, self.settings, site_of=lambda one: self.own.site(one.prefix),
            book=AliasBook(self.records), stopped=stopped, note=note,
        )  # fmt: skip


@pytest.fixture
async def site(tmp_path):
    async with Site(tmp_path) as opened:
        yield opened


async def test_a_filling_that_was_cut_off_is_finished_and_done_once(site):
    calls = iter(range(100))
    assert site.filling(stopped=lambda: next(calls) > 9).run() is None
    assert 0 < sum(site.node.lookup.counts().values()) < NAMES
    notes = []
    made = site.filling(note=lambda *words: notes.append(words)).run()
    assert (made.enterprises, made.identifiers, made.refused) == (60, NAMES, 4)
    refused = [detail for _, action, _, detail in notes if action == "hosted-register"
               and detail["done"] == 0]  # fmt: skip
    assert refused == [{"items": 3, "done": 0}, {"items": 1, "done": 0}]
    prefixes = site.node.prefixes.all()
    assert len(prefixes) == 60
    counts = {state: site.node.applications.queue(state=state)[1] for state in State}
    assert counts == {
        State.SUBMITTED: 5, State.RETURNED: 1, State.ACCEPTED: 60, State.REJECTED: 1,
    }  # fmt: skip

    gone = enterprises(site.settings)[20].identifier(3)
    site.node.hosted.remove(gone.partition("/")[0], [gone])
    again = []
    assert site.filling(note=lambda *words: again.append(words)).run() == made
    assert not again
    assert site.node.lookup.get(gone) is None


async def test_owners_stand_in_prefix_records_and_the_chain_crosses(site):
    site.filling().run()
    all_ = enterprises(site.settings)
    motor, drive = all_[0], next(one for one in all_[13:] if one.trade is E_DRIVE)
    for one in (motor, drive):
        record = await resolve(f"0.NA/{one.prefix}", site.address)
        assert {value.type: value.text() for value in record.values}["OWNER"] == one.name
    assert (await resolve(motor.identifier(7), site.address)).ok
    found = await chain(drive.identifier(0), local_source(site.records, server=site.address))
    assert found.crosses
    assert len(found.owners) == 2
    assert "gs1" in found.systems


@pytest.mark.skipif(not is_ours(CLIENTS[0]), reason="only 127.0.0.1 on this system")
async def test_what_is_asked_is_counted_by_who_asks(site, monkeypatch):
    monkeypatch.setattr(asking, "_TIMEOUT_S", 40.0)  # a question sent twice would count twice
    site.filling().run()
    load = Load(site.settings, recursive=site.address)
    for _ in range(300):
        await load.turn()
    assert load.failed == 0
    site.log.close()
    files = sorted((site.folder / "usage").glob("*.mwu"))
    found = reaggregate(files, (site.folder / "usage" / "public-key.pem").read_bytes())
    assert found.sound
    asked = load.asked
    total = found.report.total
    # a chain asks twice; the motor's node is elsewhere, which is a referral, not a failure
    assert total.resolutions == asked.total() + asked["chain"]
    assert total.by_cause[Cause.OWNER.name.lower()] == asked["owner"]
    assert sum(total.by_cause.values()) == total.resolutions
    assert sum(total.failures.values()) == asked["missing"]
    assert 30 < total.clients <= len(CLIENTS) + 1
    prefixes = {one.prefix: one for one in found.report.window.prefixes}
    much = prefixes[registers_much(enterprises(site.settings)).prefix]
    assert (much.registered, much.resolved_by_others) == (NAMES // 6, 0)
    assert much.resolutions == asked["owner"]
