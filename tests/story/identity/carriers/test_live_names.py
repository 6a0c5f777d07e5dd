"""A carrier's name answers what its carrier measured, by the trust rule of discovery queries."""

import json
import shutil

import msgspec
import pytest

from mingwu.identity.carriers.evidence import checks
from mingwu.identity.carriers.queries import Asked, Queries
from mingwu.identity.carriers.registrar import SERIAL_INDEX
from mingwu.identity.lookup import Query, look_up
from mingwu.identity.records import Record
from mingwu.identity.resolver import Resolver
from mingwu.identity.server.exchange import HttpRequest
from mingwu.identity.server.http import HttpFace
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import Op, OpFlag, Rc
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.site import Site
from mingwu.wire.handle.values import HandleValue

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


@pytest.fixture
def resolver(scene):
    made = Resolver(scene.records, Site(servers=()))
    made.begin()
    yield made
    made.end()


def ask(resolver, name=NAME, indexes=(), types=(), flags=OpFlag.PUBLIC_ONLY):
    """The values by type, from a state of the store as of now."""
    resolver.end()
    resolver.begin()
    message = Message(op=Op.RESOLVE, body=Resolve(name, indexes, types).encode(), flags=flags)
    reply = decode(resolver.answer(encode(message)))
    if reply.rc != Rc.SUCCESS:
        return {"code": reply.rc}
    return {value.type: value for value in read_body(reply).values}


def readings(values) -> dict:
    return {
        kind.removeprefix("MW.LIVE."): json.loads(value.data)
        for kind, value in values.items()
        if kind.startswith("MW.LIVE.")
    }


def standing(values) -> dict:
    return json.loads(values["MW.LIVE"].data)


async def reporting(scene, number=1):
    carrier = scene.carrier(number)
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    return carrier


async def test_values_come_with_time_quality_and_the_report_behind_them(scene, resolver):
    carrier = scene.carrier()
    await carrier.agent.power_on()
    told = ask(resolver)
    assert (standing(told)["state"], standing(told)["reason"]) == (
        "active", "carriers.never-reported",
    )  # fmt: skip
    assert readings(told) == {}
    carrier.work()
    await carrier.agent.report()
    told = ask(resolver)
    assert told["MW.CARRIER.SERIAL"].data == carrier.serial.encode()
    state = standing(told)
    assert (state["trusted"], state["reason"], state["simulated"]) == (True, "", True)
    shots = readings(told)["shots"]
    found = scene.platform.discover(NAME, counted=False)
    assert shots["value"] == found.readings["shots"] == float(int(carrier.mould.shots))
    assert (shots["quality"], shots["simulated"], shots["unit"]) == ("good", True, "1")
    assert shots["time"] == state["measured"]
    assert (shots["report"], shots["evidence"]) == (1, found.origins["shots"].digest)
    assert readings(told)["parameter_set"]["value"] == "factory"
    assert told["MW.LIVE.shots"].ttl == 1
    # the report that the value names can be fetched and proves itself
    report = scene.platform.report(shots["evidence"])
    assert all(checks(report, scene.platform.access.anchors).values())


async def test_a_reading_keeps_its_index_and_its_own_origin(scene, resolver):
    carrier = await reporting(scene)
    before = ask(resolver)
    carrier.work()
    carrier.agent.measure({"pressure": 3.5, "shots": 99_999.0})
    carrier.work()
    await carrier.agent.report()
    carrier.agent.measure({"shots": 100_000.0})
    await carrier.agent.report()
    after = ask(resolver)
    for kind in before:
        assert after[kind].index == before[kind].index, kind
    taken = [value.index for value in after.values() if value.index < 1000]
    assert after["MW.LIVE.pressure"].index == max(taken) == 700 + len(readings(after))
    now = readings(after)
    assert (now["shots"]["value"], now["shots"]["report"]) == (100_000.0, 3)
    assert (now["pressure"]["value"], now["pressure"]["report"]) == (3.5, 2)
    assert now["pressure"]["time"] < now["cavity_temperature"]["time"]
    scene.clock.go(290)
    carrier.agent.measure({"shots": 100_001.0})
    await carrier.agent.report()
    scene.clock.go(20)
    now = readings(ask(resolver))
    assert (now["shots"]["quality"], now["pressure"]["quality"]) == ("good", "uncertain")


async def test_by_index_and_type_on_every_way(scene, resolver):
    await reporting(scene)
    everything = ask(resolver)
    for flags in (OpFlag.PUBLIC_ONLY, OpFlag.PUBLIC_ONLY | OpFlag.REQUEST_DIGEST, OpFlag(0)):
        assert ask(resolver, flags=flags).keys() == everything.keys()
        assert set(ask(resolver, types=("mw.live.shots",), flags=flags)) == {"MW.LIVE.shots"}
        kinds = set(ask(resolver, types=("MW.LIVE.",), flags=flags))
        assert kinds == {kind for kind in everything if kind.startswith("MW.LIVE")}
        assert set(ask(resolver, indexes=(700,), flags=flags)) == {"MW.LIVE"}
        assert ask(resolver, types=("MW.LIVE.nothing",), flags=flags) == {"code": 200}
    assert ask(resolver, name=NAME.lower()).keys() == everything.keys()
    face = HttpFace(resolver)
    body = json.loads(face.read(HttpRequest("GET", f"/api/handles/{NAME}")).body)
    assert {value["type"] for value in body["values"]} == set(everything)
    body = json.loads(face.read(HttpRequest("GET", f"/api/handles/{NAME}?type=MW.LIVE.shots")).body)
    assert [value["type"] for value in body["values"]] == ["MW.LIVE.shots"]


