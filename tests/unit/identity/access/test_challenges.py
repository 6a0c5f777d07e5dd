"""Requests that wait for a proof come from anybody: they are bounded, and nobody's push out all."""

import pytest

from mingwu.identity.access.authentication import Challenges
from mingwu.wire.handle.codes import Op
from mingwu.wire.handle.message import Message, decode, encode

MIB = 2**20


@pytest.fixture
def challenges(clock):
    return Challenges(60.0, clock)


@pytest.fixture
def clock():
    return lambda: 1000.0


def request(size):
    return decode(encode(Message(op=Op.CREATE, body=bytes(size))))


def test_large_requests_give_way_to_those_behind_them_not_to_those_of_others(challenges):
    mine, nonce = challenges.open(request(MIB), "192.0.2.1")
    theirs = [challenges.open(request(16 * MIB), "192.0.2.66")[0] for _ in range(20)]
    waiting = [pending for one in theirs if (pending := challenges.take(one)) is not None]
    assert len(waiting) == 3
    assert waiting[-1].request.body == bytes(16 * MIB)
    assert all(not pending.request.raw for pending in waiting)
    found = challenges.take(mine)
    assert (found.nonce, len(found.request.body)) == (nonce, MIB)
    assert challenges.take(mine) is None, "each is good for one answer"


def test_many_small_ones_of_one_source_leave_the_others_theirs(challenges):
    mine, _ = challenges.open(request(10), "192.0.2.1")
    flood = [challenges.open(request(10), "192.0.2.66")[0] for _ in range(12_000)]
    assert challenges.take(flood[0]) is None
    assert challenges.take(flood[-1]) is not None
    assert challenges.take(mine) is not None
    assert len(challenges._pending) == len(challenges._places["192.0.2.66"]) == 999


def test_over_all_sources_the_oldest_give_way(challenges):
    first, _ = challenges.open(request(10), "10.0.0.0")
    for number in range(10_000):
        last, _ = challenges.open(request(10), f"10.{number // 250}.{number % 250}.1")
    assert challenges.take(first) is None
    pending = challenges.take(last)
    assert pending is not None
    challenges.put_back(last, pending)
    assert challenges.take(last) == pending
    assert len(challenges._pending) == challenges._bytes.total() // 10 == 9_999
