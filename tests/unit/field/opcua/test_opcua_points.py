"""From cells to points: types, scaling, quality and its reasons."""

import math

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from mingwu.field.opcua import status
from mingwu.field.opcua.layout import learn
from mingwu.field.opcua.plan import compile_tags
from mingwu.field.opcua.points import columns
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, Reason, bad, uncertain

VT = ua.VariantType
NOW_NS = 1_800_000_000_000_000_000


def tag(number, kind=ValueType.FLOAT, **more):
    return TagSpec(number=number, thing="t", name="n", address=f"i={number}", type=kind, **more)


def points(cells, tags):
    """Columns of (variant, status) pairs for tags."""
    body = b"".join(
        struct_to_binary(ua.DataValue(variant, ua.StatusCode(code))) for variant, code in cells
    )
    rows = np.arange(len(tags))
    layout = learn(body, 0, len(cells))
    return columns(compile_tags(tags), rows, layout.cells(body, 0), NOW_NS)


def one(variant, code=0, kind=ValueType.FLOAT, **more):
    found = points([(variant, code)], [tag(5, kind, **more)])
    return float(found.value[0]), int(found.quality[0]), found.text.get(0)


@pytest.mark.parametrize(
    ("variant", "kind", "expected"),
    [
        (ua.Variant(2.5, VT.Float), ValueType.FLOAT, 2.5),
        (ua.Variant(True, VT.Boolean), ValueType.BOOL, 1.0),
        (ua.Variant(17, VT.UInt16), ValueType.BOOL, 1.0),
        (ua.Variant(-3, VT.Int32), ValueType.INT, -3.0),
        (ua.Variant(2**53, VT.UInt64), ValueType.INT, float(2**53)),
    ],
)
def test_numbers(variant, kind, expected):
    assert one(variant, kind=kind) == (expected, GOOD, None)


def test_a_date_is_seconds_or_text():
    date = ua.Variant(ua.win_epoch_to_datetime(116_444_736_000_000_000 + 15_000_000), VT.DateTime)
    assert one(date)[0] == pytest.approx(1.5)
    assert one(date, kind=ValueType.TEXT)[2] == "1970-01-01T00:00:01.500000+00:00"


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (ua.Variant("程序7", VT.String), "程序7"),
        (ua.Variant(7, VT.Int32), "7"),
        (ua.Variant(1.5, VT.Double), "1.5"),
        (ua.Variant(False, VT.Boolean), "false"),
    ],
)
def test_texts(variant, expected):
    value, quality, text = one(variant, kind=ValueType.TEXT)
    assert math.isnan(value)
    assert (quality, text) == (GOOD, expected)


@pytest.mark.parametrize(
    ("variant", "kind", "reason"),
    [
        (ua.Variant(math.nan, VT.Double), ValueType.FLOAT, Reason.NOT_A_NUMBER),
        (ua.Variant(math.inf, VT.Float), ValueType.BOOL, Reason.NOT_A_NUMBER),
        (ua.Variant("12", VT.String), ValueType.FLOAT, Reason.CONVERSION),
        (ua.Variant([1.0], VT.Double, is_array=True), ValueType.FLOAT, Reason.CONVERSION),
        (ua.Variant([1.0], VT.Double, is_array=True), ValueType.TEXT, Reason.CONVERSION),
        (ua.Variant(None), ValueType.FLOAT, Reason.INITIALISING),
        (ua.Variant(None), ValueType.TEXT, Reason.INITIALISING),
    ],
)
def test_what_is_no_value_is_bad_with_its_reason(variant, kind, reason):
    value, quality, text = one(variant, kind=kind)
    assert math.isnan(value)
    assert (quality, text) == (bad(reason), None)


def test_the_servers_status_comes_before_the_value():
    assert one(ua.Variant(math.nan, VT.Double), 0x80050000)[1] == bad(Reason.NOT_CONNECTED)
    assert one(ua.Variant(4.0, VT.Double), 0x40900000)[:2] == (4.0, uncertain(Reason.LAST_KNOWN))
    assert one(ua.Variant(4.0, VT.Double), 0x80340000)[1] == bad(Reason.BAD_ADDRESS)
    assert one(ua.Variant(4.0, VT.Double), 0x00000480)[1] == GOOD  # info bits are not quality


def test_scaling_is_of_numbers_only():
    found = points(
        [(ua.Variant(250, VT.Int16), 0), (ua.Variant("x", VT.String), 0)],
        [tag(1, scale=0.1, offset=-5.0), tag(2, ValueType.TEXT)],
    )
    assert found.value[0] == pytest.approx(20.0)
    assert found.text == {1: "x"}
    assert found.time_ns.tolist() == [NOW_NS, NOW_NS]
    assert found.tag.tolist() == [1, 2]


def test_status_table_has_the_standards_numbers():
    """Each code in our table stands in asyncua's under a name with the same severity."""
    by_number = {
        number: name for name, number in vars(ua.StatusCodes).items() if isinstance(number, int)
    }
    for code in [*status._REASONS, *status.TOO_LARGE, status.BAD_NO_SUBSCRIPTION]:
        severity = {0: "Good", 1: "Uncertain"}.get(code >> 30, "Bad")
        assert by_number[code].startswith(severity)
    assert by_number[status.BAD_NODE_ID_UNKNOWN] == "BadNodeIdUnknown"
    assert by_number[status.BAD_TOO_MANY_MONITORED_ITEMS] == "BadTooManyMonitoredItems"
    assert by_number[status.BAD_TOO_MANY_PUBLISH_REQUESTS] == "BadTooManyPublishRequests"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, GOOD),
        (0x00960000, GOOD | Reason.SUBSTITUTED),
        (0x40000000, uncertain(Reason.SERVER_STATUS)),
        (0x80000000, bad(Reason.SERVER_STATUS)),
        (0xC0000000, bad(Reason.SERVER_STATUS)),
        (0x809D0000, bad(Reason.SERVER_STATUS)),
        (0x80AB0000, bad(Reason.SERVER_STATUS)),
    ],
)
def test_unlisted_codes_keep_their_severity(code, expected):
    assert status.quality_of(code) == expected
    assert status.qualities(np.array([0, code], np.uint32)).tolist() == [GOOD, expected]
