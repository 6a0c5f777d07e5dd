"""What is refused, and visible as an event: copies, replays, tampering, wrong signatures."""

import shutil
from types import SimpleNamespace

import msgspec
import pytest

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.certificates import Anchors, Authority
from mingwu.identity.carriers.frames import Kind, Refused, pack, read
from mingwu.identity.carriers.model import Blocked, Severity
from mingwu.identity.carriers.profile import ProfileFile
from mingwu.kernel.errors import ConfigError, Denied, PeerError
from mingwu.lab.carriers.personalise import Factory
from mingwu.trust.keys import Algorithm, generate

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"
NOW_S = 1_790_000_000
PREFIX = "88.888.102"


async def active(scene):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    return carrier


async def refused_with(step) -> str:
    with pytest.raises(Denied) as refused:
        await step
    return refused.value.params["reason"]


def answer_to(scene, frame: bytes) -> str:
    body = read(scene.platform.access.handle(frame, "10.9.9.9")).body
    assert isinstance(body, Refused)
    return body.code


@pytest.mark.parametrize("with_real_authority", [True, False])
async def test_a_clone_with_another_key_is_refused_and_the_real_one_goes_on(
    scene, with_real_authority
):
    carrier = await active(scene)
    authority = scene.identity.authority
    if not with_real_authority:
        key = generate(Algorithm.P256)
        authority = Authority.create(key, "x", start_s=NOW_S - 9, end_s=NOW_S + 99_999)
    factory = Factory(authority, "memory", PREFIX, NOW_S)
    key, _ = factory.open(scene.base / "clone", carrier.mould)
    copy = type(carrier)(scene, carrier.mould, scene.base / "clone", key, carrier.new, carrier.wire)
    if with_real_authority:
        assert await refused_with(copy.agent.power_on()) == "carriers.cloned"
    else:
        with pytest.raises(PeerError):  # it does not believe our platform either
            await copy.agent.power_on()
    event = scene.platform.events(name=carrier.serial)[0]
    assert (event.code, event.severity) == ("carriers.cloned", Severity.ATTACK)
    carrier.work()
    assert await carrier.agent.report() == 1
    assert scene.platform.discover(NAME).is_trusted


async def test_a_copied_key_is_found_by_its_diverging_counters(scene):
    carrier = await active(scene)
    shutil.copytree(carrier.directory, scene.base / "copy")
    copy = carrier.another(scene.base / "copy", type(carrier.wire)(scene.platform, "10.6.6.6"))
    carrier.work()
    await carrier.agent.report()
    copy.measure({"shots": 5.0})
    assert await refused_with(copy.report()) == "carriers.stale-counter"
    await copy.report()  # its counter is ahead now and its link that of a lost receipt …
    carrier.work()
    assert await refused_with(carrier.agent.report()) == "carriers.stale-counter"
    assert await refused_with(carrier.agent.report()) == "carriers.diverged"  # … and it is found
    unit = scene.platform.unit(NAME)
    assert unit.blocked is Blocked.QUARANTINED
    assert scene.platform.discover(NAME).reason == "carriers.quarantined"
    assert {"carriers.stale-counter", "carriers.diverged"} <= set(scene.codes(carrier.serial))
    scene.platform.resume(NAME, actor="eve")
    assert await carrier.agent.report() >= 0


async def test_replayed_frames_are_refused(scene):
    carrier = await active(scene)
    frames = list(carrier.wire.sent)
    counter = scene.platform.unit(NAME).counter
    for frame in frames:
        assert answer_to(scene, frame) == "carriers.replayed"
    assert scene.platform.unit(NAME).counter == counter
    event = scene.platform.events(name=carrier.serial)[0]
    assert (event.code, event.times) == ("carriers.replayed", len(frames))
    assert event.address == "10.9.9.9"
    scene.clock.go(3600)  # much later nobody remembers the frames; the report is in the store
    assert answer_to(scene, frames[-1]) == "carriers.replayed"
    assert answer_to(scene, frames[0]) == "carriers.clock"


async def test_a_report_for_another_challenge_is_refused(scene):
    carrier = await active(scene)
    carrier.work()
    report = None

    def swallow(frame: bytes) -> bytes:
        nonlocal report
        report = frame if frame[4] == Kind.REPORT else report
        return carrier.wire.sent[-2] if frame[4] == Kind.REPORT else frame

    carrier.wire.change = swallow
    with pytest.raises(PeerError):  # the reply names a frame that the agent did not send
        await carrier.agent.report()
    carrier.wire.change = None
    await carrier.agent.report()
    assert answer_to(scene, report) == "carriers.stale-counter"


async def test_a_changed_report_is_refused(scene):
    carrier = await active(scene)
    carrier.work()

    def falsified(frame: bytes) -> bytes:
        if frame[4] != Kind.REPORT:
            return frame
        body = msgspec.structs.replace(read(frame).body, dropped=7)
        return pack(body, generate(Algorithm.P256))

    carrier.wire.change = falsified
    with pytest.raises(PeerError):
        await carrier.agent.report()
    assert scene.codes(carrier.serial)[0] == "carriers.wrong-signature"
    carrier.wire.change = None
    assert await carrier.agent.report() == 1


