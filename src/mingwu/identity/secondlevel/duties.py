"""Filling the sync and monitoring tables when they are due, into the outbox.

Each table has a mark (content digest, time, day, month or change number up to which it was made).
Rows and mark are written in one transaction: after a crash a table is made again or not at all, so
nothing is left out and nothing is reported twice. Periods count in Beijing time.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from mingwu.identity.secondlevel import outbox, schema
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    Mode,
    SiteForm,
    beijing_day,
    iso,
)
from mingwu.identity.secondlevel.monitoring import UNMEASURED
from mingwu.identity.secondlevel.prefixes import served
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.synctables import (
    TABLES,
    EnterpriseDay,
    IdentifierChange,
    Metadata,
    MonitoringDay,
    MonitoringEvent,
    MonthlySla,
    NodeDay,
    Period,
    Routing,
    Software,
    SourceCount,
    Subject,
)
from mingwu.kernel.clock import Clock
from mingwu.store.engine import lock, reading, writing
from mingwu.wire.handle.site import Site, Transport

_P, _E, _I, _C, _D = (
    schema.prefix,
    schema.enterprise,
    schema.identifier,
    schema.change,
    schema.daily,
)
SYNC, MONITOR, SLA = "sync", "monitor", "A3"
ROWS_PER_MESSAGE = 1000
CHANGES_PER_ROUND = 50_000  # bounds memory and the time that the store is held
_HOUR_MS = 3_600_000
_ADDED = 1
_MOST_SOURCES = 1000
Rows = Sequence[msgspec.Struct]


class Duties:
    """Generators of the tables. Synchronous, for use in threads."""

    def __init__(
        self, engine: Engine, settings: SecondLevelSettings, clock: Clock, site: Site
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._site = site
        self._by_change: dict[str, Callable[[Connection, int, int], Rows]] = {
            "T4": self._templates_own,
            "T6": self._subjects,
            "T7": self._routes,
            "T11": self._templates_tenants,
        }
        self._by_day: dict[str, Callable[[Connection, str], Rows]] = {
            "T3": self._node_day,
            "T8": self._enterprise_days,
            "M1": self._monitoring_days,
        }

    def make(self) -> dict[str, int]:
        """Make every table that is due; returns rows by table."""
        made: dict[str, int] = {}
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.change")  # see outbox.stamp
            now = self._clock.time_ns() // 1_000_000
            for table in TABLES:
                if table == SLA:
                    continue  # see make_report
                rows = self._make(connection, table, now)
                if rows:
                    made[table] = rows
        return made

    def make_report(self, report: Callable[[str], Mapping[str, Any]]) -> str:
        """Table A3 for the month before this one, once; returns the month or nothing.

        ``report`` gives a month's report. A node's first month is begun, not reported.
        """
        now = self._clock.time_ns() // 1_000_000
        first = date.fromisoformat(beijing_day(now)[:7] + "-01")
        month = (first - timedelta(days=1)).isoformat()[:7]
        with reading(self._engine) as connection:
            mark = outbox.marked(connection, SLA)
        if mark == month:
            return ""
        rows = [sla_row(report(month))] if mark else []
        with writing(self._engine) as connection:
            self._put(connection, SLA, mark, month, rows, now)
        return month if rows else ""

    def _make(self, connection: Connection, table: str, now: int) -> int:
        mark = outbox.marked(connection, table)
        if table in {"T1", "T2"}:
            rows: Rows = [self._operator()] if table == "T1" else [self._own_route()]
            following = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
            return self._put(connection, table, mark, following, rows, now)
        if table in self._by_change:
            return self._make_changes(connection, table, mark, now)
        if table in {"T5", "T10"}:
            month = beijing_day(now)[:7]
            rows = self._software(connection, month, own=table == "T5") if mark != month else ()
            return self._put(connection, table, mark, month, rows, now)
        if table == "T9":
            return self._make_identifiers(connection, mark, now)
        if table == "M2":
            return self._make_events(connection, mark, now)
        return self._make_days(connection, table, mark, now)

    def _make_changes(self, connection: Connection, table: str, mark: str, now: int) -> int:
        """Tables of what changed: at once, once an hour or once a day (mark: up to when)."""
        since = int(mark or 0)
        period = TABLES[table].period
        if period == Period.HOURLY and now // _HOUR_MS == since // _HOUR_MS:
            return 0
        if period == Period.DAILY and beijing_day(now) == beijing_day(since):
            return 0
        upto = now - 1  # a change of this very millisecond may still be on its way
        if upto <= since:  # the clock was set back
            return 0
        rows = self._by_change[table](connection, since, upto)
        return self._put(connection, table, mark, str(upto), rows, now)

    def _make_days(self, connection: Connection, table: str, mark: str, now: int) -> int:
        """Tables of whole days: yesterday, and the days missed since the mark."""
        yesterday = date.fromisoformat(beijing_day(now)) - timedelta(days=1)
        day = date.fromisoformat(mark) + timedelta(days=1) if mark else yesterday
        total = 0
        while day <= yesterday:
            rows = self._by_day[table](connection, day.isoformat())
            total += self._put(connection, table, mark, day.isoformat(), rows, now)
            day += timedelta(days=1)
        return total

    def _make_identifiers(self, connection: Connection, mark: str, now: int) -> int:
        last_day, _, sequence = mark.partition(" ")
        today = beijing_day(now)
        if last_day == today:
            return 0
        newest = connection.execute(select(func.max(_C.c.sequence))).scalar() or 0
        upto = min(newest, int(sequence or 0) + CHANGES_PER_ROUND)
        query = select(_C).where(_C.c.sequence > int(sequence or 0), _C.c.sequence <= upto)
        rows = [
            _identifier_change(dict(row._mapping))  # noqa: SLF001
            for row in connection.execute(query.order_by(_C.c.sequence))
        ]
        day = today if upto == newest else last_day
        return self._put(connection, "T9", mark, f"{day} {upto}", rows, now)

    def _make_events(self, connection: Connection, mark: str, now: int) -> int:
        table = schema.event
        since = int(mark or 0)
        if now - 1 <= since:
            return 0
        query = select(table).where(
            table.c.kind != UNMEASURED, (table.c.began_ms > since) | (table.c.ended_ms > since)
        )
        rows = []
        for row in connection.execute(query.order_by(table.c.number)):
            for event, at in (("abnormal", row.began_ms), ("recovered", row.ended_ms)):
                if since < at < now:
                    rows.append(
                        MonitoringEvent(id=row.number, node=row.node, kind=row.kind, event=event,
                                        at=iso(at), cause=row.cause, text=row.text_zh)
                    )  # fmt: skip
        return self._put(connection, "M2", mark, str(now - 1), rows, now)

    def _put(
        self, connection: Connection, table: str, mark: str, following: str, rows: Rows, now: int
    ) -> int:
        if mark == following:
            return 0
        channel = MONITOR if table.startswith("M") else SYNC
        for start in range(0, len(rows), ROWS_PER_MESSAGE):
            body = {
                "table": table,
                "node": self._settings.prefix,
                "period": TABLES[table].period.value,
                "made_at": iso(now),
                "rows": rows[start : start + ROWS_PER_MESSAGE],
            }
            outbox.put(connection, channel, table, body, now)
        outbox.set_mark(connection, table, following)
        return len(rows)

    def _operator(self) -> Subject:
        settings = self._settings
        return Subject(
            prefix=settings.prefix, uscc=settings.operator_uscc, name=settings.operator_zh,
            name_en=settings.operator_en, kind="second-level node",
        )  # fmt: skip

    def _own_route(self) -> Routing:
        server = self._site.servers[0]
        ports = {one.transport: one.port for one in server.interfaces}
        return Routing(
            prefix=self._settings.prefix, tcp_port=ports.get(Transport.TCP, 0),
            udp_port=ports.get(Transport.UDP, 0), http_port=ports.get(Transport.HTTP, 0),
            **_address(server.host),
        )  # fmt: skip

    def _subjects(self, connection: Connection, since: int, upto: int) -> Rows:
        query = select(_P.c.prefix, _P.c.state, _P.c.changed_at_ms, _E.c.uscc, _E.c.profile).join(
            _E, _E.c.uscc == _P.c.uscc
        )
        query = query.where(_within(_P, since, upto) | _within(_E, since, upto))
        return [
            subject_row(row.prefix, row.profile, row.state, row.changed_at_ms)
            for row in connection.execute(query.order_by(_P.c.prefix))
        ]

    def _routes(self, connection: Connection, since: int, upto: int) -> Rows:
        query = select(_P).where(_within(_P, since, upto)).order_by(_P.c.prefix)
        own = self._own_route()
        rows = []
        for row in connection.execute(query):
            told: dict[str, Any] = {
                "prefix": row.prefix,
                "state": row.state,
                "changed_at": iso(row.changed_at_ms),
            }
            site = msgspec.json.decode(row.site, type=SiteForm | None)
            if row.mode == Mode.HOSTED.value or site is None:
                rows.append(msgspec.structs.replace(own, hosted=True, **told))
            else:
                rows.append(
                    Routing(**told, **_address(site.host), tcp_port=site.port, udp_port=site.port,
                            http_port=site.http_port, service=site.service)
                )  # fmt: skip
        return rows

    def _templates(self, connection: Connection, since: int, upto: int, *, own: bool) -> Rows:
        table = schema.template
        is_own = table.c.prefix == self._settings.prefix
        query = select(table).where(_within(table, since, upto), is_own if own else ~is_own)
        return [
            Metadata(handle=row.handle, prefix=row.prefix, definition=row.definition,
                     changed_at=iso(row.changed_at_ms))
            for row in connection.execute(query.order_by(table.c.handle))
        ]  # fmt: skip

    def _templates_own(self, connection: Connection, since: int, upto: int) -> Rows:
        return self._templates(connection, since, upto, own=True)

    def _templates_tenants(self, connection: Connection, since: int, upto: int) -> Rows:
        return self._templates(connection, since, upto, own=False)

    def _software(self, connection: Connection, month: str, *, own: bool) -> Rows:
        table = schema.software
        is_own = table.c.prefix == self._settings.prefix
        query = select(table).where(is_own if own else ~is_own).order_by(table.c.id)
        return [
            Software(month=month, id=row.id, prefix=row.prefix, name=row.name, purpose=row.purpose)
            for row in connection.execute(query)
        ]

    def _node_day(self, connection: Connection, day: str) -> Rows:
        start, end = _span(day)
        sums = select(func.sum(_D.c.requests), func.sum(_D.c.successes)).where(_D.c.day == day)
        requests, successes = connection.execute(sums).one()
        sources = (
            select(_D.c.source, func.sum(_D.c.requests).label("requests"))
            .where(_D.c.day == day)
            .group_by(_D.c.source)
            .order_by(func.sum(_D.c.requests).desc())
            .limit(_MOST_SOURCES)
        )
        active = select(func.count()).select_from(_P).where(_P.c.state == "active")
        new = active.where(_P.c.since_ms >= start, _P.c.since_ms < end)
        held = select(func.count()).where(~_I.c.deleted, _I.c.prefix.in_(served()))
        return [
            NodeDay(
                day=day,
                prefixes_new=connection.execute(new).scalar_one(),
                prefixes=connection.execute(active).scalar_one(),
                identifiers=connection.execute(held).scalar_one(),
                requests=int(requests or 0),
                successes=int(successes or 0),
                sources=tuple(
                    SourceCount(source=row.source, requests=int(row.requests))
                    for row in connection.execute(sources)
                ),
            )
        ]

    def _enterprise_days(self, connection: Connection, day: str) -> Rows:
        start, end = _span(day)
        kept = select(_I.c.prefix, func.count()).where(~_I.c.deleted, _I.c.prefix.in_(served()))
        held = _grouped(connection, kept, _I)
        added = select(_C.c.prefix, func.count()).where(
            _C.c.at_ms >= start, _C.c.at_ms < end, _C.c.operation == _ADDED
        )
        new = _grouped(connection, added, _C)
        of_day = _D.c.day == day
        asked = _grouped(connection, select(_D.c.prefix, func.sum(_D.c.requests)).where(of_day), _D)
        good = _grouped(connection, select(_D.c.prefix, func.sum(_D.c.successes)).where(of_day), _D)
        query = select(_P.c.prefix, _P.c.uscc).where(_P.c.state == "active").order_by(_P.c.prefix)
        return [
            EnterpriseDay(
                day=day, prefix=row.prefix, uscc=row.uscc, registered=new.get(row.prefix, 0),
                identifiers=held.get(row.prefix, 0), requests=asked.get(row.prefix, 0),
                successes=good.get(row.prefix, 0),
            )
            for row in connection.execute(query)
        ]  # fmt: skip

    def _monitoring_days(self, connection: Connection, day: str) -> Rows:
        table = schema.latency
        query = select(table).where(table.c.day == day).order_by(table.c.node, table.c.what)
        rows = []
        for row in connection.execute(query).mappings():
            count = row["count"]
            rows.append(
                MonitoringDay(
                    day=day, node=row["node"], what=row["what"], count=count,
                    failures=row["failures"], mean_us=row["sum_us"] // count if count else 0,
                    least_us=row["least_us"], least_at=iso(row["least_at_ms"]),
                    most_us=row["most_us"], most_at=iso(row["most_at_ms"]),
                    peak_qps=row["peak_qps"], peak_at=iso(row["peak_at_ms"]),
                )
            )  # fmt: skip
        return rows


def sla_row(report: Mapping[str, Any]) -> MonthlySla:
    """The row of a month's report."""
    sla = report["sla"]
    mine = [row for row in report["operating_time"] if row["node"] == report["node"]]
    return MonthlySla(
        month=report["month"], node=report["node"], sla_percent=sla["percent"],
        register_rtt_ms=sla["register_rtt_ms"], resolve_rtt_ms=sla["resolve_rtt_ms"],
        activation_delay_h=sla["activation_delay_h"],
        up_hours=mine[0]["up_hours"] if mine else 0.0,
        maintenance=len(report["maintenance"]), incidents=len(report["emergencies"]),
    )  # fmt: skip


