"""The simulated plant in a process of its own, with a real broker, once for the whole suite."""

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import BusUser, ServerSettings
from mingwu.lab.control import send_fault
from mingwu.lab.settings import Broker, LabSettings
from mingwu.registry.plantfile import Plant, parse
from tests.waiting import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunningPlant:
    """Where a started plant listens, what it announces, how to hurt it."""

    def __init__(self, process: subprocess.Popen, directory: Path) -> None:
        self.process, self.directory = process, directory
        status = json.loads((directory / "lab.json").read_text())
        self.control = f"127.0.0.1:{status['control_port']}"
        text = (directory / "plant.toml").read_text()
        self.plant: Plant = parse(text)

    def status(self) -> dict:
        return json.loads((self.directory / "lab.json").read_text())

    def connection(self, device: str):
        owners = (thing.connection for thing in self.plant.file.thing if thing.connection)
        return next(own for own in owners if own.device == device and own.driver)

    def port(self, device: str) -> int:
        return self.connection(device).settings["port"]

    def tags(self, device: str):
        pairs = zip(self.plant.file.thing, self.plant.tags, strict=True)
        return [
            tag
            for thing, tags in pairs
            if thing.connection and thing.connection.device == device
            for tag in tags
        ]

    def address(self, device: str, name: str) -> str:
        return next(tag.address for tag in self.tags(device) if tag.property == name)

    @contextlib.contextmanager
    def fault(self, name: str, target: str, **parameters):
        send_fault(self.control, name, target, "start", **parameters)
        try:
            yield
        finally:
            send_fault(self.control, name, target, "stop")


def start_worker(settings: LabSettings) -> subprocess.Popen:
    order = {"settings": settings, "replicas": [0], "control_port": 0}
    process = subprocess.Popen(
        [sys.executable, "-m", "mingwu.lab.worker"], stdin=subprocess.PIPE, start_new_session=True
    )
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    process.stdin.flush()
    return process


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    settings = ServerSettings(
        directory=str(tmp_path_factory.mktemp("broker")),
        port=0,
        mqtt_port=free_port(),
        password="own",
        users=(
            BusUser(
                name="plant", password="p", publish=("plant.>",), subscribe=("plant.>", "$MQTT.>")
            ),
        ),
    )
    with NatsServer(settings) as server:
        yield server


@pytest.fixture(scope="session")
def plant(tmp_path_factory, broker):
    directory = tmp_path_factory.mktemp("plant")
    settings = LabSettings(
        directory=str(directory),
        first_port=0,
        cells=2,
        machines=4,
        nutrunners=1,
        vehicles=1,
        broker=Broker(port=broker.settings.mqtt_port, user="plant", password="p"),
    )
    process = start_worker(settings)
    try:
        wait_until(
            lambda: json.loads((directory / "lab.json").read_text())["steps"] > 10,
            not_yet=(OSError,),
        )
        yield RunningPlant(process, directory)
    finally:
        process.stdin.close()
        process.wait(20)
