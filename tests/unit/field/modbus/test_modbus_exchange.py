"""The bookkeeping of requests and replies, frame by frame, without a socket."""

import pytest

from mingwu.field.modbus.exchange import Exchange, RtuFramer, TcpFramer
from mingwu.kernel.quality import Reason
from mingwu.wire.modbus import rtu
from mingwu.wire.modbus.mbap import Adu, MbapDecoder
from mingwu.wire.modbus.pdu import read_request

PDUS = [read_request(3, 10 * i, 1) for i in range(5)]
OK = b"\x03\x02\x00\x07"


def exchange(framer=None, **options):
    return Exchange(framer or TcpFramer(), 9, PDUS, **options)


def sent(frames):
    return MbapDecoder().feed(frames)


def test_one_request_at_a_time():
    run = exchange()
    for number in range(5):
        (adu,) = sent(run.frames())
        assert (adu.unit, adu.pdu) == (9, PDUS[number])
        assert run.frames() == b""
        assert run.waiting
        run.received(Adu(adu.transaction, 9, OK))
    assert run.done
    assert run.replies == [OK] * 5


def test_window_and_replies_out_of_order():
    run = exchange(window=3)
    first, second, third = sent(run.frames())
    run.received(Adu(third.transaction, 9, b"\x03\x02\x00\x03"))
    run.received(Adu(first.transaction, 9, b"\x03\x02\x00\x01"))
    fourth, fifth = sent(run.frames())
    for adu in (second, fourth, fifth):
        run.received(Adu(adu.transaction, 9, OK))
    assert run.done
    assert run.replies == [b"\x03\x02\x00\x01", OK, b"\x03\x02\x00\x03", OK, OK]


def test_a_silent_unit_is_asked_once():
    run = exchange()
    run.frames()
    run.expired()
    assert run.done
    assert run.replies == [Reason.TIMEOUT] * 5


def test_two_silences_in_a_row_end_the_read():
    run = exchange()
    run.received(Adu(sent(run.frames())[0].transaction, 9, OK))
    run.frames()
    run.expired()
    run.received(Adu(sent(run.frames())[0].transaction, 9, OK))
    for _ in range(2):
        assert not run.done
        run.frames()
        run.expired()
    assert run.done
    assert run.replies == [OK, Reason.TIMEOUT, OK, Reason.TIMEOUT, Reason.TIMEOUT]


def test_retries():
    run = exchange(retries=1)
    (first,) = sent(run.frames())
    run.expired()
    (again,) = sent(run.frames())
    assert again.pdu == first.pdu
    assert again.transaction != first.transaction
    run.received(Adu(first.transaction, 9, b"\x03\x02\xff\xff"))  # late: not taken for the second
    assert run.replies[0] is Reason.TIMEOUT
    run.received(Adu(again.transaction, 9, OK))
    assert run.replies[0] == OK


def test_late_reply_of_the_read_before_is_ignored():
    framer, late = TcpFramer(), set()
    old = exchange(framer, late=late)
    (asked,) = sent(old.frames())
    old.expired()
    new = exchange(framer, late=late)
    (adu,) = sent(new.frames())
    new.received(Adu(asked.transaction, 9, b"\x03\x02\xff\xff"))
    assert new.waiting
    new.received(Adu(adu.transaction, 9, OK))
    assert new.replies[0] == OK
    assert late == set()


@pytest.mark.parametrize(("shift", "unit"), [(7, 9), (0, 8)])
def test_wrong_transaction_or_unit_is_malformed(shift, unit):
    run = exchange()
    (adu,) = sent(run.frames())
    run.received(Adu(adu.transaction + shift, unit, OK))
    assert run.replies[0] is Reason.MALFORMED
    assert not run.waiting
    assert not run.done


def test_late_set_stays_small():
    framer, late = TcpFramer(), set()
    for _ in range(1000):
        run = exchange(framer, late=late)
        run.frames()
        run.expired()
    assert len(late) <= 256


def test_serial_framer_ignores_others():
    framer = RtuFramer()
    run = exchange(framer, window=8)
    assert run.frames() == rtu.encode(9, PDUS[0])
    assert framer.feed(rtu.encode(8, OK)) == []
    assert framer.feed(rtu.encode(9, b"\x04\x02\x00\x01")) == []
    (adu,) = framer.feed(rtu.encode(9, OK))
    run.received(adu)
    assert run.replies[0] == OK
    assert framer.search() == []
