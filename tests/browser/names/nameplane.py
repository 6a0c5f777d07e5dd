"""A real enterprise node, record store, trust and usage log in a folder, for browser tests.

Names of the in-memory plant are registered through the node with its templates; a mould is lent to
another enterprise, carries codes of other systems and is asked for by (made-up) clients; one record
was tampered with after signing, three names run in a circle, and a second node answers over UDP.
"""

import random
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from starlette.routing import Route

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.http import routes as alias_routes
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.cards import sync_cards
from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.lifecycle import Action
from mingwu.identity.enterprise.model import Actor, Move, Registration, TemplateRef
from mingwu.identity.enterprise.routes.imports import routes as import_routes
from mingwu.identity.enterprise.routes.names import routes as enterprise_routes
from mingwu.identity.enterprise.seed import seed_s1, version_of
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings, ImportSource
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.process import ResolverServer, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.anchors import read_anchors
from mingwu.identity.trusted.http import routes as trust_routes
from mingwu.identity.trusted.setup import KEY_INDEX, found
from mingwu.identity.trusted.signing import RecordSigner, sign_due
from mingwu.identity.usage.http import routes as usage_routes
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import OwnerSettings, UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.plant import Kind, ThingCard
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust import keys
from mingwu.trust.accounts import Accounts
from mingwu.trust.keys import Algorithm
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import PasswordSettings, TrustSettings
from mingwu.wire.handle.codes import Op, Rc
from mingwu.wire.handle.values import HandleValue, Reference

PREFIX, BORROWER, FAR = "88.888.101", "88.888.202", "88.999.9"
MOULD, TAMPERED = f"{PREFIX}/MLD.M0187", f"{PREFIX}/DEV.AGV.06"
EVIL = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
PARTS, DRAFTED, GONE, MARKED, AGAIN, RETURNED = 130, 7, 3, 5, 21, 22
_DAY_MS = 86_400_000
_DAYS = 11


class PastClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.ms = 0

    def time_ns(self) -> int:
        return self.ms * 1_000_000

    def monotonic_ns(self) -> int:
        return self.time_ns()


def value(index: int, kind: str, text: str) -> HandleValue:
    return HandleValue(index, kind, text.encode())


def part_name(number: int) -> str:
    return f"{PREFIX}/PRT.EAH3.{number:04}"


