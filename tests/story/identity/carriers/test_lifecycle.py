"""The life of a carrier: provisioned, powered on, registered, written, reporting, commanded."""

import shutil

import msgspec
import pytest

from mingwu.identity.carriers.frames import Kind
from mingwu.identity.carriers.keystore import SealedKey
from mingwu.identity.carriers.model import Blocked, State
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.identity.carriers.registrar import SERIAL_INDEX, STATE_INDEX
from mingwu.kernel.catalogue import render
from mingwu.kernel.errors import Conflict, Denied, InvalidInput, NotFound, Unavailable
from mingwu.trust.keys import Algorithm

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


async def test_first_power_on_registers_and_writes_back(scene):
    carrier = scene.carrier()
    assert scene.platform.unit(carrier.serial).state is State.PROVISIONED
    assert await carrier.agent.power_on() == NAME
    unit = scene.platform.unit(NAME)
    assert (unit.state, unit.identifier, unit.address) == (State.ACTIVE, NAME, "10.0.0.7")
    assert min(unit.powered_ms, unit.registered_ms, unit.written_ms) > 0
    assert (unit.is_registered, unit.is_reported, unit.is_queried) == (True, False, False)
    record = scene.records.get(NAME)
    assert record.value(SERIAL_INDEX).data == carrier.serial.encode()
    assert record.value(STATE_INDEX).data == b"active"
    assert scene.codes(carrier.serial) == ["carriers.written-back", "carriers.registered"]
    # what was written survives a restart of the carrier, and it does not ask again
    again = carrier.another(carrier.directory, carrier.wire)
    before = len(carrier.wire.sent)
    assert await again.power_on() == NAME
    assert len(carrier.wire.sent) == before


