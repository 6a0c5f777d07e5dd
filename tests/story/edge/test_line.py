"""Polled lines on a clock the test moves."""

import asyncio
import random
from itertools import pairwise

import pytest

from mingwu.edge.coalescer import Coalescer
from mingwu.edge.device import Device
from mingwu.edge.line import PolledLine, StartFailed
from mingwu.edge.settings import EdgeSettings
from mingwu.edge.status import DeviceState
from mingwu.kernel.plant import Start
from mingwu.kernel.quality import Reason, bad

pytestmark = pytest.mark.anyio
SETTINGS = EdgeSettings(retry_min_s=1.0, retry_max_s=8.0, linger_s=0)


class Stage:
    """Devices on one line, their batches in ``sent``, their tales in ``told``."""

    def __init__(self, specs, kinds, world, new_world, time):
        self.time, self.world, self.sent, self.told = time, world, [], []
        self.devices = []
        for spec in specs:
            world.setdefault(
                spec.settings["key"],
                new_world(now=time.monotonic_ns, time_ns=time.time_ns, sleep=time.sleep),
            )
            coalescer = Coalescer(
                f"gw/{spec.name}",
                1,
                lambda batch, _transition: self.sent.append(batch),
                batch_points=1000,
                linger_ns=0,
            )
            self.devices.append(
                Device(
                    spec,
                    kinds(spec.driver),
                    coalescer,
                    SETTINGS,
                    time,
                    lambda device, what, _error: self.told.append((device.name, what)),
                )
            )
        self.line = PolledLine(
            "line",
            list(enumerate(self.devices)),
            SETTINGS,
            time,
            sleep=time.sleep,
            chance=random.Random(1),
        )

    async def __aenter__(self):
        self.task = asyncio.create_task(self.line.run())
        await self.time.settle()
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def points(self, device="d"):
        return [
            row
            for batch in self.sent
            if batch.source == f"gw/{device}"
            for row in zip(batch.columns.tag.tolist(), batch.columns.quality.tolist(), strict=True)
        ]


@pytest.fixture
def stage(kinds, world, new_world, fake_time):
    return lambda *specs: Stage(specs, kinds, world, new_world, fake_time)


async def test_reads_keep_their_absolute_deadlines(stage, device_spec, world, fake_time):
    async with stage(device_spec(period_ms=100)):
        world["d"].takes_s = 0.03
        await fake_time.advance(2.01)
        reads = world["d"].reads
        assert len(reads) in {20, 21}
        assert {b - a for a, b in pairwise(reads)} == {100_000_000}


async def test_a_slow_read_skips_and_counts(stage, device_spec, world, fake_time):
    s = stage(device_spec(period_ms=100))
    async with s:
        world["d"].takes_s = 0.25
        await fake_time.advance(3.0)
        reads = world["d"].reads
        assert {b - a for a, b in pairwise(reads)} == {300_000_000}
        device = s.devices[0]
        done = len(reads) - 1
        assert device.counters.overruns in {2 * done, 2 * done + 2}


async def test_periods_of_one_device_are_separate_plans(stage, device_spec, world, fake_time):
    fast, slow = device_spec(period_ms=100), device_spec(tags=2, number=10, period_ms=1000)
    spec = device_spec()
    spec = type(spec)(
        name="d", thing="p/d", driver="fake", settings={"key": "d"}, tags=fast.tags + slow.tags
    )
    s = stage(spec)
    async with s:
        await fake_time.advance(3.05)
        tags = [tag for tag, _ in s.points()]
        assert tags.count(0) in {30, 31}
        assert tags.count(10) in {3, 4}


async def test_loss_is_one_transition_per_tag_one_log_line_and_back_off(
    stage, device_spec, world, fake_time, caplog
):
    s = stage(device_spec())
    async with s:
        await fake_time.advance(1.0)
        world["d"].up = False
        before = len(s.points())
        with caplog.at_level("INFO", "mingwu.edge"):
            await fake_time.advance(60.0)
            gone = s.points()[before:]
            assert gone == [(n, bad(Reason.NOT_CONNECTED)) for n in range(3)]
            # 1, 2, 4, 8, 8 … s with jitter: about ten attempts in a minute, not six hundred
            assert 8 <= world["d"].opens - 1 <= 14
            assert s.devices[0].state is DeviceState.LOST
            world["d"].up = True
            await fake_time.advance(9.0)
        assert s.devices[0].state is DeviceState.ONLINE
        assert s.told == [("d", "lost"), ("d", "back")]
        assert len([r for r in caplog.records if "device=d" in r.getMessage()]) == 2
        assert s.points()[before + 3][1] == 0xC0
        assert s.devices[0].error.over


async def test_a_dead_neighbour_on_the_line_costs_only_its_attempts(
    stage, device_spec, world, fake_time
):
    s = stage(device_spec("dead"), device_spec("live", number=10))
    world["dead"].up = False
    async with s:
        await fake_time.advance(10.0)
        assert len(world["live"].reads) >= 99
        assert not world["dead"].reads


async def test_a_hanging_driver_is_taken_for_lost(kinds, stage, device_spec, world):
    s = stage(device_spec())
    device = s.devices[0]
    device._settings = EdgeSettings(read_limit_s=0.05)
    world["d"].hang = True
    await device.open()
    with pytest.raises(Exception, match=r"did not answer within 0\.05 s"):
        await device.read(device.plans[0])


async def test_start_policies(stage, device_spec, world, fake_time):
    specs = {start: device_spec(start.value, start=start) for start in Start}
    for start in (Start.IGNORE, Start.PROBE, Start.RETRY):
        s = stage(specs[start])
        world[start.value].up = False
        async with s:
            await fake_time.advance(30)
            retried = world[start.value].opens > 1
            assert retried == (start is Start.RETRY)
            state = DeviceState.LOST if start is Start.RETRY else DeviceState.IDLE
            assert s.devices[0].state is state
            reason = Reason.NOT_CONNECTED if retried else Reason.OUT_OF_SERVICE
            assert s.points(start.value) == [(n, bad(reason)) for n in range(3)]
    s = stage(specs[Start.ERROR])
    world["error"].up = False
    async with s:
        await fake_time.advance(1)
        with pytest.raises(StartFailed) as caught:
            await s.task
        assert caught.value.code == "edge.start-failed"


async def test_probe_reads_before_it_believes(stage, device_spec, world, fake_time):
    s = stage(device_spec(start=Start.PROBE))
    async with s:
        await fake_time.advance(1)
        assert s.devices[0].state is DeviceState.ONLINE


async def test_wrong_addresses_are_told_bad_and_the_others_are_read(
    stage, device_spec, world, fake_time
):
    spec = device_spec()
    wrong = type(spec.tags[0])(number=9, thing="p/d", name="oops", address="wrong", period_ms=100)
    spec = type(spec)(
        name="d", thing="p/d", driver="fake", settings={"key": "d"}, tags=(*spec.tags, wrong)
    )
    s = stage(spec)
    async with s:
        await fake_time.advance(0.5)
        assert s.points()[0] == (9, bad(Reason.BAD_ADDRESS))
        assert {tag for tag, _ in s.points()} == {0, 1, 2, 9}
        assert s.devices[0].error.code == "edge.bad-tags"
        assert ("d", "faulty") in s.told


async def test_a_bug_of_a_driver_ends_the_task_and_nothing_hides_it(
    stage, device_spec, world, fake_time
):
    s = stage(device_spec())
    world["d"].crash = True
    async with s:
        await fake_time.advance(1)
        with pytest.raises(ZeroDivisionError):
            await s.task
