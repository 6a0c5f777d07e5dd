"""Scenario S1, 江洲精密: a configuration and a plant file for the simulated plant.

Both are written once into the demo's folder and then used as an operator would use his own; taken
ports are replaced by free ones when the file is written.
"""

from pathlib import Path

from mingwu.kernel.settings import build
from mingwu.lab.plant.s1 import plant_file
from mingwu.lab.settings import PORTS_PER_REPLICA, LabSettings
from mingwu.node.config import Config, load
from mingwu.node.demo.scenario import Scenario, free_ports, private
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
    """The ports of the platform, and the first one of the simulated plant."""
    lab = [*range(15_020, 15_020 + spread), *range(15_019 - spread // PORTS_PER_REPLICA, 15_019)]
    chosen = free_ports({**PORTS, **{f"lab {port}": port for port in lab}})
    return {name: chosen[name] for name in PORTS}, chosen["lab 15020"]


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
    private(plant, plantfile.dump(plant_file(build(LabSettings, lab, "$.lab"))))
    private(file, _configuration(ports, first_port, scale, password))
    load(file)
    return file


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


def hints(config: Config, zh: bool) -> tuple[str, ...]:  # noqa: FBT001 — the type of every scenario
    """Names to resolve and a fault to make."""
    server = f"127.0.0.1:{config.resolver.port}"
    lines = ["\n  试着解析" if zh else "\n  Try"]
    lines += [f"    ./dev run resolve {name} --server {server}" for name in NAMES]
    trust = f"--trust --config {config.file}"
    lines.append(f"    ./dev run resolve {NAMES[1]} --server {server} {trust}")
    lines.append("  试着制造故障" if zh else "  Break it")
    lines.append(f"    ./dev run lab fault list --config {config.file}")
    return tuple(lines)


SCENARIO = Scenario(
    name="s1",
    node="demo",
    folder=Path(".run/demo"),
    write=lambda folder, size: write(folder, scale=size.scale),
    hints=hints,
)
