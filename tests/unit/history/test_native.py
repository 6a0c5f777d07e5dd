"""The Native codec: what is encoded is decoded; nothing but PeerError for other bytes."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.history import native
from mingwu.kernel.errors import PeerError

COLUMNS = (
    ("tag", "UInt32", np.array([1, 2**32 - 1], np.uint32)),
    ("time", "DateTime64(3, 'UTC')", np.array([-5, 1_790_000_000_000], np.int64)),
    ("value", "Float64", np.array([1.5, np.nan])),
    ("quality", "UInt8", np.array([0, 224], np.uint8)),
    ("text", "String", ["", "压铸 ✓"]),
)


def test_known_bytes():
    """The example of docs/formats/history.md §2."""
    block = native.encode((("a", "UInt8", np.array([7], np.uint8)), ("b", "String", ["hi"])))
    assert block == b"\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x02hi"


def test_round_trip():
    found = native.decode(native.encode(COLUMNS))
    assert found.keys() == {"tag", "time", "value", "quality", "text"}
    for name, _, values in COLUMNS:
        if isinstance(values, list):
            assert found[name] == values
        else:
            np.testing.assert_array_equal(found[name], values)


def test_blocks_are_joined():
    found = native.decode(native.encode(COLUMNS) + native.encode(COLUMNS))
    assert native.numbers(found, "tag", np.int64).tolist() == [1, 2**32 - 1] * 2
    assert native.texts(found, "text") == ["", "压铸 ✓"] * 2


def test_an_empty_answer_has_empty_columns():
    assert native.decode(b"") == {}
    assert native.numbers({}, "tag", np.uint32).dtype == np.uint32
    assert native.texts({}, "text") == []


def test_aggregate_types_read_as_their_plain_type():
    kind = "SimpleAggregateFunction(max, DateTime64(3, 'UTC'))"
    block = native.encode((("t", kind, np.array([3], np.int64)),))
    assert native.numbers(native.decode(block), "t", np.int64).tolist() == [3]


@pytest.mark.parametrize("kind", ["Nullable(UInt8)", "Array(UInt8)", "LowCardinality(String)"])
def test_other_types_are_refused(kind: str):
    block = b"\x01\x01\x01a" + native.varint(len(kind)) + kind.encode() + b"\x00"
    with pytest.raises(PeerError):
        native.decode(block)


def test_unequal_columns_are_a_bug_of_the_caller():
    with pytest.raises(ValueError, match="rows"):
        native.encode(
            (("a", "UInt8", np.zeros(1, np.uint8)), ("b", "UInt8", np.zeros(2, np.uint8)))
        )


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_a_peer_error(data: bytes):
    with contextlib.suppress(PeerError):
        native.decode(data)


@given(st.data())
@settings(max_examples=200)
def test_damaged_answers_decode_or_are_a_peer_error(data: st.DataObject):
    block = bytearray(native.encode(COLUMNS))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(block)))
    with contextlib.suppress(PeerError):
        native.decode(bytes(block[:cut]))


@given(st.integers(0, 2**64 - 1))
def test_varint(number: int):
    assert native._Reader(native.varint(number)).varint() == number
