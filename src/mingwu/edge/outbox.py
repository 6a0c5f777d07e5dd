"""The buffer between acquisition and the bus: nothing is acknowledged to itself and then lost.

Invariants: a batch leaves the buffer only when the bus acknowledged it; what fails goes back to
its place, and nothing newer overtakes it but what was in flight beside it; a batch is sent again
with the same message id. Memory is bounded: beyond 80 % of the limit every second batch of the
older half is left out (batches with a change of quality stay), and when that is not enough new
batches are not kept. Both are counted, logged, told as events and shown; afterwards
``on_gap`` is called so that the sources report everything anew.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mingwu.bus import envelope, subjects
from mingwu.bus.acks import Ack
from mingwu.edge import errors as _errors  # noqa: F401 — registers the texts
from mingwu.edge.meters import Durations
from mingwu.edge.ports import GatewayBus
from mingwu.edge.status import BufferState, BufferStatus, fault_of
from mingwu.kernel.batch import Batch
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import MingwuError, Overloaded, Unavailable

log = logging.getLogger(__name__)

_OVERHEAD_BYTES = 300  # of an entry beside its payload
_THIN_ABOVE = 0.8
_THIN_TO = 0.6
_PAUSE_S = (0.05, 2.0)
_GIVE_UP_AFTER = 5
_CALM_NS = 5_000_000_000


@dataclass(slots=True)
class Entry:
    """One encoded batch on its way."""

    order: int
    subject: str
    message_id: str
    payload: bytes
    points: int
    transition: bool
    put_ns: int
    sent_ns: int = 0
    tries: int = 0
    refusals: int = 0

    @property
    def bytes(self) -> int:
        return len(self.payload) + _OVERHEAD_BYTES


@dataclass(slots=True)
class Totals:
    """Since the start."""

    acked_batches: int = 0
    acked_points: int = 0
    retried: int = 0
    thinned_points: int = 0
    dropped_points: int = 0
    acks: Durations = field(default_factory=Durations)


class Outbox:
    """The buffer. ``put`` is called by the acquisition, ``run`` is a task."""

    def __init__(
        self,
        bus: GatewayBus,
        clock: Clock,
        *,
        window: int,
        limit_bytes: int,
        on_gap: Callable[[], None],
        on_event: Callable[[MingwuError], None],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._window = window
        self._limit_bytes = limit_bytes
        self._on_gap = on_gap
        self._on_event = on_event
        self._queue: deque[Entry] = deque()
        self._returned: list[Entry] = []
        self._in_flight = 0
        self._bytes = 0
        self._order = 0
        self._wake = asyncio.Event()
        self._error: MingwuError | None = None
        self._error_ns = 0
        # The last failure; ``_told`` while it is logged and not over.
        self._shown: MingwuError | None = None
        self._told = False
        self._idle = asyncio.Event()
        self._gap = False
        self._full = False
        self._thinning = False
        self.totals = Totals()

    def put(self, batch: Batch, transition: bool) -> bool:
        """Take a batch; False if there is no room for it."""
        payload = envelope.encode(batch)
        self._order += 1
        entry = Entry(
            self._order,
            subjects.telemetry(batch.source),
            batch.message_id,
            payload,
            len(batch.columns),
            transition,
            self._clock.monotonic_ns(),
        )
        if self._bytes + entry.bytes > self._limit_bytes * _THIN_ABOVE:
            self._thin()
            if self._bytes + entry.bytes > self._limit_bytes:
                self._refuse(entry)
                return False
        self._queue.append(entry)
        self._bytes += entry.bytes
        self._wake.set()
        return True

    @property
    def empty(self) -> bool:
        """Whether everything was acknowledged."""
        return not (self._queue or self._in_flight or self._returned)

    async def run(self) -> None:
        """Send until cancelled."""
        pause = _PAUSE_S[0]
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._error is None:
                await self._fill()
                continue
            if self._in_flight:  # those in flight with a failed one mostly fail as well
                continue
            self._take_back()
            await asyncio.sleep(pause)
            await self._bus.wait_connected(_PAUSE_S[1])
            pause = min(2 * pause, _PAUSE_S[1])
            if await self._probe():
                pause = _PAUSE_S[0]

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is acknowledged; whether it was in time."""
        if not self.empty:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        return self.empty

    async def _fill(self) -> None:
        """Send as long as the window allows."""
        while self._queue and self._in_flight < self._window and self._error is None:
            await self._send(self._queue.popleft())

    async def _send(self, entry: Entry) -> None:
        entry.tries += 1
        entry.sent_ns = self._clock.monotonic_ns()
        self.totals.retried += entry.tries > 1
        self._in_flight += 1
        try:
            future = await self._bus.post(entry.subject, entry.payload, entry.message_id)
        except Unavailable as error:
            self._failed(entry, error)
            return
        future.add_done_callback(lambda done: self._ended(entry, done))

    async def _probe(self) -> bool:
        """After a failure: one batch alone; the rest follows when it is acknowledged."""
        self._error = None
        if not self._queue:
            return True
        entry = self._queue.popleft()
        await self._send(entry)
        while self._in_flight:
            self._wake.clear()
            await self._wake.wait()
        self._wake.set()
        return self._error is None

    def _ended(self, entry: Entry, done: asyncio.Future[Ack]) -> None:
        """Callback of the acknowledgement's future."""
        if done.cancelled():
            self._failed(entry, Unavailable("bus.disconnected"))
            return
        error = done.exception()
        if error is None:
            self._in_flight -= 1
            self._bytes -= entry.bytes
            self.totals.acked_batches += 1
            self.totals.acked_points += entry.points
            self.totals.acks.add(self._clock.monotonic_ns() - entry.sent_ns)
            self._wake.set()
            if self.empty:
                self._idle.set()
                self._recover()
        elif isinstance(error, MingwuError):
            self._failed(entry, error)
        else:
            self._failed(entry, Unavailable("bus.rejected", fault=repr(error)))

    def _failed(self, entry: Entry, error: MingwuError) -> None:
        self._in_flight -= 1
        self._wake.set()
        entry.refusals += error.code == "bus.rejected"
        if entry.refusals >= _GIVE_UP_AFTER:
            # Never acceptable (too large, forbidden): it must not stand in the way for ever.
            self._bytes -= entry.bytes
            self.totals.dropped_points += entry.points
            self._gap = True
            log.error("batch=%s given up points=%d: %s", entry.message_id, entry.points, error)
            return
        self._returned.append(entry)
        if not self._told:
            log.warning("buffer holds batches: %s — %s", error, error.next_step())
        self._told = True
        self._error = error
        self._shown = error
        self._error_ns = self._clock.time_ns()

    def _take_back(self) -> None:
        """Failed batches go back to where they were."""
        self._returned.sort(key=lambda entry: entry.order, reverse=True)
        self._queue.extendleft(self._returned)
        self._returned.clear()

    def _recover(self) -> None:
        """It is over when nothing waits any more, or nothing has failed for a while."""
        if self._told:
            self._told = False
            log.info("buffer sends again batches=%d", len(self._queue))

    def _thin(self) -> None:
        """Leave out every second batch of the older half, until there is room again."""
        aim = self._limit_bytes * _THIN_TO
        points = 0
        while self._bytes > aim:
            old = len(self._queue) // 2
            kept: list[Entry] = []
            dropped = 0
            leave = False
            for _ in range(old):
                entry = self._queue.popleft()
                leave = not leave and not entry.transition
                if leave:
                    dropped += 1
                    points += entry.points
                    self._bytes -= entry.bytes
                else:
                    kept.append(entry)
            self._queue.extendleft(reversed(kept))
            if not dropped:
                break
        if not points:
            return
        self.totals.thinned_points += points
        self._gap = True
        if not self._thinning:
            self._thinning = True
            self._tell("edge.buffer-thinned", points)

    def _refuse(self, entry: Entry) -> None:
        self.totals.dropped_points += entry.points
        self._gap = True
        if not self._full:
            self._full = True
            self._tell("edge.buffer-full", entry.points)

    def _tell(self, code: str, points: int) -> None:
        slow = Phrase("the bus is slower than the plant", "总线慢于工厂数据")
        fault = told(self._shown) if self._shown else slow
        error = Overloaded(code, points=points, fault=fault)
        log.error("%s — %s", error, error.next_step())
        self._on_event(error)

    def tick(self) -> None:
        """Now and then: notice that a failure or a gap is over."""
        if self._error is None and self._clock.time_ns() - self._error_ns > _CALM_NS:
            self._recover()
        if self._gap and self._bytes < self._limit_bytes * _THIN_TO / 2 and self._error is None:
            self._gap = self._full = self._thinning = False
            log.info(
                "buffer recovered thinned_points=%d dropped_points=%d; all tags report anew",
                self.totals.thinned_points,
                self.totals.dropped_points,
            )
            self._on_gap()

    def status(self) -> BufferStatus:
        """As the status document shows it."""
        p50, p99 = self.totals.acks.percentiles_ms()
        oldest = self._returned[0] if self._returned else (self._queue[0] if self._queue else None)
        now = self._clock.monotonic_ns()
        return BufferStatus(
            state=self._state(),
            batches=len(self._queue) + len(self._returned) + self._in_flight,
            bytes=self._bytes,
            limit_bytes=self._limit_bytes,
            in_flight=self._in_flight,
            oldest_s=round((now - oldest.put_ns) / 1e9, 1) if oldest else 0.0,
            acked_batches=self.totals.acked_batches,
            acked_points=self.totals.acked_points,
            retried=self.totals.retried,
            thinned_points=self.totals.thinned_points,
            dropped_points=self.totals.dropped_points,
            ack_p50_ms=p50,
            ack_p99_ms=p99,
            error=fault_of(self._shown, self._error_ns) if self._told and self._shown else None,
        )

    def _state(self) -> BufferState:
        if self._full:
            return BufferState.FULL
        if self._thinning:
            return BufferState.THINNING
        return BufferState.HOLDING if self._told else BufferState.OK
