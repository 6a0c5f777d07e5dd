"""Real engines of the identity plane in a folder, filled with simulated data, for browser tests.

A second-level node with 60 enterprises and a simulated top node beside it, a usage log with two
weeks of (made-up, truly signed) questions and a resolver that goes on writing it, and carriers
whose agents run the real conversations with the real platform in memory.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

from ownfacade import linked
from starlette.routing import Route

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.http import routes as alias_routes
from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.http import routes as carrier_routes
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.enterprise.door import EnterpriseServices
from mingwu.identity.enterprise.routes.names import routes as enterprise_routes
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.identity.resolver import Resolver
from mingwu.identity.secondlevel import outbox
from mingwu.identity.secondlevel.model import Mode, SiteForm
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.routes import desk as deskhttp
from mingwu.identity.secondlevel.routes import hostednames, operating
from mingwu.identity.secondlevel.routes import queries as queryhttp
from mingwu.identity.secondlevel.routes.node import routes as secondlevel_routes
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.server.process import ResolverServer, site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.http import routes as trust_routes
from mingwu.identity.usage.http import routes as usage_routes
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import OwnerSettings, UsageSettings
from mingwu.identity.usage.statistics import UsageStatistics
from mingwu.kernel.errors import MingwuError
from mingwu.lab.carriers.carrier import SimulatedCarrier
from mingwu.lab.carriers.incidents import try_clone
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.lab.enterprises.filling import Filling
from mingwu.lab.enterprises.load import OWNER_NETWORK, Load
from mingwu.lab.enterprises.ownnodes import OwnNodes
from mingwu.lab.enterprises.settings import EnterpriseLabSettings
from mingwu.lab.enterprises.trade import stranger
from mingwu.lab.topnode.run import TopNode
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.node.namecounts import NameCounts
from mingwu.node.prefixuse import LogUse
from mingwu.store.engine import sqlite_url, writing
from mingwu.store.settings import StoreSettings
from mingwu.trust import secrets, sm2
from mingwu.wire.handle.codes import Op, Rc

NODE, CARRIERS = "88.101", "88.888.102"
DAYS, MOULDS, QUESTIONS = 14, 15, 400
_DAY_MS = 86_400_000


class PastClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.ms = 0

    def time_ns(self) -> int:
        return self.ms * 1_000_000

    def monotonic_ns(self) -> int:
        return self.time_ns()


class Wire:
    """A bearer in memory; keeps the frames that went up."""

    def __init__(self, platform: CarrierPlatform, address: str) -> None:
        self.platform, self.address = platform, address
        self.sent: list[bytes] = []

    async def exchange(self, frame: bytes) -> bytes:
        self.sent.append(frame)
        return await asyncio.to_thread(self.platform.access.handle, frame, self.address)


class Plane:
    """The engines; ``routes`` are for the API's door, ``live`` goes on until it is cancelled."""

    def __init__(self, folder: Path, stack: AsyncExitStack, journal) -> None:
        self._folder, self._stack, self._journal = folder, stack, journal
        self.routes: list[Route] = []
        self._carriers: list[SimulatedCarrier] = []

    async def open(self) -> None:
        folder, stack = self._folder, self._stack
        records = RecordStore(folder / "records", map_bytes=2**28, durable=False)
        stack.callback(records.close)
        usage = UsageSettings(
            directory=str(folder / "usage"), own_networks=("127.0.0.9/32",),
            health_networks=("192.0.2.0/24",),
            owners=(
                OwnerSettings(prefix=f"{NODE}.1013", networks=(OWNER_NETWORK,)),
                *(
                    OwnerSettings(prefix=f"{NODE}.{number}", networks=("203.0.113.0/24",))
                    for number in range(1014, 1054)
                ),
            ),
        )  # fmt: skip
        await asyncio.to_thread(self._past, usage)
        counts = NameCounts(records, keep_s=0)
        log = UsageLog.open(usage, node=NODE, registered=counts)
        stack.callback(log.close)
        resolver = await stack.enter_async_context(
            ResolverServer(
                ResolverSettings(directory=str(folder / "records"), port=0, http_port=0,
                                 durable=False, prefixes=(NODE, CARRIERS)),
                records, usage=log,
            )
        )  # fmt: skip
        self.routes += usage_routes(lambda: UsageStatistics.beside(usage, counts))
        node = await self._second_level(records, resolver)
        node.desk.use_source = LogUse(usage, counts, keep_s=0)
        await self._platform(records)
        settings = ResolverSettings(prefixes=(NODE, CARRIERS))
        self.resolver = Resolver(records, site_of(settings, resolver.port, resolver.http_port))
        enterprise = EnterpriseNode.open(
            EnterpriseSettings(
                store=StoreSettings(url=sqlite_url(folder / "enterprise.sqlite"), durable=False),
            ),
            records,
        )  # fmt: skip
        stack.callback(enterprise.close)
        services = EnterpriseServices(node=enterprise, journal=self._journal)
        self.routes += [
            *alias_routes(records), *enterprise_routes(services), *trust_routes(records, ()),
        ]  # fmt: skip

    # -- usage ----------------------------------------------------------------------------------
    def _past(self, settings: UsageSettings) -> None:
        """Two weeks of questions: clients, an owner, probes; sealed and signed as they come."""
        chance, clock = random.Random(7), PastClock()
        now = int(time.time() * 1000)
        clock.ms = now - DAYS * _DAY_MS
        log = UsageLog.open(settings, node=NODE, clock=clock)
        for day in range(DAYS):
            asked = 120 + 14 * day + chance.randrange(60)
            for at in sorted(chance.randrange(_DAY_MS - 1) for _ in range(asked)):
                clock.ms = now - (DAYS - day) * _DAY_MS + at
                kind = chance.random()
                source = (
                    f"198.51.100.{chance.randrange(1, 60)}" if kind < 0.7
                    else f"203.0.113.{chance.randrange(1, 6)}" if kind < 0.8
                    else "192.0.2.9" if kind < 0.95 else "127.0.0.9"
                )  # fmt: skip
                prefix = 1014 + chance.randrange(40)
                rc = Rc.SUCCESS if chance.random() < 0.96 else Rc.HANDLE_NOT_FOUND
                name = f"{NODE}.{prefix}/EDU.2026-{chance.randrange(40):08d}"
                took_ns = int(chance.lognormvariate(3.6, 0.6) * 1000)
                log.note_named(Op.RESOLVE, rc, name, source, time.perf_counter_ns() - took_ns)
                log.flush()  # a note gets the time of its flush
        log.close()

    # -- second-level node ------------------------------------------------------------------------
    async def _second_level(self, records: RecordStore, resolver: ResolverServer) -> SecondLevel:
        folder, stack = self._folder, self._stack
        scalar = secrets.load_or_make(folder / "secrets", "secondlevel-sm2.key", sm2.generate)
        known = KnownNode(
            prefix=NODE, public_key=sm2.public_point(scalar).hex(), port=resolver.port
        )
        ports = dict.fromkeys(
            ("root_port", "top_port", "recursive_port", "emergency_port", "epp_port", "http_port"),
            0,
        )
        top = await stack.enter_async_context(
            TopNode(TopNodeSettings(directory=str(folder / "top"), nodes=(known,),
                                    map_bytes=2**26, **ports))
        )  # fmt: skip
        settings = SecondLevelSettings(
            simulated=True,
            store=StoreSettings(url=sqlite_url(folder / "node.sqlite"), durable=False),
            escrow_directory=str(folder / "escrow"), secrets_directory=str(folder / "secrets"),
            upstream_url=f"http://127.0.0.1:{top.receiver.port}",
            upstream_epp=f"127.0.0.1:{top.epp.port}",
            upstream_resolver=f"127.0.0.1:{top.top.port}",
            upstream_public_key=top.public_key.hex(), probe_timeout_s=1.0,
        )  # fmt: skip
        node = SecondLevel.open(settings, records, site_at("127.0.0.1", resolver.port))
        stack.callback(node.close)
        size = EnterpriseLabSettings(
            directory=str(folder / "s3"), prefix=NODE, identifiers=3000, own_first_port=0,
            resolver=f"127.0.0.1:{resolver.port}",
        )  # fmt: skip
        own = await stack.enter_async_context(OwnNodes(size))
        filling = Filling(
            node, size, site_of=lambda one: own.site(one.prefix), book=AliasBook(records)
        )
        await asyncio.to_thread(filling.run)
        load = Load(size, f"127.0.0.1:{top.recursive.port}")
        for _ in range(QUESTIONS):
            await load.turn()
        await asyncio.to_thread(self._down, node)
        for _ in range(settings.probe_failures):
            await node.probe()
        node.monitoring.report_event(
            NODE, "maintenance", 4, zh="数据库升级（模拟）", en="Database upgrade (simulated)"
        )
        node.monitoring.close_event(NODE, "maintenance")
        node.put_template(f"{NODE}/T.1", NODE, {"zh": "电池包（模拟）"})
        node.put_software("app-1", NODE, "追溯（模拟）", "traceability")
        await node.round()
        with writing(node._engine) as connection:  # a message whose content the top node refuses
            outbox.put(connection, "sync", "T5", {"table": "T5", "rows": [{"month": "soon"}]},
                       node.clock.time_ns() // 1_000_000)  # fmt: skip
        await node.round()
        self.routes += [
            *deskhttp.routes(node, self._journal),
            *secondlevel_routes(node, self._journal),
            *queryhttp.routes(node, self._journal),
            *hostednames.routes(node, self._journal),
            *operating.routes(node, self._journal),
        ]
        await linked(node, folder, stack)
        return node

    def _down(self, node: SecondLevel) -> None:
        """An own node that nobody answers for."""
        asked = stranger(NODE, 71, Mode.OWN, SiteForm(host="127.0.0.1", port=9))
        node.applications.accept(node.applications.submit(asked, "engineer").id, "admin")

    # -- carriers -----------------------------------------------------------------------------
    async def _platform(self, records: RecordStore) -> None:
        folder, stack = self._folder, self._stack
        own = prepare(folder / "carrier-secrets")
        platform = CarrierPlatform.open(
            CarrierSettings(
                store=StoreSettings(url=sqlite_url(folder / "carriers.sqlite"), durable=False),
            ),
            RecordRegistrar(records), key=own.key, certificate=own.certificate,
            anchors=own.anchors, table=records.carriers(),
        )  # fmt: skip
        stack.callback(platform.close)
        factory = Factory(own.authority, "memory", CARRIERS, int(time.time()))
        wires = []
        for mould in moulds(MOULDS, 1):
            directory = folder / "carriers" / serial_of(mould)
            key, unit = await asyncio.to_thread(factory.open, directory, mould)
            platform.provision(unit)
            wire = Wire(platform, f"198.51.100.{10 + mould.number}")
            agent = CarrierAgent(directory, key, wire, accept=mould.apply)
            stack.callback(agent.close)
            self._carriers.append(SimulatedCarrier(mould, agent))
            wires.append(wire)
        await self._incidents(platform, wires)
        self.routes += carrier_routes(platform, self._journal)

    async def _incidents(self, platform: CarrierPlatform, wires: list[Wire]) -> None:
        """One is never switched on, one never reports; the others meet S2's troubles."""
        fleet = self._carriers
        await fleet[-2].agent.power_on()
        self._carriers = fleet[:-2]
        await self.turn(60)
        platform.set_parameters(serial_of(fleet[2].mould), {"name": "r12", "set_point": 71.5},
                                actor="admin")  # fmt: skip
        fleet[0].mould.carry_away(2500)
        await self.turn(120)
        await self.turn(120)
        await try_clone(self._folder / "clone", fleet[1], wires[1])
        report = next(frame for frame in reversed(wires[3].sent) if frame[4] == 7)  # noqa: PLR2004
        await wires[3].exchange(report)  # the same bytes once more
        platform.set_parameters(serial_of(fleet[4].mould), {"name": "r13", "set_point": 66.0},
                                actor="admin")  # fmt: skip
        platform.suspend(serial_of(fleet[5].mould), actor="admin")
        platform.revoke(serial_of(fleet[6].mould), actor="admin")
        for carrier in (fleet[0], fleet[2], fleet[7], fleet[8]):
            platform.discover(serial_of(carrier.mould), asker="partner")

    async def turn(self, seconds: float) -> None:
        """Let the moulds work and report."""
        for carrier in self._carriers:
            await carrier.turn(seconds)

    async def live(self) -> None:
        """Moulds go on working until cancelled."""
        while True:
            await asyncio.sleep(5)
            try:
                await self.turn(5)
            except MingwuError:  # a refusal is part of the scenario
                continue
