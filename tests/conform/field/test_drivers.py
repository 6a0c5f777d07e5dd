"""What ``field.base`` promises, asked of every driver."""

import asyncio
import time

import numpy as np
import pytest
from pytest_socket import disable_socket, enable_socket

from mingwu.field.base import Driver, DriverKind
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import SIMULATED, good_mask
from mingwu.kernel.settings import build

pytestmark = pytest.mark.anyio


def check_columns(columns, tags):
    assert len(columns.tag) == len(columns.time_ns) == len(columns.value) == len(columns.quality)
    assert columns.tag.dtype == np.uint32
    assert columns.time_ns.dtype == np.int64
    assert columns.value.dtype == np.float64
    assert columns.quality.dtype == np.uint8
    assert set(columns.tag.tolist()) <= {tag.number for tag in tags}
    assert len(set(columns.tag.tolist())) == len(columns)
    assert all(0 <= row < len(columns) for row in columns.text)
    bad = ~good_mask(columns.quality)
    assert np.isnan(columns.value[bad & (columns.quality & 0xC0 == 0)]).all()


async def eventually_all_good(driver, plan, rig):
    """Drivers of devices that push need a moment until every value came."""
    async with asyncio.timeout(60):
        while True:
            columns = await driver.read(plan)
            if good_mask(columns.quality).all():
                return columns
            await rig.stir()
            await asyncio.sleep(0.02)


async def read_until_lost(driver, plan):
    while True:
        await driver.read(plan)
        await asyncio.sleep(0.02)


def test_construction_and_compiling_touch_no_network(unstarted):
    disable_socket()
    try:
        driver = unstarted.create(unstarted.rig.dead_settings)
        driver.compile(unstarted.rig.tags)
    finally:
        enable_socket()
    assert isinstance(unstarted.kind, DriverKind)
    assert unstarted.kind.name == unstarted.rig.driver


def test_line_key_comes_from_settings_alone(unstarted):
    keys = {
        unstarted.kind.line(build(unstarted.kind.settings, dict(unstarted.rig.dead_settings)))
        for _ in range(2)
    }
    assert len(keys) == 1
    assert keys != {""}


def test_bad_addresses_are_config_errors_that_quote_them(unstarted):
    driver = unstarted.create(unstarted.rig.dead_settings)
    for address in unstarted.rig.bad_addresses:
        tag = TagSpec(number=1, thing="x", name="spoiled", address=address)
        with pytest.raises(ConfigError) as caught:
            driver.compile([tag])
        for lang in ("en", "zh"):
            assert address in caught.value.text(lang)
            assert "spoiled" in caught.value.text(lang)
            assert caught.value.next_step(lang)


async def test_closing_needs_no_opening_and_may_be_repeated(unstarted):
    driver: Driver = unstarted.create(unstarted.rig.dead_settings)
    await driver.close()
    await driver.close()


async def test_reading_before_opening_is_unavailable(unstarted):
    driver = unstarted.create(unstarted.rig.dead_settings)
    with pytest.raises(Unavailable):
        await driver.read(driver.compile(unstarted.rig.tags))


async def test_nobody_there_is_unavailable_in_time(unstarted):
    driver = unstarted.create(unstarted.rig.dead_settings)
    start = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await driver.open()
    assert time.monotonic() - start < unstarted.rig.loses_s
    assert caught.value.text("en") != caught.value.text("zh")
    await driver.close()


@pytest.mark.parametrize("simulated", [False, True], ids=["real", "simulated"])
async def test_reading(subject, simulated):
    driver = subject.create(simulated=simulated)
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    columns = await eventually_all_good(driver, plan, subject.rig)
    check_columns(columns, subject.rig.tags)
    assert len(columns) == len(subject.rig.tags)
    marks = columns.quality & SIMULATED
    assert marks.all() if simulated else not marks.any()
    assert (np.abs(columns.time_ns - time.time_ns()) < 3600 * 10**9).all()
    await driver.close()
    await driver.close()
    with pytest.raises(Unavailable):
        await driver.read(plan)


