"""Watching enterprise nodes: probes over the Handle protocol, latencies of a day, events.

A probe asks for the site (op 2) over TCP, or resolves a name. After a number of failures in a row
a node counts as down and an event opens (cause 1 network, 2 system, 3 attack, 4 other); the first
good probe closes it. Latencies are kept per Beijing day as the daily monitoring table wants them.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from mingwu.identity.client.handleclient import connected, request
from mingwu.identity.secondlevel import schema
from mingwu.identity.secondlevel.model import Mode, PrefixRow, beijing_day
from mingwu.identity.secondlevel.outbox import stamp
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.catalogue import Phrase, zh_of
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import MingwuError, NotFound, Unavailable
from mingwu.store.engine import reading, writing
from mingwu.wire.handle.bodies import OneHandle, Resolve
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.errors import ProtocolError

log = logging.getLogger(__name__)
_N, _V, _L = schema.node, schema.event, schema.latency
NETWORK, SYSTEM, ATTACK, OTHER = 1, 2, 3, 4
RESOLVE, REGISTER = "resolve", "register"
UNMEASURED = "unmeasured"
"""Kind of the event that says when nobody probed: the node was off, so nothing is known."""
_LEAST_GAP_MS = 60_000
REPORTED = ("maintenance", "emergency")
"""Kinds of events that people begin and end."""
_ANSWERED = {Rc.SUCCESS, Rc.HANDLE_NOT_FOUND, Rc.VALUES_NOT_FOUND, Rc.AUTHENTICATION_NEEDED}


class Probe(msgspec.Struct, frozen=True):
    """One probe: ``latency_us`` of a good one; ``cause`` and ``detail`` of a failed one."""

    node: str
    ok: bool
    latency_us: int = 0
    cause: int = 0
    detail: str = ""


async def probe(
    node: str, host: str, port: int, *, name: str = "", timeout_s: float = 2.0
) -> Probe:
    """Ask a node for its site, or for ``name``; a failure is a result, not an exception."""
    started = time.perf_counter_ns()
    body, op = (Resolve(name).encode(), Op.RESOLVE) if name else (OneHandle("/").encode(), 2)
    try:
        async with connected(host, port, timeout_s=timeout_s) as client:
            reply = await client.ask(request(op, body, flags=OpFlag.PUBLIC_ONLY))
    except Unavailable as error:
        return Probe(node, ok=False, cause=NETWORK, detail=_both(error))
    except ProtocolError as error:
        return Probe(node, ok=False, cause=SYSTEM, detail=_both(error))
    if reply.rc not in _ANSWERED:
        told = Phrase(f"code {reply.rc}", f"返回码 {reply.rc}")
        return Probe(node, ok=False, cause=SYSTEM, detail=told)
    return Probe(node, ok=True, latency_us=(time.perf_counter_ns() - started) // 1000)


def _both(error: MingwuError) -> Phrase:
    return Phrase(error.text("en"), error.text("zh"))


class Monitoring:
    """States, latencies and events of nodes (enterprise nodes by prefix, and this one)."""

    def __init__(self, engine: Engine, settings: SecondLevelSettings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._gap_ms = max(_LEAST_GAP_MS, int(5000 * settings.probe_interval_s))

    async def probe_nodes(self, nodes: Sequence[PrefixRow]) -> list[Probe]:
        """Probe all enterprises' own nodes at once and note the results."""
        asked = [
            probe(row.prefix, row.site.host, row.site.port,
                  timeout_s=self._settings.probe_timeout_s)
            for row in nodes
            if row.mode == Mode.OWN and row.site and row.site.host
        ]  # fmt: skip
        results = list(await asyncio.gather(*asked))
        await asyncio.to_thread(self.note, results)
        return results

    def note(self, probes: Sequence[Probe]) -> None:
        """Store probe results; opens and closes events."""
        with writing(self._engine) as connection:
            now = stamp(connection, self._clock)
            for one in probes:
                self._note(connection, one, now)
                count_latency(connection, one.node, RESOLVE, now,
                              one.latency_us if one.ok else -1)  # fmt: skip

    def _note(self, connection: Connection, one: Probe, now: int) -> None:
        row = connection.execute(select(_N).where(_N.c.node == one.node)).first()
        was, failures, since = (row.state, row.failures, row.since_ms) if row else ("", 0, now)
        if row is not None and one.node == self._settings.prefix:
            self._note_gap(connection, row.probed_at_ms, now)
        failures = 0 if one.ok else failures + 1
        state = was or "up"
        if one.ok:
            state = "up"
        elif failures >= self._settings.probe_failures:
            state = "down"
        if state != (was or "up"):
            since = now
            if state == "down":
                log.warning("node down node=%s detail=%s", one.node, one.detail)
                open_event(connection, one.node, "outage", one.cause, now,
                           zh=f"节点 {one.node} 探测失败：{zh_of(one.detail)}",
                           en=f"Node {one.node} failed its probes: {one.detail}")  # fmt: skip
            else:
                log.warning("node back node=%s", one.node)
                close_events(connection, one.node, "outage", now)
        values = {
            "state": state,
            "since_ms": since,
            "failures": failures,
            "latency_us": one.latency_us,
            "probed_at_ms": now,
            "detail": str(one.detail),
        }
        if row is None:
            connection.execute(insert(_N).values(node=one.node, **values))
        else:
            connection.execute(update(_N).where(_N.c.node == one.node).values(values))

    def _note_gap(self, connection: Connection, last_ms: int, now: int) -> None:
        if now - last_ms >= self._gap_ms:
            number = open_event(
                connection, self._settings.prefix, UNMEASURED, OTHER, last_ms,
                zh="本节点未运行，期间无探测数据", en="This node did not run: nothing was probed",
            )  # fmt: skip
            connection.execute(update(_V).where(_V.c.number == number).values(ended_ms=now))

    def gaps(self, until_ms: int) -> list[tuple[int, int]]:
        """When nobody probed, up to ``until_ms``: nothing is known of any node then."""
        own = self._settings.prefix
        query = select(_V.c.began_ms, _V.c.ended_ms).where(
            _V.c.kind == UNMEASURED, _V.c.began_ms < until_ms
        )
        last = select(_N.c.probed_at_ms).where(_N.c.node == own)
        with reading(self._engine) as connection:
            found = [(row[0], row[1]) for row in connection.execute(query)]
            probed = connection.execute(last).scalar()
        if probed is not None and until_ms - probed >= self._gap_ms:
            found.append((probed, until_ms))
        return sorted(found)

    def count(self, node: str, what: str, latency_us: int) -> None:
        """Note one operation of this node (``resolve`` or ``register``); -1 us for a failure."""
        with writing(self._engine) as connection:
            count_latency(connection, node, what, self._clock.time_ns() // 1_000_000, latency_us)

    def set_peak(self, node: str, day: str, qps: int, at_ms: int) -> None:
        """Keep the largest rate of resolutions of a Beijing day and its second, as counted now."""
        with writing(self._engine) as connection:
            _latency_row(connection, day, node, RESOLVE)
            mine = (_L.c.day == day) & (_L.c.node == node) & (_L.c.what == RESOLVE)
            connection.execute(update(_L).where(mine).values(peak_qps=qps, peak_at_ms=at_ms))

    def report_event(self, node: str, kind: str, cause: int, *, zh: str, en: str) -> int:
        """Open an event (``outage``, ``maintenance``, ``emergency``); returns its number."""
        with writing(self._engine) as connection:
            began = stamp(connection, self._clock)
            return open_event(connection, node, kind, cause, began, zh=zh, en=en)

    def end_event(self, number: int) -> None:
        """End maintenance or an emergency that somebody reported.

        Raises NotFound ``secondlevel.event-unknown``; outages end by themselves, takeovers by a
        message of the top node.
        """
        with writing(self._engine) as connection:
            mine = (_V.c.number == number) & _V.c.kind.in_(REPORTED) & (_V.c.ended_ms == 0)
            ended = update(_V).where(mine).values(ended_ms=stamp(connection, self._clock))
            if not connection.execute(ended).rowcount:
                raise NotFound("secondlevel.event-unknown", number=number)

    def close_event(self, node: str, kind: str) -> None:
        """Close the open events of a kind."""
        with writing(self._engine) as connection:
            close_events(connection, node, kind, stamp(connection, self._clock))

    def states(self) -> list[dict[str, object]]:
        """The nodes as they stand."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(_N).order_by(_N.c.node)).all()
        return [dict(row._mapping) for row in rows]  # noqa: SLF001

    def events(self, *, since_ms: int = 0, until_ms: int = 2**62) -> list[dict[str, object]]:
        """Events that were open at some time in a span, oldest first (see :meth:`gaps`)."""
        query = select(_V).where(
            _V.c.kind != UNMEASURED,
            _V.c.began_ms < until_ms,
            (_V.c.ended_ms == 0) | (_V.c.ended_ms >= since_ms),
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_V.c.number)).all()
        return [dict(row._mapping) for row in rows]  # noqa: SLF001

    def latest(self, *, offset: int = 0, limit: int = 100) -> tuple[list[dict[str, object]], int]:
        """A page of the events, newest first, and how many there are."""
        query = select(_V).order_by(_V.c.number.desc()).offset(offset).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            total = connection.execute(select(func.count()).select_from(_V)).scalar_one()
        return [dict(row._mapping) for row in rows], total  # noqa: SLF001

    def latencies(self, first_day: str, last_day: str) -> list[dict[str, int | str]]:
        """Latency rows of a span of days (inclusive)."""
        query = select(_L).where(_L.c.day >= first_day, _L.c.day <= last_day)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_L.c.day, _L.c.node, _L.c.what)).all()
        return [_with_mean(row) for row in rows]


def _with_mean(row: Row[tuple[object, ...]]) -> dict[str, int | str]:
    found = dict(row._mapping)  # noqa: SLF001
    found["mean_us"] = found["sum_us"] // found["count"] if found["count"] else 0
    return found


def _latency_row(connection: Connection, day: str, node: str, what: str) -> Row[tuple[object, ...]]:
    query = select(_L).where(_L.c.day == day, _L.c.node == node, _L.c.what == what)
    row = connection.execute(query).first()
    if row is None:
        numbers = {one.name: 0 for one in _L.columns if one.name not in {"day", "node", "what"}}
        connection.execute(insert(_L).values(day=day, node=node, what=what, **numbers))
        row = connection.execute(query).one()
    return row


def count_latency(connection: Connection, node: str, what: str, now: int, latency_us: int) -> None:
    """Add one latency (-1: a failure) to the day's row (inside the caller's transaction)."""
    day = beijing_day(now)
    row = _latency_row(connection, day, node, what)
    values: dict[str, int] = {}
    if latency_us < 0:
        values["failures"] = row.failures + 1
    else:
        values |= {"count": row._mapping["count"] + 1}  # noqa: SLF001
        values["sum_us"] = row.sum_us + latency_us
        if not row._mapping["count"] or latency_us < row.least_us:  # noqa: SLF001
            values |= {"least_us": latency_us, "least_at_ms": now}
        if latency_us > row.most_us:
            values |= {"most_us": latency_us, "most_at_ms": now}
    mine = (_L.c.day == day) & (_L.c.node == node) & (_L.c.what == what)
    connection.execute(update(_L).where(mine).values(values))


def open_event(
    connection: Connection, node: str, kind: str, cause: int, now: int, *, zh: str, en: str
) -> int:
    """Insert an event (inside the caller's transaction); returns its number."""
    number: int = (connection.execute(select(func.max(_V.c.number))).scalar() or 0) + 1
    connection.execute(
        insert(_V).values(
            number=number, node=node, kind=kind, cause=cause, began_ms=now, ended_ms=0,
            text_zh=zh, text_en=en,
        )
    )  # fmt: skip
    return number


def close_events(connection: Connection, node: str, kind: str, now: int) -> None:
    """End the open events of a node and kind (inside the caller's transaction)."""
    query = update(_V).where(_V.c.node == node, _V.c.kind == kind, _V.c.ended_ms == 0)
    connection.execute(query.values(ended_ms=now))
