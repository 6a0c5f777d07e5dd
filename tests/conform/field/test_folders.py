"""Every driver folder is complete, and its sample is a device the gateway would take."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from mingwu.field import catalogue
from mingwu.kernel.plant import DeviceSpec
from mingwu.kernel.settings import Settings, build

FIELD = Path(catalogue.__file__).parent


@pytest.fixture(params=catalogue.names())
def folder(request):
    return FIELD / request.param


def test_files(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"driver.py", "settings.py", "README.md", "sample.toml"} <= names


def test_readme_tells_addresses_and_limits(folder):
    text = (folder / "README.md").read_text("utf-8")
    assert "## Addresses" in text
    assert "Not done" in text
    assert "sample.toml" in text


def test_kind(folder):
    kind = catalogue.kind(folder.name)
    assert kind.name == folder.name
    assert issubclass(kind.settings, Settings)


def test_sample_compiles(folder):
    data = tomllib.loads((folder / "sample.toml").read_text("utf-8"))
    device = msgspec.convert(data, DeviceSpec)
    assert device.driver == folder.name
    kind = catalogue.kind(device.driver)
    settings = build(kind.settings, device.settings)
    assert kind.line(settings)
    kind.create(settings, device.simulated).compile(device.tags)


def test_every_driver_has_a_rig():
    rigs = {path.stem.removeprefix("rig_") for path in Path(__file__).parent.glob("rig_*.py")}
    assert set(catalogue.names()) <= rigs
