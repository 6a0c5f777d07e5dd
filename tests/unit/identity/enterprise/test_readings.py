"""Unpublished readings of a carrier are granted, explained and told like restricted values."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mingwu.identity.access.administration import Administration
from mingwu.identity.carrierlive import CarrierReading, CarrierRow
from mingwu.identity.carriers import carriertemplate
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.withholding import require_whole, withheld_from, without
from mingwu.identity.enterprise.granting.grants import EVERYTHING, Grant, Group, Scope
from mingwu.identity.enterprise.granting.readings import grantable
from mingwu.identity.enterprise.model import Actor, Registration, TemplateRef
from mingwu.identity.lookup import Query, all_encoded, look_up
from mingwu.identity.recordkeys import key_of
from mingwu.identity.resolver import Resolver
from mingwu.identity.routing import Asked
from mingwu.identity.server.process import site_of
from mingwu.identity.settings import ResolverSettings
from mingwu.kernel.errors import Denied
from mingwu.trust.roles import Role
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.bodies import Resolve, read_body
from mingwu.wire.handle.codes import AdminRight, OpFlag, Rc
from mingwu.wire.handle.message import Message, decode, encode
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import HandleValue, Reference, read_value

PREFIX = "88.888.101"
NAME = f"{PREFIX}/MLD.7"
GUEST = Reference("88.5/U", 300)
OPEN_TYPES = {"MW.LIVE", "MW.LIVE.shots"}
HIDDEN = {"MW.LIVE.latitude", "MW.LIVE.longitude"}


@pytest.fixture
def carrier(node, store, boss):
    """A carrier's name, whose position is not published; its last report is a second old."""
    definition = carriertemplate.template(PREFIX)
    node.templates.create(definition, actor="boss", publish=True)
    node.unpublished = ("latitude", "longitude")
    item = Registration(
        name=NAME, template=TemplateRef(PREFIX, carriertemplate.VERSION),
        values=carriertemplate.item_values("MWC-7", {}),
    )  # fmt: skip
    assert all(one.ok for one in node.registrations.register([item], actor=boss))
    now = time.time_ns() // 1_000_000
    readings = tuple(
        CarrierReading(place, name, 1.5, "", (now - 1000) * 1_000_000, 3, "ab" * 32, is_public)
        for place, name, is_public in ((0, "shots", True), (1, "latitude", False),
                                       (2, "longitude", False))
    )  # fmt: skip
    row = CarrierRow(
        serial="MWC-7", state="active", is_active=True, blocked="", simulated=True,
        registered_ms=now - 9000, reported_ms=now - 500, sampled_ms=now - 1000,
        expires_ms=now + 10**7, fresh_ms=10**6, counter=3, digest="ab" * 32, readings=readings,
    )  # fmt: skip
    store.carriers().bring(lambda: (key_of(NAME), row))
    return node


@pytest.fixture
def resolver(store):
    return Resolver(store, site_of(ResolverSettings(), 2641, 8000))


def live(resolver, *, may_read=None, public_only=False, types=("MW.LIVE.",)):
    resolver.begin()
    try:
        query = Query(NAME, (), types, public_only, may_read)
        found = look_up(resolver.snapshot, resolver.live, query)
    finally:
        resolver.end()
    if found.rc != Rc.SUCCESS:
        return found.rc
    values = [read_value(Reader(raw)) for raw in all_encoded(found)]
    return {one.type for one in values if one.type.startswith("MW.LIVE")}


def anonymous(resolver, flags):
    resolver.begin()
    try:
        message = Message(op=1, body=Resolve(NAME).encode(), flags=flags)
        reply = decode(resolver.answer(encode(message)))
    finally:
        resolver.end()
    if reply.rc != Rc.SUCCESS:
        return reply.rc
    return {one.type for one in read_body(reply).values if one.type.startswith("MW.LIVE")}


def may(carrier, store, who=GUEST):
    return Administration(store, grants=carrier).may_read(NAME, who)


def test_strangers_get_the_published_ones(carrier, resolver):
    assert anonymous(resolver, OpFlag.PUBLIC_ONLY) == OPEN_TYPES
    assert anonymous(resolver, OpFlag(0)) == Rc.AUTHENTICATION_NEEDED
    assert live(resolver, public_only=True) == OPEN_TYPES
    assert live(resolver, types=("MW.LIVE.shots",)) == {"MW.LIVE.shots"}
    assert live(resolver, types=("MW.LIVE.latitude",)) == Rc.AUTHENTICATION_NEEDED


