"""A block formed again from the same messages is the same: rows, token, lineage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.history import native
from mingwu.history.block import AHEAD_NS, EARLIEST_NS, Block, guard_times
from mingwu.kernel.batch import Batch, Columns
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, uncertain

NOW = 1_790_000_000_000_000_000


def batch(seq: int, source: str = "gw1/d1", rows: int = 3, text: dict[int, str] | None = None):
    columns = Columns(
        np.arange(rows, dtype=np.uint32),
        np.full(rows, NOW + seq * 1_000_000_000, np.int64),
        np.arange(rows, dtype=np.float64),
        np.full(rows, GOOD | SIMULATED, np.uint8),
        text or {},
    )
    return Batch(source, 7, seq, NOW + seq * 1_000_000_000, columns)


def decoded(block: Block, **kwargs) -> dict[str, dict[str, native.Column]]:
    return {table: native.decode(body) for table, _, body in block.inserts(**kwargs)}


def test_rows_of_all_batches_in_order():
    block = Block(0)
    block.add(batch(1), 10)
    block.add(batch(2), 11)
    points = decoded(block)["points"]
    assert native.numbers(points, "tag", np.int64).tolist() == [0, 1, 2, 0, 1, 2]
    assert native.numbers(points, "time", np.int64).tolist() == [
        (NOW + s * 1_000_000_000) // 1_000_000 for s in (1, 1, 1, 2, 2, 2)
    ]
    assert (block.rows, block.messages, block.first, block.last) == (6, 2, 10, 11)


def test_texts_go_to_their_table():
    block = Block(0)
    block.add(batch(1), 1)
    block.add(batch(2, text={1: "运行"}), 2)
    tables = decoded(block)
    assert native.texts(tables["texts"], "text") == ["运行"]
    assert native.numbers(tables["texts"], "tag", np.int64).tolist() == [1]
    assert len(native.numbers(tables["points"], "tag", np.int64)) == 5


def test_tags_of_nanoseconds_are_kept_twice():
    block = Block(0)
    block.add(batch(1), 1)
    fine = decoded(block, ns_tags={2})["points_ns"]
    assert native.numbers(fine, "time", np.int64).tolist() == [NOW + 1_000_000_000]
    assert "points_ns" not in decoded(block, ns_tags={99})


def test_lineage_joins_consecutive_batches():
    block = Block(0)
    for seq, source, at in ((1, "a/x", 1), (1, "b/y", 2), (2, "a/x", 3), (4, "a/x", 4)):
        block.add(batch(seq, source), at)
    block.pass_over(5)
    table, _, body = block.lineage("w", 9, NOW)
    rows = native.decode(body)
    found = sorted(
        zip(
            native.texts(rows, "source"),
            *(
                native.numbers(rows, name, np.int64).tolist()
                for name in ("first_seq", "last_seq", "points", "stream_first", "stream_last")
            ),
            strict=True,
        )
    )
    assert table == "batches"
    assert found == [("a/x", 1, 2, 6, 1, 3), ("a/x", 4, 4, 3, 4, 4), ("b/y", 1, 1, 3, 2, 2)]
    assert block.last == 5


def test_the_token_is_made_of_the_batches_alone():
    def form(*spans: tuple[int, int]) -> str:
        block = Block(opened_ns=spans[0][1])
        for seq, at in spans:
            block.add(batch(seq), at)
        return block.token()

    assert form((1, 10), (2, 11)) == form((1, 70), (2, 71))
    assert form((1, 10), (2, 11)) != form((1, 10))
    assert form((1, 10), (2, 11)) != form((1, 10), (3, 11))


@given(
    st.lists(
        st.one_of(
            st.integers(-(2**63), 2**63 - 1),
            st.integers(EARLIEST_NS - 5, EARLIEST_NS + 5),
            st.integers(NOW - 5, NOW + AHEAD_NS + 5),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(-(2**63), 2**63 - 1),
)
def test_no_impossible_time_is_stored(times: list[int], gateway_ns: int):
    rows = len(times)
    columns = Columns(
        np.zeros(rows, np.uint32),
        np.array(times, np.int64),
        np.zeros(rows),
        np.full(rows, GOOD | SIMULATED, np.uint8),
        {},
    )
    guarded, suspect = guard_times(Batch("g/d", 1, 1, gateway_ns, columns))
    changed = guarded.quality == (uncertain(Reason.TIME_SUSPECT) | SIMULATED)
    assert suspect == int(changed.sum())
    assert (guarded.time_ns >= EARLIEST_NS).all()
    assert (guarded.time_ns <= 4_102_444_800_000_000_000 + AHEAD_NS).all()
    kept = guarded.time_ns[~changed]
    assert kept.tolist() == [t for t, c in zip(times, changed, strict=True) if not c]


@pytest.mark.parametrize("rows", [0, 1])
def test_small_batches(rows: int):
    block = Block(0)
    block.add(batch(1, rows=rows), 1)
    assert len(block.inserts()) == rows
