"""The repetition filter agrees with a plain set, and keeps runs."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.history.seen import Seen, read_runs, write_runs


@given(st.lists(st.integers(1, 60), max_size=200))
def test_agrees_with_a_set(numbers: list[int]):
    seen, known = Seen(), set()
    for number in numbers:
        assert seen.add("gw1/d", 1, number) == (number not in known)
        known.add(number)
    covered = {n for first, last in seen.runs("gw1/d", 1) for n in range(first, last + 1)}
    assert covered == known
    runs = seen.runs("gw1/d", 1)
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(runs))


def test_sources_and_boots_are_apart():
    seen = Seen()
    assert seen.add("a", 1, 5)
    assert seen.add("b", 1, 5)
    assert seen.add("a", 2, 5)
    assert not seen.add("a", 1, 5)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("loaded", "kept"),
    [
        ([(1, 3), (4, 9)], [(1, 9)]),
        ([(7, 9), (1, 3)], [(1, 3), (7, 9)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
    ],
)
def test_loaded_runs_are_merged(loaded: list[tuple[int, int]], kept: list[tuple[int, int]]):
    seen = Seen()
    seen.load("a", 1, loaded)
    assert seen.runs("a", 1) == kept
    assert not seen.add("a", 1, 9)
    assert seen.add("a", 1, 10)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=20))
def test_covered_spans_agree_with_a_set(spans: list[tuple[int, int]]):
    seen, known = Seen(), set()
    for first, more in spans:
        seen.cover("a", 1, first, first + more)
        known |= set(range(first, first + more + 1))
    runs = seen.runs("a", 1)
    assert {n for first, last in runs for n in range(first, last + 1)} == known
    assert read_runs(write_runs(runs)) == runs


def test_a_copy_goes_its_own_way():
    seen = Seen()
    seen.add("a", 1, 1)
    other = seen.copy()
    assert other.add("a", 1, 2)
    assert seen.add("a", 1, 2)
