"""Attacks leave a signed message behind that anybody can check; floods leave one."""

import pytest
from sqlalchemy import func, select, update

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.desk import CarrierDesk
from mingwu.identity.carriers.frames import Kind
from mingwu.identity.carriers.rows import base64_of
from mingwu.lab.carriers.carrier import SimulatedCarrier
from mingwu.lab.carriers.incidents import try_clone
from mingwu.store.engine import reading, writing

pytestmark = pytest.mark.anyio


def event_of(scene, code):
    return next(event for event in scene.platform.events() if event.code == code)


async def working(scene, number=1):
    carrier = scene.carrier(number)
    await SimulatedCarrier(carrier.mould, carrier.agent).turn(60)
    scene.clock.go(1)
    return carrier


async def test_a_copys_greeting_proves_that_a_stranger_signed(scene):
    carrier = await working(scene)
    real = SimulatedCarrier(carrier.mould, carrier.agent)
    assert await try_clone(scene.base / "copy", real, carrier.wire, clock=scene.clock)
    proof = CarrierDesk(scene.platform).proof(event_of(scene, "carriers.cloned").number)
    assert (proof["verdict"], proof["kind"], proof["serial"]) == ("stranger", "hello", "MWC-000001")
    assert proof["checks"]["signature"]
    assert not proof["checks"]["key"]
    assert not proof["checks"]["authority"]


async def test_a_report_sent_again_is_proved_by_the_report_itself(scene):
    carrier = await working(scene)
    report = next(frame for frame in carrier.wire.sent if frame[4] == Kind.REPORT)
    scene.platform.access.handle(report, "198.51.100.66")
    event = event_of(scene, "carriers.replayed")
    desk = CarrierDesk(scene.platform)
    proof = desk.proof(event.number)
    assert (proof["verdict"], proof["kind"], proof["counter"]) == ("carrier", "report", 1)
    assert all(proof["checks"].values())
    # what lies in the store is believed no more than what comes over the wire
    forged = report[:-1] + bytes([report[-1] ^ 1])
    with writing(scene.platform.engine) as connection:
        changed = update(schema.report).where(schema.report.c.digest == event.evidence)
        connection.execute(changed.values(frame=base64_of(forged)))
    assert desk.proof(event.number)["verdict"] == "broken"
    with writing(scene.platform.engine) as connection:
        connection.execute(changed.values(frame=base64_of(b"MWC1nonsense")))
    assert desk.proof(event.number)["verdict"] == "broken"


async def test_a_flood_of_copies_keeps_one_message(scene):
    carrier = await working(scene)
    real = SimulatedCarrier(carrier.mould, carrier.agent)
    for _ in range(5):
        await try_clone(scene.base / "copy", real, carrier.wire, clock=scene.clock)
    assert event_of(scene, "carriers.cloned").times == 5
    greetings = select(func.count()).where(schema.report.c.counter == 0)
    with reading(scene.platform.engine) as connection:
        assert connection.execute(greetings).scalar_one() == 1


async def test_an_unsigned_message_proves_nothing(scene):
    carrier = await working(scene)
    report = next(frame for frame in carrier.wire.sent if frame[4] == Kind.REPORT)
    scene.platform.access.handle(report[:-2] + b"\x00\x00", "198.51.100.66")
    assert all(not event.evidence for event in scene.platform.events())


async def test_pages_and_marks_tell_the_facts_apart(scene):
    await working(scene, 1)
    quiet = scene.carrier(2)
    await quiet.agent.power_on()
    scene.carrier(3)
    desk = CarrierDesk(scene.platform)
    scene.platform.discover("MWC-000001")
    page = desk.page(lang="zh")
    facts = [
        (bool(row["registered_ms"]), bool(row["reported_ms"]), bool(row["queried_ms"]))
        for row in page["rows"]
    ]
    assert facts == [(True, True, True), (True, False, False), (False, False, False)]
    assert [row["trusted"] for row in page["rows"]] == [True, False, False]
    assert page["rows"][1]["reason"] == "carriers.never-reported"
    assert "MWC-000002" in page["rows"][1]["reason_text"]
    assert [row["serial"] for row in desk.page(only="silent")["rows"]] == ["MWC-000002"]
    assert desk.page(q="MLD.M0001")["total"] == 1
    assert "link" not in page["rows"][0]
    marks = desk.marks()
    assert [mark["serial"] for mark in marks["marks"]] == ["MWC-000001"]
    assert (marks["unplaced"], len(marks["fences"])) == (2, 3)
    assert scene.platform.unit("MWC-000001").queries == 1  # looking is no query
