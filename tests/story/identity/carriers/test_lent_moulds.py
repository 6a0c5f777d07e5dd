"""S2: lent moulds report; one leaves its fence while shots go on; a copied carrier is rejected."""

import msgspec
import pytest

from mingwu.identity.carriers.certificates import Anchors
from mingwu.identity.carriers.model import Severity
from mingwu.identity.carriers.platform import is_sound
from mingwu.lab.carriers.carrier import SimulatedCarrier
from mingwu.lab.carriers.incidents import STRAY_M, try_clone

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


async def test_a_mould_that_works_outside_its_fence_is_told_with_evidence(scene):
    fleet = [scene.carrier(number) for number in (1, 2, 3)]
    simulated = [SimulatedCarrier(carrier.mould, carrier.agent) for carrier in fleet]
    for _ in range(3):
        scene.clock.go(120)
        for carrier in simulated:
            await carrier.turn(120)
    assert scene.platform.counts()["reported"] == 3
    assert "carriers.left-fence" not in scene.codes()

    fleet[0].mould.works = False  # on the lorry: outside, but not working
    fleet[0].mould.carry_away(STRAY_M)
    scene.clock.go(120)
    await simulated[0].turn(120)
    assert "carriers.left-fence" not in scene.codes()
    fleet[0].mould.works = True
    for _ in range(3):
        scene.clock.go(120)
        await simulated[0].turn(120)
    events = [e for e in scene.platform.events() if e.code == "carriers.left-fence"]
    assert len(events) == 1  # told once
    event = events[0]
    assert event.severity is Severity.WARNING
    assert event.detail["identifier"] == NAME
    assert event.detail["holder"] == fleet[0].mould.moulder.name
    assert abs(event.detail["distance_m"] - STRAY_M) < 50

    evidence = scene.platform.evidence(event.number)
    anchors = Anchors(scene.identity.anchors)
    assert is_sound(evidence, anchors)
    at = evidence.frame.index(b"shots") + 8
    forged = evidence.frame[:at] + bytes([evidence.frame[at] ^ 1]) + evidence.frame[at + 1 :]
    assert not is_sound(msgspec.structs.replace(evidence, frame=forged), anchors)

    fleet[0].mould.carry_away(-STRAY_M)
    scene.clock.go(120)
    await simulated[0].turn(120)
    assert scene.codes()[0] == "carriers.returned"


async def test_a_copied_carrier_is_rejected_and_visible(scene):
    fleet = [scene.carrier(number) for number in (1, 2)]
    simulated = [SimulatedCarrier(carrier.mould, carrier.agent) for carrier in fleet]
    for carrier in simulated:
        await carrier.turn(60)
    await try_clone(scene.base / "copy", simulated[1], fleet[1].wire, clock=scene.clock)
    event = scene.platform.events(name=fleet[1].serial)[0]
    assert event.code == "carriers.cloned"
    scene.clock.go(60)
    await simulated[1].turn(60)
    assert scene.platform.discover("88.888.102/MLD.M0002").is_trusted
