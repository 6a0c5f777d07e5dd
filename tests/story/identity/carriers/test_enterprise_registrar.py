"""Carriers registered by the enterprise node and through the second-level node, for real."""

import msgspec
import pytest
from sqlalchemy import select

from mingwu.identity.carriers import carriertemplate
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.registrars import NodeRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.model import ACTIVE_CARRIER, Actor, TemplateRef
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.live import NoLiveValues
from mingwu.identity.lookup import look_up_all
from mingwu.identity.secondlevel import schema as secondlevel
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    Kind,
    Mode,
    Organisation,
    Person,
    Quota,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.kernel.errors import Denied, InvalidInput
from mingwu.store.engine import reading, sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
PREFIX, NAME = "88.888.102", "88.888.102/MLD.M0001"
APPLICATION = f"{PREFIX}/App_carriers"
_FIRST = "91330000MA0000001"
USCC = _FIRST + check_digit(_FIRST)


def opened(scene, registrar) -> None:
    """The scene's platform goes on with another registrar."""
    scene.platform.close()
    store = StoreSettings(url=sqlite_url(scene.base / "carriers.sqlite"), durable=False)
    scene.platform = CarrierPlatform.open(
        CarrierSettings(store=store), registrar, key=scene.identity.key,
        certificate=scene.identity.certificate, anchors=scene.identity.anchors, clock=scene.clock,
        table=scene.records.carriers(),
    )  # fmt: skip


@pytest.fixture
def enterprise(scene):
    store = StoreSettings(url=sqlite_url(scene.base / "enterprise.sqlite"), durable=False)
    made = EnterpriseNode.open(EnterpriseSettings(store=store, prefixes=(PREFIX,)), scene.records)
    yield made
    made.close()


@pytest.fixture
def above(scene):
    settings = SecondLevelSettings(
        prefix="88.888",
        store=StoreSettings(url=sqlite_url(scene.base / "second.sqlite"), durable=False),
        escrow_directory=str(scene.base / "escrow"),
        secrets_directory=str(scene.base / "secrets"),
    )
    made = SecondLevel.open(settings, scene.records, site_at("127.0.0.1", 2641), scene.clock)
    yield made
    made.close()


def give_prefix(above, mode: Mode) -> None:
    form = ApplicationForm(
        kind=Kind.APPLY, prefix=PREFIX, mode=mode,
        organisation=Organisation(uscc=USCC, name="模通模具（模拟）", industry="C3525"),
        legal_person=Person(name="张三"), contact=Person(name="李四", phone="13800000000"),
        site=SiteForm(host="127.0.0.1", port=2641) if mode is Mode.OWN else None,
    )  # fmt: skip
    above.applications.accept(above.applications.submit(form, "eve").id, "rita")


def changes(above) -> list[tuple[int, str, dict]]:
    """The change log that table T9 is made from."""
    table = secondlevel.change
    with reading(above._engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.sequence)).all()
    return [(row.operation, row.name, msgspec.json.decode(row.content)) for row in rows]


def plain(scene, **nodes):
    opened(scene, NodeRegistrar(records=RecordRegistrar(scene.records), **nodes))


async def test_the_enterprise_node_registers_a_carrier_under_its_own_prefix(scene, enterprise):
    plain(scene, enterprise=enterprise)
    carrier = scene.carrier()
    assert await carrier.agent.power_on() == NAME
    known = enterprise.register.get(NAME)
    values = {value.type: value.value for value in known.values}
    assert values[carriertemplate.SERIAL] == values["t9.terminal_serial"] == carrier.serial
    assert (values["t9.terminal_type"], values["carrier.simulated"]) == ("module", "true")
    assert (known.row.owner, known.row.state) == (APPLICATION, State.REGISTERED)
    template = enterprise.register.template_of(NAME)
    assert template.definition.type == ACTIVE_CARRIER
    assert template.definition.handle == carriertemplate.handle(PREFIX)
    assert [row.action for row in enterprise.register.history(NAME)] == ["change", "register"]
    assert scene.records.get(NAME).value(8).data == b"true"
    assert "MW.SIMULATED" in {value.type for value in scene.records.get(NAME).values}
    carrier.work()
    await carrier.agent.report()
    assert scene.platform.discover(NAME).is_trusted
    scene.platform.suspend(carrier.serial, actor="eve")
    assert _state(enterprise) == "suspended"
    scene.platform.resume(carrier.serial, actor="eve")
    assert _state(enterprise) == "active"
    scene.platform.revoke(carrier.serial, actor="eve")
    assert enterprise.register.get(NAME).row.state is State.DEREGISTERED
    assert scene.records.get(NAME) is None
    found = scene.platform.discover(NAME)
    assert (found.is_trusted, found.readings) == (False, {})
    actors = {row.actor for row in enterprise.register.history(NAME)}
    assert actors == {APPLICATION}


