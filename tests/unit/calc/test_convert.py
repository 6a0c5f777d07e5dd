"""Values and times as programs write them."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.calc.convert import TimeFormat, to_ns, to_point
from mingwu.kernel.plant import ValueType
from mingwu.kernel.quality import GOOD, Reason, bad

BAD = {reason: bad(reason) for reason in Reason}


@pytest.mark.parametrize(
    ("found", "kind", "value"),
    [
        (3, "int", 3), (2.5, "float", 2.5), (" 2.5e0", "float", 2.5),
        (Decimal("1.25"), "float", 1.25),
        (True, "bool", 1), ("ON", "bool", 1), ("false", "bool", 0), (7, "bool", 1),
        ("0", "bool", 0),
        (True, "float", 1),
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), "float", 60),
    ],
)  # fmt: skip
def test_numbers(found, kind, value):
    assert to_point(found, ValueType(kind), 1, 0, GOOD) == (value, GOOD, None)


def test_scale_and_offset_but_not_for_booleans():
    assert to_point("20", ValueType.FLOAT, 0.5, 3, GOOD)[0] == 13
    assert to_point(1, ValueType.BOOL, 0.5, 3, GOOD)[0] == 1


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        (None, "float", Reason.NOT_A_NUMBER), (None, "text", Reason.NOT_A_NUMBER),
        (float("nan"), "float", Reason.NOT_A_NUMBER), ("inf", "float", Reason.NOT_A_NUMBER),
        ("warm", "float", Reason.CONVERSION), ([1], "float", Reason.CONVERSION),
        ({}, "int", Reason.CONVERSION), (10**400, "float", Reason.CONVERSION),
        (b"\xff", "text", Reason.CONVERSION), (Decimal("sNaN"), "float", Reason.CONVERSION),
        (float("nan"), "bool", Reason.NOT_A_NUMBER),
    ],
)  # fmt: skip
def test_what_is_no_value_is_bad(found, kind, reason):
    value, quality, text = to_point(found, ValueType(kind), 1, 0, GOOD)
    assert math.isnan(value)
    assert (quality, text) == (BAD[reason], None)


@pytest.mark.parametrize(
    ("found", "text"),
    [("合格", "合格"), (3, "3"), (True, "true"), ([1, "a"], '[1,"a"]'),
     (date(2026, 1, 2), "2026-01-02"),
     (Decimal("1.50"), "1.50")],
)  # fmt: skip
def test_texts(found, text):
    assert to_point(found, ValueType.TEXT, 1, 0, GOOD)[1:] == (GOOD, text)


MOMENT = 1_767_225_600  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("found", "form", "expected"),
    [
        (MOMENT, "auto", MOMENT * 10**9),
        (MOMENT * 1000 + 7, "auto", MOMENT * 10**9 + 7_000_000),
        (MOMENT * 10**6 + 7, "auto", MOMENT * 10**9 + 7_000),
        (MOMENT * 10**9 + 7, "auto", MOMENT * 10**9 + 7),
        (MOMENT + 0.25, "auto", MOMENT * 10**9 + 250_000_000),
        (str(MOMENT), "s", MOMENT * 10**9),
        ("2026-01-01T00:00:00Z", "auto", MOMENT * 10**9),
        ("2026-01-01T08:00:00.5+08:00", "iso", MOMENT * 10**9 + 500_000_000),
        ("2026-01-01 08:00:00", "iso", MOMENT * 10**9),
        (datetime(2026, 1, 1, 8), "auto", MOMENT * 10**9),  # noqa: DTZ001 — naive on purpose
        (MOMENT, "iso", None),
        (True, "auto", None),
        ("yesterday", "auto", None),
        (-5, "auto", None),
        (float("nan"), "s", None),
        (10**30, "s", None),
        ({}, "auto", None),
        (None, "auto", None),
    ],
)
def test_times(found, form, expected):
    shanghai = timezone(timedelta(hours=8))
    assert to_ns(found, TimeFormat(form), shanghai) == expected


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
)  # fmt: skip


@settings(deadline=None)
@given(ANY.filter(lambda v: not isinstance(v, list | dict)), st.sampled_from(ValueType))
def test_any_value_is_a_point(found, kind):
    value, quality, text = to_point(found, kind, 2, 1, GOOD)
    assert (quality == GOOD) == (text is not None or math.isfinite(value))


@settings(deadline=None)
@given(ANY, st.sampled_from(TimeFormat))
def test_any_time_is_a_time_or_none(found, form):
    time_ns = to_ns(found, form)
    assert time_ns is None or 0 <= time_ns < 2**63