async def test_a_read_does_not_change_what_the_one_before_gave(subject):
    driver = subject.create()
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    first = await eventually_all_good(driver, plan, subject.rig)
    kept = first.value.copy(), first.quality.copy(), first.time_ns.copy(), dict(first.text)
    second = await driver.read(plan)
    second.value[:] = -1
    second.quality[:] = 0
    second.time_ns[:] = 0
    await driver.read(plan)
    assert np.array_equal(first.value, kept[0], equal_nan=True)
    assert np.array_equal(first.quality, kept[1])
    assert np.array_equal(first.time_ns, kept[2])
    assert first.text == kept[3]
    await driver.close()


async def test_two_plans_of_one_device(subject):
    driver = subject.create()
    tags = subject.rig.tags
    plans = [driver.compile(tags[:1]), driver.compile(tags[1:])]
    await driver.open()
    for plan, expected in zip(plans, (tags[:1], tags[1:]), strict=True):
        columns = await eventually_all_good(driver, plan, subject.rig)
        assert set(columns.tag.tolist()) == {tag.number for tag in expected}
    await driver.close()


async def test_lost_device_is_told_in_time_and_taken_up_again(subject):
    driver = subject.create()
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    await eventually_all_good(driver, plan, subject.rig)
    await subject.rig.vanish()
    async with asyncio.timeout(subject.rig.loses_s):
        with pytest.raises(Unavailable):
            await read_until_lost(driver, plan)
    await driver.close()
    await subject.rig.come_back()
    async with asyncio.timeout(subject.rig.loses_s):
        await driver.open()
        await eventually_all_good(driver, plan, subject.rig)
    await driver.close()


async def test_opening_again_without_closing(subject):
    driver = subject.create()
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    await driver.open()
    await eventually_all_good(driver, plan, subject.rig)
    await driver.close()


async def test_two_drivers_do_not_disturb_each_other(subject):
    one, other = subject.create(), subject.create(simulated=False)
    plans = [driver.compile(subject.rig.tags) for driver in (one, other)]
    await one.open()
    await other.open()
    await eventually_all_good(one, plans[0], subject.rig)
    await one.close()
    columns = await eventually_all_good(other, plans[1], subject.rig)
    assert not (columns.quality & SIMULATED).any()
    await other.close()


async def test_subscription_hands_on_columns_until_closed(subject):
    if not subject.pushed:
        pytest.skip("polled")
    driver = subject.create()
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    seen = []
    subscription = await driver.subscribe(plan, seen.append)
    numbers = set()
    async with asyncio.timeout(60):
        while numbers != {tag.number for tag in subject.rig.tags}:
            await subject.rig.stir()
            await asyncio.sleep(0.02)
            numbers = {n for columns in seen for n in columns.tag.tolist()}
    for columns in seen:
        check_columns(columns, subject.rig.tags)
        assert (columns.quality & SIMULATED).all()
    waiting = asyncio.ensure_future(subscription.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    await subscription.close()
    await subscription.close()
    async with asyncio.timeout(60):
        await waiting
    await driver.close()


async def test_subscription_tells_of_a_lost_device(subject):
    if not subject.pushed:
        pytest.skip("polled")
    driver = subject.create()
    plan = driver.compile(subject.rig.tags)
    await driver.open()
    subscription = await driver.subscribe(plan, lambda _columns: None)
    await subject.rig.vanish()
    async with asyncio.timeout(subject.rig.loses_s):
        with pytest.raises(Unavailable):
            await subscription.wait()
    await subscription.close()
    await driver.close()
    await subject.rig.come_back()
    seen = []
    await driver.open()
    again = await driver.subscribe(plan, seen.append)
    async with asyncio.timeout(60):
        while not seen:
            await subject.rig.stir()
            await asyncio.sleep(0.02)
    await again.close()
    await driver.close()
