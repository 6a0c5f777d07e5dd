"""The second-level node as one thing, and the task that fulfils its duties.

``SecondLevel.open`` brings the tables up to date and repairs what a crash left between rows and
records. ``run_duties`` makes tables and deposits when they are due, probes enterprise nodes and
delivers the outbox, until told to stop.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import Engine, delete, insert, select

from mingwu.identity.client.handleclient import site_address
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import RecordStore
from mingwu.identity.routing import Journal
from mingwu.identity.secondlevel import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.secondlevel import migrations, outbox, report, schema
from mingwu.identity.secondlevel.applications import EPP, Applications
from mingwu.identity.secondlevel.desk import Desk
from mingwu.identity.secondlevel.duties import MONITOR, SYNC, Duties
from mingwu.identity.secondlevel.escrow import CHANNEL as ESCROW
from mingwu.identity.secondlevel.escrow import DIFF, Escrow
from mingwu.identity.secondlevel.handover import TOP_NODE
from mingwu.identity.secondlevel.hosted import Hosted
from mingwu.identity.secondlevel.hostedlookup import HostedLookup
from mingwu.identity.secondlevel.hostednames import HostedNames
from mingwu.identity.secondlevel.links import Links
from mingwu.identity.secondlevel.model import beijing_day
from mingwu.identity.secondlevel.monitoring import Monitoring, probe
from mingwu.identity.secondlevel.nodequery import NodeClient
from mingwu.identity.secondlevel.notices import take_notice
from mingwu.identity.secondlevel.outbox import Entry, Outbox, stamp
from mingwu.identity.secondlevel.prefixes import Prefixes
from mingwu.identity.secondlevel.reviewing import Reviewing
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.tenantkeys import TenantKeys
from mingwu.identity.secondlevel.tenants import Tenants
from mingwu.identity.secondlevel.unified import UnifiedQueries
from mingwu.identity.secondlevel.upstream import CommandRefused, Notice, Upstream
from mingwu.identity.secondlevel.usagecounts import AskedOf, UsageCounts
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import NotFound, Overloaded, PeerError, Unavailable
from mingwu.store.engine import open_engine, reading, writing
from mingwu.store.migrate import migrate
from mingwu.trust import secrets, sm2
from mingwu.trust.keys import Algorithm, PrivateKey, generate, load_private
from mingwu.wire.handle.site import Site

log = logging.getLogger(__name__)
COMPONENT = "identity.secondlevel"
_NOTICE = "notice"
_KEY_FILE = "secondlevel-sm2.key"
_QUERY_KEY_FILE = "secondlevel-query-rsa.pem"
_MOST_APPLICATIONS = 100_000
_DAYS_BACK = 3
_DAY_MS = 86_400_000

DaySource = Callable[[str], Iterable[AskedOf] | None]
"""Requests of a Beijing day (2026-11-23) as counted elsewhere; None while nothing is known."""

PeakSource = Callable[[str], tuple[int, int] | None]
"""The largest rate of a Beijing day, and when (ms); None while nothing is known."""


def node_key(directory: Path) -> bytes:
    """The node's SM2 key in its secrets folder, made at the first call."""
    return secrets.load_or_make(directory, _KEY_FILE, sm2.generate)


