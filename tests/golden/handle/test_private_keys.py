"""Private keys as deployed Handle tools keep them; made by Java, read here."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mingwu.identity.access.authentication import derived_key
from mingwu.identity.client import keyfiles
from mingwu.identity.client.credentials import KeyCredentials, credentials, public_data
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.handle.primitives import block
from mingwu.wire.handle.values import Reference

GOLDEN = json.loads((Path(__file__).parent / "private-keys.json").read_text())
FILES = {int(way): base64.b64decode(text) for way, text in GOLDEN["files"].items()}
PASSPHRASE = GOLDEN["passphrase"].encode()


def sha256(number):
    return hashlib.sha256(number.to_bytes((number.bit_length() + 7) // 8)).hexdigest()


@pytest.mark.parametrize("way", FILES)
def test_every_locking_is_opened(way):
    data = FILES[way]
    assert keyfiles.is_locked(data) == (way != 1)
    key = keyfiles.load(data, PASSPHRASE)
    if isinstance(key, rsa.RSAPrivateKey):
        assert sha256(key.public_key().public_numbers().n) == GOLDEN["rsa_modulus_sha256"]
    else:
        assert sha256(key.private_numbers().x) == GOLDEN["dsa_x_sha256"]
    held = credentials(Reference("0.NA/1", 300), data, PASSPHRASE)
    assert isinstance(held, KeyCredentials)
    assert public_data(data, PASSPHRASE)


@pytest.mark.parametrize("way", [0, 2, 3, 4])
def test_a_wrong_passphrase_and_none_are_told_apart(way):
    with pytest.raises(InvalidInput, match="does not fit"):
        keyfiles.load(FILES[way], b"guess")
    with pytest.raises(InvalidInput, match="needs a passphrase"):
        keyfiles.load(FILES[way])


def test_keys_are_derived_as_java_derives_them():
    """Each byte of the secret is a character there, and characters are written in UTF-8."""
    told = GOLDEN["pbkdf2"]
    made = derived_key(PASSPHRASE, told["salt"].encode(), told["rounds"], told["bits"])
    assert made.hex() == told["key"]


def test_rsa_keys_without_their_primes_and_pem_with_a_passphrase():
    whole = keyfiles.load(FILES[1])
    numbers = whole.private_numbers()
    signed = [value.to_bytes(value.bit_length() // 8 + 1)
              for value in (numbers.public_numbers.n, numbers.d)]  # fmt: skip
    bare = b"\0\0\0\1" + block(b"RSA_PRIV_KEY") + b"".join(map(block, signed))
    again = keyfiles.load(bare).private_numbers()
    assert (again.d, again.public_numbers) == (numbers.d, numbers.public_numbers)
    pem = whole.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE),
    )  # fmt: skip
    assert keyfiles.is_locked(pem)
    assert keyfiles.load(pem, PASSPHRASE).private_numbers() == numbers


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"hello world", FILES[1][:100], FILES[1] + b"\0", b"\0\0\0\1" + block(b"X_KEY"),
     b"\0\0\0\3" + block(b"s") + b"\xff" * 8 + block(b"") * 2, b"-----BEGIN X-----"],
)  # fmt: skip
def test_other_files_are_refused(data):
    with pytest.raises(InvalidInput):
        keyfiles.load(data, b"x")
