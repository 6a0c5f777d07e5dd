"""The repetition filter agrees with a plain set, and keeps runs."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.history.seen import Seen


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
