"""One physical line: its polled devices are served by one task, one after the other.

Invariants: deadlines are absolute (``schedule``); a lost device is closed, tried again with growing
pauses and costs the line nothing in between; no line waits for another. Everything a driver may
do is an outcome here; what it may not do (any other exception) ends the task, and the gateway's
supervisor starts it again.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from mingwu.edge import errors as _errors  # noqa: F401 — registers the texts
from mingwu.edge.device import Device, Plan
from mingwu.edge.schedule import Backoff, Schedule, Slot, phase_ns
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import DeviceState
from mingwu.kernel.causes import told
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import MingwuError, Unavailable
from mingwu.kernel.plant import Start

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


async def begin(device: Device) -> None:
    """First start under the device's policy; raises MingwuError (to be retried) or, for
    ``start = error``, Unavailable ``edge.start-failed``, which ends the gateway.
    """
    policy = device.spec.start
    try:
        await device.open()
        if policy is Start.PROBE and device.plans and not device.pushed:
            await device.read(device.plans[0])
    except MingwuError as error:
        if policy is Start.ERROR:
            await device.close()
            raise StartFailed(device, error) from error
        if policy in {Start.IGNORE, Start.PROBE}:
            await device.close()
            ignored = Unavailable("edge.ignored", device=device.name, fault=told(error))
            device.lose(ignored, final=DeviceState.IDLE)
            return
        raise


class StartFailed(Unavailable):
    """A device declared ``start = error`` did not start."""

    def __init__(self, device: Device, cause: MingwuError) -> None:
        super().__init__("edge.start-failed", device=device.name, fault=told(cause))


class PolledLine:
    """See the module's text."""

    def __init__(
        self,
        name: str,
        devices: Sequence[tuple[int, Device]],
        settings: EdgeSettings,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self.name = name
        self.devices = [device for _, device in devices]
        self.lock = asyncio.Lock()
        self._clock = clock
        self._sleep = sleep
        chance = chance or random.Random()
        self._index = {device: index for index, device in devices}
        self._backoff = {
            device: Backoff(settings.retry_min_s, settings.retry_max_s, chance)
            for device in self.devices
        }
        self._started: set[Device] = set()
        self._schedule: Schedule[tuple[Device, Plan | None]] = Schedule()

    async def run(self) -> None:
        """Serve the line until cancelled; raises StartFailed."""
        now = self._clock.monotonic_ns()
        self._schedule = Schedule()
        for device in self.devices:
            if device.plans and device.state is not DeviceState.IDLE:
                self._schedule.once((device, None), now)
        while (first_ns := self._schedule.first_ns()) is not None:
            wait_ns = first_ns - self._clock.monotonic_ns()
            await self._sleep(max(0.0, wait_ns / 1e9))
            slot = self._schedule.take()
            device, plan = slot.key
            try:
                async with self.lock:
                    if plan is None:
                        await self._open(device)
                    else:
                        await self._read(slot, device, plan)
            except StartFailed:
                raise
            except MingwuError as error:
                await self._lose(device, error)

    async def _open(self, device: Device) -> None:
        if device in self._started:
            await device.open()
        else:
            await begin(device)
            self._started.add(device)
            if device.state is DeviceState.IDLE:
                return
        now = self._clock.monotonic_ns()
        for order, plan in enumerate(device.plans):
            phase = phase_ns(self._index[device] + order, plan.period_ns)
            # Values are wanted soon after the start even when they are read rarely.
            phase = min(phase, 1_000_000_000)
            self._schedule.every((device, plan), plan.period_ns, now + phase)

    async def _read(
        self, slot: Slot[tuple[Device, Plan | None]], device: Device, plan: Plan
    ) -> None:
        await device.read(plan)
        self._backoff[device].reset()
        device.counters.overruns += self._schedule.done(slot, self._clock.monotonic_ns())

    async def _lose(self, device: Device, error: MingwuError) -> None:
        self._started.add(device)
        self._schedule.drop({(device, plan) for plan in device.plans})
        device.lose(error)
        await device.close()
        pause = self._backoff[device].next_s()
        device.retry_at_ns = self._clock.monotonic_ns() + int(pause * 1e9)
        self._schedule.once((device, None), device.retry_at_ns)
