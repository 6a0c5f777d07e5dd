"""Frames: bytes as documented, nothing malformed gets through."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.carriers.frames import Done, Kind, Order, Receipt, Report, Sample, pack, read
from mingwu.kernel.errors import PeerError
from mingwu.trust.keys import Algorithm, generate

KEY = generate(Algorithm.P256)
SAMPLE = Sample(7, 1_790_000_000_000_000_000, {"shots": 48_211.0, "parameter_set": "r12"})
REPORT = Report(
    session=bytes(16), previous=bytes(32), serial="MWC-000001",
    identifier="88.888.102/MLD.M0001", time_ns=1, counter=9, link=b"", simulated=True,
    dropped=0, samples=(SAMPLE,),
)  # fmt: skip


def test_layout_is_the_documented_one():
    data = pack(Done(bytes(32), 5), KEY)
    assert data[:8] == b"MWC1" + bytes([Kind.DONE, 1, 0, 0])
    length = int.from_bytes(data[8:12])
    body = data[12 : 12 + length]
    assert msgspec.msgpack.decode(body) == [bytes(32), 5]
    size = int.from_bytes(data[12 + length : 14 + length])
    assert len(data) == 14 + length + size
    assert KEY.public().verify(data[: 12 + length], data[14 + length :])


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.SM2])
def test_round_trip_and_signature(algorithm):
    key, other = generate(algorithm), generate(algorithm)
    frame = read(pack(REPORT, key))
    assert frame.body == REPORT
    assert frame.is_signed_by(key.public())
    assert not frame.is_signed_by(other.public())
    assert not frame.is_signed_by(KEY.public() if algorithm is Algorithm.SM2 else other.public())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_malformed(data):
    for candidate in (data, b"MWC1" + data, pack(REPORT, KEY)[:12] + data):
        with pytest.raises(PeerError):
            read(candidate)


@pytest.mark.parametrize(
    "bad",
    [
        msgspec.structs.replace(REPORT, serial="no serial/number"),
        msgspec.structs.replace(REPORT, session=b"short"),
        msgspec.structs.replace(REPORT, counter=-1),
        msgspec.structs.replace(REPORT, identifier="x" * 256),
        msgspec.structs.replace(REPORT, samples=(SAMPLE,) * 501),
        msgspec.structs.replace(
            REPORT, samples=(Sample(1, 1, {f"r{at}": 0.0 for at in range(65)}),)
        ),
    ],
)
def test_values_out_of_range_are_malformed(bad):
    with pytest.raises(PeerError) as error:
        read(pack(bad, KEY))
    assert error.value.code == "carriers.malformed"


def test_orders_travel():
    receipt = Receipt(
        bytes(32), 1, 2, 3, bytes(32), (Order(4, "parameters", 5, {"set_point": 71.5}),)
    )
    assert read(pack(receipt, KEY)).body == receipt
