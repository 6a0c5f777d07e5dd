"""The gateway: all lines of a GatewaySpec, the buffer, the status document, the commands.

A task per line and per subscribed device, each supervised on its own: one that fails is started
again and no other notices. :func:`run_gateway` reads no file and no environment; where the
specification comes from and where it is kept is ``node``'s business.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from mingwu.bus import subjects
from mingwu.edge.coalescer import Coalescer
from mingwu.edge.command import WriteReply, carry_out
from mingwu.edge.device import Device
from mingwu.edge.events import Events
from mingwu.edge.line import PolledLine, StartFailed
from mingwu.edge.meters import LogRing, ProcessCost
from mingwu.edge.outbox import Outbox
from mingwu.edge.ports import GatewayBus, Interest
from mingwu.edge.pushed import PushedDevice
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import DeviceState, DeviceStatus, GatewayStatus, fault_of
from mingwu.field import catalogue
from mingwu.field.base import DriverKind
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import ConfigError, MingwuError, Unavailable
from mingwu.kernel.plant import DeviceSpec, GatewaySpec, Start

log = logging.getLogger(__name__)

Kinds = Callable[[str], DriverKind]
Task = PolledLine | PushedDevice
_MIB = 1024 * 1024
_RESTART_S = 2.0
_SECOND_NS = 1_000_000_000
_REFRESH_S = 5.0


class Gateway:
    """One run of a specification. Use :func:`run_gateway`."""

    def __init__(
        self, spec: GatewaySpec, bus: GatewayBus, settings: EdgeSettings, kinds: Kinds, clock: Clock
    ) -> None:
        self.spec = spec
        self._bus = bus
        self._settings = settings
        self._kinds = kinds
        self._clock = clock
        self.boot = clock.time_ns() // 1_000_000
        self._started_ns = clock.monotonic_ns()
        self._events = Events(bus, spec.name, self.boot, clock)
        self._ring = LogRing()
        self._cost = ProcessCost()
        self._outbox = Outbox(
            bus,
            clock,
            window=settings.window,
            limit_bytes=settings.buffer_mib * _MIB,
            on_gap=self._gap_over,
            on_event=lambda error: self._events.tell(f"buffer.{error.code}", error=error),
        )
        self.devices: dict[str, Device] = {}
        self._broken: list[DeviceStatus] = []
        self._tasks: list[Task] = []
        self._of_device: dict[str, Task] = {}

    # ------------------------------------------------------------ building

    def build(self) -> None:
        """Make devices and lines; raises ConfigError only for a device with start = error."""
        for device_spec in self.spec.devices:
            try:
                device = self._device(device_spec)
            except ConfigError as error:
                if device_spec.start is Start.ERROR:
                    raise
                self._break(device_spec, error)
            else:
                self.devices[device.name] = device
        lines: dict[str, list[tuple[int, Device]]] = defaultdict(list)
        for index, device in enumerate(self.devices.values()):
            if device.pushed:
                self._tasks.append(PushedDevice(device, self._settings, self._clock))
            else:
                lines[device.line].append((index, device))
        self._tasks += [
            PolledLine(name, devices, self._settings, self._clock)
            for name, devices in lines.items()
        ]
        self._of_device = {device.name: task for task in self._tasks for device in task.devices}

    def _device(self, spec: DeviceSpec) -> Device:
        coalescer = Coalescer(
            f"{self.spec.name}/{spec.name}",
            self.boot,
            self._outbox.put,
            batch_points=self._settings.batch_points,
            linger_ns=int(self._settings.linger_s * 1e9),
        )
        kind = self._kinds(spec.driver)
        return Device(spec, kind, coalescer, self._settings, self._clock, self._told)

    def _break(self, spec: DeviceSpec, error: ConfigError) -> None:
        log.error("device=%s declared wrongly: %s", spec.name, error)
        self._events.tell("device.faulty", device=spec.name, error=error)
        self._broken.append(
            DeviceStatus(
                name=spec.name,
                thing=spec.thing,
                driver=spec.driver,
                line=spec.line,
                state=DeviceState.FAULTY,
                simulated=spec.simulated,
                tags=len(spec.tags),
                bad_tags=len(spec.tags),
                error=fault_of(error, self._clock.time_ns()),
            )
        )

    def _told(self, device: Device, what: str, error: MingwuError | None) -> None:
        self._events.tell(f"device.{what}", device=device.name, error=error)

    # ------------------------------------------------------------ running

    async def run(self, stop: asyncio.Event) -> None:
        """Acquire until ``stop``; raises StartFailed or ConfigError."""
        self._ring.attach()
        try:
            self.build()
            await self._run(stop)
        finally:
            self._ring.detach()

    async def _run(self, stop: asyncio.Event) -> None:
        self._events.tell("gateway.started")
        interests: list[Interest] = []
        background = [
            asyncio.create_task(self._outbox.run(), name="edge-outbox"),
            asyncio.create_task(self._events.run(), name="edge-events"),
            asyncio.create_task(self._speak(), name="edge-status"),
            asyncio.create_task(self._beat(), name="edge-beat"),
        ]
        lines = [
            asyncio.create_task(self._supervise(task), name=f"edge-line-{task.name}")
            for task in self._tasks
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            interests = await self._listen()
            await self._until_stopped(stopping, [*lines, *background])
        finally:
            await _end([stopping, *lines])
            await asyncio.gather(*(device.close() for device in self.devices.values()))
            for device in self.devices.values():
                device.coalescer.flush(self._clock.time_ns())
            if not await self._outbox.drain(self._settings.drain_s):
                log.warning("stopped with unsent batches=%d", self._outbox.status().batches)
            for interest in interests:
                await interest.close()
            await _end(background)

    @staticmethod
    async def _until_stopped(
        stopping: asyncio.Task[bool], working: list[asyncio.Task[None]]
    ) -> None:
        """Until asked to stop or a task fails for good; that failure is raised."""
        waiting: set[asyncio.Task[None]] = set(working)
        while not stopping.done():
            done, _ = await asyncio.wait({stopping, *waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & waiting:
                await task
            waiting -= done

    async def _listen(self) -> list[Interest]:
        name = self.spec.name

        last_ns = 0

        def refresh(_: str, __: object) -> None:
            nonlocal last_ns  # whoever asks often is not served more often
            now_ns = self._clock.monotonic_ns()
            if now_ns - last_ns >= _REFRESH_S * _SECOND_NS:
                last_ns = now_ns
                self.report_anew()

        return [
            await self._bus.serve(subjects.command(name, "*"), self._command),
            await self._bus.subscribe_json(subjects.refresh(name), refresh, object),
            await self._bus.subscribe_json(subjects.REFRESH_ALL, refresh, object),
        ]

    async def _supervise(self, task: Task) -> None:
        """Run a line's task; start it again when a driver does what none may do."""
        while True:
            try:
                await task.run()
            except StartFailed:
                raise
            except Exception as cause:  # noqa: BLE001 — the edge of the process towards drivers
                log.exception("line=%s task failed, starting it again", task.name)
                error = Unavailable("edge.crashed", line=task.name, fault=repr(cause))
                for device in task.devices:
                    device.lose(error)
                    await device.close()
            else:
                return
            await asyncio.sleep(_RESTART_S)

    async def _beat(self) -> None:
        """Send what lingers; once a second the slower duties."""
        pause = min(0.1, max(0.02, self._settings.linger_s / 4))
        slow = self._clock.monotonic_ns()
        while True:
            await asyncio.sleep(pause)
            now = self._clock.monotonic_ns()
            reminders = now - slow >= _SECOND_NS
            for device in self.devices.values():
                device.tick(reminders=reminders)
            if reminders:
                slow = now
                self._outbox.tick()

    def _gap_over(self) -> None:
        """Points were left out while the bus was away; they are not to be missed for long."""
        self._events.tell("buffer.recovered")
        self.report_anew()

    def report_anew(self) -> None:
        """Have every tag reported once more."""
        for device in self.devices.values():
            device.report_anew()

    async def _command(self, subject: str, body: bytes) -> WriteReply:
        name = subject.rpartition(".")[2]
        task = self._of_device.get(name)
        async with task.lock if task else contextlib.nullcontext():
            command, error = await carry_out(self.devices.get(name), name, body)
        self._events.tell(
            "command.refused" if error else "command.done",
            device=name,
            tag=command.tag if command else None,
            value=command.value if command else None,
            by=command.by if command else "",
            error=error,
        )
        return WriteReply.of(error)

    # ------------------------------------------------------------ status

    async def _speak(self) -> None:
        subject = subjects.status("gateway", self.spec.name)
        last = self._clock.monotonic_ns()
        while True:
            await asyncio.sleep(self._settings.status_s)
            now = self._clock.monotonic_ns()
            document = self.status((now - last) / 1e9)
            last = now
            with contextlib.suppress(Unavailable):
                await self._bus.publish_json(subject, document)

    def status(self, elapsed_s: float) -> GatewayStatus:
        """The document; ``elapsed_s`` since the last one, for the rates."""
        devices = [device.status(elapsed_s) for device in self.devices.values()]
        return GatewayStatus(
            name=self.spec.name,
            boot=self.boot,
            time_ns=self._clock.time_ns(),
            uptime_s=round((self._clock.monotonic_ns() - self._started_ns) / 1e9, 1),
            bus_connected=self._bus.connected,
            read_per_s=round(sum(device.read_per_s for device in devices), 1),
            reported_per_s=round(sum(device.reported_per_s for device in devices), 1),
            cpu_share=self._cost.cpu_share(elapsed_s),
            rss_mib=self._cost.rss_mib(),
            devices=devices + self._broken,
            buffer=self._outbox.status(),
            log=list(self._ring.lines),
        )


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_gateway(
    spec: GatewaySpec,
    bus: GatewayBus,
    settings: EdgeSettings,
    stop: asyncio.Event,
    *,
    kinds: Kinds = catalogue.kind,
    clock: Clock | None = None,
) -> None:
    """Acquire what ``spec`` names and publish it on ``bus`` until ``stop`` is set.

    Raises Unavailable ``edge.start-failed`` or ConfigError for a device declared
    ``start = error``; any other fault of a device is shown in the status document.
    """
    await Gateway(spec, bus, settings, kinds, clock or SystemClock()).run(stop)
