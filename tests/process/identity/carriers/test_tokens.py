"""Keys that never leave: the same adapter on a real SoftHSM2 and on a real TPM 2.0 (swtpm)."""

import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag
from pkcs11.util.ec import encode_named_curve_parameters

from mingwu.identity.carriers import tokens
from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.keystore import open_key
from mingwu.identity.carriers.keyuri import parse
from mingwu.identity.carriers.personalising import TokenKeys
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import ConfigError
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory, serial_of
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.keys import Algorithm

pytestmark = pytest.mark.anyio


@pytest.fixture
def identity(tmp_path):
    return prepare(tmp_path / "secrets")


@pytest.fixture
def platform(identity, tmp_path):
    records = RecordStore(tmp_path / "records", map_bytes=2**24)
    made = CarrierPlatform.open(
        CarrierSettings(store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"))),
        RecordRegistrar(records), key=identity.key, certificate=identity.certificate,
        anchors=identity.anchors,
    )  # fmt: skip
    yield made
    made.close()
    records.close()


@pytest.fixture
def token(rig):
    return tokens.Token(rig.module, rig.label, lambda: tokens.pin_of(rig.pin_file))


def test_a_key_made_in_the_token_signs_and_cannot_be_taken_out(rig, token):
    key = token.make("MWC-1")
    assert (key.protection, key.algorithm) == (rig.protection, Algorithm.P256)
    signature = key.sign(b"hello")
    assert key.public().verify(b"hello", signature)
    assert not key.public().verify(b"hell0", signature)
    again = token.check("MWC-1")
    assert again.key_id == key.public().key_id
    with tokens._lock, pytest.raises(pkcs11.PKCS11Error):
        token._pair(token._session(), "MWC-1")[1][Attribute.VALUE]
    with pytest.raises(ConfigError, match="already"):
        token.make("MWC-1")
    assert token.forget("MWC-1") == 2
    with pytest.raises(ConfigError, match="NoSuchKey"):
        token.check("MWC-1")


def test_an_extractable_key_is_refused(rig, token):
    if rig.protection == "tpm":
        pytest.skip("tpm2-pkcs11 makes no extractable keys")
    with tokens._lock:
        session = token._session()
        curve = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
            local=True,
        )  # fmt: skip
        for label, secret in (
            ("loose", {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}),
            ("half", {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True}),
        ):
            curve.generate_keypair(
                label=label, id=label.encode(), store=True, private_template=secret,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            )  # fmt: skip
    for label in ("loose", "half"):
        with pytest.raises(ConfigError, match="can leave the token") as told:
            tokens.TokenKey(token, label)
        assert told.value.code == "carriers.token-key"
        token.forget(label)


def test_another_curve_is_refused(rig, token):
    if rig.protection == "tpm":
        pytest.skip("swtpm without a resource manager keeps what a failed generation loaded")
    with tokens._lock:
        curve = token._session().create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp384r1")},
            local=True,
        )  # fmt: skip
        curve.generate_keypair(
            label="p384", id=b"3", store=True, private_template={Attribute.EXTRACTABLE: False},
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        )  # fmt: skip
    with pytest.raises(ConfigError, match="not P-256"):
        tokens.TokenKey(token, "p384")
    token.forget("p384")


async def test_a_carrier_whose_key_is_in_the_token(rig, platform, identity, tmp_path):
    class Wire:
        async def exchange(self, frame):
            return platform.access.handle(frame, "here")

    mould = moulds(7, 1)[6]
    keys = TokenKeys(rig.module, rig.label, rig.pin_file)
    factory = Factory(identity.authority, "here", "88.888.102", int(time.time()), keys=keys)
    directory = tmp_path / "carrier"
    key, new = factory.open(directory, mould)
    profile = ProfileFile(directory / "profile.mwp").load()
    assert profile.protection == rig.protection
    assert rig.pin not in profile.key_handle
    assert parse(profile.key_handle).key == serial_of(mould)
    assert read_certificate(profile.certificate).protection == rig.protection
    assert not (directory / "key.mws").exists()
    unit = platform.provision(new)
    assert (unit.protection, unit.certified) == (rig.protection, rig.protection)
    agent = CarrierAgent(directory, key, Wire(), accept=mould.apply)
    assert await agent.power_on() == "88.888.102/MLD.M0007"
    agent.measure(mould.readings())
    assert await agent.report() == 1
    agent.close()
    reopened, _ = factory.open(directory, mould)
    assert reopened.public().key_id == key.public().key_id
    weak = open_key(directory, profile.key_handle, b"")
    assert weak.protection == rig.protection


