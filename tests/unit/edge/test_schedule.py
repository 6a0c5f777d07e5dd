"""Deadlines, overruns, phases, back-off."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from mingwu.edge.schedule import Backoff, Schedule, phase_ns


def test_deadlines_are_absolute():
    plan = Schedule()
    plan.every("a", 100, 1000)
    taken = []
    for now in (1003, 1150, 1204):  # each read ends a little late
        slot = plan.take()
        taken.append(slot.next_ns)
        assert plan.done(slot, now) == 0
    assert taken == [1000, 1100, 1200]


def test_an_overrun_skips_and_counts_and_never_queues():
    plan = Schedule()
    plan.every("a", 100, 1000)
    slot = plan.take()
    assert plan.done(slot, 1350) == 3
    assert plan.first_ns() == 1400
    assert len(plan) == 1


def test_ending_exactly_on_the_deadline_is_in_time():
    plan = Schedule()
    plan.every("a", 100, 1000)
    slot = plan.take()
    assert plan.done(slot, 1100) == 0
    assert plan.first_ns() == 1100


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**7))
def test_the_next_deadline_is_never_in_the_past_nor_off_the_grid(period, first, took):
    plan = Schedule()
    plan.every("a", period, first)
    slot = plan.take()
    skipped = plan.done(slot, first + took)
    assert plan.first_ns() >= first + took or plan.first_ns() == first + period
    assert (plan.first_ns() - first) % period == 0
    assert plan.first_ns() == first + (skipped + 1) * period


def test_order_of_deadlines_and_dropping():
    plan = Schedule()
    plan.every("slow", 1000, 50)
    plan.once("open", 10)
    plan.every("fast", 100, 20)
    assert [plan.take().key, plan.first_ns()] == ["open", 20]
    plan.drop({"fast"})
    assert plan.first_ns() == 50
    plan.drop({"slow"})
    assert plan.first_ns() is None


def test_phases_spread():
    phases = sorted(phase_ns(n, 1000) for n in range(10))
    gaps = [b - a for a, b in itertools.pairwise(phases)]
    assert min(gaps) > 40
    assert all(0 <= phase < 1000 for phase in phases)


def test_backoff_doubles_with_jitter_up_to_its_limit_and_starts_again():
    backoff = Backoff(1.0, 8.0, random.Random(1))
    pauses = [backoff.next_s() for _ in range(6)]
    for pause, step in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert step / 2 <= pause <= step
    backoff.reset()
    assert backoff.next_s() <= 1.0
