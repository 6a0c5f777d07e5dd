"""SM2 proofs: the form of the national clients and the plain one, in both signature formats."""

import pytest

from mingwu.identity.access.authentication import proven
from mingwu.identity.access.sm2proof import digest_text, point_of, sm2_key
from mingwu.trust import keys as trust_keys
from mingwu.trust import sm2
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.keys import SM2, PublicKey, encode_key, make_key, read_key
from mingwu.wire.handle.primitives import block
from mingwu.wire.handle.values import HandleValue

HANDLE = "88.888.101/USR.li"
SIGNED = b"n" * 16 + b"d" * 32
SCALAR = sm2.generate()
POINT = sm2.public_point(SCALAR)
NATIONAL = sm2.sign(SCALAR, digest_text(SIGNED), signer=HANDLE.encode())
PLAIN = sm2.sign(SCALAR, SIGNED)


def holds(signature, *, key=None, digest=b"SM3", handle=HANDLE):
    value = HandleValue(300, "HS_PUBKEY", encode_key(key or sm2_key(POINT)))
    proof = block(digest) + block(signature)
    return proven("HS_PUBKEY", proof, SIGNED, [value], handle)


@pytest.mark.parametrize("signature", [NATIONAL, PLAIN], ids=["national", "plain"])
def test_both_forms_hold_in_both_formats(signature):
    assert holds(signature)
    assert holds(trust_keys.raw(signature))


@pytest.mark.parametrize(
    "data",
    [POINT, POINT[1:], b"\x30\x59 any head of a SubjectPublicKeyInfo" + POINT],
    ids=["point", "without-form", "spki"],
)
def test_key_layouts(data):
    assert point_of(PublicKey(SM2, (data,))) == POINT
    assert read_key(encode_key(sm2_key(POINT))) == sm2_key(POINT)


def test_what_does_not_hold():
    assert not holds(NATIONAL, handle="88.888.101/USR.other")
    assert not holds(NATIONAL, digest=b"SHA-256")
    assert not holds(b"x" * 64)
    assert not holds(b"")
    assert not holds(PLAIN, key=sm2_key(sm2.public_point(sm2.generate())))


@pytest.mark.parametrize("parts", [(), (b"",), (b"\x02" * 65,), (b"\x04" * 10,)])
def test_broken_keys(parts):
    with pytest.raises(ProtocolError):
        point_of(PublicKey(SM2, parts))
    assert not holds(PLAIN, key=PublicKey(SM2, parts))


def test_an_rsa_key_does_not_take_an_sm2_proof():
    assert not holds(PLAIN, key=make_key("RSA_PUB_KEY", e=65537, n=(1 << 2047) + 9))
