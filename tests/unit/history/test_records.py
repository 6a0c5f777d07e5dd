"""Bucket quality and schedules."""

import numpy as np

from mingwu.history.records import Completeness, Schedule, bucket_quality
from mingwu.kernel.plant import Deadband, TagSpec, ValueType
from mingwu.kernel.quality import BAD, GOOD, SIMULATED, UNCERTAIN


def test_a_bucket_is_good_only_if_all_points_are():
    quality = bucket_quality(
        np.array([3, 3, 3], np.uint64),
        np.array([3, 2, 0], np.uint64),
        np.array([3, 2, 0], np.uint64),
        np.array([0, SIMULATED, SIMULATED], np.uint8),
    )
    assert quality.tolist() == [GOOD, UNCERTAIN | SIMULATED, BAD | SIMULATED]


def test_the_interval_is_the_longer_of_period_and_heartbeat():
    tag = TagSpec(number=1, thing="t", name="n", address="a", period_ms=5000)
    assert Schedule.of(tag).interval_ms == 1_800_000
    polled = TagSpec(
        number=1,
        thing="t",
        name="n",
        address="a",
        period_ms=5000,
        type=ValueType.TEXT,
        deadband=Deadband(heartbeat_s=1),
    )
    assert Schedule.of(polled).interval_ms == 5000
    assert Schedule.of(polled).text


def test_ratio():
    row = Completeness(tag=1, received=3, expected=4, points=9, good=9, longest_gap_s=1)
    assert row.ratio == 0.75
