"""The durable outbox: what the top node is owed, until it has acknowledged it.

An entry is one message on one channel (``sync``, ``monitor``, ``epp``, ``escrow``), kept in order
per channel: a refused or unanswered one is tried again with growing pauses and holds up nothing on
other channels. An entry that the top node refuses for its content stays, marked refused, for the
operator. Invariant: acknowledged means that the receiver said so, never that we sent it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from mingwu.identity.secondlevel import schema
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput, NotFound, PeerError, Unavailable
from mingwu.store.engine import lock, reading, writing

log = logging.getLogger(__name__)
_O, _M = schema.outbox, schema.mark
WAITING, SENT, REFUSED = "waiting", "acknowledged", "refused"
_LONGEST_PAUSE_MS = 3_600_000
RESTORED = "restored"
"""Mark: when the database was put back to an earlier state (ms), empty for never."""
# Tables whose mark is the time (ms) up to which changes were told.
TOLD_BY_TIME = ("T4", "T6", "T7", "T11", "M2")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message. ``subject`` says what it is (a table's id, a prefix, a deposit)."""

    number: int
    channel: str
    subject: str
    body: dict[str, Any]
    created_ms: int
    attempts: int
    acknowledged_ms: int
    state: str
    error: str


Sender = Callable[[Entry], Awaitable[None]]


def put(connection: Connection, channel: str, subject: str, body: object, now_ms: int) -> int:
    """Add an entry (inside the caller's transaction); returns its number."""
    lock(connection, "secondlevel.outbox")
    last = connection.execute(select(func.max(_O.c.number))).scalar() or 0
    number = max(last, restored_at(connection)) + 1
    connection.execute(
        insert(_O).values(
            number=number, channel=channel, subject=subject,
            body=msgspec.json.encode(body).decode(), created_ms=now_ms, attempts=0,
            next_at_ms=now_ms, acknowledged_ms=0, state=WAITING, error="",
        )
    )  # fmt: skip
    return number


def marked(connection: Connection, name: str) -> str:
    """A generator's place in its source, empty at first."""
    return connection.execute(select(_M.c.value).where(_M.c.name == name)).scalar() or ""


