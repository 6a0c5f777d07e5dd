"""Modbus codec: worked examples of the standard, and any bytes at all."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.kernel.errors import PeerError
from mingwu.wire.modbus import mbap, pdu, rtu, server
from mingwu.wire.modbus.pdu import ExceptionCode, ExceptionReply, Function, ProtocolError

UNITS = st.integers(0, 247)
JUNK = st.binary(max_size=600)


# MAP V1.1b3, the example tables of the clauses named
@pytest.mark.parametrize(
    ("built", "bytes_on_wire"),
    [
        (pdu.read_request(1, 0x13, 0x13), "0100130013"),  # 6.1
        (pdu.read_request(2, 0xC4, 0x16), "0200c40016"),  # 6.2
        (pdu.read_request(3, 0x6B, 3), "03006b0003"),  # 6.3
        (pdu.read_request(4, 8, 1), "0400080001"),  # 6.4
        (pdu.write_coil_request(0xAC, on=True), "0500acff00"),  # 6.5
        (pdu.write_register_request(1, 3), "0600010003"),  # 6.6
        (
            pdu.write_coils_request(0x13, [c == "1" for c in "1011001110"]),
            "0f0013000a02cd01",
        ),  # 6.11
        (pdu.write_registers_request(1, bytes.fromhex("000a0102")), "100001000204000a0102"),  # 6.12
        (pdu.mask_write_request(4, 0xF2, 0x25), "16000400f20025"),  # 6.16
        (
            pdu.read_write_request(3, 6, 0x0E, bytes.fromhex("00ff00ff00ff")),
            "1700030006000e00030600ff00ff00ff",
        ),  # 6.17
        (pdu.identification_request(), "2b0e0100"),  # 6.21
    ],
)
def test_requests_look_as_in_the_standard(built, bytes_on_wire):
    assert built.hex() == bytes_on_wire


def test_replies_of_the_standard_are_read():
    coils = pdu.read_reply(bytes.fromhex("0103cd6b05"), 1, 0x13)
    assert isinstance(coils, bytes)
    assert pdu.unpack_bits(coils, 4) == [True, False, True, True]
    assert pdu.read_reply(bytes.fromhex("0306022b00000064"), 3, 3) == bytes.fromhex("022b00000064")
    assert pdu.read_reply(b"\x83\x02", 3, 3) == ExceptionReply(
        3, ExceptionCode.ILLEGAL_DATA_ADDRESS
    )
    assert str(ExceptionReply(3, 2)) == "illegal data address"
    assert str(ExceptionReply(3, 99)) == "exception code 99"


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (b"", "empty"),
        (b"\x04\x02\x00\x00", "answers function 3"),
        (b"\x03\x02\x00\x00", "4 data bytes expected, 2"),
        (b"\x03\x04\x00\x00", "4 data bytes expected, 2"),
        (b"\x03\x02\x00\x00\x00\x00", "4 data bytes expected"),
        (b"\x83", "exception reply of 1"),
        (b"\x83\x02\x02", "exception reply of 3"),
    ],
)
def test_wrong_replies_are_refused(reply, fault):
    with pytest.raises(ProtocolError, match=fault):
        pdu.read_reply(reply, 3, 2)


@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (pdu.read_request, (3, 0, 126)),
        (pdu.read_request, (3, 0, 0)),
        (pdu.read_request, (1, 0, 2001)),
        (pdu.read_request, (3, 65535, 2)),
        (pdu.read_request, (5, 0, 1)),
        (pdu.write_registers_request, (0, b"\x00")),
        (pdu.write_registers_request, (0, bytes(248))),
        (pdu.write_coils_request, (-1, [True])),
    ],
)
def test_impossible_requests_are_not_built(build, arguments):
    with pytest.raises(ValueError, match=r"quantity|address|even|does not read"):
        build(*arguments)


def test_write_echo_is_checked():
    request = pdu.write_registers_request(5, b"\x00\x01\x00\x02")
    assert pdu.write_reply(request[:5], request) is None
    assert pdu.write_reply(b"\x90\x04", request) == ExceptionReply(16, 4)
    with pytest.raises(ProtocolError, match="repeat"):
        pdu.write_reply(b"\x10\x00\x05\x00\x03", request)


# ------------------------------------------------------------------ framing


def bitwise_crc(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


@settings(deadline=None)
@given(st.binary(max_size=260))
def test_crc_equals_the_definition(data):
    assert rtu.crc16(data) == bitwise_crc(data)


def test_crc_known_value():
    assert rtu.crc16(b"123456789") == 0x4B37


def test_mbap_frame():
    assert mbap.encode(0x1501, 0xFF, b"\x03\x00\x04\x00\x01").hex() == "150100000006ff0300040001"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=1, max_size=253)),
        max_size=6,
    ),
    st.integers(1, 40),
)
def test_mbap_messages_survive_any_cut(messages, step):
    stream = b"".join(mbap.encode(*message) for message in messages)
    decoder = mbap.MbapDecoder()
    found = [adu for i in range(0, len(stream), step) for adu in decoder.feed(stream[i : i + step])]
    assert found == messages
    assert decoder.pending == 0


def test_mbap_gives_what_came_before_the_fault_first():
    decoder = mbap.MbapDecoder()
    good = mbap.encode(1, 1, b"\x83\x02")
    assert len(decoder.feed(good + b"\x00\x02\x00\x09\x00\x03\x01\x83\x02")) == 1
    for _ in range(2):
        with pytest.raises(ProtocolError, match="protocol 9"):
            decoder.feed(b"")


@settings(deadline=None)
@given(st.lists(JUNK, max_size=5))
def test_mbap_any_bytes(chunks):
    decoder = mbap.MbapDecoder()
    with contextlib.suppress(ProtocolError):
        for chunk in chunks:
            for adu in decoder.feed(chunk):
                assert 1 <= len(adu.pdu) <= 253


GOOD_REPLY = st.one_of(
    st.binary(min_size=1, max_size=62).map(lambda d: bytes((3, 2 * len(d))) + d + d),
    st.binary(min_size=4, max_size=4).map(lambda d: b"\x10" + d),
    st.integers(1, 11).map(lambda c: bytes((0x83, c))),
    st.just(bytes.fromhex("2b0e01010000020003") + b"ABC" + b"\x01\x02XY"),
)


@settings(deadline=None)
@given(st.lists(st.tuples(UNITS, GOOD_REPLY), max_size=5), st.integers(1, 30))
def test_rtu_replies_survive_any_cut(messages, step):
    stream = b"".join(rtu.encode(*message) for message in messages)
    decoder = rtu.RtuDecoder()
    found = [adu for i in range(0, len(stream), step) for adu in decoder.feed(stream[i : i + step])]
    assert [(adu.unit, adu.pdu) for adu in found] == messages
    assert decoder.skipped == 0


@settings(deadline=None)
@given(st.binary(max_size=80), st.binary(min_size=8, max_size=8))
def test_rtu_finds_the_reply_behind_garbage(garbage, data):
    decoder = rtu.RtuDecoder()
    decoder.expect(17, 3)
    frame = rtu.encode(17, bytes((3, 8)) + data)
    found = decoder.feed(garbage) + decoder.feed(frame) + decoder.silence()
    assert [(adu.unit, adu.pdu) for adu in found][-1:] == [(17, bytes((3, 8)) + data)]


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 65000), st.integers(1, 125))
def test_rtu_server_finds_the_request_behind_garbage(garbage, address, count):
    decoder = rtu.RtuDecoder(rtu.request_size)
    request = pdu.read_request(4, address, count)
    found = decoder.feed(garbage) + decoder.feed(rtu.encode(9, request)) + decoder.silence()
    assert [(adu.unit, adu.pdu) for adu in found][-1:] == [(9, request)]


@settings(deadline=None)
@given(st.lists(JUNK, max_size=5), st.booleans())
def test_rtu_any_bytes(chunks, is_server):
    decoder = rtu.RtuDecoder(rtu.request_size if is_server else rtu.reply_size)
    fed = 0
    taken = 0
    for chunk in chunks:
        fed += len(chunk)
        taken += sum(len(adu.pdu) + 3 for adu in decoder.feed(chunk))
    taken += sum(len(adu.pdu) + 3 for adu in decoder.silence())
    assert taken + decoder.skipped == fed


def test_rtu_search_keeps_an_unfinished_frame():
    frame = rtu.encode(17, b"\x03\x04\x00\x01\x00\x02")
    decoder = rtu.RtuDecoder()
    assert decoder.feed(frame[:5]) + decoder.search() == []
    assert [adu.pdu for adu in decoder.feed(frame[5:])] == [frame[1:-2]]
    assert decoder.feed(b"\x11\x03\x80" + frame) == []  # looks like 128 bytes to come
    assert [adu.pdu for adu in decoder.search()] == [frame[1:-2]]
    assert decoder.skipped == 3


def test_rtu_damaged_frame_is_dropped_and_counted():
    decoder = rtu.RtuDecoder()
    frame = bytearray(rtu.encode(1, b"\x03\x02\x12\x34"))
    frame[4] ^= 1
    assert decoder.feed(bytes(frame)) + decoder.silence() == []
    assert decoder.skipped == len(frame)


# ------------------------------------------------------------------ replies and servers, any bytes


@settings(deadline=None)
@given(JUNK, st.sampled_from([1, 2, 3, 4, 23]), st.integers(1, 125))
def test_read_reply_any_bytes(data, function, count):
    with contextlib.suppress(ProtocolError):
        got = pdu.read_reply(data, function, count)
        assert isinstance(got, ExceptionReply) or len(got) in {(count + 7) // 8, 2 * count}


@settings(deadline=None)
@given(st.one_of(JUNK, JUNK.map(lambda d: b"\x2b\x0e" + d)))
def test_identification_reply_any_bytes(data):
    with contextlib.suppress(ProtocolError):
        pdu.identification_reply(data)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=253))
def test_bank_answers_any_bytes(data):
    bank = server.Bank(bytearray(200), bytearray(200), bytearray(50), bytearray(50), {0: b"M"})
    reply = bank.answer(data)
    assert 2 <= len(reply) <= 253
    assert reply[0] & 0x7F == data[0] & 0x7F
    assert [len(bank.holding), len(bank.coils)] == [200, 50]


def test_protocol_error_speaks_both_languages():
    error = ProtocolError("x")
    assert isinstance(error, PeerError)
    assert error.text("zh") != error.text("en")
    assert error.next_step("zh")


def test_empty_request_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        server.parse_request(b"")


# ------------------------------------------------------------------ client against bank


def bank():
    filled = server.Bank(bytearray(400), bytearray(400), bytearray(64), bytearray(64))
    np.frombuffer(filled.holding, ">u2")[:] = np.arange(200)
    np.frombuffer(filled.input, ">u2")[:] = np.arange(200) + 1000
    filled.discrete[5] = 1
    filled.identification = {0: b"Mingwu", 1: b"LAB", 2: b"1.0"}
    return filled


def test_bank_reads():
    served = bank()
    held = pdu.read_reply(served.answer(pdu.read_request(3, 10, 4)), 3, 4)
    assert struct.unpack(">4H", held) == (10, 11, 12, 13)
    inputs = pdu.read_reply(served.answer(pdu.read_request(4, 0, 2)), 4, 2)
    assert struct.unpack(">2H", inputs) == (1000, 1001)
    bits = pdu.read_reply(served.answer(pdu.read_request(2, 3, 3)), 2, 3)
    assert pdu.unpack_bits(bits, 3) == [False, False, True]
    assert served.answer(pdu.read_request(3, 199, 2)) == b"\x83\x02"


def test_bank_writes():
    served = bank()
    view = np.frombuffer(served.holding, ">u2")
    for request in (
        pdu.write_coil_request(7, on=True),
        pdu.write_coil_request(8, on=False),
        pdu.write_register_request(3, 777),
        pdu.write_coils_request(10, [True, False, True]),
        pdu.write_registers_request(20, b"\x01\x02\x03\x04"),
        pdu.mask_write_request(21, 0xFF00, 0x0055),
    ):
        assert pdu.write_reply(served.answer(request), request) is None
    assert [served.coils[i] for i in (7, 8, 10, 11, 12)] == [1, 0, 1, 0, 1]
    assert [int(view[i]) for i in (3, 20, 21)] == [777, 0x0102, 0x0355]
    assert served.answer(pdu.write_register_request(5000, 1)) == b"\x86\x02"


def test_bank_reads_and_writes_in_one():
    served = bank()
    reply = served.answer(pdu.read_write_request(50, 2, 50, b"\x00\x09"))
    assert pdu.read_reply(reply, Function.READ_WRITE_REGISTERS, 2) == b"\x00\x09\x00\x33"


def test_bank_identifies_itself():
    found = pdu.identification_reply(bank().answer(pdu.identification_request()))
    assert isinstance(found, pdu.Identification)
    assert found.objects == {0: b"Mingwu", 1: b"LAB", 2: b"1.0"}
    assert not found.more


@pytest.mark.parametrize(
    ("request_hex", "reply_hex"),
    [
        ("6300", "e301"),  # unknown function
        ("0300000000", "8303"),  # no registers
        ("030000007e", "8303"),  # 126 registers
        ("0300", "8303"),  # truncated
        ("03ffff0002", "8302"),  # beyond the last address
        ("05000012ff", "8503"),  # neither on nor off
        ("0f0000000902ff", "8f03"),  # too few bytes
        ("2b0d0100", "ab01"),  # another encapsulated interface
    ],
)
def test_refusals_follow_the_state_diagrams(request_hex, reply_hex):
    assert bank().answer(bytes.fromhex(request_hex)).hex() == reply_hex
