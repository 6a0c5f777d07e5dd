"""A device as the gateway runs it: its driver, its plans, its state, its counters.

The driver talks, the device decides: judging and reporting (``points``), the one bad-quality
transition when the driver is lost, the log line when it goes and the one when it returns. When to
do what is the line's business (``line``, ``pushed``).
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from mingwu.edge.coalescer import Coalescer
from mingwu.edge.meters import Durations, Rate
from mingwu.edge.points import Points
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import DeviceState, DeviceStatus, Fault, fault_of
from mingwu.field.base import Driver, DriverKind, WriteRequest, WriteResult, Writes, pushes
from mingwu.kernel.batch import Columns
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import ConfigError, MingwuError, PeerError, Unavailable
from mingwu.kernel.plant import DeviceSpec, TagSpec
from mingwu.kernel.quality import Reason
from mingwu.kernel.settings import build

log = logging.getLogger(__name__)

Told = Callable[["Device", str, MingwuError | None], None]
_CLOSE_S = 3.0


@dataclass(slots=True, eq=False)
class Plan:
    """Tags read together: the driver's compiled form and the state of their points."""

    period_ns: int
    points: Points
    compiled: Any


@dataclass(slots=True)
class Counters:
    """Since the start of the gateway."""

    read: Rate = field(default_factory=Rate)
    reported: Rate = field(default_factory=Rate)
    took: Durations = field(default_factory=Durations)
    overruns: int = 0
    lost: int = 0
    last_read_ns: int = 0


