"""The platform's own drivers read every device as the plant file announces it."""

import asyncio

import numpy as np
import pytest

from mingwu.field.catalogue import kind
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import GOOD, SIMULATED
from mingwu.kernel.settings import build

pytestmark = pytest.mark.anyio

DEVICES = ("dcm01", "dcm02", "xray01", "em01", "em16", "em20", "mc01", "mc04", "leak01", "nut01",
           "agv01", "mes01")  # fmt: skip


def specs(plant, device):
    return [
        TagSpec(
            number=number, thing="x", name=f"{number}", address=tag.address, type=tag.type,
            unit=tag.unit, low=tag.low, high=tag.high, scale=tag.scale, offset=tag.offset,
        )
        for number, tag in enumerate(plant.tags(device))
    ]  # fmt: skip


async def all_good(driver, plan, count):
    async with asyncio.timeout(60):
        while True:
            columns = await driver.read(plan)
            fresh = columns.quality == (GOOD | SIMULATED)
            if len(columns) >= count and fresh.all():
                return columns
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("device", DEVICES)
async def test_driver_reads_the_device(plant, device):
    link = plant.connection(device)
    driver_kind = kind(link.driver)
    settings = build(driver_kind.settings, link.settings)
    driver = driver_kind.create(settings, True)
    tags = specs(plant, device)
    plan = driver.compile(tags)
    await driver.open()
    try:
        columns = await all_good(driver, plan, len(tags))
    finally:
        await driver.close()
    assert set(columns.tag.tolist()) == {tag.number for tag in tags}
    for row, number in enumerate(columns.tag.tolist()):
        tag = tags[number]
        if row in columns.text or tag.low is None or tag.high is None:
            continue
        assert tag.low <= columns.value[row] <= tag.high, tag.address
    assert np.isfinite(
        columns.value[[r for r in range(len(columns)) if r not in columns.text]]
    ).all()