def _state(enterprise) -> str:
    return {v.type: v.value for v in enterprise.register.get(NAME).values}[carriertemplate.STATE]


async def test_the_second_level_node_above_gets_t9_rows_and_the_name_is_filed(
    scene, enterprise, above
):
    give_prefix(above, Mode.OWN)
    plain(scene, enterprise=enterprise, secondlevel=above)
    carrier = scene.carrier()
    await carrier.agent.power_on()
    assert enterprise.register.get(NAME).row.state is State.FILED
    scene.platform.revoke(carrier.serial, actor="eve")
    told = changes(above)
    assert [(how, name) for how, name, _ in told] == [(1, NAME), (3, NAME), (2, NAME)]
    assert told[0][2]["t9.terminal_serial"] == carrier.serial
    notes = [r.note for r in enterprise.register.history(NAME) if r.action == "file"]
    assert notes == ["T9 2", "T9 1"]
    assert [row["handle"] for row in above.templates()] == [carriertemplate.handle(PREFIX)]
    scene.clock.go(86_400)
    above.duties.make()
    rows = [row for entry in above.outbox.entries() for row in _rows(entry, "T9")]
    mine = [row for row in rows if row["code"] == NAME]
    assert [row["operation"] for row in mine] == [1, 3, 2]
    assert mine[0]["terminal_serial"] == carrier.serial
    assert mine[0]["terminal_type"] == "module"
    assert mine[0]["terminal_owner"].startswith("模通")


def _rows(entry, table) -> list[dict]:
    body = entry.body if isinstance(entry.body, dict) else msgspec.json.decode(entry.body)
    return body["rows"] if body.get("table") == table else []


async def test_a_hosted_prefix_is_registered_by_the_second_level_node(scene, enterprise, above):
    give_prefix(above, Mode.HOSTED)
    plain(scene, enterprise=enterprise, secondlevel=above)
    carrier = scene.carrier()
    await carrier.agent.power_on()
    known = above.lookup.get(NAME)
    assert known["template"] == carriertemplate.handle(PREFIX)
    assert (known["values"][carriertemplate.SERIAL], known["values"][carriertemplate.STATE]) == (
        carrier.serial,
        "active",
    )
    assert [how for how, _, _ in changes(above)] == [1, 3]
    fresh = scene.platform.rename(carrier.serial, "MLD.M0001-B", actor="eve").identifier
    carrier.work()
    await carrier.agent.report()
    assert above.lookup.get(NAME) is None
    assert above.lookup.get(fresh)["values"][carriertemplate.STATE] == "active"
    scene.platform.revoke(carrier.serial, actor="eve")
    assert above.lookup.get(fresh) is None
    assert scene.records.get(fresh) is None


async def test_a_tenant_without_room_gets_no_carrier_and_people_see_why(scene, above):
    give_prefix(above, Mode.HOSTED)
    above.tenants.set_quota(USCC, Quota(prefixes=1, identifiers=0, daily_requests=10))
    plain(scene, secondlevel=above)
    carrier = scene.carrier()
    with pytest.raises(Denied) as refused:
        await carrier.agent.power_on()
    assert refused.value.params["reason"] == "secondlevel.register-limit"
    (event,) = [e for e in scene.platform.events() if e.code == "carriers.registration-failed"]
    assert event.detail["reason"] == "secondlevel.register-limit"
    assert not scene.platform.unit(carrier.serial).is_registered
    above.tenants.set_quota(USCC, Quota(prefixes=1, identifiers=5, daily_requests=10))
    assert await carrier.agent.power_on() == NAME


async def test_a_disabled_application_identity_registers_nothing(scene, enterprise):
    plain(scene, enterprise=enterprise)
    first = scene.carrier(1)
    await first.agent.power_on()
    enterprise.applications.set_enabled(APPLICATION, enabled=False)
    second = scene.carrier(2)
    with pytest.raises(Denied) as refused:
        await second.agent.power_on()
    assert refused.value.params["reason"] == "carriers.registration-off"
    scene.platform.suspend(first.serial, actor="eve")  # holds, though the record cannot say so yet
    assert _state(enterprise) == "active"
    enterprise.applications.set_enabled(APPLICATION, enabled=True)
    assert scene.platform.catch_up() == 1
    assert _state(enterprise) == "suspended"
    assert scene.platform.catch_up() == 0
    assert await second.agent.power_on() == "88.888.102/MLD.M0002"


