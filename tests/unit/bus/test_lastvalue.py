"""The table of last values."""

import numpy as np

from mingwu.bus.lastvalue import LastValues
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.ports import LiveValues


def columns(rows, text=None):
    tag, time, value, quality = zip(*rows, strict=True)
    return Columns(
        np.array(tag, np.uint32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        text or {},
    )


def batch(rows, *, seq=1, boot=10, text=None):
    return Batch("gw/d", boot, seq, 0, columns(rows, text))


def test_it_is_the_port():
    live: LiveValues = LastValues()
    assert live.get(3) is None


def test_the_last_row_of_a_tag_counts():
    live = LastValues()
    live.apply(batch([(5, 100, 1.5, 0xC0), (5, 101, 2.5, 0xE0)]))
    assert live.get(5) == (2.5, 101, 0xE0)


def test_a_late_retry_does_not_replace_newer_values():
    live = LastValues()
    live.apply(batch([(5, 200, 2.0, 0xC0)], seq=2))
    live.apply(batch([(5, 100, 1.0, 0xC0), (6, 100, 9.0, 0xC0)], seq=1))
    assert live.get(5) == (2.0, 200, 0xC0)
    assert live.get(6) == (9.0, 100, 0xC0)


def test_a_new_boot_counts_from_one_again():
    live = LastValues()
    live.apply(batch([(5, 200, 2.0, 0xC0)], seq=900))
    live.apply(batch([(5, 300, 3.0, 0xC0)], seq=1, boot=11))
    assert live.get(5) == (3.0, 300, 0xC0)


def test_texts_come_and_go():
    live = LastValues()
    live.apply(batch([(7, 1, np.nan, 0xC0)], text={0: ""}))
    assert live.get(7) == ("", 1, 0xC0)
    live.apply(batch([(7, 2, np.nan, 0x01)], seq=2))
    value, time, quality = live.get(7)
    assert np.isnan(value)
    assert (time, quality) == (2, 0x01)


def test_columns_and_changes_beyond_the_table_are_unknown():
    live = LastValues()
    live.apply(batch([(0, 5, 4.0, 0xC0)]))
    numbers = np.array([0, 4_000_000_000], np.uint32)
    value, time, quality = live.columns(numbers)
    assert value[0] == 4.0
    assert np.isnan(value[1])
    assert time.tolist() == [5, 0]
    assert quality.tolist() == [0xC0, 0]
    assert live.changed(numbers, 0).tolist() == [True, False]


def test_only_what_changed_since_a_revision():
    live = LastValues()
    live.apply(batch([(1, 5, 4.0, 0xC0), (2, 5, 4.0, 0xC0)]))
    seen = live.revision
    live.apply(batch([(2, 6, 5.0, 0xC0)], seq=2))
    assert live.changed(np.array([1, 2], np.uint32), seen).tolist() == [False, True]


def test_no_message_makes_the_table_grow_without_bound():
    live = LastValues(max_tags=5000)
    live.apply(batch([(4_000_000_000, 5, 4.0, 0xC0), (4999, 5, 1.0, 0xC0)]))
    assert live.ignored == 1
    assert live.get(4999) == (1.0, 5, 0xC0)
    assert len(live._value) == 5000


def test_seeding_never_replaces_what_was_reported():
    live = LastValues()
    live.apply(batch([(1, 5, 4.0, 0xC0)]))
    live.seed(columns([(1, 3, 1.0, 0xC0), (3000, 3, 1.0, 0xC0)]))
    assert live.get(1) == (4.0, 5, 0xC0)
    assert live.get(3000) == (1.0, 3, 0xC0)
