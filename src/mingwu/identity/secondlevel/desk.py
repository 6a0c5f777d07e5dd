"""What people at the operator's desk look at: rows joined for the tables of the console.

Reading only. What a reviewer sees of one application is in ``reviewing``.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, case, func, select

from mingwu.identity.secondlevel import outbox, schema
from mingwu.identity.secondlevel.coderules import RULES
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    Mode,
    PrefixRow,
    State,
    Tenant,
    beijing_day,
    iso,
)
from mingwu.identity.secondlevel.monitoring import Monitoring
from mingwu.identity.secondlevel.prefixes import ACTIVE, Prefixes
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.synctables import TABLES, Period
from mingwu.identity.secondlevel.tenants import Tenants
from mingwu.identity.secondlevel.usagecounts import UsageCounts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput
from mingwu.store.engine import reading

_A, _E, _P, _G, _D, _N = (
    schema.application,
    schema.enterprise,
    schema.prefix,
    schema.group,
    schema.daily,
    schema.deposit,
)
# A tenant with at least so many identifiers of which others resolve less than this share in 30
# days registers for the count's sake; below that number a share says little.
MANY_IDENTIFIERS, LITTLE_SHARE = 100, 0.01
_WINDOW_DAYS = 30
_DAY_MS = 86_400_000
_MOST_EVENTS = 200
SORTS = ("uscc", "name", "identifiers", "foreign_share", "requests_today", "prefix")


class PrefixUse(msgspec.Struct, frozen=True, kw_only=True):
    """Requests for a prefix in 30 days and today; names that others than its owner resolved."""

    requests: int
    foreign: int
    today: int


UseSource = Callable[[], Mapping[str, PrefixUse] | None]
"""Gives the use per prefix from elsewhere (the signed log), or None while that has none."""


class Desk:
    """Rows for the tables of the console. Synchronous, for use in threads."""

    def __init__(
        self,
        engine: Engine,
        settings: SecondLevelSettings,
        clock: Clock,
        *,
        tenants: Tenants,
        prefixes: Prefixes,
        usage: UsageCounts,
        monitoring: Monitoring,
    ) -> None:
        self._engine, self._settings, self._clock = engine, settings, clock
        self._tenants, self._prefixes = tenants, prefixes
        self._usage, self._monitoring = usage, monitoring
        self.use_source: UseSource | None = None

    def about(self) -> dict[str, object]:
        """The node itself: prefix, operator, default limits, groups, code rules, what is free."""
        settings = self._settings
        with reading(self._engine) as connection:
            groups = [dict(row) for row in connection.execute(select(_G)).mappings()]
            taken = set(connection.execute(select(_P.c.prefix)).scalars())
            open_ = _A.c.state.in_((State.SUBMITTED.value, State.RETURNED.value))
            taken |= set(connection.execute(select(_A.c.prefix).where(open_)).scalars())
        return {
            "prefix": settings.prefix,
            "operator_zh": settings.operator_zh,
            "operator_en": settings.operator_en,
            "simulated": settings.simulated,
            "upstream": {
                "tables": bool(settings.upstream_url),
                "epp": bool(settings.upstream_epp),
                "escrow": bool(settings.upstream_public_key),
            },
            "quota": {
                "prefixes": settings.tenant_prefixes,
                "identifiers": settings.tenant_identifiers,
                "daily_requests": settings.tenant_daily_requests,
            },
            "groups": groups,
            "rules": RULES_FOR_PEOPLE,
            "free_prefix": _next_free(settings.prefix, taken),
        }

    # -- applications -------------------------------------------------------------------------
    def applications(
        self, *, state: State | None = None, q: str = "", offset: int = 0, limit: int = 50
    ) -> dict[str, object]:
        """A page of applications (the newest change first), how many, and counts by state."""
        query = select(_A).order_by(_A.c.changed_at_ms.desc(), _A.c.number.desc())
        if q:
            query = query.where(_A.c.form.contains(q, autoescape=True))
        with reading(self._engine) as connection:
            if not q:
                by_state = select(_A.c.state, func.count()).group_by(_A.c.state)
                counts = Counter({row[0]: row[1] for row in connection.execute(by_state)})
                if state is not None:
                    query = query.where(_A.c.state == state.value)
                total = counts[state.value] if state else counts.total()
                found = connection.execute(query.offset(offset).limit(limit)).mappings()
                return {"rows": [_application_row(dict(row)) for row in found],
                        "total": total, "counts": counts}  # fmt: skip
            # the text of a form holds more than may be searched: judged again field by field
            every = [_application_row(dict(row)) for row in connection.execute(query).mappings()]
        rows = [row for row in every if _mentions(row, q)]
        counts = Counter(str(row["state"]) for row in rows)
        if state is not None:
            rows = [row for row in rows if row["state"] == state.value]
        return {"rows": rows[offset : offset + limit], "total": len(rows), "counts": counts}

    # -- enterprises and their nodes ----------------------------------------------------------
    def enterprises(
        self, *, q: str = "", sort: str = "", order: str = "", offset: int = 0, limit: int = 50,
        only: str = "",
    ) -> dict[str, object]:  # fmt: skip
        """A page of enterprises with quota, use and node state, and figures of all of them.

        ``only`` keeps the ``unused`` (see :data:`LITTLE_SHARE`), those with ``own`` nodes or those
        whose node is ``down``. Raises InvalidInput for an unknown ``sort``.
        """
        if sort and sort not in SORTS:
            raise InvalidInput(
                "input.invalid",
                path="sort",
                fault=Phrase(f"one of {', '.join(SORTS)}", f"应为下列之一：{', '.join(SORTS)}"),
            )
        use = self._use()
        rows = self._enterprise_rows(use)
        figures = _figures(rows)
        if q:
            rows = [row for row in rows if _mentions(row, q)]
        keep = {"unused": "is_unused", "own": "has_own_node", "down": "is_down"}.get(only)
        rows = [row for row in rows if keep is None or row[keep]]
        by = sort or "prefix"
        # rows without a figure stand last in either direction
        known = [row for row in rows if row[by] is not None]
        known.sort(key=lambda row: row[by], reverse=order == "desc")
        rows = known + [row for row in rows if row[by] is None]
        return {
            "rows": rows[offset : offset + limit],
            "total": len(rows),
            "figures": figures,
            "source": "counters" if use is None else "log",
            "window_days": _WINDOW_DAYS,
            "many": MANY_IDENTIFIERS,
            "little_share": LITTLE_SHARE,
        }

    def tenant_use(self) -> list[dict[str, Any]]:
        """``UsageCounts.tenants``, with the figures of the log where there is one."""
        return self._counted(self._use())

    def _use(self) -> Mapping[str, PrefixUse] | None:
        return None if self.use_source is None else self.use_source()

    def _counted(self, use: Mapping[str, PrefixUse] | None) -> list[dict[str, Any]]:
        self._usage.flush()
        counted = self._usage.tenants()
        return counted if use is None else [_from_log(one, use) for one in counted]

    def _enterprise_rows(self, use: Mapping[str, PrefixUse] | None) -> list[dict[str, Any]]:
        tenants = {one.uscc: one for one in self._tenants.all()}
        given: dict[str, list[PrefixRow]] = {}
        for row in self._prefixes.all(active=False):
            given.setdefault(row.uscc, []).append(row)
        states = {str(row["node"]): row for row in self._monitoring.states()}
        today = self._requests_today() if use is None else {p: one.today for p, one in use.items()}
        rows = []
        for used in self._counted(use):
            uscc = str(used["uscc"])
            mine = given.get(uscc, [])
            rows.append(_enterprise_row(tenants[uscc], used, mine, states, today))
        return rows

    def _requests_today(self) -> dict[str, int]:
        day = beijing_day(self._clock.time_ns() // 1_000_000)
        query = select(_D.c.prefix, func.sum(_D.c.requests)).where(_D.c.day == day)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(_D.c.prefix))
            return {row[0]: int(row[1] or 0) for row in rows}

    def node(self, prefix: str) -> dict[str, object]:
        """A watched node: state, latencies of 30 days, its latest events."""
        now = self._clock.time_ns() // 1_000_000
        first, last = beijing_day(now - _WINDOW_DAYS * _DAY_MS), beijing_day(now)
        days = [one for one in self._monitoring.latencies(first, last) if one["node"] == prefix]
        states = [one for one in self._monitoring.states() if one["node"] == prefix]
        events = [one for one in self._monitoring.events() if one["node"] == prefix]
        return {
            "node": prefix,
            "state": states[0] if states else None,
            "days": days,
            "events": events[: -_MOST_EVENTS - 1 : -1],
            "interval_s": self._settings.probe_interval_s,
            "failures_to_down": self._settings.probe_failures,
        }

    # -- duties -------------------------------------------------------------------------------
    def duties(self) -> dict[str, object]:
        """Each table with its period and delivery, and the channels of registration and escrow."""
        now = self._clock.time_ns() // 1_000_000
        sent = schema.outbox
        about_tables = sent.c.channel.in_(("sync", "monitor"))
        subject = case((about_tables, sent.c.subject), else_=sent.c.channel)
        query = select(
            subject, sent.c.state, func.count(), func.min(sent.c.created_ms),
            func.max(sent.c.acknowledged_ms),
        ).group_by(subject, sent.c.state)  # fmt: skip
        found: dict[str, dict[str, object]] = {}
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            marks = {row.name: row.value for row in connection.execute(select(schema.mark))}
        for name, state, count, oldest, acknowledged in rows:
            one = found.setdefault(name, _nothing_sent())
            one[state] = count
            if state == outbox.WAITING:
                one["lag_s"] = (now - oldest) / 1000
            if state == outbox.SENT:
                one["acknowledged_ms"] = acknowledged
        tables = []
        for table in TABLES.values():
            told = found.get(table.id, _nothing_sent())
            tables.append(
                {"id": table.id, "zh": table.zh, "en": table.en, "period": table.period.value,
                 "upto": _upto(marks.get(table.id, "")), "state": _duty_state(table.period, told)}
                | told
            )  # fmt: skip
        channels = {name: found.get(name, _nothing_sent()) for name in ("epp", "escrow")}
        return {"tables": tables, "channels": channels}

    def messages(self, *, state: str = "", offset: int = 0, limit: int = 50) -> dict[str, object]:
        """A page of what was put into the outbox, the newest first, without the bodies."""
        sent = schema.outbox
        plain = (sent.c.number, sent.c.channel, sent.c.subject, sent.c.created_ms,
                 sent.c.attempts, sent.c.next_at_ms, sent.c.acknowledged_ms, sent.c.state,
                 sent.c.error)  # fmt: skip
        query = select(*plain).order_by(sent.c.number.desc())
        counts = select(sent.c.state, func.count()).group_by(sent.c.state)
        if state:
            query = query.where(sent.c.state == state)
        with reading(self._engine) as connection:
            by_state = Counter({row[0]: row[1] for row in connection.execute(counts)})
            page = connection.execute(query.offset(offset).limit(limit)).mappings()
            rows = [dict(row) for row in page]
        return {"rows": rows, "total": by_state[state] if state else by_state.total(),
                "counts": by_state}  # fmt: skip

    def deposits(self, *, offset: int = 0, limit: int = 20) -> dict[str, object]:
        """A page of escrow deposits, the newest first, each with what became of its delivery."""
        query = select(_N).order_by(_N.c.number.desc()).offset(offset).limit(limit)
        sent = schema.outbox
        with reading(self._engine) as connection:
            total = connection.execute(select(func.count()).select_from(_N)).scalar_one()
            rows = [dict(row) for row in connection.execute(query).mappings()]
            told = select(sent.c.subject, sent.c.state, sent.c.acknowledged_ms, sent.c.error).where(
                sent.c.channel == "escrow", sent.c.subject.in_([row["id"] for row in rows])
            )
            delivery = {row.subject: row for row in connection.execute(told)}
        for row in rows:
            row["files"] = len(msgspec.json.decode(row["files"]))
            one = delivery.get(row["id"])
            row["delivery"] = one.state if one else outbox.SENT
            row["acknowledged_ms"] = one.acknowledged_ms if one else 0
            row["error"] = one.error if one else ""
        return {"rows": rows, "total": total, "sealed": bool(self._settings.upstream_public_key)}


def _application_row(row: Mapping[str, Any]) -> dict[str, object]:
    form = msgspec.json.decode(row["form"], type=ApplicationForm)
    plain = ("id", "number", "kind", "uscc", "prefix", "state", "submitted_by", "reviewer",
             "submitted_at_ms", "changed_at_ms")  # fmt: skip
    return {name: row[name] for name in plain} | {
        "name": form.organisation.name,
        "name_en": form.organisation.name_en,
        "industry": form.organisation.industry,
        "mode": form.mode.value,
    }


def _mentions(row: Mapping[str, Any], q: str) -> bool:
    wanted = q.casefold()
    told = (row["prefix"], row["uscc"], row["name"], row.get("name_en", ""))
    return any(wanted in str(one).casefold() for one in told)


def _from_log(counted: dict[str, Any], use: Mapping[str, PrefixUse]) -> dict[str, Any]:
    """A tenant's counters with those of the log in their place; it has no count by anybody."""
    found = [use[prefix] for prefix in counted["prefixes"] if prefix in use]
    foreign, held = sum(one.foreign for one in found), counted["identifiers"]
    return counted | {
        "requests": sum(one.requests for one in found),
        "resolved_30d": None,
        "foreign_30d": foreign,
        "foreign_share": foreign / held if held else None,
    }