def set_mark(connection: Connection, name: str, value: str) -> None:
    """Remember a generator's place (in the transaction that puts what it made)."""
    if not connection.execute(update(_M).where(_M.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(_M).values(name=name, value=value))


def restored_at(connection: Connection) -> int:
    """What numbers must be behind, for the receiver may know those up to it; 0 for nothing."""
    return int(marked(connection, RESTORED) or 0)


def stamp(connection: Connection, clock: Clock) -> int:
    """The time of a change that tables tell by its time, in ms: behind all that was told so far.

    Nobody makes a table between the stamp and the end of the caller's transaction, and a clock that
    was set back hides nothing: what is stamped now is in the next table.
    """
    lock(connection, "secondlevel.change")
    marks = select(_M.c.value).where(_M.c.name.in_(TOLD_BY_TIME))
    told = max((int(mark) for mark in connection.execute(marks).scalars()), default=0)
    return max(clock.time_ns() // 1_000_000, told + 1)


class Outbox:
    """Delivery and view of the entries."""

    def __init__(self, engine: Engine, clock: Clock, retry_s: float) -> None:
        self._engine = engine
        self._clock = clock
        self._retry_ms = int(retry_s * 1000)
        self._lost: set[str] = set()

    def due(self, channel: str, limit: int = 50) -> list[Entry]:
        """The next entries of a channel; empty while its first one pauses."""
        query = select(_O).where(_O.c.channel == channel, _O.c.state == WAITING)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_O.c.number).limit(limit)).all()
        if rows and rows[0].next_at_ms > self._now():
            return []
        return [_entry(row) for row in rows]

    async def deliver(self, channel: str, send: Sender) -> int:
        """Send what is due on a channel, in order, until one fails; returns how many went."""
        done = 0
        for entry in await asyncio.to_thread(self.due, channel):
            try:
                await send(entry)
            except Unavailable as error:
                await asyncio.to_thread(self._failed, entry, str(error))
                if channel not in self._lost:
                    log.warning("top node lost channel=%s detail=%s", channel, error)
                    self._lost.add(channel)
                return done
            except (PeerError, InvalidInput) as error:
                log.warning(
                    "refused channel=%s subject=%s detail=%s", channel, entry.subject, error
                )
                await asyncio.to_thread(self._settle, entry.number, REFUSED, str(error))
                continue
            await asyncio.to_thread(self._settle, entry.number, SENT, "")
            done += 1
        if done and channel in self._lost:
            log.warning("top node back channel=%s", channel)
            self._lost.discard(channel)
        return done

    def again(self, number: int) -> None:
        """Put a refused entry back into the queue; NotFound when there is none such."""
        query = update(_O).where(_O.c.number == number, _O.c.state == REFUSED)
        with writing(self._engine) as connection:
            changed = query.values(state=WAITING, next_at_ms=self._now(), error="")
            if not connection.execute(changed).rowcount:
                raise NotFound("secondlevel.message-unknown", number=number)

    def prune(self, keep_days: int) -> int:
        """Drop entries acknowledged more than ``keep_days`` ago; returns how many.

        The newest stays: its number must not be given again, the receiver knows it.
        """
        before = self._now() - keep_days * 86_400_000
        newest = select(func.max(_O.c.number)).scalar_subquery()
        query = delete(_O).where(
            _O.c.state == SENT, _O.c.acknowledged_ms < before, _O.c.number < newest
        )
        with writing(self._engine) as connection:
            return connection.execute(query).rowcount

    def lag(self) -> list[dict[str, object]]:
        """Per channel and subject: waiting, refused, acknowledged, age of the oldest (seconds)."""
        oldest = func.min(_O.c.created_ms)
        query = select(
            _O.c.channel, _O.c.subject, _O.c.state, func.count(), oldest,
            func.max(_O.c.acknowledged_ms),
        ).group_by(_O.c.channel, _O.c.subject, _O.c.state)  # fmt: skip
        found: dict[tuple[str, str], dict[str, object]] = {}
        with reading(self._engine) as connection:
            for channel, subject, state, number, first, acked in connection.execute(query):
                row = found.setdefault(
                    (channel, subject),
                    {"channel": channel, "subject": subject, WAITING: 0, REFUSED: 0, SENT: 0,
                     "lag_s": 0.0, "acknowledged_ms": 0},
                )  # fmt: skip
                row[state] = number
                if state == WAITING:
                    row["lag_s"] = (self._now() - first) / 1000
                if state == SENT:
                    row["acknowledged_ms"] = acked
        return [found[key] for key in sorted(found)]

    def entries(self, *, state: str = "", limit: int = 100) -> list[Entry]:
        """Entries, newest first."""
        query = select(_O).order_by(_O.c.number.desc()).limit(limit)
        if state:
            query = query.where(_O.c.state == state)
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query)]

    def _failed(self, entry: Entry, error: str) -> None:
        pause = min(self._retry_ms << min(entry.attempts, 20), _LONGEST_PAUSE_MS)
        values = {
            "attempts": entry.attempts + 1,
            "next_at_ms": self._now() + pause,
            "error": error,
        }
        with writing(self._engine) as connection:
            connection.execute(update(_O).where(_O.c.number == entry.number).values(values))

    def _settle(self, number: int, state: str, error: str) -> None:
        acked = self._now() if state == SENT else 0
        query = update(_O).where(_O.c.number == number)
        with writing(self._engine) as connection:
            connection.execute(query.values(state=state, error=error, acknowledged_ms=acked))

    def _now(self) -> int:
        return self._clock.time_ns() // 1_000_000


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    return Entry(
        number=row.number,
        channel=row.channel,
        subject=row.subject,
        body=msgspec.json.decode(row.body),
        created_ms=row.created_ms,
        attempts=row.attempts,
        acknowledged_ms=row.acknowledged_ms,
        state=row.state,
        error=row.error,
    )
