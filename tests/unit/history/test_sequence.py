"""Messages in order: takeover after a crash, repetition, a stream begun anew, losses counted."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mingwu.history.sequence import Sequence


@dataclass
class Message:
    stream_sequence: int
    delivered: int = 1


def feed(sequence: Sequence, *numbers: int, delivered: int = 1) -> list[int]:
    return [m.stream_sequence for m in sequence.feed(Message(n, delivered) for n in numbers)]


def test_in_order_from_wherever_it_begins():
    sequence = Sequence()
    assert feed(sequence, 41, 42) == [41, 42]
    assert feed(sequence, 43) == [43]
    assert sequence.missed == 0


def test_what_a_dead_reader_left_comes_first():
    sequence = Sequence((6, 9))
    assert feed(sequence, 10, 11) == []
    assert sequence.patient
    assert feed(sequence, 6, 7, 8, 9, delivered=2) == [6, 7, 8, 9, 10, 11]
    assert not sequence.patient
    assert sequence.missed == 0


def test_what_arrives_again_is_dropped():
    sequence = Sequence((6, 7))
    assert feed(sequence, 6, 7, delivered=2) == [6, 7]
    assert feed(sequence, 6, 7, delivered=3) == []
    assert feed(sequence, 8) == [8]


def test_a_stream_begun_anew_is_taken():
    sequence = Sequence()
    assert feed(sequence, 1000) == [1000]
    assert feed(sequence, 1, 2) == [1, 2]
    assert sequence.restarts == 1


def test_losses_are_counted():
    sequence = Sequence()
    assert feed(sequence, 1, 5) == [1, 5]
    assert sequence.missed == 3


def test_giving_up_releases_what_was_held():
    sequence = Sequence((6, 9))
    assert feed(sequence, 8, 10, 12, delivered=2) == []
    assert [m.stream_sequence for m in sequence.give_up()] == [8, 10, 12]
    assert sequence.missed == 4
    assert feed(sequence, 13) == [13]


@given(st.permutations(range(6, 20)), st.integers(6, 19))
def test_any_order_of_redelivery_gives_the_stream_order(numbers: list[int], last: int):
    """Unread ones may come in any order among the others; nothing is lost or doubled."""
    sequence = Sequence((6, 19))
    taken: list[int] = []
    for number in [*numbers, *numbers[: last - 6]]:
        taken += feed(sequence, number, delivered=2)
    assert taken == list(range(6, 20))