def _enterprise_row(
    tenant: Tenant,
    used: Mapping[str, Any],
    mine: Sequence[PrefixRow],
    states: Mapping[str, Mapping[str, Any]],
    today: Mapping[str, int],
) -> dict[str, Any]:
    active = [row for row in mine if row.state == ACTIVE]
    own = [row for row in active if row.mode is Mode.OWN]
    nodes = [states[row.prefix] for row in own if row.prefix in states]
    share = used["foreign_share"]
    unused = used["identifiers"] >= MANY_IDENTIFIERS and (share or 0.0) < LITTLE_SHARE
    return {
        "uscc": tenant.uscc,
        "name": tenant.name,
        "name_en": tenant.form.organisation.name_en,
        "industry": tenant.industry,
        "group": tenant.group,
        "networks": tenant.networks,
        "state": tenant.state if active else "left",
        "prefix": (active or mine)[0].prefix if mine else "",
        "prefixes": [
            {"prefix": row.prefix, "mode": row.mode.value, "state": row.state,
             "upstream": row.upstream, "site": row.site, "since_ms": row.since_ms}
            for row in mine
        ],
        "quota": tenant.quota,
        "identifiers": used["identifiers"],
        "requests": used["requests"],
        "requests_today": sum(today.get(row.prefix, 0) for row in active),
        "foreign_30d": used["foreign_30d"],
        "foreign_share": share,
        "is_unused": unused,
        "has_own_node": bool(own),
        "nodes": nodes,
        "is_down": any(node["state"] == "down" for node in nodes),
    }  # fmt: skip


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    registered = sum(row["identifiers"] for row in rows)
    foreign = sum(row["foreign_30d"] for row in rows)
    return {
        "enterprises": sum(row["state"] == ACTIVE for row in rows),
        "own_nodes": sum(row["has_own_node"] for row in rows),
        "nodes_down": sum(row["is_down"] for row in rows),
        "identifiers": registered,
        "foreign_30d": foreign,
        "foreign_share": foreign / registered if registered else None,
        "unused": sum(row["is_unused"] for row in rows),
        "unused_identifiers": sum(row["identifiers"] for row in rows if row["is_unused"]),
    }


