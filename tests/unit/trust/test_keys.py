"""Keys and secrets: every algorithm through one contract, SM2 against the standard's vectors."""

import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from mingwu.kernel.errors import ConfigError, InvalidInput
from mingwu.trust import keys, libcrypto, sm2, sm2_formats, sm2_pyx
from mingwu.trust.keys import Algorithm, generate, load_private, load_public
from mingwu.trust.secrets import load_or_create, load_or_make

# GB/T 32918.5-2017 Annex A (signature) and Annex C (encryption).
SCALAR = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
POINT = bytes.fromhex(
    "04"
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
CIPHERTEXT = bytes.fromhex(
    "04"
    "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
    "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
    "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
    "21886CA989CA9C7D58087307CA93092D651EFA"
)


def backends():
    """Both roads where they are installed; the house requires the first."""
    return [found for found in (libcrypto.load(), sm2_pyx.load()) if found is not None]


def test_the_system_has_sm2():
    assert libcrypto.load() is not None


@pytest.mark.parametrize("engine", backends(), ids=lambda engine: type(engine).__name__)
def test_sm2_vectors_of_the_standard(engine):
    signature = keys.der(SIGNATURE)
    assert engine.public_point(SCALAR) == POINT
    assert engine.verify(POINT, b"message digest", signature, sm2.DEFAULT_ID)
    assert not engine.verify(POINT, b"message digesT", signature, sm2.DEFAULT_ID)
    assert not engine.verify(POINT, b"message digest", signature, b"somebody else")
    assert engine.decrypt(SCALAR, CIPHERTEXT) == b"encryption standard"


@pytest.mark.parametrize("signing", backends(), ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize("checking", backends(), ids=lambda engine: type(engine).__name__)
def test_both_roads_understand_each_other(signing, checking):
    scalar = sm2.generate()
    point = signing.public_point(scalar)
    assert point == checking.public_point(scalar)
    for message in (b"", b"x" * 10_000):
        signature = signing.sign(scalar, point, message, b"id")
        assert checking.verify(point, message, signature, b"id")
    for message in (b"1", b"y" * 255):
        assert checking.decrypt(scalar, signing.encrypt(point, message)) == message


def test_plain_integers_agree_with_the_standard():
    x, y = sm2_pyx._multiply(int.from_bytes(SCALAR), sm2_pyx._G)
    assert b"\x04" + x.to_bytes(32) + y.to_bytes(32) == POINT


def test_sm2_refuses_what_is_wrong():
    changed = bytes([*CIPHERTEXT[:-1], CIPHERTEXT[-1] ^ 1])
    off_curve = bytes([*POINT[:-1], POINT[-1] ^ 1])
    for bad in (changed, CIPHERTEXT[:97], b"\x05" + CIPHERTEXT[1:], off_curve + CIPHERTEXT[65:]):
        with pytest.raises(ValueError, match="."):  # noqa: RUF043 — any sentence
            sm2.decrypt(SCALAR, bad)
    for point, message in ((POINT, b""), (off_curve, b"x"), (POINT[1:], b"x")):
        with pytest.raises(ValueError, match="."):  # noqa: RUF043 — any sentence
            sm2.encrypt(point, message)
    for scalar in (b"", b"\0" * 32, b"\xff" * 32, SCALAR[1:]):
        with pytest.raises(ValueError, match="private key"):
            sm2.sign(scalar, b"x")
    signature = sm2.sign(SCALAR, b"x")
    assert not sm2.verify(off_curve, b"x", signature)
    assert not sm2.verify(POINT[1:], b"x", signature)
    assert not sm2.verify(POINT, b"x", signature[:-1])
    assert not sm2.verify(POINT, b"x", b"")


def test_old_ciphertexts_turn_round():
    old = sm2.c1c2c3(CIPHERTEXT)
    assert old != CIPHERTEXT
    assert old.startswith(CIPHERTEXT[:65] + CIPHERTEXT[97:])
    assert sm2.decrypt(SCALAR, sm2.c1c3c2(old)) == b"encryption standard"


@given(st.binary(max_size=200))
def test_cipher_formats_never_break(data):
    try:
        raw = sm2_formats.cipher_from_der(data)
    except ValueError:
        return
    assert sm2_formats.cipher_from_der(sm2_formats.cipher_to_der(raw)) == raw


@given(st.binary(min_size=98, max_size=700))
def test_ciphertexts_survive_der(data):
    ciphertext = b"\x04" + data[1:]
    der = sm2_formats.cipher_to_der(ciphertext)
    assert sm2_formats.cipher_from_der(der) == ciphertext


@given(st.binary(max_size=300))
def test_pem_readers_never_break(data):
    framed = b"-----BEGIN PRIVATE KEY-----\n" + data + b"\n-----END PRIVATE KEY-----\n"
    sm2_formats.private_from_pem(framed)
    sm2_formats.public_from_pem(framed.replace(b"PRIVATE", b"PUBLIC"))


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_signs_verifies_and_travels(algorithm):
    key = generate(algorithm)
    assert key.algorithm is algorithm
    signature = key.sign(b"message")
    public = load_public(key.public().pem())
    assert public.algorithm is algorithm
    assert public.key_id == key.public().key_id
    assert public.verify(b"message", signature)
    assert not public.verify(b"massage", signature)
    assert not public.verify(b"message", signature[:-1])
    assert not public.verify(b"message", b"")
    again = load_private(key.pem())
    assert again.algorithm is algorithm
    assert public.verify(b"other", again.sign(b"other"))
    assert not generate(algorithm).public().verify(b"message", signature)


def test_raw_and_der_signatures():
    signature = generate(Algorithm.P256).sign(b"x")
    assert keys.der(keys.raw(signature)) == signature
    assert len(keys.raw(signature)) == 64
    for bad in (b"", b"x" * 63):
        with pytest.raises(ValueError, match="64 bytes"):
            keys.der(bad)


def test_foreign_keys_are_refused_with_a_sentence():
    p384 = ec.generate_private_key(ec.SECP384R1())
    private = p384.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = p384.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for load, pem in (
        (load_private, private),
        (load_public, public),
        (load_private, b"nothing"),
        (load_public, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ):
        with pytest.raises(InvalidInput) as caught:
            load(pem)
        assert caught.value.code == "trust.bad-key"


def test_sm3_and_sm4_are_there():
    digest = hashes.Hash(hashes.SM3())
    digest.update(b"abc")
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert digest.finalize().hex() == expected  # GB/T 32905-2016 A.1
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    encryptor = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305 — one block, the vector of GB/T 32907-2016 A.1
    assert (
        encryptor.update(key) + encryptor.finalize()
    ).hex() == "681edf34d206965e86b3e94f536e4246"


def test_secrets_are_made_once_and_kept_from_others(tmp_path):
    first = load_or_create(tmp_path / "keys", "session")
    assert len(first) == 32
    assert load_or_create(tmp_path / "keys", "session") == first
    path = tmp_path / "keys" / "session"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(ConfigError):
        load_or_create(tmp_path / "keys", "session", 16)
    path.chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        load_or_create(tmp_path / "keys", "session")
    assert "chmod 600" in str(caught.value)


def test_two_that_create_a_secret_at_once_get_the_same(tmp_path):
    barrier = threading.Barrier(6)
    found = []

    def work():
        barrier.wait(timeout=30)
        found.append(load_or_make(tmp_path, "key.pem", lambda: generate(Algorithm.ED25519).pem()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 6
    assert len(set(found)) == 1
    assert load_private(found[0]).algorithm is Algorithm.ED25519
