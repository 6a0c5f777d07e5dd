"""What API and console processes share: the engines and services behind the routes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mingwu import __version__
from mingwu.api.engines import HistoryEngine, LocalResolve, RegistryPlant, TrustJournal, TrustPeople
from mingwu.api.feed import follow_bus
from mingwu.api.ports import CompletenessRow, HistoryReader, SeriesColumns, TagRow
from mingwu.api.services import Services, make_services
from mingwu.api.settings import ApiSettings
from mingwu.bus.lastvalue import LastValues
from mingwu.history.client import History
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.process import open_store, site_of
from mingwu.kernel.batch import Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable
from mingwu.node.commands import DeviceWrites
from mingwu.node.config import Config, Role
from mingwu.node.identityweb import open_identity
from mingwu.node.live import open_bus, open_history, pause
from mingwu.registry.service import Registry
from mingwu.trust.service import Trust

# Last values from the history are worth waiting for so long; without them the gateways are asked.
HISTORY_WAIT_S = 10.0
SWEEP_S = 3600.0


class LateHistory:
    """A history reader whose engine may come later; until then it answers 503."""

    def __init__(self) -> None:
        self.client: History | None = None

    def _reader(self) -> HistoryReader:
        if self.client is None:
            raise Unavailable("api.part-missing", part=Phrase("history", "历史数据服务"))
        return HistoryEngine(self.client)

    async def series(
        self, tag: TagRow, start_ns: int, end_ns: int, *, points: int, method: str
    ) -> SeriesColumns:
        return await self._reader().series(tag, start_ns, end_ns, points=points, method=method)

    def raw(self, tag: TagRow, start_ns: int, end_ns: int, *, limit: int) -> AsyncIterator[Columns]:
        return self._reader().raw(tag, start_ns, end_ns, limit=limit)

    async def completeness(
        self, tags: Sequence[TagRow], start_ns: int, end_ns: int
    ) -> list[CompletenessRow]:
        return await self._reader().completeness(tags, start_ns, end_ns)

    async def statistics(self) -> dict[str, Any]:
        return await self._reader().statistics()


def _product(config: Config) -> dict[str, str]:
    """What this node says of itself; ``simulated`` when its plant or enterprises are the lab's."""
    told = {"name": "Mingwu 名物", "version": __version__, "node": config.node.name}
    return told | ({"simulated": "true"} if Role.LAB in config.node.roles else {})


@asynccontextmanager
async def serving(
    config: Config, settings: ApiSettings, role: Role, stop: asyncio.Event
) -> AsyncIterator[Services]:
    """The services of one web process; engines that are away answer 503 until they are back."""
    registry = Registry.open(config.registry)
    trust = Trust.open(config.trust)
    store = open_store(config.resolver)
    live = LastValues()
    history = LateHistory()
    writes = DeviceWrites()
    site = site_of(config.resolver, config.resolver.port, config.resolver.http_port)
    journal = TrustJournal(trust)
    identity = await asyncio.to_thread(
        open_identity, config, role, store, registry, trust, journal.append
    )
    services = make_services(
        settings,
        plant=RegistryPlant(registry),
        people=TrustPeople(trust),
        journal=journal,
        live=live,
        history=history,
        resolve=LocalResolve(Resolver(store, site, live=live)),
        write=writes,
        product=_product(config),
        parts=tuple(part.value for part in config.node.identity),
        guarded=tuple(identity.guarded),
        free=tuple(identity.free),
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_connect_history(config, history, stop))
            tasks.create_task(_follow(config, role, live, services, history, writes, stop))
            tasks.create_task(_sweep(trust, stop))
            for work in identity.beside:
                tasks.create_task(work(stop))
            yield services
            stop.set()
    finally:
        if history.client is not None:
            await history.client.close()
        identity.stack.close()
        store.close()
        trust.close()
        registry.close()


async def _connect_history(config: Config, history: LateHistory, stop: asyncio.Event) -> None:
    history.client = await open_history(config.history, stop)


async def _sweep(trust: Trust, stop: asyncio.Event) -> None:
    """Forget ended sessions now and then."""
    while not stop.is_set():
        await pause(stop, SWEEP_S)
        await asyncio.to_thread(trust.sessions.sweep)


async def _follow(
    config: Config,
    role: Role,
    live: LastValues,
    services: Services,
    history: LateHistory,
    writes: DeviceWrites,
    stop: asyncio.Event,
) -> None:
    bus = await open_bus(config.bus, f"{config.node.name}-{role.value}", stop)
    if bus is None:
        return
    writes.bus = bus
    for _ in range(int(HISTORY_WAIT_S / 0.5)):
        if history.client is not None or stop.is_set() or not config.history.url:
            break
        await pause(stop, 0.5)
    try:
        await follow_bus(
            bus, live, services, stop, history=history.client, role=role, name=config.node.name
        )
    finally:
        writes.bus = None
        await bus.close()