# Seconds after which an undelivered message of a table is late: its period, and some room.
_LATE_S = {
    Period.REAL_TIME: 300,
    Period.HOURLY: 2 * 3600,
    Period.DAILY: 26 * 3600,
    Period.MONTHLY: 48 * 3600,
}


def _nothing_sent() -> dict[str, object]:
    return {outbox.WAITING: 0, outbox.REFUSED: 0, outbox.SENT: 0, "lag_s": 0.0,
            "acknowledged_ms": 0}  # fmt: skip


def _duty_state(period: Period, told: Mapping[str, Any]) -> str:
    if told[outbox.REFUSED]:
        return "refused"
    if told[outbox.WAITING]:
        return "late" if told["lag_s"] > _LATE_S[period] else "waiting"
    return "delivered" if told[outbox.SENT] else "nothing"


def _upto(mark: str) -> str:
    """A generator's mark as a time or day for people; digests say nothing to them."""
    first = mark.partition(" ")[0]
    if first.isdigit():
        return iso(int(first))
    return first if len(first) <= len("2026-11-25") else ""


def _next_free(node: str, taken: set[str]) -> str:
    """The smallest number above all given ones: a proposal, nobody is bound to it."""
    tails = [prefix.removeprefix(node + ".") for prefix in taken]
    return f"{node}.{max((int(tail) for tail in tails if tail.isdigit()), default=1000) + 1}"


RULES_FOR_PEOPLE = [
    {"industry": rule.industry, "example": rule.example, "zh": rule.zh, "en": rule.en}
    for rule in RULES
]
