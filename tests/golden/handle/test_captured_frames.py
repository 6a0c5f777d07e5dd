"""Frames captured from deployed software decode to what was sent and encode back to the same."""

import pytest

from mingwu.wire.handle.bodies import Challenge, OneHandle, Resolve, read_body
from mingwu.wire.handle.codes import DigestAlgorithm, Op, OpFlag, Rc
from mingwu.wire.handle.message import decode, encode, split_digest

# CAICT ID-SDK, first message of a connection.
SITE_INFO = bytes.fromhex(
    "0203020a 00000000 4f0c1cfa 00000000 00000021"
    "00000002 00000000 19000000 ffff 00 00 6b037540 00000005"
    "00000001 2f"
    "00000000"
)
# CAICT ID-SDK, resolve with no flag at all.
RESOLVE = bytes.fromhex(
    "0203020a 00000000 0542ff21 00000000 0000003c"
    "00000001 00000000 00000000 ffff 00 00 6b037541 00000020"
    "00000014 38382e313030302e312f50415254303030303432 00000000 00000000"
    "00000000"
)
# Handle.Net 9, challenge to a create.
CHALLENGE = bytes.fromhex(
    "020b020b 00000005 00000007 00000000 00000051"
    "00000064 00000192 90800000 0001 00 00 6b0370cd 00000035"
    "03 7000b65afba9f96362d7319f71d462b7bd33d5f7188fa8759fae9e17ccc7daeb"
    "00000010 38d2743923d3e195f114c4e1163bc0c2"
    "00000000"
)


@pytest.mark.parametrize("frame", [SITE_INFO, RESOLVE, CHALLENGE])
def test_frames_encode_back(frame):
    assert encode(decode(frame)) == frame


def test_national_client_opens_with_site_info():
    message = decode(SITE_INFO)
    assert message.op == Op.SITE_INFO
    assert (message.version, message.suggested) == ((2, 3), (2, 10))
    assert message.flags == OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY | OpFlag.PUBLIC_ONLY
    assert read_body(message) == OneHandle("/")


def test_national_client_resolves_without_flags():
    message = decode(RESOLVE)
    assert message.flags == 0
    assert read_body(message) == Resolve("88.1000.1/PART000042")


def test_challenge_carries_the_digest_unasked():
    message = decode(CHALLENGE)
    assert (message.op, message.rc, message.session_id) == (Op.CREATE, 402, 5)
    digest, _ = split_digest(message)
    assert digest[0] == DigestAlgorithm.SHA256
    assert len(digest) == 33
    assert message.rc == Rc.AUTHENTICATION_NEEDED
    assert read_body(message) == Challenge(bytes.fromhex("38d2743923d3e195f114c4e1163bc0c2"))
