"""Keeps a table of last values up to date in a process that answers with them.

The table is fed by core messages of the bus; at the start, and whenever the bus was away, what was
missed is filled in from the history's last values. Both engines may be absent: the table then
holds what it has, and the attempt is repeated.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from mingwu.bus.client import Bus
from mingwu.bus.lastvalue import LastValues
from mingwu.bus.settings import BusSettings
from mingwu.history.client import History
from mingwu.history.settings import HistorySettings
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)

RETRY_S = 1.0
SEED_RETRY_S = 2.0

OnBus = Callable[[Bus], Awaitable[None]]


async def open_bus(settings: BusSettings, name: str, stop: asyncio.Event) -> Bus | None:
    """The bus, tried until it is there; None when asked to stop before."""
    told = False
    while not stop.is_set():
        try:
            return await Bus.open(settings, name=name)
        except Unavailable as error:
            if not told:
                log.warning("bus=missing fault=%s", error)
                told = True
            await pause(stop, RETRY_S)
    return None


async def open_history(
    settings: HistorySettings, stop: asyncio.Event, *, schema: bool = False
) -> History | None:
    """The history, tried until it is there; None when asked to stop before."""
    told = False
    while not stop.is_set():
        try:
            history = await History.open(settings)
            if schema:
                await history.ensure_schema()
        except Unavailable as error:
            if not told:
                log.warning("history=missing fault=%s", error)
                told = True
            await pause(stop, RETRY_S)
        else:
            return history
    return None


async def keep_live(
    live: LastValues,
    bus_settings: BusSettings,
    history: Callable[[], History | None],
    numbers: Callable[[], Sequence[int]],
    name: str,
    stop: asyncio.Event,
    *,
    on_bus: OnBus | None = None,
) -> None:
    """Feed ``live`` until ``stop``.

    ``numbers`` gives the tags to fill in from ``history``; ``on_bus`` adds the caller's own
    subscriptions.
    """
    bus = await open_bus(bus_settings, name, stop)
    if bus is None:
        return
    try:
        await bus.subscribe_batches(live.apply)
        if on_bus is not None:
            await on_bus(bus)
        await _seed(live, history, numbers, stop)
        await stop.wait()
    finally:
        await bus.close()


async def _seed(
    live: LastValues,
    history: Callable[[], History | None],
    numbers: Callable[[], Sequence[int]],
    stop: asyncio.Event,
) -> None:
    """Fill in tags that did not report since this process started."""
    while not stop.is_set():
        engine = history()
        if engine is not None:
            try:
                live.seed(await engine.last(await asyncio.to_thread(numbers)))
            except MingwuError as error:
                log.debug("seed fault=%s", error)
            else:
                return
        await pause(stop, SEED_RETRY_S)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when asked to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