async def test_only_in_a_trusted_state_and_at_once(scene, resolver):
    carrier = await reporting(scene)
    registered = {kind for kind in ask(resolver) if not kind.startswith("MW.LIVE")}

    def is_refused(reason: str) -> None:
        told = ask(resolver)
        found = scene.platform.discover(NAME, counted=False)
        assert standing(told)["reason"] == found.reason == reason
        assert not standing(told)["trusted"]
        assert readings(told) == found.readings == {}
        assert {kind for kind in told if not kind.startswith("MW.LIVE")} == registered

    scene.platform.suspend(NAME, actor="eve")
    is_refused("carriers.suspended")
    carrier.work()
    with pytest.raises(Denied):
        await carrier.agent.report()
    is_refused("carriers.suspended")
    scene.platform.resume(NAME, actor="eve")
    assert readings(ask(resolver)) == {} or standing(ask(resolver))["trusted"]
    await carrier.agent.report()
    assert readings(ask(resolver))["shots"]["report"] == carrier.agent.profile.counter
    scene.clock.go(299)
    assert standing(ask(resolver))["trusted"]
    scene.clock.go(2)
    is_refused("carriers.not-fresh")
    carrier.work()
    await carrier.agent.report()
    assert standing(ask(resolver))["trusted"]
    scene.clock.go(6 * 365 * 86_400)
    is_refused("carriers.certificate-expired")


async def test_a_copied_carrier_answers_nothing_any_more(scene, resolver):
    carrier = await reporting(scene)
    shutil.copytree(carrier.directory, scene.base / "copy")
    copy = carrier.another(scene.base / "copy", carrier.wire)
    carrier.work()
    await carrier.agent.report()
    copy.measure({"shots": 5.0})
    with pytest.raises(MingwuError):
        await copy.report()  # its counter is behind …
    await copy.report()  # … and ahead now: the platform believes it, until the carrier comes
    assert standing(ask(resolver))["trusted"]
    carrier.work()
    for _ in range(2):
        with pytest.raises(MingwuError):
            await carrier.agent.report()
    told = ask(resolver)
    assert (standing(told)["reason"], standing(told)["state"]) == (
        "carriers.quarantined", "quarantined",
    )  # fmt: skip
    assert readings(told) == {}


async def test_renamed_and_revoked(scene, resolver):
    scene.records.home("88.888.102")
    carrier = await reporting(scene)
    scene.platform.rename(NAME, "MLD.M0001-B", actor="eve")
    assert ask(resolver) == {"code": 100}  # not found
    fresh = "88.888.102/MLD.M0001-B"
    assert standing(ask(resolver, fresh))["reason"] == "carriers.not-registered"
    carrier.work()
    await carrier.agent.report()
    assert readings(ask(resolver, fresh))["shots"]["report"] == 2
    assert scene.records.carrier_values(NAME) == []
    scene.platform.revoke(fresh, actor="eve")
    assert ask(resolver, fresh) == {"code": 100}
    (state,) = scene.records.carrier_values(fresh)
    assert json.loads(state.data)["reason"] == "carriers.revoked"


async def test_what_a_crash_kept_from_the_table_is_told_at_the_next_start(scene, resolver):
    carrier = await reporting(scene)
    table = scene.records.carriers()
    table.replace(list)  # nothing is there, as after a lost disk
    assert "MW.LIVE" not in ask(resolver)
    assert scene.platform.tell_all() == 1
    assert readings(ask(resolver))["shots"]["report"] == 1
    # a decision that was stored but not told: the table still believes
    telling = scene.platform.access.telling
    told = telling._table
    telling._table = None
    scene.platform.suspend(NAME, actor="eve")
    telling._table = told
    assert standing(ask(resolver))["trusted"]
    scene.platform.tell_all()
    assert standing(ask(resolver))["reason"] == "carriers.suspended"
    assert carrier.agent.profile.counter == 1


async def test_unpublished_readings_are_for_discovery_only(scene, resolver):
    scene.platform.access.telling._settings = msgspec.structs.replace(
        scene.platform.settings, unpublished_readings=("latitude", "longitude")
    )
    await reporting(scene)
    told = readings(ask(resolver))
    assert {"shots", "cavity_temperature"} < set(told)
    assert not {"latitude", "longitude"} & set(told)
    assert "latitude" in scene.platform.discover(NAME, counted=False).readings


