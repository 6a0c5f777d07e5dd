"""Our tokens in the eyes of independent libraries."""

import json
import secrets

import gmssl_pyx
import pytest
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import RSAKey

from mingwu.identity.trusted import jws
from mingwu.identity.trusted.jws import Claims, DigestItem, Digests
from mingwu.trust import keys
from mingwu.trust.keys import Algorithm

CLAIMS = Claims(
    iss="301:0.NA/88.888.101",
    sub="88.888.101/X",
    digests=Digests("SHA-256", (DigestItem(1, "qg=="),)),
    exp=2_000_000_000,
)


@pytest.fixture(scope="module")
def rsa_key():
    return keys.generate(Algorithm.RSA)


@pytest.fixture(scope="module")
def sm2_key():
    return keys.generate(Algorithm.SM2)


def test_rsa_token_is_read_by_an_independent_library(rsa_key):
    token = jws.sign(CLAIMS, rsa_key)
    theirs = RSAKey.import_key(jws.key_to_jwk(rsa_key.public()))
    payload = json.loads(joserfc_jws.deserialize_compact(token, theirs).payload)
    assert payload == {
        "iss": CLAIMS.iss,
        "sub": CLAIMS.sub,
        "digests": {"alg": "SHA-256", "digests": [{"index": 1, "digest": "qg=="}]},
        "exp": 2_000_000_000,
    }
    with pytest.raises(BadSignatureError):
        joserfc_jws.deserialize_compact(token[:-6] + b"AAAAAA", theirs)


def test_rsa_token_of_an_independent_library_is_read(rsa_key):
    theirs = RSAKey.import_key(rsa_key.pem())
    payload = json.dumps({"iss": "301:0.0/0.0", "sub": "0.0/0.0"})
    token = jws.parse(joserfc_jws.serialize_compact({"alg": "RS256"}, payload, theirs).encode())
    assert token.claims == Claims(iss="301:0.0/0.0", sub="0.0/0.0")
    assert token.holds(rsa_key.public())


def test_sm2_token_holds_for_an_independent_library(sm2_key):
    token = jws.parse(jws.sign(CLAIMS, sm2_key))
    point, signer = sm2_key.public().point[1:], b"1234567812345678"
    assert gmssl_pyx.sm2_verify(point, token.signed, token.signature, signer)
    assert token.alg == "SM2SM3"


def test_sm2_signature_of_an_independent_library_holds_in_both_forms(sm2_key):
    signed = b"e30." + secrets.token_bytes(8).hex().encode()
    point = sm2_key.public().point[1:]
    signature = gmssl_pyx.sm2_sign(sm2_key.scalar, point, signed, b"1234567812345678")
    for form in (signature, keys.raw(signature)):
        assert jws.Token("SM2SM3", CLAIMS, signed, form).holds(sm2_key.public())
    assert not jws.Token("SM2SM3", CLAIMS, signed + b"x", signature).holds(sm2_key.public())


@pytest.mark.parametrize("name", ["rsa_key", "sm2_key"])
def test_key_survives_its_json_form(name, request):
    key = request.getfixturevalue(name).public()
    assert jws.key_from_jwk(jws.key_to_jwk(key)).key_id == key.key_id


def test_other_keys_do_not_sign_records():
    with pytest.raises(ValueError, match="RSA or SM2"):
        jws.sign(CLAIMS, keys.generate(Algorithm.ED25519))


@pytest.mark.parametrize(
    "token",
    [b"", b"a.b", b"a.b.c.d", b"!!.e30.e30", b"eyJhbGciOiJub25lIn0.e30.", b"e30.e30.e30"],
)
def test_unreadable_tokens_are_refused(token):
    with pytest.raises(jws.BadToken):
        jws.parse(token)


@pytest.mark.parametrize("jwk", [{}, {"kty": "RSA"}, {"kty": "EC", "crv": "SM2", "x": "!"}])
def test_unreadable_keys_are_refused(jwk):
    with pytest.raises(jws.BadToken):
        jws.key_from_jwk(jwk)
