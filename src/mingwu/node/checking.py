"""The dry run behind ``mingwu check``: every fault of a file, with its path, touching nothing.

A configuration file is judged section by section. A plant file is judged whole by the registry's
rules and then device by device with the drivers themselves: their settings are built and their
tag addresses compiled, which by contract never touches the network.
"""

import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mingwu.field import catalogue
from mingwu.identity.codes.recognition import require
from mingwu.kernel.errors import ConfigError, InvalidInput
from mingwu.kernel.plant import DeviceSpec
from mingwu.kernel.settings import build
from mingwu.node import config as configuration
from mingwu.registry import plantfile
from mingwu.registry.errors import PlantFaults
from mingwu.registry.model import PlantFile
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.settings import StoreSettings


@dataclass(frozen=True)
class Finding:
    """One fault, as (path, sentence) in each language."""

    path: str
    en: str
    zh: str


def check_file(file: Path) -> tuple[str, list[Finding]]:
    """What the file is ("configuration" or "plant") and what is wrong with it."""
    if is_plant(file):
        return "plant", list(_plant(file.read_text("utf-8")))
    findings = [
        Finding(str(fault.params.get("path", file)), fault.text("en"), fault.text("zh"))
        for fault in configuration.check(file)
    ]
    return "configuration", findings


def is_plant(file: Path) -> bool:
    """Whether a TOML file declares things rather than settings."""
    try:
        tables = configuration.read(file)
    except ConfigError:
        # a plant file that is not even TOML gets its fault from the registry's reader
        return "[[thing" in file.read_text("utf-8", "replace") if file.is_file() else False
    return "prefix" in tables or any(isinstance(table, list) for table in tables.values())


def _plant(text: str) -> Iterator[Finding]:
    try:
        plant = plantfile.parse(text)
    except PlantFaults as faults:
        for fault in faults.faults:
            yield Finding(fault.path, fault.text("en"), fault.text("zh"))
        return
    yield from _codes(plant.file)
    places = {
        thing["connection"]["device"]: f"$.thing[{index}]"
        for index, thing in enumerate(tomllib.loads(text).get("thing", []))
        if isinstance(thing.get("connection"), dict) and "device" in thing["connection"]
    }
    for device in _devices(plant.file):
        yield from _device(device, places.get(device.name, f"device {device.name}"))


def _codes(file: PlantFile) -> Iterator[Finding]:
    """Codes of other systems that none of them would take."""
    for index, thing in enumerate(file.thing):
        for at, code in enumerate(thing.codes):
            try:
                require(code)
            except InvalidInput as fault:
                path = f"$.thing[{index}].codes[{at}]"
                yield Finding(path, fault.text("en"), fault.text("zh"))


def _devices(file: PlantFile) -> list[DeviceSpec]:
    with tempfile.TemporaryDirectory(prefix="mingwu-check-") as folder:
        store = StoreSettings(url=f"sqlite:///{folder}/registry.db")
        registry = Registry.open(RegistrySettings(store=store))
        try:
            registry.import_plant(file)
            return [
                device
                for gateway in registry.gateways()
                for device in registry.gateway(gateway.name).devices
            ]
        finally:
            registry.close()


def _device(device: DeviceSpec, path: str) -> Iterator[Finding]:
    try:
        kind = catalogue.kind(device.driver)
        settings = build(kind.settings, device.settings, f"{path}.connection.settings")
        driver = kind.create(settings, device.simulated)
    except ConfigError as fault:
        yield Finding(path, fault.text("en"), fault.text("zh"))
        return
    for tag in device.tags:
        try:
            driver.compile([tag])
        except ConfigError as fault:
            yield Finding(f"{path}.tag {tag.name}", fault.text("en"), fault.text("zh"))