async def test_a_tampered_identifier_is_refused_on_both_sides(scene):
    carrier = await active(scene)
    forged = msgspec.structs.replace(carrier.agent.profile, identifier=f"{PREFIX}/MLD.M0002")
    ProfileFile(carrier.directory / "profile.mwp").save(forged)
    with pytest.raises(ConfigError) as bad:
        carrier.another(carrier.directory, carrier.wire)
    assert bad.value.code == "carriers.bad-profile"
    carrier.agent.profile = forged  # a carrier whose software was changed as well
    carrier.work()
    assert await refused_with(carrier.agent.report()) == "carriers.wrong-identifier"
    event = scene.platform.events(name=carrier.serial)[0]
    assert event.detail["shown"] == f"{PREFIX}/MLD.M0002"


async def test_a_state_set_back_is_refused(scene):
    carrier = await active(scene)
    carrier.agent.profile = msgspec.structs.replace(carrier.agent.profile, counter=0)
    carrier.work()
    assert await refused_with(carrier.agent.report()) == "carriers.stale-counter"


async def test_expired_foreign_and_unknown_certificates(scene):
    late = scene.carrier(2, years=0.001)
    scene.clock.go(86_400)
    assert await refused_with(late.agent.power_on()) == "carriers.certificate-expired"
    unknown = scene.carrier(3, provision=False)
    assert await refused_with(unknown.agent.power_on()) == "carriers.unknown-serial"
    key = generate(Algorithm.P256)
    other = Authority.create(key, "x", start_s=NOW_S - 9, end_s=NOW_S + 10**6)
    foreign = scene.carrier(4, authority=other)
    with pytest.raises(PeerError):
        await foreign.agent.power_on()
    assert set(scene.codes()) == {
        "carriers.certificate-expired", "carriers.unknown-serial",
        "carriers.certificate-untrusted",
    }  # fmt: skip


async def test_a_wrong_clock_is_refused(scene):
    carrier = await active(scene)
    carrier.work()
    sent = carrier.wire.change
    carrier.wire.change = lambda frame: (scene.clock.go(400), frame)[1] if not sent else frame
    assert await refused_with(carrier.agent.report()) == "carriers.clock"


async def test_the_agent_does_not_believe_a_false_platform(scene):
    carrier = scene.carrier()
    impostor = generate(Algorithm.P256)
    stolen = scene.identity.authority.issue(
        "somebody-else", impostor.public(), start_s=NOW_S - 9, end_s=NOW_S + 99_999
    )
    scene.platform.access._key, scene.platform.access._certificate = impostor, stolen
    with pytest.raises(PeerError) as untrusted:
        await carrier.agent.power_on()
    assert untrusted.value.code == "carriers.platform-untrusted"
    assert carrier.agent.profile.identifier == ""


async def test_garbage_is_answered_and_leaves_no_trace(scene):
    carrier = await active(scene)
    good = carrier.wire.sent[-1]
    for bad in (b"", b"MWC1", good[:-1], good + b"x", b"X" + good[1:], bytes(70_000), good[:20]):
        assert answer_to(scene, bad) == "carriers.malformed"
    for at in range(0, len(good), 7):
        changed = bytearray(good)
        changed[at] ^= 0x55
        assert answer_to(scene, bytes(changed)).startswith("carriers.")
    unit = scene.platform.unit(NAME)
    assert (unit.counter, unit.blocked) == (1, Blocked.NO)


async def test_refusals_are_counted_not_piled_up(scene):
    unknown = scene.carrier(3, provision=False)
    for _ in range(20):
        await refused_with(unknown.agent.power_on())
    (event,) = scene.platform.events()
    assert (event.times, event.serial) == (20, "")
    assert Anchors(scene.identity.anchors).certificates


async def test_where_the_key_lives_is_what_the_certificate_says(scene):
    carrier = await active(scene)
    unit = scene.platform.unit(carrier.serial)
    assert (unit.protection, unit.certified) == ("sealed-file", "sealed-file")
    assert "carriers.protection-differs" not in scene.codes()
    key = carrier.agent.key
    boast = SimpleNamespace(
        protection="tpm", algorithm=key.algorithm, public=key.public, sign=key.sign
    )
    with pytest.raises(ConfigError) as told:
        CarrierAgent(carrier.directory, boast, carrier.wire)
    assert told.value.code == "carriers.key-mismatch"
    carrier.agent.key = boast  # an agent that was tampered with
    for _ in range(2):
        carrier.work(5)
        await carrier.agent.report()
    unit = scene.platform.unit(carrier.serial)
    assert unit.protection == "sealed-file"
    (event,) = [e for e in scene.platform.events() if e.code == "carriers.protection-differs"]
    assert (event.severity, event.detail["shown"]) == (Severity.WARNING, "tpm")


async def test_an_agent_refuses_a_key_that_is_not_its_certificates(scene):
    carrier = scene.carrier()
    other = generate(Algorithm.P256)
    strange = SimpleNamespace(
        protection="sealed-file", algorithm=other.algorithm, public=other.public, sign=other.sign
    )
    with pytest.raises(ConfigError) as told:
        CarrierAgent(carrier.directory, strange, carrier.wire)
    assert told.value.code == "carriers.key-mismatch"