class NamePlane:
    """The engines; ``routes`` are for the API's door, ``resolver`` answers for the console."""

    def __init__(self, folder: Path, stack: AsyncExitStack, journal: Any) -> None:
        self._folder, self._stack, self._journal = folder, stack, journal
        self.routes: list[Route] = []

    async def open(self, cards: list[ThingCard], live: Any) -> None:
        self.store = store = self._records("names")
        for prefix, owner in ((PREFIX, "江洲精密（模拟）"), (BORROWER, "临海压铸（模拟）")):
            store.home(prefix)
            store.put(Record(f"0.NA/{prefix}", (value(1, "OWNER", owner),)))
        sync_cards(store, cards)
        self.resolver = Resolver(store, site_of(ResolverSettings(), 2641, 8000), live=live)
        node = self._enterprise(cards)
        self._links()
        anchors = self._trust()
        self._usage()
        far = await self._far()
        services = EnterpriseServices(node=node, accounts=self._accounts(), journal=self._journal)
        desk = ImportDesk(node, services.note_of)
        self._stack.callback(desk.close)
        self.routes += [
            *alias_routes(store, source=local_source(store, server=f"127.0.0.1:{far.port}")),
            *trust_routes(store, anchors),
            *enterprise_routes(services),
            *import_routes(services, desk),
        ]

    def _accounts(self) -> Accounts:
        """The accounts of the console's fake door, as the node knows them."""
        url = sqlite_url(self._folder / "trust.sqlite")
        password = PasswordSettings(scrypt_log2_n=10)
        trust = Trust.open(TrustSettings(store=StoreSettings(url=url), password=password))
        self._stack.callback(trust.close)
        for name in ("admin", "viewer"):
            trust.accounts.create(name, "copper-Kettle-47", Role(name))
        return trust.accounts

    def _records(self, name: str) -> RecordStore:
        store = RecordStore(self._folder / name, map_bytes=2**28, durable=False)
        self._stack.callback(store.close)
        return store

    async def _far(self) -> ResolverServer:
        """Another node with a name of its own."""
        store = self._records("far")
        store.home(FAR)
        values = (value(1, "DESC.en", "Lot 77 (simulated)"), value(2, "LOCATION", "far/shore"))
        store.put(Record(f"{FAR}/LOT.77", values))
        settings = ResolverSettings(directory=str(self._folder / "far"), port=0, http_port=0,
                                    durable=False, prefixes=(FAR,))  # fmt: skip
        return await self._stack.enter_async_context(ResolverServer(settings, store))

    # -- enterprise -----------------------------------------------------------------------------
    def _erp(self) -> ImportSource:
        """A database of another system with a few parts."""
        file = self._folder / "erp.sqlite"
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE part (序列号 TEXT, 名称 TEXT, 型号 TEXT, 质量 REAL)")
            rows = [(f"ERP-{n}", f"支架 {n}（模拟）", "ZJ8", n / 4) for n in range(1, 41)]
            database.executemany("INSERT INTO part VALUES (?, ?, ?, ?)", rows)
        database.close()
        return ImportSource(name="erp", url=sqlite_url(file), query="SELECT * FROM part")

    def _enterprise(self, cards: list[ThingCard]) -> EnterpriseNode:
        url = sqlite_url(self._folder / "enterprise.sqlite")
        settings = EnterpriseSettings(
            store=StoreSettings(url=url, durable=False),
            sources=(self._erp(),),
            batch_items=500,
        )
        node = EnterpriseNode.open(settings, self.store)
        self._stack.callback(node.close)
        seed_s1(node, cards, filed_share=0.5)
        admin = Actor(name="admin", account="admin", may_all=True)
        ref = TemplateRef(PREFIX, version_of(Kind.PART))
        do = node.registrations

        def part(number: int, **more: str) -> Registration:
            values = {"name": f"EAH3 壳体 {number}", "model": "EAH3", "mass_kg": "3.2"}
            return Registration(name=part_name(number), template=ref, values=values | more)

        do.register([part(n) for n in range(1, PARTS + 1) if n != DRAFTED], actor=admin)
        do.register([part(DRAFTED)], actor=admin, draft=True)
        do.deregister([part_name(GONE)], actor=admin, note="报废（模拟）")
        do.change([part(MARKED, model=EVIL, inspector="王五（模拟）")], actor=admin)
        for values in ({"place": "临海/借出", "mass_kg": "820"}, {"inspector": "李四（模拟）"}):
            mould = Registration(name=MOULD, template=ref, values=values)
            do.change([mould], actor=admin, merge=True, note="lent (simulated)")
        do.file([part_name(AGAIN)], actor=admin, note="R-2025-7（模拟）")
        do.change([part(AGAIN, mass_kg="3.4")], actor=admin, note="重新称重（模拟）")
        back = Move(name=part_name(RETURNED))
        node.filing.decide(Action.RETURN, [back], actor=admin, note="质检员未填写（模拟）")
        return node

    def _links(self) -> None:
        """Codes of other systems, a borrower, a name far away, and a circle."""
        book, store = AliasBook(self.store), self.store
        book.add(MOULD, "(01)09506000134352(21)M0187")
        book.add(MOULD, "1.2.156.3001.187")
        loan = f"{BORROWER}/ORD.31"
        lent = (value(600, "REL.lentTo", loan), value(601, "REL.madeIn", f"{FAR}/LOT.77"))
        store.change(MOULD, lambda was: Record(was.name, (*was.values, *lent), was.live))
        store.put(Record(loan, (
            value(1, "DESC.zh", "借用单（模拟）"), value(2, "DESC.en", "Loan order 31 (simulated)"),
            value(6, "LOCATION", "临海压铸/二厂"), value(600, "REL.of", MOULD),
        )))  # fmt: skip
        for here, there in (("A", "B"), ("B", "C"), ("C", "A")):
            alias = value(1, "HS_ALIAS", f"{PREFIX}/RING.{there}")
            store.put(Record(f"{PREFIX}/RING.{here}", (alias,)))

    # -- trust and usage ----------------------------------------------------------------------
    def _trust(self) -> Any:
        anchor_key, key = keys.generate(Algorithm.SM2), keys.generate(Algorithm.SM2)
        anchor = found(self.store, PREFIX, anchor_key, key)
        signer = RecordSigner(Reference(f"0.NA/{PREFIX}", KEY_INDEX), key)
        sign_due(self.store, signer, PREFIX)

        def forged(was: Record) -> Record:
            values = tuple(
                value(one.index, one.type, "somebody else") if one.type == "DESC.en" else one
                for one in was.values
            )
            return Record(was.name, values, was.live)

        self.store.change(TAMPERED, forged)
        return read_anchors((anchor,))

    def _usage(self) -> None:
        """Eleven days of questions for the mould, signed as they came."""
        settings = UsageSettings(
            directory=str(self._folder / "usage"), health_networks=("192.0.2.0/24",),
            owners=(OwnerSettings(prefix=PREFIX, networks=("203.0.113.0/24",)),),
        )  # fmt: skip
        chance, clock = random.Random(5), PastClock()
        now = int(time.time() * 1000)
        clock.ms = now - _DAYS * _DAY_MS
        log = UsageLog.open(settings, node=PREFIX, clock=clock)
        for day in range(_DAYS):
            for at in sorted(chance.randrange(_DAY_MS - 1) for _ in range(3 + day)):
                clock.ms = now - (_DAYS - day) * _DAY_MS + at
                kind = chance.random()
                source = (
                    f"198.51.{chance.randrange(3)}.7" if kind < 0.6
                    else "203.0.113.4" if kind < 0.8 else "192.0.2.9"
                )  # fmt: skip
                log.note_named(Op.RESOLVE, Rc.SUCCESS, MOULD, source, time.perf_counter_ns())
                log.flush()  # a note gets the time of its flush
        log.close()
        self.routes += usage_routes(lambda: UsageStatistics.beside(settings, lambda: {PREFIX: 200}))
