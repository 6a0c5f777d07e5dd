"""The demonstration: a configuration and a plant file for the simulated plant S1.

Both are written once into the demo's folder and then used as an operator would use his own; taken
ports are replaced by free ones when the file is written.
"""

from collections.abc import Iterator
from pathlib import Path

from mingwu.kernel.settings import build
from mingwu.lab.plant.s1 import plant_file
from mingwu.lab.settings import PORTS_PER_REPLICA, LabSettings
from mingwu.node.config import load
from mingwu.node.ports import is_free
from mingwu.registry import plantfile
from mingwu.trust.secrets import load_or_create

PORTS = {
    "console": 8080,
    "bus": 4222,
    "mqtt": 1883,
    "historian": 8123,
    "resolver": 2641,
    "resolver_http": 8000,
    "lab_control": 15_019,
}
NAMES = (
    "88.888.101/DEV.DCM2500.01",
    "88.888.101/MLD.M0187",
    "88.888.101/DEV.MC5X.01",
)


def choose_ports(spread: int) -> tuple[dict[str, int], int]:
    """The usual ports, shifted by the same step where one is taken; and the lab's first port."""
    step = 0
    while not all(map(is_free, (port + step for port in [*PORTS.values(), *_lab_ports(spread)]))):
        step += 1000
        if step > 40_000:  # noqa: PLR2004 — the end of the port range is near
            raise OSError("no free ports for the demonstration")
    return {name: port + step for name, port in PORTS.items()}, 15_020 + step


def _lab_ports(spread: int) -> Iterator[int]:
    yield from range(15_020, 15_020 + spread)
    yield from range(15_019 - spread // PORTS_PER_REPLICA, 15_019)


def write(folder: Path, *, scale: int = 1) -> Path:
    """Write configuration and plant file into ``folder`` unless there; returns the former."""
    file = folder / "mingwu.toml"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ports, first_port = choose_ports(PORTS_PER_REPLICA * scale)
    password = load_or_create(folder / "data" / "secrets", "mqtt").hex()
    lab = {
        "directory": str(folder.absolute() / "data" / "lab"),
        "scale": scale,
        "first_port": first_port,
        "control_port": ports["lab_control"],
        "broker": {"port": ports["mqtt"], "user": "plant", "password": password},
    }
    plant = folder / "plant.toml"
    _private(plant, plantfile.dump(plant_file(build(LabSettings, lab, "$.lab"))))
    _private(file, _configuration(ports, first_port, scale, password))
    load(file)
    return file


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def _configuration(ports: dict[str, int], first_port: int, scale: int, password: str) -> str:
    return f"""# Written by `mingwu demo`: the whole platform beside a simulated plant.
[node]
name = "demo"
data = "data"
plant = "plant.toml"
# No separate API process on a laptop: the console serves the same routes on its own port.
roles = ["bus", "historian", "writer", "gateway", "resolver", "console", "lab"]

[bus_server]
port = {ports["bus"]}
mqtt_port = {ports["mqtt"]}

# The simulated assembly line and vehicles publish as this user and may do nothing else.
[[bus_server.users]]
name = "plant"
password = "{password}"
publish = ["plant.>"]
subscribe = ["plant.>"]

[historian]
port = {ports["historian"]}

[resolver]
port = {ports["resolver"]}
http_port = {ports["resolver_http"]}
prefixes = ["88.888.101"]
owner = "江洲精密（仿真）"

[console]
port = {ports["console"]}

[lab]
scale = {scale}
first_port = {first_port}
control_port = {ports["lab_control"]}

[lab.broker]
port = {ports["mqtt"]}
user = "plant"
password = "{password}"
"""
