"""Decoding: our columns against asyncua's encoder, remembered layouts, and bytes gone wrong."""

import math
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mingwu.field.opcua import scan
from mingwu.field.opcua.layout import ARRAY, TEXT_KINDS, TICKS_1970, learn

VT = ua.VariantType
NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, UTC)
NOW_NS = int(NOW.timestamp()) * 10**9 + 250_000_000


def value(variant, status=0, source=NOW, server=None):
    return ua.DataValue(variant, None if status is None else ua.StatusCode(status), source, server)


def wire(values, lead=b""):
    """DataValues as asyncua writes them, each after ``lead``."""
    return b"".join(lead + struct_to_binary(one) for one in values)


def ints(kind):
    low, high = {
        VT.SByte: (-(2**7), 2**7 - 1), VT.Byte: (0, 255), VT.Int16: (-(2**15), 2**15 - 1),
        VT.UInt16: (0, 2**16 - 1), VT.Int32: (-(2**31), 2**31 - 1), VT.UInt32: (0, 2**32 - 1),
        VT.Int64: (-(2**63), 2**63 - 1), VT.UInt64: (0, 2**64 - 1),
    }[kind]  # fmt: skip
    return st.integers(low, high).map(lambda n: ua.Variant(n, kind))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INTEGERS = ["SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"]
NUMBERS = st.one_of(
    *(ints(VT[name]) for name in INTEGERS),
    st.booleans().map(lambda b: ua.Variant(b, VT.Boolean)),
    st.floats().map(lambda f: ua.Variant(f, VT.Double)),
    st.floats(width=32).map(lambda f: ua.Variant(f, VT.Float)),
)
TEXTS = st.one_of(
    TEXT.map(lambda t: ua.Variant(t, VT.String)),
    TEXT.map(lambda t: ua.Variant(ua.LocalizedText(t, "en"), VT.LocalizedText)),
    TEXT.map(lambda t: ua.Variant(ua.QualifiedName(t, 2), VT.QualifiedName)),
    st.uuids().map(lambda g: ua.Variant(g, VT.Guid)),
)
OTHERS = st.one_of(
    st.just(ua.Variant(None)),
    st.lists(st.floats(), max_size=4).map(lambda a: ua.Variant(a, VT.Double, is_array=True)),
    st.lists(TEXT, max_size=3).map(lambda a: ua.Variant(a, VT.String, is_array=True)),
    st.just(ua.Variant([[1, 2], [3, 4]], VT.Int32, [2, 2])),
    st.just(ua.Variant(ua.NodeId("x", 3), VT.NodeId)),
    st.just(ua.Variant(ua.Argument(Name="a"), VT.ExtensionObject)),
    st.binary(max_size=6).map(lambda b: ua.Variant(b, VT.ByteString)),
)
VALUES = st.builds(
    value,
    st.one_of(NUMBERS, TEXTS, OTHERS),
    st.sampled_from([None, 0, 0x80340000, 0x40900000]),
    st.sampled_from([None, NOW]),
    st.sampled_from([None, NOW]),
)


@given(st.lists(VALUES, max_size=12), st.sampled_from([0, 4]))
@settings(deadline=None)
def test_columns_say_what_asyncua_wrote(values, lead):
    body = b"head" + wire(values, b"\7\0\0\0"[:lead]) + b"tail"
    layout = learn(body, 4, len(values), lead)
    cells = layout.cells(body, 4)
    assert layout.end == len(body) - 8
    for row, one in enumerate(values):
        variant = one.Value
        assert cells.status[row] == (one.StatusCode.value if one.StatusCode else 0)
        assert cells.time_ns[row] == (NOW_NS if one.SourceTimestamp else 0)
        kind = variant.VariantType.value
        if variant.is_array:
            assert cells.kind[row] == ARRAY
        elif kind in TEXT_KINDS and kind != scan.BYTE_STRING:
            plain = getattr(variant.Value, "Text", getattr(variant.Value, "Name", variant.Value))
            assert cells.text[row] == str(plain)
        elif isinstance(variant.Value, int | float):
            same = cells.value[row] == float(variant.Value)
            assert same or (math.isnan(variant.Value) and math.isnan(cells.value[row]))
        else:
            assert math.isnan(cells.value[row])
    if lead:
        assert layout.handles(body, 4).tolist() == [7] * len(values)


