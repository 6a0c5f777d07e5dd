"""A carrier's identifier registered by the enterprise node, with its template and its history."""

import pytest

from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.enterprise.model import (
    ACTIVE_CARRIER,
    Actor,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.kernel.errors import Conflict
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
PREFIX, VERSION, NAME = "88.888.102", "MLD-1.0", "88.888.102/MLD.M0001"
ACTOR = Actor(name="carriers", account="carriers", may_all=True)


class EnterpriseRegistrar:
    """What the composition root does to let the enterprise node register carriers."""

    def __init__(self, node: EnterpriseNode):
        self.node = node
        self.template = TemplateRef(prefix=PREFIX, version=VERSION)

    def register(self, name, serial, values):
        held = {
            "serial": serial,
            **{k: v for k, v in values.items() if k.startswith("DESC.") and v},
        }
        item = Registration(name=name, template=self.template, values=held)
        (result,) = self.node.registrations.register([item], actor=ACTOR)
        if result.fault is not None:
            known = {value.type: value.value for value in self.node.register.get(name).values}
            if known.get("serial") != serial:
                raise Conflict("carriers.name-taken", name=name)

    def note_state(self, name, state):
        change = Registration(name=name, template=self.template, values={"state": state})
        self.node.registrations.change([change], actor=ACTOR, merge=True)

    def deregister(self, name):
        self.node.registrations.deregister([name], actor=ACTOR)


@pytest.fixture
def node(scene, tmp_path):
    store = StoreSettings(url=sqlite_url(tmp_path / "enterprise.sqlite"), durable=False)
    made = EnterpriseNode.open(EnterpriseSettings(store=store, prefixes=(PREFIX,)), scene.records)
    made.templates.create(
        TemplateDef(
            prefix=PREFIX,
            version=VERSION,
            industry=Industry(category="C", division="35"),
            type=ACTIVE_CARRIER,
            kind=Kind.PRODUCT,
            items=(
                Item(type="serial", required=True, unique=True),
                Item(type="state"),
                Item(type="DESC.zh"),
                Item(type="DESC.en"),
            ),
        ),
        actor="eve",
        publish=True,
    )
    yield made
    made.close()


async def test_registration_goes_through_the_enterprise_node(scene, node, tmp_path):
    scene.platform.close()
    store = StoreSettings(url=sqlite_url(tmp_path / "other.sqlite"), durable=False)
    scene.platform = CarrierPlatform.open(
        CarrierSettings(store=store), EnterpriseRegistrar(node), key=scene.identity.key,
        certificate=scene.identity.certificate, anchors=scene.identity.anchors, clock=scene.clock,
    )  # fmt: skip
    carrier = scene.carrier()
    assert await carrier.agent.power_on() == NAME
    values = {value.type: value.value for value in node.register.get(NAME).values}
    assert values["serial"] == carrier.serial
    assert values["state"] == "active"
    assert fold(scene.records.get(NAME).name) == NAME
    carrier.work()
    await carrier.agent.report()
    assert scene.platform.discover(NAME).is_trusted
    scene.platform.revoke(NAME, actor="eve")
    assert scene.records.get(NAME) is None
