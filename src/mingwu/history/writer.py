"""From the bus into the history: everything once.

The way of a block, and why nothing is lost or stored twice whatever dies when:

1. Messages come in stream order, each once per process (:mod:`mingwu.bus.consumer`), and are
   gathered until there are ``block_rows`` points or ``block_wait_s`` is over. Repeated batches are
   passed over (:mod:`mingwu.history.seen`).
2. The block's span of the stream and its token are written to ``blocks``.
3. Its rows go to ``points``, ``points_ns``, ``texts``; each insert carries the token, so done
   again it changes nothing, in the table and in the rollups it feeds.
4. Its lineage goes to ``batches``: from now on the block counts as stored.
5. The bus is told. It keeps every message until then.

A writer that starts finds a block announced (2) but not stored (4): it forms the block of that very
span again, which has the same messages, hence the same token, and goes on from 2. While an insert
runs the next block is gathered; not more, so a slow history is back-pressure on the bus.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from mingwu.bus import subjects, takeover
from mingwu.bus.client import Bus
from mingwu.bus.consumer import Consumer, Delivery
from mingwu.history import block as blocks
from mingwu.history import memory
from mingwu.history.block import Block
from mingwu.history.client import History
from mingwu.history.inserts import Insert
from mingwu.history.seen import Key, Seen
from mingwu.history.settings import WriterSettings
from mingwu.history.status import WriterStatus, rss_bytes
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import InvalidInput, MingwuError, Overloaded, PeerError, Unavailable

log = logging.getLogger(__name__)

_STATUS_S = 1.0
_TAKEOVER_S = 20.0
_STOP_GRACE_S = 10.0
_RATE_OVER_S = 5.0
_SHORTEST_WAIT_S = 0.01
NsTags = Callable[[], Collection[int]]


@dataclass(slots=True)
class _Ready:
    """A block that waits for its insert, and the delivery that acknowledges it."""

    block: Block
    upto: Delivery


class Writer:
    """One writer. :func:`run_writer` is the way to run it."""

    def __init__(
        self,
        bus: Bus,
        history: History,
        settings: WriterSettings,
        *,
        ns_tags: NsTags,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._history = history
        self._settings = settings
        self._ns_tags = ns_tags
        self._clock = clock
        self._seen = Seen()  # with what is under way
        self._stored = Seen()  # without
        self._unremembered: set[Key] = set()
        self._remember_at = time.monotonic() + settings.remember_every_s
        self._unread: tuple[int, int] | None = None
        self._redo: memory.Pending | None = None
        self._consumer: Consumer | None = None
        self._ready: asyncio.Queue[_Ready | None] = asyncio.Queue(maxsize=1)
        self._number = 0
        self._unsent: Delivery | None = None
        self._under_way: list[Block] = []
        self._recent: deque[tuple[float, int]] = deque(maxlen=round(_RATE_OVER_S / _STATUS_S) + 1)
        self._give_up_at: float | None = None
        self.status = WriterStatus(name=settings.name)

    # ------------------------------------------------------------ the life

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; what was fetched by then is stored if that takes no longer than 10 s."""
        speaking = asyncio.create_task(self._speak())
        try:
            if not await self._start(stop):
                return
            self.status.state = "running"
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gather(stop))
                tasks.create_task(self._store_all())
                tasks.create_task(self._watch(stop))
        finally:
            speaking.cancel()
            if self._consumer is not None:
                await self._consumer.close()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._give_up_at = time.monotonic() + _STOP_GRACE_S

    async def _start(self, stop: asyncio.Event) -> bool:
        """Read where the last writer was and take over from it; False if stopped before."""

        async def prepare() -> None:
            await self._history.ensure_schema()
            settings = self._settings
            recalled = await memory.recall(self._history, settings.name, settings.remember_days)
            self._redo = recalled.pending
            self._stored = recalled.seen
            self._seen = recalled.seen.copy()

        async def subscribe() -> None:
            stream, durable = subjects.TELEMETRY, self._settings.consumer
            self._consumer = await self._bus.consume(
                stream, durable, max_bytes=self._settings.fetch_bytes
            )
            self._unread = await takeover.unread(self._bus, stream, durable)
            if self._unread is not None:
                await takeover.hurry(self._bus, stream, durable)
                log.info("writer=%s takes over first=%d last=%d", self.status.name, *self._unread)

        return await self._insist(prepare, stop) and await self._insist(subscribe, stop)

    async def _insist(
        self, attempt: Callable[[], Awaitable[None]], stop: asyncio.Event | None = None
    ) -> bool:
        """Try until it works: True; or False when asked to stop. Says so once, and once after."""
        pause = self._settings.retry_min_s
        while True:
            try:
                await attempt()
            except (Unavailable, Overloaded, InvalidInput) as error:
                self._fail(error)
            else:
                self._recover()
                return True
            if self._must_end(stop):
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._settings.retry_max_s)

    def _must_end(self, stop: asyncio.Event | None) -> bool:
        if stop is not None:
            return stop.is_set()
        return self._give_up_at is not None and time.monotonic() >= self._give_up_at

    def _fail(self, error: MingwuError) -> None:
        if self.status.error != error.code:
            log.warning("writer=%s stalled code=%s: %s", self.status.name, error.code, error)
        if self.status.state == "running":
            self.status.state = "stalled"
        self.status.error = error.code
        self.status.next = error.next_step()

    def _recover(self) -> None:
        if self.status.error:
            log.info("writer=%s goes on after code=%s", self.status.name, self.status.error)
        if self.status.state == "stalled":
            self.status.state = "running"
        self.status.error = self.status.next = ""

    # ------------------------------------------------------------ gathering

    async def _gather(self, stop: asyncio.Event) -> None:
        """Fetch, decode and fill blocks; hand over what is full or old."""
        block: Block | None = None
        upto: Delivery | None = None
        patience = time.monotonic() + _TAKEOVER_S
        while not stop.is_set():
            # The first message of a fetch may have waited as long as the fetch took.
            began_ns = self._clock.monotonic_ns()
            for delivery in await self._fetch(block):
                if block is None:
                    block = Block(began_ns)
                    self._under_way.append(block)
                self._take(block, delivery)
                upto = delivery
                if self._full(block):
                    await self._hand_over(block, upto)
                    block = None
            if self._unread is not None:
                await self._calm(upto, patience)
            if block is not None and upto is not None and self._old(block):
                await self._hand_over(block, upto)
                block = None
        # A block that must be formed again exactly is left to the next writer.
        if block is not None and upto is not None and self._redo is None:
            await self._hand_over(block, upto)
        await self._ready.put(None)

    async def _fetch(self, block: Block | None) -> list[Delivery]:
        assert self._consumer is not None  # noqa: S101 — set by _start before anything runs
        wait_s = self._settings.block_wait_s
        if block is not None and self._redo is None:
            age_s = (self._clock.monotonic_ns() - block.opened_ns) / 1e9
            wait_s = min(wait_s, max(_SHORTEST_WAIT_S, wait_s - age_s))
        taken = await self._consumer.fetch(wait_s=wait_s)
        if taken:
            self.status.waiting = taken[-1].pending
        return taken

    async def _calm(self, upto: Delivery | None, patience: float) -> None:
        """Once all that a dead writer left is here (or will not come), no more haste."""
        assert self._unread is not None  # noqa: S101 — asked only then
        arrived = upto is not None and upto.stream_sequence >= self._unread[1]
        if arrived or time.monotonic() >= patience:
            with contextlib.suppress(Unavailable):  # tried again after the next fetch
                await takeover.calm(self._bus, subjects.TELEMETRY, self._settings.consumer)
                self._unread = None

    def _take(self, block: Block, delivery: Delivery) -> None:
        self.status.messages += 1
        try:
            batch = delivery.batch()
        except PeerError as error:
            if not self.status.malformed:
                log.warning("writer=%s dropped: %s (others are counted)", self.status.name, error)
            self.status.malformed += 1
            block.pass_over(delivery.stream_sequence)
            return
        if self._seen.add(batch.source, batch.boot, batch.seq):
            block.add(batch, delivery.stream_sequence)
        else:
            self.status.repeated += 1
            block.pass_over(delivery.stream_sequence)

    def _full(self, block: Block) -> bool:
        if self._redo is None:
            return block.rows >= self._settings.block_rows
        if block.last >= self._redo.last:
            if block.messages and block.token() != self._redo.token:
                log.warning(
                    "writer=%s block=%d..%d is not what was announced; the bus has changed",
                    self.status.name,
                    self._redo.first,
                    self._redo.last,
                )
            self._redo = None
            return True
        return False

    def _old(self, block: Block) -> bool:
        """Due by its age; a block that is formed again is due when it is complete."""
        age_s = (self._clock.monotonic_ns() - block.opened_ns) / 1e9
        return age_s >= (self._settings.block_wait_s if self._redo is None else _TAKEOVER_S)

    async def _hand_over(self, block: Block, upto: Delivery) -> None:
        await self._ready.put(_Ready(block, upto))

    # ------------------------------------------------------------ storing

    async def _store_all(self) -> None:
        stored = True
        while (ready := await self._ready.get()) is not None:
            # After one that could not be stored before the end, the others are left to the bus too.
            stored = stored and (not ready.block.messages or await self._store(ready.block))
            if stored:
                self._under_way.remove(ready.block)
                await self._acknowledge(ready.upto)
                if time.monotonic() >= self._remember_at:
                    stored = await self._remember()
        if stored:
            await self._remember()

    async def _store(self, block: Block) -> bool:
        """Steps 2 to 4 of the module's text; False if stopped before."""
        name, token = self._settings.name, block.token()
        number = self._number = max(self._clock.time_ns(), self._number + 1)
        began = time.perf_counter()
        parts = [
            (
                "blocks",
                blocks.INTENTION,
                blocks.intention(
                    name, number, token, (block.first, block.last), self._clock.time_ns()
                ),
            ),
            *block.inserts(self._ns_tags()),
            block.lineage(name, number, self._clock.time_ns()),
        ]
        for part in parts:
            if not await self._insert(part, token):
                return False
        for source, boot, first, last in block.stored():
            self._stored.cover(source, boot, first, last)
            self._unremembered.add((source, boot))
        self._count(block, (time.perf_counter() - began) * 1000)
        return True

    async def _insert(self, part: Insert, token: str) -> bool:
        async def attempt() -> None:
            await self._history.insert_block(*part, token)

        return await self._insist(attempt)

    async def _remember(self) -> bool:
        """Write the filter down as of the last stored block; False if stopped before."""
        self._remember_at = time.monotonic() + self._settings.remember_every_s
        if not self._unremembered:
            return True
        name, now_ns = self._settings.name, self._clock.time_ns()
        part = memory.remember(name, self._number, self._stored, self._unremembered, now_ns)
        self._unremembered = set()
        return await self._insert(part, f"{name}-{self._number}")

    def _count(self, block: Block, took_ms: float) -> None:
        status = self.status
        status.points += block.rows
        status.suspect += block.suspect
        status.blocks += 1
        status.insert_ms = round(took_ms, 1)
        status.longest_insert_ms = max(status.longest_insert_ms, status.insert_ms)

    async def _acknowledge(self, upto: Delivery) -> None:
        assert self._consumer is not None  # noqa: S101 — set by _start before anything runs
        self._unsent = upto
        try:
            await self._consumer.ack_through(upto)
        except Unavailable:
            return  # said again with the next status; repetitions would be passed over anyway
        self._unsent = None

    # ------------------------------------------------------------ status

    async def _speak(self) -> None:
        subject = subjects.status("writer", self.status.name)
        while True:
            if self._unsent is not None:
                await self._acknowledge(self._unsent)
            self._measure()
            try:
                await self._bus.publish_json(subject, self.status)
            except Unavailable:
                log.debug("writer=%s status not sent", self.status.name)
            await asyncio.sleep(_STATUS_S)

    def _measure(self) -> None:
        status = self.status
        now = time.monotonic()
        self._recent.append((now, status.points))
        since, points = self._recent[0]
        status.points_per_s = (
            round((status.points - points) / (now - since), 1) if now > since else 0.0
        )
        oldest = min((b.oldest_ns for b in self._under_way if b.oldest_ns), default=0)
        status.lag_s = round(max(0.0, (self._clock.time_ns() - oldest) / 1e9), 3) if oldest else 0.0
        status.missed = self._consumer.missed if self._consumer is not None else 0
        status.rss_bytes = rss_bytes()


async def run_writer(
    bus: Bus,
    history: History,
    settings: WriterSettings,
    stop: asyncio.Event,
    *,
    ns_tags: NsTags = frozenset,
    clock: Clock | None = None,
) -> None:
    """Write the telemetry stream into the history until ``stop``.

    ``ns_tags`` gives the numbers of the tags whose times are kept to the nanosecond as well. Waits
    for a history or a bus that is away. Raises Conflict ``history.newer-schema``.
    """
    writer = Writer(bus, history, settings, ns_tags=ns_tags, clock=clock or SystemClock())
    await writer.run(stop)
