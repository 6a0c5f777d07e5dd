"""Faults on a plant that has no sockets open: physics and gates only."""

import pytest

from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.lab.faults import FAULTS, Faults, targets
from mingwu.lab.layout import Layout
from mingwu.lab.plant import s1
from mingwu.lab.settings import LabSettings
from mingwu.lab.site import Site


@pytest.fixture
def site(tmp_path):
    settings = LabSettings(
        cells=2, machines=2, nutrunners=1, vehicles=1, directory=str(tmp_path), serial="tcp"
    )
    return Site(Layout(settings), s1.device_tags(s1.plant_file(settings)), 1_763_860_000.0)


@pytest.fixture
def faults(site):
    return Faults([site])


def test_drift_belongs_to_the_mould_by_any_of_its_names(site, faults):
    for name in ("M0187", "m0187", "MLD.M0187", "88.888.101/MLD.M0187", "dcm01"):
        faults.start("die-temperature-drift", name, {"k_per_min": 2.0})
        assert site.world.cells["dcm01"].mould.drift_k_per_min == 2.0
        assert site.world.cells["dcm02"].mould.drift_k_per_min == 0.0
        faults.stop("die-temperature-drift", name)
        assert site.world.cells["dcm01"].mould.drift_k_per_min == 0.0


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("dead-device", "dead", True),
        ("garbage-frames", "garbage", True),
        ("slow-server", "delay_s", 3.0),
    ],
)
def test_gates_are_closed_and_opened(site, faults, name, field, value):
    faults.start(name, "DEV.DCM2500.02", {})
    assert getattr(site.gates["dcm02"], field) == value
    assert getattr(site.gates["dcm01"], field) != value
    faults.stop(name, "dcm02")
    assert site.gates["dcm02"] == type(site.gates["dcm02"])()


def test_a_second_start_changes_the_parameters(site, faults):
    faults.start("clock-jump", "agv01", {"seconds": 60})
    faults.start("clock-jump", "agv01", {"seconds": -5.0})
    assert site.gates["agv01"].skew_s == -5.0
    assert [one["parameters"] for one in faults.listing()] == [{"seconds": -5.0}]


def test_stuck_values_hold_what_was_shown(site, faults):
    faults.start("stuck-value", "em03", {"property": "active_power"})
    held = site.gates["em03"].stuck["active_power"]
    shown = site.gates["em03"].shown({"active_power": held + 1, "frequency": 50.0})
    assert shown == {"active_power": held, "frequency": 50.0}
    faults.start("stuck-value", "em03", {})
    assert len(site.gates["em03"].stuck) == 20


def test_every_fault_works_on_something_and_says_on_what(site, faults):
    for name, fault in FAULTS.items():
        fitting = [target for target in targets(site) if fault.applies(target)]
        assert fitting
        faults.start(name, fitting[0].name, {})
        with pytest.raises(NotFound) as caught:
            faults.start(name, "nothing", {})
        assert fitting[0].name in caught.value.next_step("zh")
    assert len(faults.listing()) == len(FAULTS)


@pytest.mark.parametrize("parameters", [{"seconds": "x"}, {"hours": 1.0}])
def test_bad_parameters_name_the_good_ones(faults, parameters):
    with pytest.raises(InvalidInput) as caught:
        faults.start("clock-jump", "mes01", parameters)
    assert "seconds=3600.0" in caught.value.next_step("en")
    assert not faults.listing()


@pytest.mark.anyio
async def test_a_step_works_without_open_servers_and_moves_the_registers(site):
    bank = site.images["dcm01"].bank
    before = bytes(bank.input)
    for _ in range(20):
        await site.step(1_763_860_000.0)
    assert bytes(bank.input) != before
    assert site.world.steps == 20
