"""Scenario S2, 模通: moulds lent to three outside moulders, each with an active carrier.

The carriers come by MQTT with TLS over the platform's own broker; a local certificate authority
vouches for it. They are personalised when the scenario is written, so that the platform knows their
serial numbers before the first one is powered on.
"""

from pathlib import Path

from mingwu.lab.carriers.run import write_units
from mingwu.node.config import Config, load
from mingwu.node.demo.scenario import Scenario, free_ports, private
from mingwu.trust.localtls import LocalTls, local_tls

PORTS = {
    "console": 8080,
    "bus": 4222,
    "mqtt": 8883,
    "resolver": 2641,
    "resolver_http": 8000,
    "lab_control": 15_019,
}
MOULDS = 24
NAMES = ("88.888.102/MLD.M0003", "88.888.102/MLD.M0001")
FIRST = "MWC-000004"


def write(folder: Path, *, scale: int = 1, moulds: int = MOULDS) -> Path:
    """Write the configuration into ``folder`` unless there; returns it."""
    file = folder / "mingwu.toml"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls = local_tls(folder.absolute() / "data" / "tls")
    draft = folder / "mingwu.toml.new"
    private(draft, _configuration(free_ports(PORTS), moulds * scale, tls))
    write_units(load(draft).lab_carriers)
    draft.replace(file)
    return file


def _configuration(ports: dict[str, int], moulds: int, tls: LocalTls) -> str:
    return f"""# Written by `mingwu demo`: lent moulds with active carriers, all simulated.
[node]
name = "demo-s2"
data = "data"
roles = ["bus", "resolver", "console", "lab"]
identity = ["codes", "gs1", "marking", "trust", "usage", "enterprise", "carriers"]

[bus_server]
port = {ports["bus"]}
mqtt_port = {ports["mqtt"]}
mqtt_tls_cert = "{tls.certificate}"
mqtt_tls_key = "{tls.key}"

# Carriers keep their readings in their own store: there is no historian here.
[history]
url = ""

[resolver]
port = {ports["resolver"]}
http_port = {ports["resolver_http"]}
prefixes = ["88.888.102"]
owner = "模通模具（模拟）"

[carriers]
bearers = ["https", "mqtt"]
# A mould that is silent for so long is not believed any more.
fresh_s = 60.0

# Whoever resolves a mould's name on this machine plays a partner, not the operator.
[usage]
own_networks = []

[carriers_mqtt]
tls_ca = "{tls.authority}"

[console]
port = {ports["console"]}

[lab]
world = "carriers"
control_port = {ports["lab_control"]}

[lab_carriers]
moulds = {moulds}
period_s = 5.0
# A minute of the moulds' life passes in five seconds.
speed = 12.0
# The first mould leaves its fence, somebody copies the second carrier.
stray_after_s = 45.0
clone_after_s = 60.0
"""


def hints(config: Config, zh: bool) -> tuple[str, ...]:  # noqa: FBT001 — the type of every scenario
    """Names to resolve and incidents to make."""
    server, file = f"127.0.0.1:{config.resolver.port}", config.file
    order = f"./dev run lab fault start {{}} {FIRST} --config {file}"
    lines = ["\n  试着解析" if zh else "\n  Try"]
    lines += [f"    ./dev run resolve {name} --server {server}" for name in NAMES]
    lines.append("  载体页面 /carriers；制造事件" if zh else "  See /carriers; let things happen")
    lines += [
        f"    {order.format(name)}"
        for name in ("carried-away", "cut-link", "clone", "replay", "tamper")
    ]
    lines.append(f"    ./dev run lab fault stop cut-link {FIRST} --config {file}")
    return tuple(lines)


SCENARIO = Scenario(
    name="s2",
    node="demo-s2",
    folder=Path(".run/demo-s2"),
    write=lambda folder, size: write(folder, scale=size.scale),
    hints=hints,
)