class SecondLevel:
    """All parts of the node over one relational store and one record store."""

    def __init__(
        self,
        engine: Engine,
        records: RecordStore,
        settings: SecondLevelSettings,
        site: Site,
        clock: Clock,
        scalar: bytes,
    ) -> None:
        self._engine = engine
        self._site = site
        self._pruned = self._counted = ""
        self._records = records
        self._fetch_at = 0
        self._is_deposit_wanted = False
        self.settings = settings
        self.clock = clock
        self.public_key = sm2.public_point(scalar)
        self.prefixes = Prefixes(engine, records, site)
        self.tenants = Tenants(engine, clock)
        self.keys = TenantKeys(engine, clock)
        self.applications = Applications(engine, settings, clock, self.prefixes)
        self.hosted = Hosted(engine, records, clock)
        self.lookup = HostedLookup(engine)
        self.prefixes.follow = HostedNames(engine, records).follow
        self.usage = UsageCounts(engine, clock)
        self.monitoring = Monitoring(engine, settings, clock)
        self.duties = Duties(engine, settings, clock, site)
        self.outbox = Outbox(engine, clock, settings.retry_s)
        self.escrow = Escrow(engine, records, settings, clock, scalar)
        self.upstream = Upstream(settings, scalar)
        self.links = Links(engine, clock)
        self.unified = UnifiedQueries(
            settings, lookup=self.lookup, links=self.links, tenants=self.tenants,
            client=NodeClient(self.query_key, settings.query_ca),
        )  # fmt: skip
        self.desk = Desk(
            engine, settings, clock, tenants=self.tenants, prefixes=self.prefixes,
            usage=self.usage, monitoring=self.monitoring,
        )  # fmt: skip
        self.reviewing = Reviewing(engine, settings)
        self.day_source: DaySource | None = None
        self.peak_source: PeakSource | None = None
        self.journal: Journal | None = None

    def query_key(self) -> PrivateKey:
        """The RSA key that this node proves itself with at enterprises' nodes; made when first
        asked for. Blocks.
        """
        directory = Path(self.settings.secrets_directory)
        pem = secrets.load_or_make(
            directory, _QUERY_KEY_FILE, lambda: generate(Algorithm.RSA).pem()
        )
        return load_private(pem)

    @property
    def engine(self) -> Engine:
        """The relational store, for parts that only read."""
        return self._engine

    @property
    def site(self) -> Site:
        """Where this node's resolver answers."""
        return self._site

    @classmethod
    def open(
        cls,
        settings: SecondLevelSettings,
        records: RecordStore,
        site: Site,
        clock: Clock | None = None,
    ) -> Self:
        """Open the node; ``site`` is where this node's resolver answers.

        Homes the node's own prefix, repairs and migrates. Errors as ``store.migrate``.
        """
        engine = open_engine(settings.store)
        migrate(engine, COMPONENT, migrations)
        key = node_key(Path(settings.secrets_directory))
        node = cls(engine, records, settings, site, clock or SystemClock(), key)
        node.tenants.ensure_groups()
        repaired = node.prefixes.replay() + node.hosted.replay()
        node.prefixes.rehome()
        if repaired:
            log.warning("repaired after a crash rows=%d", repaired)
        return node

    def close(self) -> None:
        """Write counters and marks and give the connections back."""
        self.hosted.close()
        self.keys.flush()
        self.usage.flush()
        self._engine.dispose()

    def report(self, month: str = "") -> dict[str, Any]:
        """The monthly report (empty: the running month)."""
        now = self.clock.time_ns() // 1_000_000
        month = month or report.this_month(now)
        start, end = report.month_span(month, now)
        applications, _ = self.applications.queue(limit=_MOST_APPLICATIONS)
        return report.monthly(
            month,
            self.settings.prefix,
            latencies=self.monitoring.latencies(month + "-01", month + "-31"),
            events=self.monitoring.events(since_ms=start, until_ms=end),
            gaps=self.monitoring.gaps(end),
            applications=applications,
            sla_percent=self.settings.sla_percent,
            now_ms=now,
            simulated=self.settings.simulated,
        )

    def put_template(self, handle: str, prefix: str, definition: Mapping[str, Any]) -> None:
        """Keep a data template for tables T4 and T11 (called by whoever owns templates)."""
        self._replace(
            schema.template,
            handle=handle,
            prefix=prefix,
            definition=msgspec.json.encode(definition).decode(),
        )

    def put_software(self, id_: str, prefix: str, name: str, purpose: str) -> None:
        """Keep an application that uses identifiers, for tables T5 and T10."""
        self._replace(schema.software, id=id_, prefix=prefix, name=name, purpose=purpose)

    def remove_software(self, id_: str) -> None:
        """Forget an application; raises NotFound ``secondlevel.software-unknown``."""
        gone = delete(schema.software).where(schema.software.c.id == id_)
        with writing(self._engine) as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound("secondlevel.software-unknown", id=id_)

    def software(self) -> list[dict[str, Any]]:
        """Applications known here."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(schema.software).order_by(schema.software.c.id))
            return [dict(row) for row in rows.mappings()]

    def _replace(self, table: Any, **values: object) -> None:
        key = next(iter(table.primary_key.columns))
        with writing(self._engine) as connection:
            values["changed_at_ms"] = stamp(connection, self.clock)
            connection.execute(delete(table).where(key == values[key.name]))
            connection.execute(insert(table).values(values))

    def templates(self) -> list[dict[str, Any]]:
        """Templates known here."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(schema.template).order_by(schema.template.c.handle))
            return [dict(row) for row in rows.mappings()]

    async def _send_prefix(self, entry: Entry) -> None:
        is_transfer = entry.body["verb"] == "transfer"
        try:
            state = await self.upstream.send_prefix(entry)
        except PeerError as error:
            final = is_transfer and isinstance(error, CommandRefused)
            if final and await asyncio.to_thread(self.hand_back, entry.subject, str(error)):
                return  # answered and acted upon; sending it again would do what was undone here
            await asyncio.to_thread(self.prefixes.set_upstream, entry.subject, "refused")
            raise
        if is_transfer and state == "registered":
            await asyncio.to_thread(self.applications.passed_on, entry.subject)
        await asyncio.to_thread(self.prefixes.set_upstream, entry.subject, state)

    def hand_back(self, prefix: str, reason: str) -> bool:
        """Undo a transfer that the top node refused; whether there was one."""
        rejected = self.applications.hand_back(prefix, reason)
        if rejected is None:
            return False
        log.warning("transfer refused prefix=%s reason=%s", prefix, reason)
        if self.journal is not None:
            detail = {"prefix": prefix, "reason": reason[:200]}
            self.journal(TOP_NODE, "identity.prefix-hand-back", rejected.id, detail, "")
        return True

    async def _take_notice(self, notice: Notice) -> None:
        await asyncio.to_thread(self.take_notice, notice)

    def take_notice(self, notice: Notice) -> None:
        """Act on a message of the top node, once: it comes again when its receipt was lost."""
        with reading(self._engine) as connection:
            if outbox.marked(connection, _NOTICE) == notice.id:
                return
        log.info("notice id=%s prefix=%s text=%s", notice.id, notice.prefix, notice.text)
        take_notice(self, self.settings.prefix, notice)
        with writing(self._engine) as connection:
            outbox.set_mark(connection, _NOTICE, notice.id)

    async def ask_registrar(self) -> None:
        """Deliver what is owed by EPP and, now and then, fetch what was decided."""
        try:
            await self.outbox.deliver(EPP, self._send_prefix)
            now = self.clock.monotonic_ns()
            if now >= self._fetch_at:
                self._fetch_at = now + int(self.settings.upstream_poll_s * 1e9)
                with suppress(Unavailable, PeerError):  # the outbox has told that already
                    await self.upstream.fetch(self._take_notice)
        finally:
            await self.upstream.epp.close()

    def prune(self) -> None:
        """Once a day: drop what was delivered and is older than it must be kept."""
        day = beijing_day(self.clock.time_ns() // 1_000_000)
        if day != self._pruned:
            self.outbox.prune(self.settings.keep_days)
            self.escrow.prune(self.settings.keep_days)
            self._pruned = day

    def repair(self) -> None:
        """Bring records up to date that a full disk left behind, as soon as it takes them."""
        with suppress(Unavailable, Overloaded):  # whoever wrote was told; next time
            self.prefixes.replay()
            self.hosted.catch_up()

    def make_deposit(self) -> str:
        """Make a deposit if it is due or wanted, and a receiver is known; its id or nothing."""
        receiver = bytes.fromhex(self.settings.upstream_public_key)
        if not receiver:
            return ""
        kind = self.escrow.due() or (DIFF if self._is_deposit_wanted else "")
        self._is_deposit_wanted = False
        return self.escrow.make(kind, receiver).id if kind else ""

    def want_deposit(self) -> None:
        """Let the next round make a deposit, whenever the last one was made."""
        self._is_deposit_wanted = True

    def count(self) -> None:
        """Bring the counters of the days up to date; tell the resolver limits and whom to refuse.

        With a source (the signed log) the counters of today are replaced by what stands there,
        at the first round and after midnight also those of the days before.
        """
        now = self.clock.time_ns() // 1_000_000
        today = beijing_day(now)
        self.usage.flush()
        if self.day_source is not None:
            back = 0 if self._counted == today else _DAYS_BACK
            for day in (beijing_day(now - ago * _DAY_MS) for ago in range(back, -1, -1)):
                rows = self.day_source(day)
                if rows is None:
                    break
                self.usage.replace_day(day, rows)
                self._keep_peak(day)
            else:
                self._counted = today
        self._records.limit(self.tenants.daily_limits())
        self._records.refuse(self.tenants.over_quota(today))
        self._records.tell_owners(self.tenants.owner_networks())

    def _keep_peak(self, day: str) -> None:
        peak = self.peak_source(day) if self.peak_source is not None else None
        if peak is not None:
            self.monitoring.set_peak(self.settings.prefix, day, *peak)

    async def round(self) -> None:
        """All duties once."""
        await self.tell()
        await self.deposit()

    async def tell(self) -> None:
        """One round of the quick duties: repair, count, make tables, register, deliver."""
        await asyncio.to_thread(self.repair)
        await asyncio.to_thread(self.count)
        await asyncio.to_thread(self.duties.make)
        await asyncio.to_thread(self.duties.make_report, self.report)
        if self.settings.upstream_epp:
            await self.ask_registrar()
        if self.settings.upstream_url:
            await self.outbox.deliver(SYNC, self.upstream.send_table)
            await self.outbox.deliver(MONITOR, self.upstream.send_table)

    async def deposit(self) -> None:
        """Make and deliver the deposit that is due; takes minutes for millions of names."""
        await asyncio.to_thread(self.make_deposit)
        await asyncio.to_thread(self.prune)
        if self.settings.upstream_url:
            await self.outbox.deliver(ESCROW, self.upstream.send_deposit)

    async def probe(self) -> None:
        """Probe the enterprises' own nodes and this one once."""
        nodes = await asyncio.to_thread(self.prefixes.all)
        await self.monitoring.probe_nodes(nodes)
        here = site_address(self._site, self.settings.prefix)
        if here is not None:
            one = await probe(
                self.settings.prefix, *here, name=f"{PREFIX_HOME}/{self.settings.prefix}",
                timeout_s=self.settings.probe_timeout_s,
            )  # fmt: skip
            await asyncio.to_thread(self.monitoring.note, [one])


async def run_duties(node: SecondLevel, stop: asyncio.Event) -> None:
    """Fulfil the duties until ``stop``; a failing round is logged and tried again."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_every(node.settings.round_s, node.tell, stop))
        group.create_task(_every(node.settings.round_s, node.deposit, stop))
        group.create_task(_every(node.settings.probe_interval_s, node.probe, stop))


async def _every(interval_s: float, work: Any, stop: asyncio.Event) -> None:
    failing = False
    while not stop.is_set():
        try:
            await work()
        except Exception:
            if not failing:
                log.exception("duty failed work=%s", work.__name__)
            failing = True
        else:
            failing = False
        try:
            async with asyncio.timeout(interval_s):
                await stop.wait()
        except TimeoutError:
            continue
