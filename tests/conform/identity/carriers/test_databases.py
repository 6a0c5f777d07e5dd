"""The carriers on every database (fixture ``url``): the whole life, the lists, two at once."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.desk import CarrierDesk
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.secrecy import kid_of
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Conflict, Denied, InvalidInput
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


class Plant:
    def __init__(self, url, tmp_path):
        self.url, self.base = url, tmp_path
        self.identity = prepare(tmp_path / "secrets")
        self.records = RecordStore(tmp_path / "records", map_bytes=2**24, durable=False)
        self.agents = []
        self.open()

    def open(self) -> None:
        self.platform = CarrierPlatform.open(
            CarrierSettings(store=StoreSettings(url=self.url, pool=4)),
            RecordRegistrar(self.records), key=self.identity.key,
            certificate=self.identity.certificate, anchors=self.identity.anchors,
            store_key=self.identity.store_key,
        )  # fmt: skip

    async def exchange(self, frame: bytes) -> bytes:
        return await asyncio.to_thread(self.platform.access.handle, frame, "10.0.0.7")

    def carrier(self, number: int = 1, *, provision: bool = True):
        mould = moulds(number, 1)[number - 1]
        factory = Factory(
            self.identity.authority, "here", "88.888.102", int(time.time()), bearer="coap"
        )
        directory = self.base / f"c{number}"
        key, new = factory.open(directory, mould)
        if provision:
            self.platform.provision(new)
        agent = CarrierAgent(directory, key, self, accept=mould.apply)
        self.agents.append(agent)
        return agent, new, mould


@pytest.fixture
def plant(url, tmp_path):
    made = Plant(url, tmp_path)
    yield made
    for agent in made.agents:
        agent.close()
    made.platform.close()
    made.records.close()


async def test_the_whole_life_and_the_lists(plant):
    agent, new, mould = plant.carrier()
    serial, platform = new.serial, plant.platform
    assert await agent.power_on() == NAME
    platform.set_parameters(serial, {"name": "r1"}, actor="eve")
    platform.set_parameters(serial, {"name": "r2", "set_point": 70}, actor="eve")
    for _ in range(3):
        agent.measure(mould.readings())
    assert await agent.report() == 3
    assert [order.state for order in platform.orders(serial)] == ["applied", "replaced"]
    assert platform.discover(NAME.lower(), asker="partner").is_trusted
    fresh = platform.rename(serial, "MLD.M0001-B", actor="eve").identifier
    agent.measure(mould.readings())
    assert await agent.report() == 1
    platform.suspend(serial, actor="eve")
    agent.measure(mould.readings())
    with pytest.raises(Denied):
        await agent.report()
    plant.platform.close()
    plant.open()  # as after a restart
    platform = plant.platform
    platform.resume(serial, actor="eve")
    assert await agent.report() == 1
    unit = platform.unit(fresh)
    assert (unit.samples, unit.shown, unit.queried_by) == (5, "active", "partner")
    assert "renamed-from" not in unit.attributes
    page = CarrierDesk(platform).page(q="M0001", only="reported")
    assert (page["total"], page["rows"][0]["serial"]) == (1, serial)
    counts = platform.counts()
    assert (counts["registered"], counts["reported"], counts["queried"]) == (1, 1, 1)
    platform.revoke(serial, actor="eve")
    assert plant.records.get(fresh) is None
    assert platform.catch_up() == 0
    codes = [event.code for event in platform.events(name=serial)]
    assert codes[0] == "carriers.revoked"
    assert codes[-1] == "carriers.registered"
    assert len(platform.events(limit=3)) == 3


async def test_secrets_and_windows(plant):
    _, new, _ = plant.carrier()
    with pytest.raises(Conflict):
        plant.platform.provision(new)
    secrets = plant.platform.secrets
    secrets.note(new.serial, 17, 2**32 - 1)
    kept = secrets.find(kid_of(new.serial))
    assert (kept.master, kept.index, kept.bits) == (new.oscore_secret, 17, 2**32 - 1)
    _, other, _ = plant.carrier(2, provision=False)
    plant.platform.secrets._key = b""
    with pytest.raises(InvalidInput):
        plant.platform.provision(other)
    assert plant.platform.units()[1] == 1


async def test_many_carriers_at_once(plant):
    carriers = [plant.carrier(number) for number in range(1, 9)]

    async def life(agent, mould):
        await agent.power_on()
        for _ in range(3):
            agent.measure(mould.readings())
            await agent.report()

    await asyncio.gather(*(life(agent, mould) for agent, _, mould in carriers))
    assert plant.platform.counts()["reported"] == 8
    numbers = [event.number for event in plant.platform.events()]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    # one serial number given to two people at the same moment is given once
    _, new, _ = plant.carrier(20, provision=False)

    def provision(_):
        try:
            return plant.platform.provision(new).serial
        except Conflict:
            return ""

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(provision, range(4))) == ["", "", "", new.serial]