def test_one_reading_granted_to_a_group(carrier, resolver, store):
    assert may(carrier, store) == frozenset()
    carrier.grants.put_group(Group(name="haulier", members=(GUEST.handle,)))
    number = str(carrier.register.template_of(NAME).number)
    grant = Grant(
        grantee="group:haulier", scope=Scope.TEMPLATE, target=number, item="MW.LIVE.latitude"
    )
    carrier.grants.grant([grant], actor="boss")
    allowed = may(carrier, store)
    assert allowed == {702}
    assert live(resolver, may_read=allowed, types=()) == OPEN_TYPES | {"MW.LIVE.latitude"}
    assert live(resolver, may_read=allowed, types=("MW.LIVE.longitude",)) == Rc.NO_PERMISSION
    carrier.grants.revoke([grant])
    assert may(carrier, store) == frozenset()


def test_all_of_one_name_and_open_to_everybody(carrier, resolver, store):
    whole = Grant(grantee=str(GUEST), scope=Scope.IDENTIFIER, target=NAME, item=EVERYTHING)
    carrier.grants.grant([whole], actor="boss")
    assert may(carrier, store) == {702, 703}
    assert may(carrier, store, Reference("88.5/U", 301)) == frozenset()
    carrier.set_access(NAME, own=True, is_public=True)
    for flags in (OpFlag(0), OpFlag.PUBLIC_ONLY):
        assert anonymous(resolver, flags) == OPEN_TYPES | HIDDEN
    carrier.set_access(NAME, own=False)
    assert anonymous(resolver, OpFlag.PUBLIC_ONLY) == OPEN_TYPES


def test_administrators_with_the_right_to_read(carrier, store):
    admin = encode_admin(Admin(GUEST.handle, GUEST.index, AdminRight.READ_VALUE))
    value = HandleValue(101, "HS_ADMIN", admin)
    store.change(NAME, lambda was: replace(was, values=(*was.values, value)))
    assert may(carrier, store) == {702, 703}


def test_what_can_be_granted_and_why_it_is_read(carrier, part_template):
    template = carrier.register.template_of(NAME).definition
    assert {one.type for one in grantable(template, carrier.unpublished)} == HIDDEN
    assert grantable(part_template, carrier.unpublished) == ()
    grant = Grant(grantee="li", scope=Scope.IDENTIFIER, target=NAME, item="MW.LIVE.latitude")
    carrier.grants.grant([grant], actor="boss")
    asker = carrier.access.asker("li")
    told = carrier.access.explain(
        carrier.register.get(NAME), carrier.register.template_of(NAME), asker
    )
    found = {one.type: one for one in told.items if one.type in HIDDEN}
    assert set(found) == HIDDEN
    assert {kind: bool(one.read) for kind, one in found.items()} == {
        "MW.LIVE.latitude": True, "MW.LIVE.longitude": False,
    }  # fmt: skip
    assert not any(one.change for one in found.values())
    assert carrier.readable(NAME, Actor(name="li").names) == {702}


def test_accounts_see_what_was_granted_to_them(carrier):
    settings = CarrierSettings(unpublished_readings=carrier.unpublished)
    content = {"shots": 1.0, "latitude": 2.0, "longitude": 3.0}
    unit = SimpleNamespace(identifier=NAME, content=content)

    def seen(account, role):
        asked = Asked(None, "en", account, role)
        hidden = withheld_from(asked, settings, lambda name, who: carrier.readable(name, (who,)))
        try:
            require_whole(unit, hidden)
        except Denied as error:
            return set(without(content, hidden(unit))), error.code
        return set(without(content, hidden(unit))), ""

    assert seen("eng", Role.ENGINEER) == (set(content), "")
    assert seen("li", Role.VIEWER) == ({"shots"}, "carriers.report-withheld")
    grant = Grant(grantee="li", scope=Scope.IDENTIFIER, target=NAME, item="MW.LIVE.latitude")
    carrier.grants.grant([grant], actor="boss")
    assert seen("li", Role.VIEWER) == ({"shots", "latitude"}, "carriers.report-withheld")
    carrier.set_access(NAME, own=True, is_public=True)
    assert seen("li", Role.VIEWER) == (set(content), "")
