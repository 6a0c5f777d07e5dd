"""Columns one after the other."""

import numpy as np

from mingwu.kernel.batch import Columns, concatenate


def columns(first: int, rows: int, text: dict[int, str]) -> Columns:
    tag = np.arange(first, first + rows, dtype=np.uint32)
    return Columns(tag, tag.astype(np.int64), tag * 0.5, np.zeros(rows, np.uint8), text)


def test_concatenation_renumbers_texts():
    joined = concatenate([columns(1, 1, {0: "a"}), columns(2, 2, {}), columns(4, 3, {1: "b"})])
    assert joined.tag.tolist() == [1, 2, 3, 4, 5, 6]
    assert joined.time_ns.tolist() == [1, 2, 3, 4, 5, 6]
    assert joined.value.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert joined.text == {0: "a", 4: "b"}


def test_one_part_is_itself():
    part = columns(1, 2, {})
    assert concatenate([part]) is part
