"""A running subscription: the tags of a plan as monitored items, their changes as columns.

What the server refuses is bad with the server's reason, for that tag only, and offered again
later; what it refuses because it has no room for more items is polled instead. The server's own
clock (i=2258) is monitored along: a server whose publishing lives while its clock stands still is
lost all the same. Client handle 0 is that clock, handle n+1 is row n of the plan.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np

from mingwu.field.base import Sink, mark
from mingwu.field.opcua import notify, rawcall, status
from mingwu.field.opcua.layout import Layout, learn
from mingwu.field.opcua.plan import Plan, Rows, compile_tags
from mingwu.field.opcua.points import columns, unreadable
from mingwu.field.opcua.publishing import TICKS, Publishing, silent
from mingwu.field.opcua.reading import read
from mingwu.field.opcua.session import Session
from mingwu.kernel.batch import U8, Columns
from mingwu.kernel.causes import told
from mingwu.kernel.errors import MingwuError, Unavailable
from mingwu.kernel.quality import Reason, bad

_log = logging.getLogger(__name__)

_CLOCK_NODE = b"\1\0\xd2\x08"  # i=2258, Server_ServerStatus_CurrentTime
_CLOCK_HANDLE = 0
_CLOCK_SAMPLING_MS = 1000.0
_LIFETIME_MS = 60_000.0
_MAX_LAYOUTS = 64
_LEAD = 4  # the client handle before each DataValue


class Watch:
    """Subscription of the driver contract; start it with :meth:`start`."""

    def __init__(
        self, session: Session, publishing: Publishing, plan: Plan, sink: Sink, *, simulated: bool
    ) -> None:
        self._session = session
        self._publishing = publishing
        self._plan = plan
        self._sink = sink
        self._simulated = simulated
        self._layouts: dict[int, Layout] = {}
        self._node_ids: list[bytes | None] = []
        self._subscription = 0  # 0 is never a subscription's id
        self._interval_ms = 0.0
        self._clock_quiet_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._fault: Unavailable | None = None

    async def start(self) -> None:
        """Create the subscription and its items. Raises Unavailable."""
        settings = self._session.settings
        fastest = min((tag.period_ms for tag in self._plan.tags), default=1000)
        interval_ms = float(settings.publishing_interval_ms or fastest)
        keepalives = max(round(settings.keepalive_ms / interval_ms), 1)
        lifetime = max(math.ceil(_LIFETIME_MS / interval_ms), 3 * keepalives)
        try:
            body, pos = await self._session.raw(
                rawcall.CREATE_SUBSCRIPTION,
                notify.create_subscription(interval_ms, lifetime, keepalives),
                reply=rawcall.CREATE_SUBSCRIPTION_REPLY,
            )
            revised = notify.created_subscription(body, pos)
            self._subscription, self._interval_ms = revised.subscription, revised.interval_ms
            self._session.watch(self._lost)
            self._publishing.add(revised, self._changed)
            await self._begin()
        except rawcall.ServiceFailed as error:
            raise self._session.lose(
                Unavailable("opcua.lost", endpoint=settings.endpoint, fault=told(error))
            ) from error

    @property
    def over(self) -> bool:
        """Closed or lost."""
        return self._over.is_set()

    async def wait(self) -> None:
        """Until closed; raises Unavailable when the session is lost."""
        await self._over.wait()
        if self._fault is not None:
            raise self._fault

    async def close(self) -> None:
        """Delete the subscription at the server if it still listens. Never raises."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        subscription, self._subscription = self._subscription, 0
        if subscription:
            self._publishing.remove(subscription)
            if self._session.fault is None:
                with contextlib.suppress(MingwuError, rawcall.ServiceFailed):
                    await self._session.raw(
                        rawcall.DELETE_SUBSCRIPTIONS,
                        notify.delete_subscription(subscription),
                        reply=rawcall.DELETE_SUBSCRIPTIONS_REPLY,
                    )
        self._over.set()

    def _lost(self, fault: Unavailable) -> None:
        if not self._over.is_set():
            self._fault = fault
            self._over.set()

    async def _begin(self) -> None:
        """Monitor the clock and every tag; start the tasks that look after the rest."""
        if self._session.settings.heartbeat_ms:
            clock = notify.Item(_CLOCK_NODE, _CLOCK_HANDLE, _CLOCK_SAMPLING_MS, 1)
            codes = await self._create([clock])
            if codes[0] >> 31 == 0:
                self._run(self._watch_clock())
        self._node_ids = self._plan.node_ids(self._session.namespaces)
        lacking = np.array([node_id is None for node_id in self._node_ids], np.bool_)
        self._refuse(np.flatnonzero(lacking), bad(Reason.BAD_ADDRESS))
        known = np.flatnonzero(~lacking)
        room = self._session.profile.max_items or len(known)
        refused, crowded = await self._monitor(known[:room])
        crowded = np.concatenate([crowded, known[room:]])
        if len(refused):
            self._run(self._offer_again(refused))
        if len(crowded):
            self._run(self._poll(crowded))

    async def _monitor(self, rows: Rows) -> tuple[Rows, Rows]:
        """Create items for ``rows``; returns those refused and those there was no room for."""
        refused: list[int] = []
        crowded: list[int] = []
        while len(rows):
            part = rows[: self._session.items_per_call]
            try:
                codes = np.array(await self._create([self._item(row) for row in part.tolist()]))
            except rawcall.ServiceFailed as error:
                if error.code not in status.TOO_LARGE or len(part) == 1:
                    raise
                self._session.items_per_call = len(part) // 2
                continue
            rows = rows[len(part) :]
            full = codes & 0xFFFF_0000 == status.BAD_TOO_MANY_MONITORED_ITEMS
            wrong = (codes >> 31 == 1) & ~full
            crowded += part[full].tolist()
            refused += part[wrong].tolist()
            self._refuse(part[wrong], status.qualities(codes[wrong].astype(np.uint32)))
        return np.array(refused, np.intp), np.array(crowded, np.intp)

    def _item(self, row: int) -> notify.Item:
        period_ms = float(self._plan.tags[row].period_ms)
        queue = math.ceil(self._interval_ms / period_ms) + 1 if period_ms < self._interval_ms else 1
        return notify.Item(self._node_ids[row] or b"", row + 1, period_ms, queue)

    async def _create(self, items: Sequence[notify.Item]) -> list[int]:
        body, pos = await self._session.raw(
            rawcall.CREATE_MONITORED_ITEMS,
            notify.create_items(self._subscription, items),
            reply=rawcall.CREATE_MONITORED_ITEMS_REPLY,
        )
        return notify.created_items(body, pos, len(items))

    def _changed(self, body: bytes, pos: int, count: int) -> None:
        """One DataChangeNotification: ``count`` of (client handle, DataValue) from ``pos``."""
        layout = self._layouts.get(count)
        if layout is None or not layout.fits(body, pos):
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[count] = learn(body, pos, count, _LEAD)
        handles = layout.handles(body, pos).astype(np.intp)
        cells = layout.cells(body, pos)
        ours = (handles != _CLOCK_HANDLE) & (handles <= len(self._plan.tags))
        if not ours.all():
            if (handles == _CLOCK_HANDLE).any():
                self._clock_quiet_s = 0.0
            cells = cells.take(np.flatnonzero(ours))
            handles = handles[ours]
        if len(handles):
            self._emit(columns(self._plan, handles - 1, cells, time.time_ns()))

    def _refuse(self, rows: Rows, quality: U8 | int) -> None:
        if len(rows):
            self._emit(unreadable(self._plan, rows, quality, time.time_ns()))

    def _emit(self, points: Columns) -> None:
        self._sink(mark(points, simulated=self._simulated))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, MingwuError | rawcall.ServiceFailed):
            _log.error("subscription task failed", exc_info=error)
        endpoint = self._session.settings.endpoint
        self._session.lose(Unavailable("opcua.lost", endpoint=endpoint, fault=told(error)))

    async def _offer_again(self, refused: Rows) -> None:
        """Offer refused tags from time to time: a program download may bring the node back."""
        while len(refused):
            await asyncio.sleep(self._session.settings.retry_refused_s)
            refused, crowded = await self._monitor(refused)
            refused = np.concatenate([refused, crowded])

    async def _poll(self, rows: Rows) -> None:
        """Read what the server has no room to monitor, at the slowest of the tags' periods."""
        tags = [self._plan.tags[row] for row in rows.tolist()]
        _log.warning(
            "too many items for the server, polling the rest endpoint=%s tags=%d",
            self._session.settings.endpoint, len(tags),
        )  # fmt: skip
        plan = compile_tags(tags)
        period_s = max(tag.period_ms for tag in tags) / 1000
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._emit(await read(self._session, plan))
            due = max(due + period_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _watch_clock(self) -> None:
        """Lose the session when the server's clock has not moved for the heartbeat time."""
        limit_s = self._session.settings.heartbeat_ms / 1000
        while self._clock_quiet_s <= limit_s:
            tick_s = limit_s / TICKS
            await asyncio.sleep(tick_s)
            self._clock_quiet_s += tick_s
        self._session.lose(silent(self._session, limit_s))