async def test_names_of_others_are_not_taken(scene, enterprise):
    plain(scene, enterprise=enterprise)
    first, second = scene.carrier(1), scene.carrier(2)
    await first.agent.power_on()
    await second.agent.power_on()
    with pytest.raises(Exception, match="belongs to another thing") as told:
        scene.platform.rename(second.serial, "MLD.M0001", actor="eve")
    assert told.value.code == "carriers.name-taken"
    assert scene.platform.unit(second.serial).identifier == "88.888.102/MLD.M0002"
    fresh = scene.platform.rename(second.serial, "MLD.M0002-B", actor="eve")
    assert enterprise.register.get("88.888.102/MLD.M0002").row.state is State.DEREGISTERED
    second.work()
    await second.agent.report()
    unit = scene.platform.unit(second.serial)
    assert (unit.identifier, unit.shown) == (fresh.identifier, "active")
    assert "renamed-from" not in unit.attributes
    back = scene.platform.rename(second.serial, "MLD.M0002", actor="eve")
    second.work()
    await second.agent.report()
    assert second.agent.profile.identifier == back.identifier == "88.888.102/MLD.M0002"
    assert enterprise.register.get(back.identifier).row.state is State.REGISTERED


def resolved(scene, name: str = NAME) -> set[str]:
    snapshot = scene.records.snapshot()
    snapshot.begin()
    try:
        values = look_up_all(snapshot, NoLiveValues(), name, 1)
    finally:
        snapshot.end()
    return {value.type for value in values}


@pytest.mark.parametrize("mode", [Mode.OWN, Mode.HOSTED])
async def test_a_name_that_either_node_registered_resolves_to_readings(
    scene, enterprise, above, mode
):
    give_prefix(above, mode)
    plain(scene, enterprise=enterprise, secondlevel=above)
    carrier = scene.carrier()
    await carrier.agent.power_on()
    assert "MW.LIVE" in resolved(scene)
    carrier.work()
    await carrier.agent.report()
    assert {"carrier.serial", "MW.LIVE", "MW.LIVE.shots"} <= resolved(scene)
    scene.platform.suspend(carrier.serial, actor="eve")  # writes the record anew
    assert resolved(scene) >= {"carrier.serial", "MW.LIVE"}
    assert "MW.LIVE.shots" not in resolved(scene)
    scene.platform.resume(carrier.serial, actor="eve")
    assert "MW.LIVE.shots" in resolved(scene)
    scene.platform.revoke(carrier.serial, actor="eve")
    assert resolved(scene) == set()


async def test_a_prefix_of_somebody_else_is_refused(scene, enterprise):
    plain(scene, enterprise=enterprise)
    mould = scene.factory(prefix="88.999.1")
    carrier = scene.carrier(3)
    scene.platform.provision(
        msgspec.structs.replace(
            carrier.new, serial="X-1", prefix=mould.prefix,
            certificate=scene.identity.authority.issue(
                "X-1", carrier.key.public(), start_s=1_789_000_000, end_s=1_800_000_000
            ),
        )
    )  # fmt: skip
    registrar = scene.platform._registrar
    with pytest.raises(InvalidInput) as told:
        registrar.register("88.999.1/X", "X-1", {})
    assert told.value.code == "carriers.prefix-elsewhere"


async def test_a_name_taken_away_behind_the_platforms_back_is_not_trusted(scene, enterprise):
    plain(scene, enterprise=enterprise)
    carrier = scene.carrier()
    await carrier.agent.power_on()
    carrier.work()
    await carrier.agent.report()
    assert scene.platform.discover(NAME, asker="partner").is_trusted
    assert scene.platform.unit(carrier.serial).queried_by == "partner"
    boss = Actor(name="boss", may_all=True)
    enterprise.registrations.deregister([NAME], actor=boss)
    found = scene.platform.discover(NAME, asker="partner")
    assert (found.reason, found.readings) == ("carriers.name-gone", {})
    enterprise.registrations.submit([NAME], actor=boss)
    assert scene.platform.discover(NAME).is_trusted


async def test_what_was_provisioned_beyond_the_template_is_kept(scene, enterprise):
    values = carriertemplate.item_values("S", {"colour": "red", "t9.brand": "模通"})
    assert msgspec.json.decode(values[carriertemplate.MORE]) == {"colour": "red"}
    assert values["t9.brand"] == "模通"
    plain(scene, enterprise=enterprise)
    registrar = scene.platform._registrar
    registrar.register(NAME, "S", {"colour": "red"})
    registrar.register(NAME, "S", {"colour": "red"})  # again, as after a crash
    assert enterprise.register.get(NAME).row.version == 1
    assert enterprise.templates.get(TemplateRef(PREFIX, carriertemplate.VERSION)).revision == 1
