"""Settings: sizes and ports that cannot work are faults; payloads and digits of the servers."""

import json

import pytest

from mingwu.kernel.errors import ConfigError
from mingwu.kernel.settings import build
from mingwu.lab.layout import Layout, layouts
from mingwu.lab.plant import s1
from mingwu.lab.plant.connections import Sockets
from mingwu.lab.servers.addressspace import digits_of
from mingwu.lab.servers.mqtt import Payloads
from mingwu.lab.settings import LabSettings
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.settings import StoreSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"first_port": 65_530},
        {"first_port": 0, "scale": 2, "workers": 2},
        {"serial": "parallel"},
        {"colour": "blue"},
        {"gateway": "gw 1"},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        build(LabSettings, wrong)


def test_replicas_never_share_a_port():
    ports = [
        port
        for layout in layouts(LabSettings(scale=5, cells=8, opcua_servers=4))
        for port in layout.endpoints().values()
    ]
    assert len(set(ports)) == len(ports)


def test_moulds_of_all_cells_differ_and_begin_with_the_scenario():
    settings = LabSettings(scale=3)
    numbers = [layout.mould(cell) for layout in layouts(settings) for cell in layout.cells()]
    assert numbers[:2] == [187, 190]
    assert len(set(numbers)) == 6


def test_plant_file_carries_the_ports_really_used():
    settings = LabSettings(first_port=0)
    layout = Layout(settings)
    ports = {name: 40_000 + n for n, name in enumerate(layout.endpoint_names())}
    file = s1.plant_file(settings, [Sockets(ports)])
    links = {
        t.connection.device: t.connection
        for t in file.thing
        if t.connection and t.connection.driver
    }
    assert links["dcm02"].settings["port"] == 40_001
    assert links["em30"].settings["transport"] == "rtu-over-tcp"
    assert f":{ports['opcua1']}/" in links["mc12"].settings["endpoint"]


def test_payloads_nest_by_path():
    tags = s1.device_tags(s1.plant_file(LabSettings()))["nut01"]
    readings = {tag.property: 1.23456 if tag.low is not None else 7 for tag in tags}
    ((topic, body),) = Payloads(tags).encode(readings, 1_763_860_000.25)
    document = json.loads(body)
    assert topic == "plant/assembly/nut01/tightening"
    assert document["timestamp"] == "2025-11-23T01:06:40.250Z"
    assert document["result"] == {"torque": 1.2346, "angle": 1.2346, "ok": 7, "bolt": 7}


@pytest.mark.parametrize(
    ("band", "digits"), [(0, 3), (0.1, 1), (0.3, 1), (0.02, 2), (5, 0), (1, 0)]
)
def test_digits_follow_the_report_band(band, digits):
    assert digits_of(band) == digits


def test_the_plant_is_imported_as_a_user_would(tmp_path):
    settings = RegistrySettings(store=StoreSettings(url=f"sqlite:///{tmp_path / 'registry.db'}"))
    registry = Registry.open(settings)
    try:
        file = s1.plant_file(LabSettings())
        assert registry.import_plant(file)
        assert not registry.import_plant(file)
        gateway = registry.gateway("gw1")
        assert sum(len(device.tags) for device in gateway.devices) > 2_000
        assert all(device.simulated for device in gateway.devices)
        card = registry.card("88.888.101/MLD.M0187")
        assert {tag.name for tag in card.tags} >= {"shot_counter", "die_temperature_mean"}
    finally:
        registry.close()