@given(st.lists(VALUES, min_size=1, max_size=8), st.lists(VALUES, min_size=1, max_size=8))
@settings(deadline=None)
def test_a_layout_fits_only_what_it_reads_rightly(first, second):
    """Whatever came before: if a layout says it fits, it reads what a fresh one reads."""
    old, new = wire(first), wire(second)
    layout = learn(old, 0, len(first))
    if layout.count == len(second) and layout.fits(new, 0):
        mine, fresh = layout.cells(new, 0), learn(new, 0, len(second)).cells(new, 0)
        np.testing.assert_array_equal(mine.value, fresh.value)
        np.testing.assert_array_equal(mine.time_ns, fresh.time_ns)
        np.testing.assert_array_equal(mine.status, fresh.status)
        assert mine.text == fresh.text


def test_the_layout_of_constant_types_is_remembered():
    def body(shift):
        return wire(
            [value(ua.Variant(1.5 + shift, VT.Double)), value(ua.Variant(7 + shift, VT.Int16)),
             value(ua.Variant("abc" if shift else "xyz", VT.String))]
        )  # fmt: skip

    layout = learn(body(0), 0, 3)
    assert layout.fits(body(1), 0)
    cells = layout.cells(body(1), 0)
    assert cells.value[:2].tolist() == [2.5, 8.0]
    assert cells.text == {2: "abc"}


@pytest.mark.parametrize(
    "changed",
    [
        value(ua.Variant(1, VT.Int64), None),  # another type of the same size
        value(ua.Variant(1.0, VT.Double), 0x80050000),  # a status appears
        value(ua.Variant(1.0, VT.Double), None, None),  # the time disappears
        value(ua.Variant([1.0], VT.Double, is_array=True), None),
    ],
)
def test_any_change_of_shape_is_noticed(changed):
    plain = value(ua.Variant(1.0, VT.Double), None)
    layout = learn(wire([plain, plain, plain]), 0, 3)
    assert not layout.fits(wire([plain, changed, plain]), 0)


def test_a_longer_text_is_noticed():
    layout = learn(wire([value(ua.Variant("ab", VT.String))]), 0, 1)
    assert not layout.fits(wire([value(ua.Variant("abc", VT.String))]), 0)
    assert not layout.fits(wire([value(ua.Variant("ab", VT.String))])[:-1], 0)


@given(st.binary(max_size=200), st.integers(-1, 50), st.sampled_from([0, 4]))
@example(b"\x01\x8c\xff\xff\xff\x7f", 1, 0)  # an array of two thousand million strings
@example(b"\x01\x0c\xfe\xff\xff\xff" + bytes(8), 1, 0)  # a string of length -2
@example(b"\x01\x17" * 60, 1, 0)  # DataValues inside each other
def test_any_bytes_are_read_or_malformed(body, count, lead):
    try:
        layout = learn(body, 0, count, lead)
    except scan.Malformed:
        return
    cells = layout.cells(body, 0)
    assert len(cells.value) == count
    assert layout.end <= len(body)


def test_times_beyond_our_range_are_clipped_not_wrapped():
    body = b"".join(
        struct.pack("<BBdq", 0x05, scan.DOUBLE, 1.0, ticks)
        for ticks in (0, 1, TICKS_1970, 2**63 - 1, -(2**63))
    )
    times = learn(body, 0, 5).cells(body, 0).time_ns.tolist()
    assert times[0] == 0
    assert times[1] < -(2**62)
    assert times[2] == 0
    assert times[3] > 2**62
    assert times[4] < -(2**62)
