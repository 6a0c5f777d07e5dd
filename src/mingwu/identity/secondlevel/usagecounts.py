"""What was asked: requests by day, prefix and source, and which names were resolved at all.

Where the signed log is kept, its figures replace those of a day (``replace_day``). Without it each
answered request is counted in memory (``count``) and flushed in batches, so the resolver never
waits. Requests of the prefix's owner are told apart by ``foreign``: only resolutions by others say
that a name is of use to anybody.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import beijing_day
from mingwu.identity.secondlevel.prefixes import ACTIVE, served
from mingwu.kernel.clock import Clock
from mingwu.kernel.names import fold
from mingwu.store.engine import reading, writing

_D, _R, _P, _I, _E = (
    schema.daily,
    schema.resolved,
    schema.prefix,
    schema.identifier,
    schema.enterprise,
)
MONTH_MS = 30 * 86_400_000


class AskedOf(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one day for one prefix from one source (address or network)."""

    prefix: str
    source: str
    requests: int
    successes: int


class UsageCounts:
    """Counters with a flush to the store."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._guard = threading.Lock()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._successes: Counter[tuple[str, str, str]] = Counter()
        self._names: dict[str, tuple[str, int, int]] = {}

    def count(self, name: str, source: str, *, ok: bool, foreign: bool = True) -> None:
        """Note one answered request for ``name`` from the address ``source``."""
        now = self._clock.time_ns() // 1_000_000
        prefix = name.partition("/")[0]
        key = beijing_day(now), prefix, source
        with self._guard:
            self._requests[key] += 1
            if ok:
                self._successes[key] += 1
                folded = fold(name)
                earlier = self._names.get(folded, (prefix, 0, 0))[2]
                self._names[folded] = (prefix, now, now if foreign else earlier)

    def flush(self) -> int:
        """Write what was counted; returns how many requests."""
        with self._guard:
            requests, successes, names = self._requests, self._successes, self._names
            self._requests, self._successes, self._names = Counter(), Counter(), {}
        if not requests:
            return 0
        with writing(self._engine) as connection:
            for key, number in requests.items():
                day, prefix, source = key
                _add(connection, _D, {"day": day, "prefix": prefix, "source": source},
                     {"requests": number, "successes": successes[key]})  # fmt: skip
            for folded, (prefix, at, foreign_at) in names.items():
                changed = {"last_at_ms": at} | ({"foreign_at_ms": foreign_at} if foreign_at else {})
                query = update(_R).where(_R.c.key == folded).values(changed)
                if not connection.execute(query).rowcount:
                    row = {"key": folded, "prefix": prefix, "last_at_ms": at,
                           "foreign_at_ms": foreign_at}  # fmt: skip
                    connection.execute(insert(_R).values(row))
        return sum(requests.values())

    def replace_day(self, day: str, rows: Iterable[AskedOf]) -> None:
        """Put what was counted elsewhere (the signed log) in the place of a day's counters."""
        made = [
            {"day": day, "prefix": one.prefix, "source": one.source,
             "requests": one.requests, "successes": one.successes}
            for one in rows
        ]  # fmt: skip
        with writing(self._engine) as connection:
            connection.execute(delete(_D).where(_D.c.day == day))
            if made:
                connection.execute(insert(_D), made)

    def tenants(self) -> list[dict[str, Any]]:
        """Per tenant: prefixes, identifiers, requests, and the share resolved in 30 days.

        ``foreign_share`` counts names that somebody else than the owner resolved: a tenant that
        registers much and is asked little shows here.
        """
        since = self._clock.time_ns() // 1_000_000 - MONTH_MS
        with reading(self._engine) as connection:
            in_use = select(_P.c.prefix, _P.c.uscc).where(_P.c.state == ACTIVE)
            owners = {row.prefix: row.uscc for row in connection.execute(in_use)}
            tenants = connection.execute(select(_E.c.uscc, _E.c.name))
            names = {row.uscc: row.name for row in tenants}
            kept = select(_I.c.prefix, func.count()).where(~_I.c.deleted, _I.c.prefix.in_(served()))
            held = _by_prefix(connection, kept, _I)
            asked = _by_prefix(connection, select(_D.c.prefix, func.sum(_D.c.requests)), _D)
            recent = select(_R.c.prefix, func.count())
            foreign = _by_prefix(connection, recent.where(_R.c.foreign_at_ms >= since), _R)
            resolved = _by_prefix(connection, recent.where(_R.c.last_at_ms >= since), _R)
        rows = []
        for uscc, name in names.items():
            mine = [prefix for prefix, owner in owners.items() if owner == uscc]
            total = sum(held.get(prefix, 0) for prefix in mine)
            outside = sum(foreign.get(prefix, 0) for prefix in mine)
            rows.append(
                {
                    "uscc": uscc,
                    "name": name,
                    "prefixes": mine,
                    "identifiers": total,
                    "requests": sum(asked.get(prefix, 0) for prefix in mine),
                    "resolved_30d": sum(resolved.get(prefix, 0) for prefix in mine),
                    "foreign_30d": outside,
                    "foreign_share": outside / total if total else None,
                }
            )
        return rows


def _by_prefix(connection: Connection, query: object, table: Table) -> dict[str, int]:
    grouped = query.group_by(table.c.prefix)  # type: ignore[attr-defined]
    return {row[0]: int(row[1] or 0) for row in connection.execute(grouped)}


def _add(connection: Connection, table: Table, key: dict[str, str], plus: dict[str, int]) -> None:
    """Add to the counters of a row, which is made when it is missing."""
    query = update(table).values({name: table.c[name] + more for name, more in plus.items()})
    for name, wanted in key.items():
        query = query.where(table.c[name] == wanted)
    if not connection.execute(query).rowcount:
        connection.execute(insert(table).values(key | plus))
