"""The resolver role: the registry's things become records, the bus makes their values live."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mingwu.bus.client import Bus
from mingwu.bus.lastvalue import LastValues
from mingwu.bus.subjects import status
from mingwu.identity.access.administration import Change
from mingwu.identity.cards import sync_cards
from mingwu.identity.records import RecordStore
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.identity.statistics import Statistics
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config, IdentityPart
from mingwu.node.grants import EnterpriseGrants
from mingwu.node.live import keep_live, pause
from mingwu.node.namecounts import NameCounts
from mingwu.node.roots import foreign_identities
from mingwu.registry.service import Registry
from mingwu.trust.journal import OK
from mingwu.trust.service import Trust
from mingwu.wire.handle.codes import Rc

if TYPE_CHECKING:
    from mingwu.identity.usage.dayquota import DayQuota
    from mingwu.identity.usage.log import UsageLog
    from mingwu.node.signing import Signing

log = logging.getLogger(__name__)


async def run(config: Config, stop: asyncio.Event) -> None:
    """Answer names until ``stop``, whatever else is up or down."""
    registry = Registry.open(config.registry)
    trust = Trust.open(config.trust)
    store = open_store(config.resolver)
    live = LastValues()
    name = f"{config.node.name}-resolver"
    statistics = Statistics()

    async def say(bus: Bus) -> None:
        await bus.publish_json(status("resolver", config.node.name), statistics.snapshot())

    try:
        await _follow_once(registry, store, config)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_live(live, config.bus, name, stop, say=say))
            quota = await asyncio.to_thread(_day_quota, config, store)
            usage = await asyncio.to_thread(_open_usage, config, store, quota)
            follow = store.follow_refused
            if usage and quota:
                follow = quota.follow
                tasks.create_task(_count_earlier(quota, usage.number))
            tasks.create_task(_follow(registry, store, config, _told(follow, store, usage), stop))
            signing = await asyncio.to_thread(_open_signing, config, store)
            asks = config.runs(IdentityPart.ENTERPRISE)
            grants = EnterpriseGrants(config, store) if asks else None
            try:
                server = ResolverServer(
                    config.resolver,
                    store,
                    live,
                    _journal(trust),
                    statistics,
                    usage=usage,
                    dress=signing.dress if signing else None,
                    grants=grants,
                    verdicts=await asyncio.to_thread(foreign_identities, config),
                )
                async with server:
                    if signing:
                        tasks.create_task(signing.run(stop))
                    if config.oid_dns.listen:
                        tasks.create_task(_oid_dns(config, store, stop))
                    await stop.wait()
            finally:
                if usage:
                    await asyncio.to_thread(usage.close)
                if grants:
                    grants.close()
    finally:
        store.close()
        trust.close()
        registry.close()


async def _oid_dns(config: Config, store: RecordStore, stop: asyncio.Event) -> None:
    """OIDs over DNS; a node resolves without it rather than not at all."""
    from mingwu.identity.aliases.dnsserver import OidDnsServer

    try:
        async with OidDnsServer(config.oid_dns, store):
            await stop.wait()
    except MingwuError as error:
        log.warning("oid-dns=off code=%s %s", error.code, error)


def _day_quota(config: Config, store: RecordStore) -> "DayQuota | None":
    """Holds the tenants' daily limits where both the second-level node and the log are on."""
    if not (config.runs(IdentityPart.SECONDLEVEL) and config.runs(IdentityPart.USAGE)):
        return None
    from mingwu.identity.usage.dayquota import DayQuota

    return DayQuota(store, config.usage)


async def _count_earlier(quota: "DayQuota", number: int) -> None:
    """What was asked today before this start; until it is counted, the duties' rounds tell."""
    try:
        await asyncio.to_thread(quota.count_earlier, number)
    except (OSError, ValueError) as error:
        log.warning("day quota counts from now on fault=%s", error)


def _open_usage(config: Config, store: RecordStore, quota: "DayQuota | None") -> "UsageLog | None":
    """The log of what is asked; a node resolves without it rather than not at all."""
    if not config.runs(IdentityPart.USAGE):
        return None
    from mingwu.identity.usage.log import UsageLog

    try:
        return UsageLog.open(
            config.usage, node=config.node.name, registered=NameCounts(store), quota=quota
        )
    except (MingwuError, OSError) as error:
        log.warning("usage log=off fault=%s", error)
        return None


def _open_signing(config: Config, store: RecordStore) -> "Signing | None":
    if not config.runs(IdentityPart.TRUST):
        return None
    from mingwu.node.signing import Signing

    try:
        return Signing(config, store)
    except MingwuError as error:
        log.warning("trust=off code=%s %s", error.code, error)
        return None


def _journal(trust: Trust) -> Callable[[Change], None]:
    """Changes asked for over the protocol stand in the node's journal, refused ones too."""

    def note(change: Change) -> None:
        outcome = OK if change.rc == Rc.SUCCESS else f"handle.{change.rc}"
        action = f"handle.{change.operation}"
        trust.journal.append(
            change.who or "anonymous", action, change.handle, outcome=outcome, address=change.source
        )

    return note


def _told(
    quotas: Callable[[], None], store: RecordStore, usage: "UsageLog | None"
) -> Callable[[], None]:
    """Follows what the second-level node told: who is over his quota, where owners ask from."""

    def follow() -> None:
        quotas()
        if usage:
            usage.follow_owners(store.owners())

    return follow


async def _follow(
    registry: Registry,
    store: RecordStore,
    config: Config,
    told: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Bring records up to date when the registry changed; follow what was told (:func:`_told`)."""
    generation = await asyncio.to_thread(registry.generation)
    while not stop.is_set():
        await pause(stop, config.node.registry_watch_s)
        try:
            await asyncio.to_thread(told)
            now = await asyncio.to_thread(registry.generation)
            if now != generation:
                await _follow_once(registry, store, config)
                generation = now
        except MingwuError as error:
            log.debug("registry fault=%s", error)


async def _follow_once(registry: Registry, store: RecordStore, config: Config) -> None:
    cards = await asyncio.to_thread(registry.cards)
    base = config.console.public_url
    summary = await asyncio.to_thread(sync_cards, store, cards, base_url=base)
    log.info("cards=%d stored=%d gone=%d", len(cards), summary.stored, summary.removed)
