"""A device that tells its changes by itself: subscribed, gathered, reported, subscribed again.

The driver's sink is called as often as the device likes; what it brings is looked at every
``gather_s``, many changes at once, for the cost of judging is per look and not per point.
"""

import asyncio
import contextlib
import random
from typing import cast

from mingwu.edge.device import Device, Plan
from mingwu.edge.line import Sleep, StartFailed, begin
from mingwu.edge.schedule import Backoff
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import DeviceState
from mingwu.field.base import Subscribes, Subscription
from mingwu.kernel.batch import Columns, concatenate
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import MingwuError, Unavailable


class Gatherer:
    """The sink of one plan."""

    def __init__(self, device: Device, plan: Plan, gather_s: float) -> None:
        self._device = device
        self._plan = plan
        self._gather_s = gather_s
        self._parts: list[Columns] = []
        self._timer: asyncio.TimerHandle | None = None

    def sink(self, columns: Columns) -> None:
        """What the driver calls."""
        self._parts.append(columns)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._gather_s, self.look)

    def look(self) -> None:
        """Hand on what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        parts, self._parts = self._parts, []
        if parts:
            self._device.take(self._plan, concatenate(parts))


class PushedDevice:
    """The task of one subscribed device."""

    def __init__(
        self,
        device: Device,
        settings: EdgeSettings,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self.name = device.line
        self.devices = [device]
        self.lock = asyncio.Lock()
        self._device = device
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._started = False
        self._backoff = Backoff(
            settings.retry_min_s, settings.retry_max_s, chance or random.Random()
        )

    async def run(self) -> None:
        """Keep the device subscribed until cancelled; raises StartFailed."""
        device = self._device
        while device.plans and device.state is not DeviceState.IDLE:
            try:
                await self._serve()
            except StartFailed:
                raise
            except MingwuError as error:
                self._started = True
                device.lose(error)
                await device.close()
                pause = self._backoff.next_s()
                device.retry_at_ns = self._clock.monotonic_ns() + int(pause * 1e9)
                await self._sleep(pause)

    async def _serve(self) -> None:
        """Open, subscribe, and wait for the end, which is an Unavailable."""
        device = self._device
        if self._started:
            await device.open()
        else:
            await begin(device)
            self._started = True
            if device.state is DeviceState.IDLE:
                return
        plan = device.plans[0]
        gatherer = Gatherer(device, plan, self._settings.gather_s)
        subscription = await self._subscribe(plan, gatherer)
        try:
            device.succeed()
            self._backoff.reset()
            await subscription.wait()
        finally:
            # What came before the end counts: it stands before the bad transition.
            gatherer.look()
            with contextlib.suppress(MingwuError):
                await subscription.close()
        raise Unavailable("edge.device-lost", device=device.name)

    async def _subscribe(self, plan: Plan, gatherer: Gatherer) -> Subscription:
        limit = self._settings.open_limit_s
        try:
            async with asyncio.timeout(limit):
                driver = cast("Subscribes", self._device.driver)
                return await driver.subscribe(plan.compiled, gatherer.sink)
        except TimeoutError as error:
            name = self._device.name
            raise Unavailable("edge.read-timeout", device=name, seconds=limit) from error
