"""Judging points and reporting them by exception."""

import math

import numpy as np
import pytest

from mingwu.edge.points import Points
from mingwu.kernel.batch import Columns
from mingwu.kernel.plant import Deadband, TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, uncertain

NOW = 1_760_000_000_000_000_000
DAY = 86_400_000_000_000


def tag(number, **more):
    return TagSpec(number=number, thing="p/1", name=f"t{number}", address="x", **more)


def points(*tags, simulated=False):
    return Points(tags, simulated=simulated, future_ns=DAY)


def columns(rows, text=None):
    number, value, *rest = zip(*rows, strict=True)
    quality = rest[0] if rest else [GOOD] * len(number)
    times = rest[1] if len(rest) > 1 else [NOW] * len(number)
    return Columns(
        np.array(number, np.uint32),
        np.array(times, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        text or {},
    )


def rows(found):
    if found is None:
        return []
    return list(zip(found.tag.tolist(), found.value.tolist(), found.quality.tolist(), strict=True))


def test_good_values_pass_and_repetitions_do_not():
    it = points(tag(1), tag(2))
    assert rows(it.take(columns([(1, 5.0), (2, 6.0)]), NOW)) == [(1, 5.0, GOOD), (2, 6.0, GOOD)]
    assert it.take(columns([(1, 5.0), (2, 6.0)]), NOW) is None
    assert rows(it.take(columns([(1, 5.0), (2, 7.0)]), NOW)) == [(2, 7.0, GOOD)]


def test_outside_the_range_is_uncertain_and_keeps_its_value():
    it = points(tag(1, low=0, high=10), tag(2, high=10))
    found = it.take(columns([(1, -1.0), (2, -1.0)]), NOW)
    assert rows(found) == [(1, -1.0, uncertain(Reason.OUT_OF_RANGE)), (2, -1.0, GOOD)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_bad(value):
    it = points(tag(1, low=0, high=10))
    ((_, found, quality),) = rows(it.take(columns([(1, value)]), NOW))
    assert math.isnan(found)
    assert quality == bad(Reason.NOT_A_NUMBER)


def test_bad_points_keep_the_drivers_reason_and_uncertain_ones_too():
    it = points(tag(1, low=0, high=10), tag(2, low=0, high=10))
    one, two = bad(Reason.TIMEOUT), uncertain(Reason.LAST_KNOWN)
    found = rows(it.take(columns([(1, math.nan, one), (2, 99.0, two)]), NOW))
    assert [quality for *_, quality in found] == [one, two]


def test_the_simulated_mark_is_on_every_point_whatever_is_wrong_with_it():
    it = points(tag(1, high=1), tag(2), tag(3), simulated=True)
    found = it.take(columns([(1, 5.0), (2, math.nan), (3, 1.0)]), NOW)
    assert all(quality & SIMULATED for *_, quality in rows(found))
    lost = it.lose(Reason.NOT_CONNECTED, NOW)
    assert [q for *_, q in rows(lost)] == [bad(Reason.NOT_CONNECTED) | SIMULATED] * 3


@pytest.mark.parametrize(
    ("time_ns", "suspect"),
    [(NOW - 5, False), (NOW + DAY, False), (NOW + DAY + 1, True), (5, True), (-(2**63), True)],
)
def test_times_that_cannot_be_are_replaced(time_ns, suspect):
    it = points(tag(1))
    found = it.take(columns([(1, 1.0, GOOD, time_ns)]), NOW)
    assert found.time_ns.tolist() == [NOW if suspect else time_ns]
    assert found.quality.tolist() == [uncertain(Reason.TIME_SUSPECT) if suspect else GOOD]


def test_loss_is_told_once_per_tag_and_so_is_the_return():
    it = points(tag(1, deadband=Deadband(heartbeat_s=1)), tag(2))
    it.take(columns([(1, 5.0), (2, 6.0)]), NOW)
    assert len(it.lose(Reason.NOT_CONNECTED, NOW)) == 2
    assert it.bad == 2
    assert it.lose(Reason.NOT_CONNECTED, NOW + 5 * 10**9) is None
    assert len(it.take(columns([(1, 5.0), (2, 6.0)]), NOW)) == 2
    assert it.turned
    assert it.bad == 0


def test_tags_never_read_are_told_bad_when_the_device_is_lost():
    assert len(points(tag(1), tag(2)).lose(Reason.NOT_CONNECTED, NOW)) == 2


def test_a_driver_may_have_an_order_of_its_own():
    it = points(tag(1), tag(2, high=1), tag(3))
    shuffled = [(3, 30.0), (1, 10.0), (2, 20.0)]
    first = rows(it.take(columns(shuffled), NOW))
    assert first == [(3, 30.0, GOOD), (1, 10.0, GOOD), (2, 20.0, uncertain(Reason.OUT_OF_RANGE))]
    assert it.take(columns(shuffled), NOW) is None
    assert it.numbers.tolist() == [3, 1, 2]
    assert rows(it.take(columns([(1, 11.0)]), NOW)) == [(1, 11.0, GOOD)]
    assert it.take(columns([(1, 11.0), (2, 20.0), (3, 30.0)]), NOW) is None


def test_strangers_are_counted_and_left_out():
    it = points(tag(5), tag(7))
    assert rows(it.take(columns([(6, 1.0), (5, 2.0), (9, 3.0)]), NOW)) == [(5, 2.0, GOOD)]
    assert it.unknown == 2
    assert it.take(columns([(6, 1.0)]), NOW) is None
    assert it.take(columns([(1, 1.0)]).take(np.array([], np.intp)), NOW) is None


def test_several_changes_of_one_tag_in_one_look_keep_their_order():
    it = points(tag(1), tag(2))
    it.take(columns([(1, 1.0), (2, 1.0)]), NOW)
    found = it.take(columns([(1, 2.0), (2, 1.0), (1, 1.0), (1, 1.0), (1, 3.0)]), NOW)
    assert [value for number, value, _ in rows(found) if number == 1] == [2.0, 1.0, 3.0]
    assert 2 not in found.tag


def test_texts_are_reported_when_they_change():
    it = points(tag(1, type=ValueType.TEXT), tag(2))
    nan = math.nan
    first = it.take(columns([(1, nan), (2, 1.0)], {0: "run"}), NOW)
    assert first.quality.tolist() == [GOOD, GOOD]
    assert first.text == {0: "run"}
    assert it.take(columns([(1, nan), (2, 1.0)], {0: "run"}), NOW) is None
    found = it.take(columns([(2, 2.0), (1, nan)], {1: "stop"}), NOW)
    assert sorted(found.tag.tolist()) == [1, 2]
    assert found.text == {found.tag.tolist().index(1): "stop"}


def test_reminders_repeat_the_last_report():
    it = points(
        tag(1, type=ValueType.TEXT, deadband=Deadband(heartbeat_s=10)),
        tag(2, deadband=Deadband(heartbeat_s=100)),
    )
    it.take(columns([(1, math.nan), (2, 1.0)], {0: "run"}), NOW)
    assert it.remind(NOW + 9 * 10**9) is None
    again = it.remind(NOW + 10 * 10**9)
    assert again.tag.tolist() == [1]
    assert again.text == {0: "run"}
    assert again.time_ns.tolist() == [NOW + 10 * 10**9]
    it.forget()
    assert len(it.remind(NOW + 11 * 10**9)) == 2


def test_what_is_reported_does_not_share_memory_with_the_driver():
    it = points(tag(1), tag(2))
    given = columns([(1, 1.0), (2, 2.0)])
    found = it.take(given, NOW)
    for name in ("tag", "time_ns", "value", "quality"):
        assert not np.shares_memory(getattr(found, name), getattr(given, name))


def test_drivers_columns_are_left_as_they_are():
    it = points(tag(1, high=0), simulated=True)
    given = columns([(1, 1.0, GOOD, 5)])
    it.take(given, NOW)
    assert (given.quality.tolist(), given.time_ns.tolist()) == ([GOOD], [5])
