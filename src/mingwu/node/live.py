"""Opening engines that may not be there yet, and keeping a table of last values up to date.

Every role waits for its engines, says so once, and goes on waiting: start order is a courtesy of
the supervisor, never a condition.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from mingwu.bus.client import Bus
from mingwu.bus.lastvalue import LastValues
from mingwu.bus.settings import BusSettings
from mingwu.bus.subjects import REFRESH_ALL
from mingwu.history.settings import HistorySettings
from mingwu.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mingwu.history.client import History

log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_S = 1.0
STATUS_S = 1.0


async def open_bus(settings: BusSettings, name: str, stop: asyncio.Event) -> Bus | None:
    """The bus, tried until it is there; None when asked to stop before."""
    told = False
    while not stop.is_set():
        try:
            return await unless(stop, Bus.open(settings, name=name))
        except Unavailable as error:
            if not told:
                log.warning("bus=missing fault=%s", error)
                told = True
            await pause(stop, RETRY_S)
    return None


async def open_history(
    settings: HistorySettings, stop: asyncio.Event, *, schema: bool = False
) -> "History | None":
    """The history, tried until it is there; None when there is none or asked to stop before."""
    if not settings.url:
        return None
    from mingwu.history.client import History  # 15 MiB that not every role needs

    told = False
    while not stop.is_set():
        history = None
        try:
            history = await unless(stop, History.open(settings))
            if schema and history is not None:
                await history.ensure_schema()
        except Unavailable as error:
            if not told:
                log.warning("history=missing fault=%s", error)
                told = True
            if history is not None:
                await history.close()
            await pause(stop, RETRY_S)
        else:
            return history
    return None


async def keep_live(
    live: LastValues,
    settings: BusSettings,
    name: str,
    stop: asyncio.Event,
    *,
    say: Callable[[Bus], Awaitable[None]] | None = None,
) -> None:
    """Feed ``live`` from the bus until ``stop``; what reports rarely is asked for once.

    ``say`` publishes the role's status document, once a second.
    """
    bus = await open_bus(settings, name, stop)
    if bus is None:
        return
    try:
        await bus.subscribe_batches(live.apply)
        with contextlib.suppress(Unavailable):  # gateways that come later report all they have
            await bus.publish_json(REFRESH_ALL, {})
        while not stop.is_set():
            if say is not None:
                with contextlib.suppress(Unavailable):
                    await say(bus)
            await pause(stop, STATUS_S)
    finally:
        await bus.close()


async def unless(stop: asyncio.Event, opening: Coroutine[Any, Any, T]) -> T | None:
    """What ``opening`` gives; None when asked to stop before it is done."""
    work = asyncio.ensure_future(opening)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await work if work.done() else None
    finally:
        stopping.cancel()
        work.cancel()


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when asked to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
