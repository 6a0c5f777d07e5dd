"""What the bus tells an API process: batches into the last values, status documents to the board.

Core subscriptions only: these are live views, nothing is counted on them (``bus.subjects``).
"""

import asyncio
import contextlib
import logging
from typing import Any

import numpy as np

from mingwu.api.services import Services
from mingwu.bus import subjects
from mingwu.bus.client import Bus
from mingwu.bus.lastvalue import LastValues
from mingwu.history.client import History
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)

STATUS_PERIOD_S = 1.0


async def follow_bus(
    bus: Bus,
    live: LastValues,
    services: Services,
    stop: asyncio.Event,
    *,
    history: History | None = None,
    role: str = "",
    name: str = "",
) -> None:
    """Feed ``live`` and the status board until ``stop``; say every second how ``role`` does.

    Tags that report rarely are known at once: first from the history's last values, then because
    every gateway is asked to report all its tags.
    """
    interests = [
        await bus.subscribe_batches(live.apply),
        await bus.subscribe_json(
            subjects.ALL_STATUS, lambda subject, said: _status(services, subject, said), dict
        ),
    ]
    if history is not None:
        await _seed(live, services, history)
    try:
        await bus.publish_json(subjects.REFRESH_ALL, {})
    except Unavailable as error:
        log.info("refresh not asked code=%s", error.code)
    try:
        if role:
            await _speak(bus, services, role, name, stop)
        else:
            await stop.wait()
    finally:
        for interest in interests:
            await interest.close()


async def _speak(bus: Bus, services: Services, role: str, name: str, stop: asyncio.Event) -> None:
    subject = subjects.status(role, name)
    while not stop.is_set():
        with contextlib.suppress(Unavailable):  # the bus says itself when it is lost
            await bus.publish_json(subject, {"live": services.hub.statistics()})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), STATUS_PERIOD_S)


def _status(services: Services, subject: str, document: dict[str, Any]) -> None:
    role, _, name = subject.removeprefix("mw.status.").partition(".")
    services.status.apply(role, name, document)


async def _seed(live: LastValues, services: Services, history: History) -> None:
    index = await services.index.get()
    numbers = np.fromiter(index.tags, np.uint32, len(index.tags))
    try:
        live.seed(await history.last(numbers))
    except MingwuError as error:
        log.warning("last values not seeded code=%s", error.code)