def subject_row(prefix: str, profile: str, state: str, changed_at_ms: int) -> Subject:
    """The subject row of an enterprise from its accepted form; citizen numbers stay here."""
    form = msgspec.json.decode(profile, type=ApplicationForm)
    return Subject(
        prefix=prefix, uscc=form.organisation.uscc, name=form.organisation.name,
        name_en=form.organisation.name_en, kind=form.organisation.kind,
        industry=form.organisation.industry, region=form.organisation.region,
        address=form.organisation.address, legal_person=form.legal_person.name,
        contact=form.contact.name, contact_phone=form.contact.phone,
        contact_email=form.contact.email, state=state, changed_at=iso(changed_at_ms),
    )  # fmt: skip


def _within(table: Table, since: int, upto: int) -> ColumnElement[bool]:
    changed = table.c.changed_at_ms
    return (changed > since) & (changed <= upto)


def _address(host: str) -> dict[str, Any]:
    return {"ipv6" if ":" in host else "ipv4": host}


def _span(day: str) -> tuple[int, int]:
    """(first, one behind the last) ms of a Beijing day."""
    days = (date.fromisoformat(day) - date(1970, 1, 1)).days
    start = days * 24 * _HOUR_MS - 8 * _HOUR_MS
    return start, start + 24 * _HOUR_MS


def _grouped(connection: Connection, query: object, table: object) -> dict[str, int]:
    grouped = query.group_by(table.c.prefix)  # type: ignore[attr-defined]
    return {row[0]: int(row[1] or 0) for row in connection.execute(grouped)}


def _t9(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Values named ``t9.<field>``, as fields of the row."""
    return {name: values[f"t9.{name}"] for name in names if f"t9.{name}" in values}


_T9_FIELDS = tuple(
    name
    for name in IdentifierChange.__struct_fields__
    if name not in {"code", "prefix", "operation", "date", "template"}
)


def _identifier_change(row: Mapping[str, object]) -> IdentifierChange:
    values = msgspec.json.decode(str(row["content"]), type=dict[str, str])
    return IdentifierChange(
        code=str(row["name"]), prefix=str(row["prefix"]), operation=int(str(row["operation"])),
        date=iso(int(str(row["at_ms"]))), template=str(row["template"]), **_t9(values, _T9_FIELDS),
    )  # fmt: skip