async def test_ever_new_readings_are_bounded_and_told(scene, resolver):
    carrier = await reporting(scene)
    for start in range(0, 320, 64):
        carrier.agent.measure({f"r{number}": 1.0 for number in range(start, start + 64)})
    await carrier.agent.report()
    assert len(scene.platform.unit(NAME).content) == 299
    told = ask(resolver)
    assert len(readings(told)) == 299
    assert max(value.index for value in told.values() if value.index < 1000) == 999
    assert "shots" in readings(told)
    assert scene.codes(carrier.serial).count("carriers.too-many-readings") == 1


async def test_restricted_values_beside_readings_keep_their_rule(scene, resolver):
    await reporting(scene)
    secret = HandleValue(900_000, "RECIPE", b"66 C", permissions=0x0C)
    scene.records.change(
        NAME, lambda record: Record(record.name, (*record.values, secret), record.live)
    )
    assert ask(resolver, flags=OpFlag(0)) == {"code": Rc.AUTHENTICATION_NEEDED}
    told = ask(resolver)
    assert "RECIPE" not in told
    assert readings(told)["shots"]["report"] == 1
    query = Query(NAME, may_read=frozenset({900_000}))
    found = look_up(resolver.snapshot, resolver.live, query)
    assert found.rc == Rc.SUCCESS
    assert {value.type for value in found.live} >= {"MW.LIVE", "MW.LIVE.shots"}
    assert len(found.values) == len(scene.records.get(NAME).values)


async def test_a_stored_value_cannot_stand_where_readings_do(scene):
    await reporting(scene)
    forged = HandleValue(701, "MW.LIVE.shots", b"{}")
    with pytest.raises(InvalidInput):
        scene.records.change(
            NAME, lambda record: Record(record.name, (*record.values, forged), record.live)
        )


async def test_a_record_that_only_claims_to_be_a_carriers_tells_nothing(scene, resolver):
    carrier = await reporting(scene)
    other = "88.888.102/MLD.FALSE"
    serial = HandleValue(SERIAL_INDEX, "MW.CARRIER.SERIAL", carrier.serial.encode())
    scene.records.put(Record(other, (serial,)))
    assert set(ask(resolver, other)) == {"MW.CARRIER.SERIAL"}


class Log:
    """What others asked, as (name, moment) pairs; a source for the platform's queries."""

    def __init__(self):
        self.rows, self.looked = [], []

    def __call__(self, names, earliest_ms):
        self.looked.append((dict(names), earliest_ms))
        found = {}
        for name, after in names.items():
            new = [at for of, at in self.rows if of == name and at > max(after, earliest_ms)]
            if new:
                found[name] = Asked(len(new), max(new), "198.51.100.0/24")
        return found


async def test_a_resolution_by_others_makes_it_queried_once(scene):
    await reporting(scene)
    queries, log = scene.platform.queries, Log()
    assert queries.follow() == 0  # no log, nothing to count
    queries.source = log
    assert (queries.follow(), scene.platform.unit(NAME).is_queried) == (0, False)
    now = scene.clock.now_ns // 1_000_000
    log.rows += [(NAME, now + 1), (NAME, now + 2), ("88.888.102/OTHER", now + 1)]
    assert queries.follow() == 0  # looked a moment ago
    scene.clock.go(10)
    assert queries.follow() == 1
    unit = scene.platform.unit(NAME)
    assert (unit.queries, unit.queried_ms, unit.queried_by) == (2, now + 2, "198.51.100.0/24")
    scene.clock.go(10)
    assert queries.follow() == 0
    # another process that looks back further counts nothing again
    other = Queries(scene.platform.engine, scene.clock)
    other.source = log
    assert (other.follow(), scene.platform.unit(NAME).queries) == (0, 2)
    # a discovery query meanwhile is later, and stays the last
    scene.clock.go(60)
    scene.platform.discover(NAME, asker="partner")
    log.rows.append((NAME, now + 30_000))
    assert queries.follow() == 1
    unit = scene.platform.unit(NAME)
    assert (unit.queries, unit.queried_by) == (4, "partner")


async def test_questions_from_before_the_registration_are_not_its(scene):
    log = Log()
    log.rows = [(NAME, scene.clock.now_ns // 1_000_000 - 5)]
    scene.platform.queries.source = log
    await reporting(scene)
    assert (scene.platform.queries.follow(), scene.platform.unit(NAME).queries) == (0, 0)


async def test_two_that_look_at_once_count_once(scene):
    await reporting(scene)
    both = [Queries(scene.platform.engine, scene.clock) for _ in range(2)]
    scene.clock.go(1)
    asked = Asked(3, scene.clock.now_ns // 1_000_000, "198.51.100.0/24")

    def answers(names, earliest_ms):
        """While the first looks, the second looks and counts, too."""
        if both[1].source is not None and not both[1]._looked_ms:
            both[1].follow()
        return {NAME: asked}

    both[0].source = answers
    both[1].source = lambda *_: {NAME: asked}
    both[0].follow()
    assert scene.platform.unit(NAME).queries == 3
