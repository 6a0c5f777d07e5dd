"""Report by exception, against a plain one-point-at-a-time model."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.calc.deadband import Exceptions, width
from mingwu.kernel.plant import Deadband

GOOD = 0xC0


def exceptions(band, heartbeat_s=1000.0):
    return Exceptions(
        np.array(band, np.float64), np.full(len(band), int(heartbeat_s * 1e9), np.int64)
    )


def select(told, values, qualities=None, now_s=0.0, rows=None, also=None):
    values = np.array(values, np.float64)
    qualities = np.full(len(values), GOOD) if qualities is None else qualities
    mask = told.select(
        values,
        np.array(qualities, np.uint8),
        int(now_s * 1e9),
        rows=None if rows is None else np.array(rows, np.intp),
        also=also,
    )
    return mask.tolist()


def test_the_first_reading_is_reported_and_a_change_within_the_band_is_not():
    told = exceptions([0.5])
    assert select(told, [10.0]) == [True]
    assert select(told, [10.5]) == [False]
    assert select(told, [10.51]) == [True]


def test_slow_drift_is_reported_because_the_last_report_is_what_counts():
    told = exceptions([1.0])
    reports = [select(told, [n * 0.4])[0] for n in range(10)]
    assert sum(reports) == 4


def test_zero_band_reports_every_change_and_no_repetition():
    told = exceptions([0.0])
    assert [select(told, [v])[0] for v in (1.0, 1.0, 1.0 + 1e-12)] == [True, False, True]


def test_quality_always_reports_and_nan_equals_nan():
    told = exceptions([5.0])
    select(told, [1.0])
    assert select(told, [1.0], [0x45]) == [True]
    assert told.turned
    assert select(told, [math.nan], [0x01]) == [True]
    assert select(told, [math.nan], [0x01]) == [False]
    assert not told.turned
    assert select(told, [1.0], [GOOD]) == [True]


def test_heartbeat_and_overdue_and_forget():
    told = exceptions([5.0, 5.0], heartbeat_s=10)
    select(told, [1.0], rows=[0], now_s=100)
    assert told.overdue(int(109.9e9)).tolist() == []
    assert told.overdue(int(110e9)).tolist() == [0]  # the other was never read
    assert select(told, [1.0], rows=[0], now_s=110) == [True]
    assert select(told, [1.0], rows=[0], now_s=111) == [False]
    told.forget()
    assert select(told, [1.0], rows=[0], now_s=112) == [True]


def test_rearranged_tags_keep_their_state():
    told = exceptions([0.0, 10.0, 0.0])
    select(told, [1.0, 2.0, 3.0])
    told.rearrange(np.array([2, 0, 1]))
    assert select(told, [3.0, 1.5, 5.0]) == [False, True, False]


@pytest.mark.parametrize(
    ("band", "low", "high", "expected"),
    [
        (Deadband(absolute=0.2), None, None, 0.2),
        (Deadband(percent=2), 0, 50, 1.0),
        (Deadband(percent=2, absolute=3), 0, 50, 3.0),
        (Deadband(percent=2), None, 50, 0.0),
        (Deadband(percent=2), 50, -50, 2.0),
    ],
)
def test_width_of_the_band(band, low, high, expected):
    assert width(band, low, high) == pytest.approx(expected)


readings = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.just(math.nan), st.integers(-5, 5).map(float)),
        st.sampled_from([GOOD, 0x40, 0x01]),
    ),
    max_size=40,
)


@given(readings, st.floats(0, 3))
def test_arrays_and_the_plain_model_agree(seen, band):
    told = exceptions([band] * 3, heartbeat_s=7)
    last: dict[int, tuple[float, int, int]] = {}
    for now, (row, value, quality) in enumerate(seen):
        known = last.get(row)
        expected = (
            known is None
            or known[1] != quality
            or abs(value - known[0]) > band
            or now - known[2] >= 7
        )
        assert select(told, [value], [quality], now, rows=[row]) == [expected]
        if expected:
            last[row] = (value, quality, now)
