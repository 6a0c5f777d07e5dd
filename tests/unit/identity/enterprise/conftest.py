"""An enterprise node over SQLite and LMDB in a temporary folder, with one template."""

import pytest

from mingwu.identity.enterprise.model import (
    Actor,
    DataType,
    Industry,
    Item,
    Registration,
    TemplateDef,
    TemplateRef,
)
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.store.settings import StoreSettings

PREFIX = "88.888.101"
PART = TemplateRef(PREFIX, "PART-1")
PARTS = Industry(category="C", division="36", group="367", class_="3670")


@pytest.fixture
def boss():
    return Actor(name="boss", account="boss", may_all=True)


@pytest.fixture
def part_template():
    return TemplateDef(
        prefix=PREFIX,
        version="PART-1",
        name_zh="零件",
        industry=PARTS,
        items=(
            Item(type="name", name_zh="名称", required=True, min_length=2, max_length=20),
            Item(type="serial", unique=True),
            Item(type="mass", data_type=DataType.NUMBER, low=0, high=100, decimals=2),
            Item(type="made", data_type=DataType.DATE),
            Item(type="inspector", restricted=True),
            Item(type="grade", choices=("A", "B")),
        ),
    )


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**28, durable=False)
    yield store
    store.close()


@pytest.fixture
def settings(tmp_path):
    url = f"sqlite:///{tmp_path / 'enterprise.db'}"
    return EnterpriseSettings(store=StoreSettings(url=url), batch_items=50)


@pytest.fixture
def node(store, settings, part_template, boss):
    node = EnterpriseNode.open(settings, store)
    node.templates.create(part_template, actor=boss.name, publish=True)
    yield node
    node.close()


@pytest.fixture
def part():
    """``part(suffix, **values)``: a registration with the template's required values."""

    def make(suffix, **values):
        values = {"name": f"零件{suffix}"} | values
        return Registration(name=f"{PREFIX}/{suffix}", template=PART, values=values)

    return make
