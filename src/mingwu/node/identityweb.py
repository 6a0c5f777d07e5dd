"""The identity plane inside a web process: its engines opened, its routes for the API to mount.

Engines of the web process write records beside the resolver role; the record store's lock keeps
them apart. What only one process of a node may do (seeding the demonstration, the duties of a
second-level node) is done by the process that :func:`is_leading` names.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route

from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import MingwuError
from mingwu.lab.settings import LabWorld
from mingwu.node.config import Config, IdentityPart, Role
from mingwu.node.live import pause
from mingwu.node.namecounts import NameCounts
from mingwu.registry.service import Registry
from mingwu.trust.service import Trust

if TYPE_CHECKING:
    from mingwu.identity.aliases.chain import Source
    from mingwu.identity.carriers.withholding import Readable
    from mingwu.identity.client.handleclient import Resolution
    from mingwu.identity.enterprise.service import EnterpriseNode
    from mingwu.identity.secondlevel.service import SecondLevel

log = logging.getLogger(__name__)

Journal = Callable[[str, str, str, dict[str, Any], str], None]
GS1_MOUNT = "/gs1"
_GS1_DESCRIPTION = "/.well-known/gs1resolver"
_SEED_LOOK_S = 0.5
_KEEP_UP_S = 5.0


@dataclass
class IdentityWeb:
    """Routes, and what runs beside them until ``stop``; close ``stack`` at the end."""

    guarded: list[Route] = field(default_factory=list)
    free: list[BaseRoute] = field(default_factory=list)
    beside: list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)


def is_leading(config: Config, role: Role) -> bool:
    """Whether this web process does what only one may do."""
    return role is (Role.CONSOLE if Role.CONSOLE in config.node.roles else Role.API)


async def _to_gs1(_request: Request) -> RedirectResponse:
    return RedirectResponse(GS1_MOUNT + _GS1_DESCRIPTION)


def gs1_root(config: Config) -> str:
    """Where Digital Links of this node resolve, as far as the file tells; else empty."""
    public = config.console.public_url.rstrip("/")
    return config.gs1.resolver_root or (public + GS1_MOUNT if public else "")


def open_identity(
    config: Config,
    role: Role,
    store: RecordStore,
    registry: Registry,
    trust: Trust,
    journal: Journal,
) -> IdentityWeb:
    """Open the parts that the configuration names. Blocks; raises MingwuError of the stores."""
    web = IdentityWeb()
    try:
        if config.runs(IdentityPart.CODES):
            from mingwu.identity.aliases.http import routes as alias_routes

            web.guarded += alias_routes(store, source=_chain_source(config, store))
        if config.runs(IdentityPart.GS1):
            from mingwu.identity.gs1.http import routes as gs1_routes

            web.free.append(Mount(GS1_MOUNT, routes=gs1_routes(store, config.gs1)))
            # where clients look that know the host only
            web.free.append(Route(_GS1_DESCRIPTION, _to_gs1, methods=["GET"]))
        if config.runs(IdentityPart.MARKING):
            from mingwu.identity.marking.http import routes as marking_routes

            web.guarded += marking_routes(
                store,
                config.marking,
                base_url=config.console.public_url,
                gs1_root=gs1_root(config),
            )
        if config.runs(IdentityPart.TRUST):
            from mingwu.identity.trusted.http import routes as trust_routes
            from mingwu.node.signing import anchors

            web.guarded += trust_routes(store, anchors(config))
        if config.runs(IdentityPart.USAGE):
            web.guarded += _usage(config, store)
        enterprise = secondlevel = None
        if config.runs(IdentityPart.ENTERPRISE):
            enterprise = _enterprise(web, config, role, store, registry, trust, journal)
        if config.runs(IdentityPart.SECONDLEVEL):
            secondlevel = _secondlevel(web, config, role, store, trust, journal)
        if config.runs(IdentityPart.CARRIERS):
            _carriers(web, config, role, store, journal, enterprise, secondlevel)
    except BaseException:
        web.stack.close()
        raise
    return web


def _chain_source(config: Config, store: RecordStore) -> "Source":
    """Where chains ask: the own store, and other nodes where a root is named."""
    from mingwu.identity.aliases.sources import local_source
    from mingwu.identity.client.root import resolve_from
    from mingwu.node.roots import root_of

    if not config.resolver.root:
        return local_source(store)
    root = root_of(config.resolver.root, config.file.parent)

    async def ask(name: str) -> "Resolution":
        return await resolve_from(root, name, aliases=False)

    return local_source(store, server=root.server or config.resolver.root, ask=ask)


def _usage(config: Config, store: RecordStore) -> list[Route]:
    """The statistics; the resolver role begins the log, perhaps after we serve."""
    from mingwu.identity.usage.http import routes
    from mingwu.identity.usage.statistics import UsageStatistics

    counts = NameCounts(store)
    return routes(cache(lambda: UsageStatistics.beside(config.usage, counts)))


def _enterprise(
    web: IdentityWeb,
    config: Config,
    role: Role,
    store: RecordStore,
    registry: Registry,
    trust: Trust,
    journal: Journal,
) -> "EnterpriseNode":
    from mingwu.identity.enterprise.door import EnterpriseServices
    from mingwu.identity.enterprise.facades import idhub, snms
    from mingwu.identity.enterprise.imports.desk import ImportDesk
    from mingwu.identity.enterprise.routes import imports, names
    from mingwu.identity.enterprise.service import EnterpriseNode

    node = EnterpriseNode.open(config.enterprise, store)
    node.unpublished = config.carriers.unpublished_readings
    web.stack.callback(node.close)
    services = EnterpriseServices(
        node=node, accounts=trust.accounts, sessions=trust.sessions, journal=journal
    )
    desk = ImportDesk(node, services.note_of)
    web.stack.callback(desk.close)
    web.guarded += [*names.routes(services), *imports.routes(services, desk)]
    web.free += [*snms.routes(services), *idhub.routes(services)]
    if is_leading(config, role):
        web.beside.append(lambda stop: _keep_up(node, stop))
    if (
        Role.LAB in config.node.roles
        and config.lab.world is LabWorld.PLANT
        and is_leading(config, role)
    ):
        # the simulated plant registers its things as an enterprise would
        async def seed(stop: asyncio.Event) -> None:
            from mingwu.identity.enterprise.seed import seed_s1
            from mingwu.lab.plant.objects import DETAILS

            cards = await asyncio.to_thread(registry.cards)
            while not stop.is_set() and len(await asyncio.to_thread(store.cards)) < len(cards):
                await pause(stop, _SEED_LOOK_S)
            if stop.is_set():
                return
            try:
                report = await asyncio.to_thread(seed_s1, node, cards, details=DETAILS)
            except MingwuError as error:
                log.warning("seed failed code=%s %s", error.code, error)
            else:
                log.info("seed registered=%d refused=%d", report.registered, report.refused)

        web.beside.append(seed)
    return node


async def _keep_up(node: "EnterpriseNode", stop: asyncio.Event) -> None:
    """Project what a full disk left behind as soon as it takes it, without waiting for a write."""
    while not stop.is_set():
        await pause(stop, _KEEP_UP_S)
        with suppress(MingwuError):  # whoever wrote was told; next time
            await asyncio.to_thread(node.recover)


def _secondlevel(
    web: IdentityWeb,
    config: Config,
    role: Role,
    store: RecordStore,
    trust: Trust,
    journal: Journal,
) -> "SecondLevel":
    from mingwu.identity.secondlevel.iiidap.http import routes as iiidap_routes
    from mingwu.identity.secondlevel.routes import desk, hostednames, operating, queries
    from mingwu.identity.secondlevel.routes.node import routes
    from mingwu.identity.secondlevel.service import SecondLevel, run_duties
    from mingwu.identity.server.process import site_of
    from mingwu.node.latelines import keep_journal
    from mingwu.node.prefixuse import LogUse

    site = site_of(config.resolver, config.resolver.port, config.resolver.http_port)
    node = SecondLevel.open(config.secondlevel, store, site)
    web.stack.callback(node.close)
    node.journal = journal
    if config.runs(IdentityPart.USAGE):
        node.desk.use_source = use = LogUse(config.usage, NameCounts(store))
        node.day_source, node.peak_source = use.of_day, use.peak_of
    web.guarded += [*desk.routes(node, journal), *routes(node, journal)]
    web.guarded += [*iiidap_routes(node), *queries.routes(node, journal)]
    web.guarded += [*hostednames.routes(node, journal), *operating.routes(node, journal)]
    if is_leading(config, role):
        if Role.LAB in config.node.roles and config.lab.world is LabWorld.TOPNODE:
            from mingwu.node.enterpriseseed import fill_and_serve

            web.beside.append(lambda stop: fill_and_serve(node, config, store, journal, stop))
        else:
            web.beside.append(lambda stop: run_duties(node, stop))
            web.beside.append(lambda stop: keep_journal(node, trust.journal, journal, stop))
    return node


def _granted(enterprise: "EnterpriseNode | None") -> "Readable | None":
    """Which values of a name the enterprise node granted to an account."""
    if enterprise is None:
        return None
    return lambda name, account: enterprise.readable(name, (account,))


def _carriers(
    web: IdentityWeb,
    config: Config,
    role: Role,
    store: RecordStore,
    journal: Journal,
    enterprise: "EnterpriseNode | None",
    secondlevel: "SecondLevel | None",
) -> None:
    from mingwu.identity.carriers.http import bearer_routes, routes
    from mingwu.node.carrierbearers import beside, open_platform

    platform = open_platform(config, store, enterprise, secondlevel)
    web.stack.callback(platform.close)
    if config.runs(IdentityPart.USAGE):
        from mingwu.node.carrieruse import CarrierUse

        platform.queries.source = CarrierUse(config.usage, NameCounts(store))
    web.guarded += routes(platform, journal, _granted(enterprise))
    web.free += bearer_routes(platform)
    if is_leading(config, role):
        if Role.LAB in config.node.roles and config.lab.world is LabWorld.CARRIERS:
            from mingwu.node.carrierseed import provision, seed

            provision(platform, config.lab_carriers)
            web.beside.append(lambda stop: seed(platform, config.lab_carriers, stop))
        web.beside += beside(config, platform)