async def test_each_upload_is_challenged_anew_and_stored_once(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.wire.sent.clear()
    for _ in range(3):
        carrier.work()
        assert await carrier.agent.report() == 1
    assert [frame[4] for frame in carrier.wire.sent] == [Kind.HELLO, Kind.REPORT] * 3
    unit = scene.platform.unit(NAME)
    assert (unit.counter, unit.reports, unit.samples) == (3, 3, 3)
    assert [fresh[0].sequence for _, fresh in scene.samples] == [1, 2, 3]
    assert unit.simulated


async def test_registered_reported_queried_are_three_facts(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    found = scene.platform.discover(NAME, counted=False)
    assert (found.is_trusted, found.reason) == (False, "carriers.never-reported")
    assert scene.platform.counts() == {
        "provisioned": 1, "registered": 1, "reported": 0, "queried": 0, "blocked": 0, "fresh": 0,
    }  # fmt: skip
    carrier.work()
    await carrier.agent.report()
    found = scene.platform.discover(NAME)
    assert found.is_trusted
    assert found.readings["shots"] > 0
    assert found.simulated
    scene.clock.go(301)
    found = scene.platform.discover(NAME)
    assert (found.is_trusted, found.reason, found.readings) == (False, "carriers.not-fresh", {})
    assert scene.platform.unit(NAME).queries == 2
    scene.clock.go(6 * 365 * 86_400)
    assert scene.platform.discover(NAME).reason == "carriers.certificate-expired"


async def test_any_spelling_of_the_name_finds_it_and_reporting_powers_on(scene):
    carrier = scene.carrier()
    carrier.work()
    assert await carrier.agent.report() == 1
    assert scene.platform.discover(NAME.lower()).is_trusted
    with pytest.raises(NotFound):
        scene.platform.discover("")


async def test_a_certificate_for_another_serial_number_is_not_provisioned(scene):
    carrier = scene.carrier(provision=False)
    with pytest.raises(InvalidInput):
        scene.platform.provision(msgspec.structs.replace(carrier.new, serial="MWC-9"))


async def test_samples_wait_in_order_while_the_platform_is_away(scene):
    carrier = scene.carrier()
    carrier.agent.close()
    carrier.agent = carrier.another(
        carrier.directory, carrier.wire, buffer_samples=5, report_samples=2
    )
    await carrier.agent.power_on()
    carrier.wire.is_down = True
    for _ in range(8):
        carrier.work()
        with pytest.raises(Unavailable):
            await carrier.agent.report()
    assert (len(carrier.agent.buffer), carrier.agent.buffer.dropped) == (5, 3)
    carrier.wire.is_down = False
    assert await carrier.agent.report() == 5
    sent = [sample.sequence for _, fresh in scene.samples for sample in fresh]
    assert sent == [4, 5, 6, 7, 8]
    unit = scene.platform.unit(NAME)
    assert (unit.dropped, unit.samples, len(carrier.agent.buffer)) == (3, 5, 0)


async def test_a_lost_receipt_loses_and_doubles_nothing(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    for _ in range(3):  # also when receipts are lost again and again
        carrier.work()
        carrier.wire.lose_reply_of = Kind.REPORT
        with pytest.raises(Unavailable):
            await carrier.agent.report()
    carrier.work()
    await carrier.agent.report()
    assert [s.sequence for _, fresh in scene.samples for s in fresh] == [1, 2, 3, 4]
    unit = scene.platform.unit(NAME)
    assert (unit.counter, unit.samples, unit.blocked) == (4, 4, Blocked.NO)


@pytest.mark.parametrize("lost", [Kind.POWER_ON, Kind.WRITTEN])
async def test_a_lost_reply_at_the_first_power_on_is_made_good(scene, lost):
    carrier = scene.carrier()
    carrier.wire.lose_reply_of = lost
    with pytest.raises(Unavailable):
        await carrier.agent.power_on()
    assert await carrier.agent.power_on() == NAME
    carrier.work()
    await carrier.agent.report()
    assert scene.platform.unit(NAME).state is State.ACTIVE
    assert scene.codes(carrier.serial).count("carriers.registered") == 1


async def test_parameters_go_down_versioned_and_acknowledged(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    order = scene.platform.set_parameters(NAME, {"name": "r12", "set_point": 71}, actor="eve")
    assert (order.version, order.state) == (1, "waiting")
    carrier.work()
    await carrier.agent.report()
    assert carrier.mould.parameter_set == "r12"
    assert carrier.mould.set_point_c == 71
    (order,) = scene.platform.orders(NAME)
    assert order.state == "applied"
    assert order.acknowledged_ms
    (event,) = (one for one in scene.platform.events() if one.code == "carriers.order-applied")
    told = render(event.code, "zh", event.detail)[0]
    assert told == f"载体 {carrier.serial} 已按指令 {order.number} 更新参数"
    assert ProfileFile(carrier.directory / "profile.mwp").load().parameter_version == 1
    scene.platform.set_parameters(NAME, {"set_point": 900}, actor="eve")
    carrier.work()
    await carrier.agent.report()
    assert scene.platform.orders(NAME)[0].state == "rejected"
    assert "set_point" in scene.platform.orders(NAME)[0].note
    assert carrier.mould.set_point_c == 71


async def test_an_unacknowledged_set_is_sent_again_and_applied_once(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    scene.platform.set_parameters(NAME, {"set_point": 80}, actor="eve")
    carrier.work()
    carrier.wire.lose_reply_of = Kind.APPLIED
    with pytest.raises(Unavailable):
        await carrier.agent.report()
    assert scene.platform.orders(NAME)[0].state == "applied"
    scene.platform.set_parameters(NAME, {"set_point": 81}, actor="eve")
    carrier.work()
    carrier.wire.lose_reply_of = Kind.REPORT
    with pytest.raises(Unavailable):
        await carrier.agent.report()
    assert scene.platform.orders(NAME)[0].state == "sent"
    carrier.work()
    await carrier.agent.report()
    assert [order.state for order in scene.platform.orders(NAME)] == ["applied", "applied"]


async def test_suspend_resume_revoke(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    scene.platform.suspend(NAME, actor="eve")
    assert scene.platform.discover(NAME).reason == "carriers.suspended"
    carrier.work()
    with pytest.raises(Denied) as refused:
        await carrier.agent.report()
    assert refused.value.params["reason"] == "carriers.suspended"
    assert carrier.agent.profile.blocked == "carriers.suspended"
    scene.platform.resume(NAME, actor="eve")
    assert await carrier.agent.report() == 1
    assert carrier.agent.profile.blocked == ""
    scene.platform.revoke(NAME, actor="eve")
    assert scene.records.get(NAME) is None
    carrier.work()
    with pytest.raises(Denied):
        await carrier.agent.report()
    before = len(carrier.wire.sent)
    with pytest.raises(Denied):  # a revoked carrier is silent for good
        await carrier.agent.report()
    assert len(carrier.wire.sent) == before
    with pytest.raises(Denied):
        scene.platform.resume(NAME, actor="eve")


async def test_a_changed_name_is_written_back(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    scene.platform.rename(NAME, "MLD.M9001", actor="eve")
    assert scene.records.get(NAME) is None
    carrier.work()
    await carrier.agent.report()
    assert carrier.agent.profile.identifier == "88.888.102/MLD.M9001"
    unit = scene.platform.unit("88.888.102/MLD.M9001")
    assert (unit.state, unit.reports) == (State.ACTIVE, 2)
    assert scene.platform.discover("88.888.102/MLD.M9001").is_trusted


async def test_sm2_carrier(scene):
    carrier = scene.carrier(algorithm=Algorithm.SM2)
    assert carrier.key.algorithm is Algorithm.SM2
    await carrier.agent.power_on()
    carrier.work()
    assert await carrier.agent.report() == 1
    assert scene.platform.discover(NAME).is_trusted


async def test_the_platform_goes_on_after_a_restart(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    shutil.copytree(carrier.directory, scene.base / "kept")
    agent = carrier.another(scene.base / "kept", carrier.wire)
    agent.measure({"shots": 1.0})
    assert await agent.report() == 1
    assert SealedKey.load(scene.base / "kept/key.mws", (scene.base / "kept/seal.bin").read_bytes())


async def test_names_that_belong_to_others_are_not_taken(scene):
    from mingwu.identity.records import Record
    from mingwu.wire.handle.values import HandleValue

    scene.records.put(Record(NAME, (HandleValue(1, "URL", b"https://example.org"),)))
    carrier = scene.carrier()
    with pytest.raises(Denied) as refused:
        await carrier.agent.power_on()
    assert refused.value.params["reason"] == "carriers.name-taken"
    assert scene.platform.unit(carrier.serial).state is State.MATCHED
    with pytest.raises(Conflict):
        scene.platform.provision(carrier.new)
    with pytest.raises(NotFound):
        scene.platform.unit("88.888.102/NONE")
