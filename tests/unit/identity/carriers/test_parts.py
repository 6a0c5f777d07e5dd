"""Sealed keys, certificates, profiles, buffers, sessions, the fence: each by itself."""

import random

import pytest

from mingwu.identity.carriers.buffer import SampleBuffer
from mingwu.identity.carriers.certificates import Anchors, Authority, read
from mingwu.identity.carriers.fence import distance_m, judge
from mingwu.identity.carriers.frames import Kind, Sample
from mingwu.identity.carriers.keystore import SealedKey
from mingwu.identity.carriers.model import Fence
from mingwu.identity.carriers.profile import Profile, ProfileFile
from mingwu.identity.carriers.sessions import Sessions
from mingwu.kernel.errors import ConfigError, InvalidInput, Overloaded
from mingwu.trust.keys import Algorithm, generate

NOW = 1_790_000_000


def authority(name: str = "Carriers") -> Authority:
    return Authority.create(generate(Algorithm.P256), name, start_s=NOW - 9, end_s=NOW + 10**6)


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.SM2])
def test_a_sealed_key_opens_with_its_secret_only(tmp_path, algorithm):
    path = tmp_path / "key.mws"
    made = SealedKey.create(path, b"secret", algorithm)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in path.read_bytes()
    opened = SealedKey.load(path, b"secret")
    assert made.public().verify(b"m", opened.sign(b"m"))
    assert not hasattr(opened, "pem")
    with pytest.raises(ConfigError) as wrong:
        SealedKey.load(path, b"other")
    assert wrong.value.code == "carriers.bad-key"
    with pytest.raises(FileExistsError):
        SealedKey.create(path, b"secret")
    path.write_bytes(b"MWS1" + bytes(9))
    with pytest.raises(ConfigError):
        SealedKey.load(path, b"secret")


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.SM2])
def test_certificates_are_believed_from_their_authority_only(algorithm):
    ours, other = authority(), authority()  # the same name, another key
    key = generate(algorithm)
    data = ours.issue("MWC-1", key.public(), start_s=NOW, end_s=NOW + 100)
    certificate = read(data)
    assert (certificate.serial, certificate.key.key_id) == ("MWC-1", key.public().key_id)
    assert Anchors((ours.certificate,)).issued(certificate)
    assert not Anchors((other.certificate,)).issued(certificate)
    assert [certificate.is_valid_at(NOW + at) for at in (-1, 0, 100, 101)] == [
        False, True, True, False,
    ]  # fmt: skip
    changed = data.replace(b"MWC-1", b"MWC-2")
    assert read(changed).serial == "MWC-2"
    assert not Anchors((ours.certificate,)).issued(read(changed))


@pytest.mark.parametrize("bad", [b"", b"\x30\x03abc", b"MWK1", b"MWK1\x96", b"MWK1" + bytes(40)])
def test_what_is_no_certificate(bad):
    with pytest.raises(InvalidInput) as error:
        read(bad)
    assert error.value.code == "carriers.bad-certificate"


def test_a_damaged_profile_is_not_used(tmp_path):
    file = ProfileFile(tmp_path / "profile.mwp")
    profile = Profile("MWC-1", "module", "https", "88.888.102", "key.mws", b"c", "p", "a", ())
    file.save(profile)
    assert file.load() == profile
    good = file.path.read_bytes()
    for bad in (b"", good[:-1], good[:20], b"X" + good[1:], good[:-1] + b"\xff"):
        file.path.write_bytes(bad)
        with pytest.raises(ConfigError):
            file.load()


def test_the_buffer_keeps_order_room_and_count(tmp_path):
    buffer = SampleBuffer(tmp_path / "buffer.sqlite", 3)
    for sequence in range(1, 6):
        buffer.add(Sample(sequence, sequence, {"shots": float(sequence)}))
    buffer.close()
    buffer = SampleBuffer(tmp_path / "buffer.sqlite", 3)
    assert [sample.sequence for sample in buffer.first(2)] == [3, 4]
    assert (len(buffer), buffer.dropped, buffer.last_sequence) == (3, 2, 5)
    buffer.forget(4)
    assert [sample.sequence for sample in buffer.first(9)] == [5]
    buffer.close()


def test_sessions_end_are_bounded_and_remember():
    sessions = Sessions(2, 10)
    key = generate(Algorithm.P256).public()
    first = sessions.open("a", key, b"", frozenset({Kind.REPORT}), 0)
    sessions.open("b", key, b"", frozenset({Kind.REPORT}), 5)
    with pytest.raises(Overloaded):
        sessions.open("c", key, b"", frozenset({Kind.REPORT}), 6)
    assert sessions.get(first.id, 9) is first
    assert sessions.get(first.id, 10) is None
    sessions.open("c", key, b"", frozenset({Kind.REPORT}), 11)  # the first one's time is over
    assert not sessions.take(first.id)
    assert sessions.is_new(b"d", 0, 100)
    assert not sessions.is_new(b"d", 99, 100)
    assert sessions.is_new(b"d", 100, 100)


def test_distances_are_those_of_the_globe():
    assert distance_m(30, 120, 30, 120) == 0
    assert distance_m(0, 0, 0, 1) == pytest.approx(111_195, abs=1)
    assert distance_m(39.9042, 116.4074, 31.2304, 121.4737) == pytest.approx(1_067_000, rel=2e-3)
    assert distance_m(0, 0, 0, 180) == pytest.approx(20_015_115, rel=1e-6)


def test_the_fence_draws_no_conclusions_from_missing_values():
    fence = Fence(30, 120, 300)
    noise = random.Random(1)

    def sample(**readings):
        return Sample(noise.randrange(10**6), 1, readings)

    far = {"latitude": 30.1, "longitude": 120.0}
    near = {"latitude": 30.0, "longitude": 120.0}
    before = {"shots": 10.0}
    assert not judge(fence, before, [sample(shots=11.0)]).is_outside
    assert not judge(fence, before, [sample(**far, shots=10.0)]).worked
    assert judge(fence, before, [sample(**far, shots=11.0)]).worked
    assert not judge(fence, {}, [sample(**far, shots=11.0)]).worked  # nothing to compare with
    assert not judge(fence, before, [sample(**near, shots=11.0)]).is_outside
    crossing = judge(fence, before, [sample(**far, shots=11.0), sample(**near, shots=12.0)])
    assert (crossing.worked, crossing.is_outside, crossing.distance_m) == (True, False, 11_120)
    nan = float("nan")
    assert not judge(fence, before, [sample(latitude=nan, longitude=120.0, shots=12.0)]).is_outside
