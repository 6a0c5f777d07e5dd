"""Certificates end, hardware breaks, databases are restored: the carrier goes on under its name."""

import sqlite3

import msgspec
import pytest

from mingwu.identity.carriers import restored
from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.model import Blocked
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.kernel.errors import Denied, InvalidInput
from mingwu.lab.carriers.personalise import Factory
from mingwu.trust.keys import Algorithm, generate

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"
PREFIX = "88.888.102"
NOW_S = 1_790_000_000
YEAR_S = 365 * 86_400


async def active(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    for _ in range(3):
        carrier.work()
        await carrier.agent.report()
    return carrier


def hardware(scene, carrier, authority=None):
    """A new module for the same thing, personalised and not known yet."""
    factory = Factory(authority or scene.identity.authority, "memory", PREFIX, NOW_S)
    folder = scene.base / "new"
    key, new = factory.open(folder, carrier.mould)
    return type(carrier)(scene, carrier.mould, folder, key, new, carrier.wire)


async def refused_with(step) -> str:
    with pytest.raises(Denied) as refused:
        await step
    return refused.value.params["reason"]


@pytest.mark.parametrize("blocked", [Blocked.NO, Blocked.QUARANTINED])
async def test_new_hardware_takes_a_carriers_place_and_name(scene, blocked):
    old = await active(scene)
    if blocked:
        with scene.platform.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE carrier_unit SET blocked = 'quarantined'")
    new = hardware(scene, old)
    assert await refused_with(new.agent.power_on()) == "carriers.cloned"
    done = scene.platform.certify(old.serial, new.new.certificate, actor="eve")
    assert (done.identifier, done.blocked, done.written_ms) == (NAME, Blocked.NO, 0)
    assert not scene.platform.discover(NAME).is_trusted
    old.work()
    assert await refused_with(old.agent.report()) == "carriers.cloned"
    await new.agent.power_on()
    assert new.agent.profile.identifier == NAME
    new.work()
    await new.agent.report()
    found = scene.platform.discover(NAME)
    assert (found.is_trusted, found.readings["shots"] > 0) == (True, True)
    assert scene.platform.unit(old.serial).counter == new.agent.profile.counter
    assert "carriers.replaced" in scene.codes(old.serial)
    assert scene.codes(old.serial).count("carriers.registered") == 1


async def test_a_renewed_certificate_lets_an_ended_carrier_report_again(scene):
    carrier = await active(scene)
    scene.clock.go(6 * YEAR_S)
    carrier.agent.measure(carrier.mould.readings())
    assert await refused_with(carrier.agent.report()) == "carriers.certificate-expired"
    carrier.agent.close()
    now_s = scene.clock.now_ns // 1_000_000_000
    renewed = scene.identity.authority.issue(
        carrier.serial, carrier.key.public(), start_s=now_s - 9, end_s=now_s + YEAR_S,
        protection=carrier.key.protection,
    )  # fmt: skip
    file = ProfileFile(carrier.directory / "profile.mwp")
    file.save(msgspec.structs.replace(file.load(), certificate=renewed))
    agent = carrier.another(carrier.directory, carrier.wire)
    await agent.report()
    unit = scene.platform.unit(carrier.serial)
    assert unit.expires_ms == (now_s + YEAR_S) * 1000
    assert scene.platform.discover(NAME).is_trusted
    told = scene.platform.certify(carrier.serial, renewed, actor="eve")
    assert (told.counter, told.written_ms) == (unit.counter, unit.written_ms)
    assert "carriers.renewed" in scene.codes(carrier.serial)


async def test_certificates_that_prove_nothing_change_nothing(scene):
    carrier = await active(scene)
    before = scene.platform.unit(carrier.serial)
    key = generate(Algorithm.P256)
    stranger = Authority.create(key, "x", start_s=NOW_S - 9, end_s=NOW_S + 99_999)
    foreign = hardware(scene, carrier, stranger)
    issue, public = scene.identity.authority.issue, key.public()
    ended = issue(carrier.serial, public, start_s=NOW_S - 9, end_s=NOW_S - 1)
    other = issue("MWC-999999", public, start_s=NOW_S - 9, end_s=NOW_S + 99_999)
    for certificate, kind, code in (
        (foreign.new.certificate, Denied, "carriers.certificate-untrusted"),
        (ended, Denied, "carriers.certificate-expired"),
        (other, InvalidInput, "carriers.bad-certificate"),
        (b"x", InvalidInput, "carriers.bad-certificate"),
    ):
        with pytest.raises(kind) as caught:
            scene.platform.certify(carrier.serial, certificate, actor="eve")
        assert caught.value.code == code
    assert scene.platform.unit(carrier.serial) == before
    scene.platform.revoke(carrier.serial, actor="eve")
    with pytest.raises(Denied):
        scene.platform.certify(carrier.serial, foreign.new.certificate, actor="eve")


@pytest.mark.parametrize("told", [True, False])
async def test_a_restored_platform_takes_its_carriers_for_no_copies(scene, told):
    carrier = await active(scene)
    file = scene.base / "carriers.sqlite"
    with sqlite3.connect(file) as source, sqlite3.connect(scene.base / "copy.sqlite") as copy:
        source.backup(copy)
    for _ in range(3):
        carrier.work()
        await carrier.agent.report()
    scene.platform.engine.dispose()
    with sqlite3.connect(scene.base / "copy.sqlite") as copy, sqlite3.connect(file) as source:
        copy.backup(source)
    if told:
        assert restored.note(scene.platform.settings.store) == 1
    carrier.work()
    if told:
        await carrier.agent.report()
        carrier.work()
        await carrier.agent.report()  # and the chain goes on
        assert "carriers.diverged" not in scene.codes(carrier.serial)
    else:
        assert await refused_with(carrier.agent.report()) == "carriers.diverged"