def test_many_carriers_of_one_token_sign_at_once(rig, token):
    # without a resource manager a TPM holds three objects; a carrier's has one key
    count = 1 if rig.protection == "tpm" else 3
    keys = [token.make(f"MWC-{number}") for number in range(count)]
    # each carrier opens its own, as its profile says; PKCS#11 knows one login only
    keys = [
        tokens.TokenKey(tokens.Token(rig.module, rig.label, lambda: rig.pin), key.label)
        for key in keys
    ]
    with ThreadPoolExecutor(8) as pool:
        texts = [str(number).encode() for number in range(60)]
        signed = list(pool.map(lambda text: keys[int(text) % count].sign(text), texts))
    for text, signature in zip(texts, signed, strict=True):
        assert keys[int(text) % count].public().verify(text, signature)
        if count > 1:
            assert not keys[(int(text) + 1) % count].public().verify(text, signature)
    for key in keys:
        token.forget(key.label)


def test_a_personalising_that_was_cut_is_done_anew(rig, identity, tmp_path):
    mould = moulds(8, 1)[7]
    keys = TokenKeys(rig.module, rig.label, rig.pin_file)
    left_behind, _ = keys.make(tmp_path, serial_of(mould), b"", Algorithm.P256)
    rig.power_cycle()
    factory = Factory(identity.authority, "here", "88.888.102", int(time.time()), keys=keys)
    key, new = factory.open(tmp_path / "carrier", mould)
    assert key.public().key_id != left_behind.public().key_id
    assert read_certificate(new.certificate).key.key_id == key.public().key_id
    with pytest.raises(ConfigError, match="not made in tokens"):
        keys.make(tmp_path, "X", b"", Algorithm.SM2)


def test_what_is_missing_is_said_with_the_next_step(rig, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    def code_of(module=rig.module, label=rig.label, pin=None) -> str:
        with pytest.raises(ConfigError) as told:
            tokens.Token(module, label, pin or (lambda: tokens.pin_of(tmp_path / "no.pin")))
        assert told.value.next_step("zh")
        assert rig.pin not in str(told.value)
        return told.value.code

    assert code_of(module="/nowhere/lib.so") == "carriers.token-module"
    assert code_of(label="nobody") == "carriers.token-missing"
    assert code_of() == "carriers.token-pin"
    assert code_of(pin=lambda: "wrong-pin-0") == "carriers.token-pin"
    open_to_all = tmp_path / "open.pin"
    open_to_all.write_text(rig.pin)
    open_to_all.chmod(0o644)
    assert code_of(pin=lambda: tokens.pin_of(open_to_all)) == "trust.bad-secret"
    assert rig.pin not in caplog.text
    assert "wrong-pin-0" not in caplog.text
    tokens.Token(rig.module, rig.label, lambda: tokens.pin_of(rig.pin_file))


def test_a_machine_without_the_library_is_told_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['pkcs11'] = None\n"
        "from mingwu.identity.carriers import tokens\n"
        "from mingwu.kernel.errors import ConfigError\n"
        "try: tokens.Token('x', 'y', lambda: '')\n"
        "except ConfigError as error: print(error.code, error.next_step())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("carriers.no-pkcs11 Install it"), done.stderr


PROGRAM = """
import sys
from mingwu.identity.carriers import tokens
from mingwu.kernel.errors import Unavailable
from pathlib import Path
module, pin = sys.argv[1:]
token = tokens.Token(module, "mwc", lambda: tokens.pin_of(Path(pin)))
key = token.make("MWC-1")
assert key.public().verify(b"a", key.sign(b"a"))
print("ready", flush=True)
sys.stdin.readline()
try:
    key.sign(b"b")
except Unavailable as error:
    print(error.code, flush=True)
sys.stdin.readline()
assert key.public().verify(b"c", key.sign(b"c"))
print("back", flush=True)
"""


def test_a_tpm_that_went_and_came_back_signs_again(tpm):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tpm.module, str(tpm.rig.pin_file)],
        env=os.environ | tpm.rig.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        tpm.stop()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "carriers.token-failed\n"
        tpm.start()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "back\n"
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