class Device:
    """One device. ``told`` hears ``lost``, ``back``, ``faulty`` and ``ignored``.

    Raises ConfigError when its settings or driver are wrong.
    """

    def __init__(
        self,
        spec: DeviceSpec,
        kind: DriverKind,
        coalescer: Coalescer,
        settings: EdgeSettings,
        clock: Clock,
        told: Told,
    ) -> None:
        self.spec = spec
        self.coalescer = coalescer
        self.state = DeviceState.CONNECTING
        self.counters = Counters()
        self.plans: list[Plan] = []
        self.error: Fault | None = None
        self.retry_at_ns = 0
        self._settings = settings
        self._clock = clock
        self._told = told
        self._lost_ns = 0
        driver_settings = build(kind.settings, spec.settings, f"$.devices.{spec.name}.settings")
        self.pushed = pushes(kind, driver_settings)
        self.line = spec.line or kind.line(driver_settings) or spec.name
        self.driver: Driver = kind.create(driver_settings, spec.simulated)
        self._tags = {tag.number: tag for tag in spec.tags}
        self._compile()

    @property
    def name(self) -> str:
        return self.spec.name

    # ------------------------------------------------------------ plans

    def _compile(self) -> None:
        by_period: dict[int, list[TagSpec]] = defaultdict(list)
        for tag in self.spec.tags:
            by_period[0 if self.pushed else tag.period_ms].append(tag)
        for period_ms, tags in sorted(by_period.items()):
            readable, compiled = self._readable(tags)
            if readable:
                self.plans.append(Plan(period_ms * 1_000_000, self._points(readable), compiled))
        if not self.plans:
            self.state = DeviceState.FAULTY if self.spec.tags else DeviceState.IDLE

    def _points(self, tags: Sequence[TagSpec]) -> Points:
        return Points(
            tags,
            simulated=self.spec.simulated,
            future_ns=int(self._settings.future_limit_s * 1e9),
        )

    def _readable(self, tags: list[TagSpec]) -> tuple[list[TagSpec], Any]:
        """The tags the driver can read, compiled; the others are told bad once and for all."""
        with contextlib.suppress(ConfigError):
            return tags, self.driver.compile(tags)
        good: list[TagSpec] = []
        wrong: list[TagSpec] = []
        fault = ""
        for tag in tags:
            try:
                self.driver.compile([tag])
            except ConfigError as error:
                wrong.append(tag)
                fault = fault or str(error)
            else:
                good.append(tag)
        self._declare_bad(wrong, fault)
        return good, self.driver.compile(good) if good else None

    def _declare_bad(self, tags: list[TagSpec], fault: str) -> None:
        if not tags:
            return
        error = ConfigError(
            "edge.bad-tags", device=self.name, count=len(tags), tag=tags[0].name, fault=fault
        )
        log.error("device=%s %s", self.name, error)
        now = self._clock.time_ns()
        self.error = fault_of(error, now)
        self._told(self, "faulty", error)
        columns = self._points(tags).lose(Reason.BAD_ADDRESS, now)
        if columns is not None:
            self.coalescer.add(columns, now, self._clock.monotonic_ns(), transition=True)

    # ------------------------------------------------------------ life

    async def open(self) -> None:
        """Connect the driver; raises MingwuError (Unavailable when it takes too long)."""
        limit = self._settings.open_limit_s
        try:
            async with asyncio.timeout(limit):
                await self.driver.open()
        except TimeoutError as error:
            raise self._too_slow(limit) from error

    async def close(self) -> None:
        """Disconnect the driver, however it feels about it."""
        with contextlib.suppress(TimeoutError, MingwuError):
            async with asyncio.timeout(_CLOSE_S):
                await self.driver.close()

    async def read(self, plan: Plan) -> None:
        """One read, judged and reported; raises MingwuError when the device is lost."""
        limit = self._settings.read_limit_s
        began = time.perf_counter_ns()
        try:
            async with asyncio.timeout(limit):
                columns = await self.driver.read(plan.compiled)
        except TimeoutError as error:
            raise self._too_slow(limit) from error
        self.counters.took.add(time.perf_counter_ns() - began)
        if self.state is not DeviceState.ONLINE:
            self.succeed()
        self.take(plan, columns)

    def _too_slow(self, limit: float) -> Unavailable:
        return Unavailable("edge.read-timeout", device=self.name, seconds=limit)

    def take(self, plan: Plan, columns: Columns) -> None:
        """Readings of a plan, polled or pushed."""
        now = self._clock.time_ns()
        counters = self.counters
        counters.read.total += len(columns)
        counters.last_read_ns = now
        reported = plan.points.take(columns, now)
        if reported is not None:
            self._report(reported, now, transition=plan.points.turned)

    def _report(self, columns: Columns, now: int, *, transition: bool) -> None:
        self.counters.reported.total += len(columns)
        self.coalescer.add(columns, now, self._clock.monotonic_ns(), transition=transition)

    def succeed(self) -> None:
        """The device answers."""
        if self.state is DeviceState.LOST and self._lost_ns:
            seconds = (self._clock.monotonic_ns() - self._lost_ns) / 1e9
            log.info("device=%s back after_s=%.1f", self.name, seconds)
            self._told(self, "back", None)
        self.state = DeviceState.ONLINE
        if self.error is not None and not self.error.over and self.error.code != "edge.bad-tags":
            self.error = _over(self.error)

    def lose(self, error: MingwuError, *, final: DeviceState = DeviceState.LOST) -> None:
        """The device is gone: told once per tag, logged once, told as an event once."""
        now = self._clock.time_ns()
        first = self.state in {DeviceState.ONLINE, DeviceState.CONNECTING} or final != self.state
        self.state = final
        self.error = fault_of(error, now)
        reason = Reason.MALFORMED if isinstance(error, PeerError) else Reason.NOT_CONNECTED
        if final is not DeviceState.LOST:
            reason = Reason.OUT_OF_SERVICE
        for plan in self.plans:
            columns = plan.points.lose(reason, now)
            if columns is not None:
                self._report(columns, now, transition=True)
        self.coalescer.flush(now)
        if first:
            self._lost_ns = self._clock.monotonic_ns()
            self.counters.lost += 1
            log.warning("device=%s lost: %s", self.name, error)
            self._told(self, "lost" if final is DeviceState.LOST else final.value, error)

    def tick(self, *, reminders: bool) -> None:
        """Send what has waited; for pushed devices repeat what was not told for long."""
        now, mono = self._clock.time_ns(), self._clock.monotonic_ns()
        if reminders and self.pushed and self.state is DeviceState.ONLINE:
            self._remind(now)
        self.coalescer.tick(now, mono)

    def report_anew(self) -> None:
        """Report every tag at the next opportunity."""
        for plan in self.plans:
            plan.points.forget()
        if self.state is not DeviceState.ONLINE:
            self._remind(self._clock.time_ns())

    def _remind(self, now: int) -> None:
        for plan in self.plans:
            columns = plan.points.remind(now)
            if columns is not None:
                self._report(columns, now, transition=False)

    # ------------------------------------------------------------ writing

    def tag(self, number: int) -> TagSpec | None:
        """A tag of this device."""
        return self._tags.get(number)

    async def write(self, tag: TagSpec, value: float | str | bool) -> WriteResult:
        """Write through the driver; raises Unavailable."""
        if self.state is not DeviceState.ONLINE:
            raise Unavailable("edge.device-lost", device=self.name)
        if not hasattr(self.driver, "write"):
            return WriteResult(ok=False, reason="the driver cannot write")
        limit = self._settings.read_limit_s
        try:
            async with asyncio.timeout(limit):
                request = WriteRequest(tag=tag, value=value)
                return (await cast("Writes", self.driver).write([request]))[0]
        except TimeoutError as error:
            raise self._too_slow(limit) from error

    # ------------------------------------------------------------ status

    def status(self, elapsed_s: float) -> DeviceStatus:
        """As the status document shows it; ``elapsed_s`` since the last call."""
        counters = self.counters
        p50, p99 = counters.took.percentiles_ms()
        retry_ns = self.retry_at_ns - self._clock.monotonic_ns()
        lost = self.state is DeviceState.LOST
        return DeviceStatus(
            name=self.name,
            thing=self.spec.thing,
            driver=self.spec.driver,
            line=self.line,
            state=self.state,
            mode="subscribe" if self.pushed else "poll",
            simulated=self.spec.simulated,
            tags=len(self.spec.tags),
            bad_tags=sum(plan.points.bad for plan in self.plans),
            read_per_s=counters.read.per_second(elapsed_s),
            reported_per_s=counters.reported.per_second(elapsed_s),
            read=counters.read.total,
            reported=counters.reported.total,
            overruns=counters.overruns,
            lost=counters.lost,
            latency_p50_ms=p50,
            latency_p99_ms=p99,
            last_read_ns=counters.last_read_ns,
            retry_in_s=round(max(0.0, retry_ns / 1e9), 1) if lost else 0.0,
            error=self.error,
        )


def _over(fault: Fault) -> Fault:
    return Fault(
        code=fault.code,
        time_ns=fault.time_ns,
        en=fault.en,
        zh=fault.zh,
        next_en=fault.next_en,
        next_zh=fault.next_zh,
        over=True,
    )
