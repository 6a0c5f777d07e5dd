"""Scenario S3: the second-level node of the new-energy vehicle trade, with 60 enterprises.

The lab runs what stands around the node: root, top-level and recursive node, the own nodes of
twelve enterprises, and clients at addresses of their own. Both nodes' SM2 keys are made when the
scenario is written, because each is told the other's public key.
"""

from pathlib import Path

from mingwu.identity.secondlevel.service import node_key
from mingwu.lab.enterprises.load import OWNER_NETWORK, RECURSIVE_FROM, is_ours
from mingwu.lab.enterprises.settings import FACADES, EnterpriseLabSettings
from mingwu.lab.enterprises.trade import E_DRIVE, enterprises, registers_much
from mingwu.lab.topnode.run import topnode_key
from mingwu.node.config import Config, load
from mingwu.node.demo.scenario import Scenario, free_ports, private
from mingwu.trust import sm2

PORTS = {
    "console": 8080,
    "bus": 4222,
    "resolver": 2641,
    "resolver_http": 8000,
    "lab_control": 15_019,
    "root": 2741,
    "top": 2742,
    "recursive": 2743,
    "emergency": 2744,
    "epp": 2745,
    "receiver": 2746,
}
OWN_NODES, OWN_FIRST, FACADE_FIRST = 12, 2751, 2771
PREFIX, APP_ID = "88.101", "mingwu-demo"


def write(folder: Path, *, identifiers: int = 0) -> Path:
    """Write the configuration into ``folder`` unless there; returns it."""
    file = folder / "mingwu.toml"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = folder.absolute() / "data"
    keys = (
        sm2.public_point(node_key(data / "secrets")).hex(),
        sm2.public_point(topnode_key(data / "lab" / "topnode")).hex(),
    )
    own = {f"own {at}": OWN_FIRST + at for at in range(OWN_NODES)}
    own |= {f"facade {at}": FACADE_FIRST + at for at in range(FACADES)}
    draft = folder / "mingwu.toml.new"
    wanted = identifiers or EnterpriseLabSettings().identifiers
    private(draft, _configuration(free_ports({**PORTS, **own}), wanted, *keys))
    load(draft)
    draft.replace(file)
    return file


def _configuration(ports: dict[str, int], identifiers: int, node_key: str, top_key: str) -> str:
    return _node(ports, top_key) + _surroundings(ports, identifiers, node_key)


def _node(ports: dict[str, int], top_key: str) -> str:
    """The second-level node itself."""
    much = registers_much(enterprises(EnterpriseLabSettings(own_nodes=OWN_NODES)))
    return f"""# Written by `mingwu demo`: a second-level node with 60 enterprises, all simulated.
[node]
name = "demo-s3"
data = "data"
roles = ["bus", "resolver", "console", "lab"]
identity = ["codes", "gs1", "marking", "trust", "usage", "enterprise", "secondlevel"]

[bus_server]
port = {ports["bus"]}

# Nothing is measured here: there is no historian.
[history]
url = ""

[resolver]
port = {ports["resolver"]}
http_port = {ports["resolver_http"]}
prefixes = ["{PREFIX}"]
owner = "新能源汽车行业二级节点（模拟）"
root = "127.0.0.1:{ports["root"]}"

[secondlevel]
prefix = "{PREFIX}"
operator_zh = "新能源汽车行业二级节点（模拟）"
operator_en = "Second-level node of the new-energy vehicle trade (simulated)"
app_id = "{APP_ID}"
upstream_url = "http://127.0.0.1:{ports["receiver"]}"
upstream_epp = "http://127.0.0.1:{ports["receiver"]}/epp"
upstream_resolver = "127.0.0.1:{ports["top"]}"
upstream_public_key = "{top_key}"
upstream_poll_s = 5.0
iiidap_url = "http://127.0.0.1:{ports["console"]}/iiidap"
probe_interval_s = 5.0
probe_failures = 3
# The day's deposit is made as soon as the day begins, not after eight.
escrow_hour = 0

# The operator's own questions come from 127.0.0.1 (yours, too); clients have other addresses.
# The log is sealed every minute, so that it can soon be exported and counted again.
[usage]
segment_s = 60
own_networks = ["127.0.0.1/32", "::1/128"]
health_names = ["0.NA/{PREFIX}"]

[[usage.owners]]
prefix = "{much.prefix}"
networks = ["{OWNER_NETWORK}"]

[console]
port = {ports["console"]}
"""


def _surroundings(ports: dict[str, int], identifiers: int, node_key: str) -> str:
    """What the lab runs around it."""
    recursive_from = RECURSIVE_FROM if is_ours(RECURSIVE_FROM) else ""
    return f"""
[lab]
world = "topnode"
control_port = {ports["lab_control"]}

[lab_topnode]
root_port = {ports["root"]}
top_port = {ports["top"]}
recursive_port = {ports["recursive"]}
recursive_source = "{recursive_from}"
emergency_port = {ports["emergency"]}
epp_port = {ports["epp"]}
http_port = {ports["receiver"]}
# Seven of twelve probes failed: the top-level node takes over (51 percent).
probe_interval_s = 2.0
probe_window = 12

[[lab_topnode.nodes]]
app_id = "{APP_ID}"
prefix = "{PREFIX}"
public_key = "{node_key}"
port = {ports["resolver"]}
iiidap_url = "http://127.0.0.1:{ports["console"]}/iiidap"

[lab_enterprises]
identifiers = {identifiers}
own_nodes = {OWN_NODES}
own_first_port = {ports["own 0"]}
facade_first_port = {ports["facade 0"]}
asked_per_s = 2.0
"""


def hints(config: Config, zh: bool) -> tuple[str, ...]:  # noqa: FBT001 — the type of every scenario
    """The whole path, the chain over owners, the pages, and a takeover drill."""
    all_ = enterprises(config.lab_enterprises)
    drive = next(one for one in all_ if one.trade is E_DRIVE and one is not registers_much(all_))
    file, root = config.file, config.resolver.root
    order = f"./dev run lab fault {{}} cut-link {config.secondlevel.prefix} --config {file}"
    told = "\n  从根节点起解析" if zh else "\n  Resolve from the root down"
    lines = [told]
    lines += [
        f"    ./dev run resolve {one.identifier(0)} --root {root}" for one in (all_[0], drive)
    ]
    lines.append(
        f"    ./dev run resolve {drive.identifier(0)} --root {root} --trust --config {file}"
    )
    book = f"http://127.0.0.1:{config.lab_topnode.http_port}/iiidap/bootstrap.json"
    lines.append(f"    ./dev run iiidap query {drive.prefix} --bootstrap {book}")
    pages = (
        "/secondlevel/applications /secondlevel/enterprises /secondlevel/query "
        "/secondlevel/duties /usage"
    )
    lines.append(f"  页面 {pages}" if zh else f"  See {pages}")
    lines.append(f"  跨主体的链：/names/{drive.identifier(0)}" if zh else
                 f"  A chain over owners: /names/{drive.identifier(0)}")  # fmt: skip
    lines.append(
        "  接管演练：约 15 秒后由顶级节点应答，恢复后交还" if zh else
        "  Takeover drill: after some 15 s the top-level node answers, until the link is back"
    )  # fmt: skip
    lines += [f"    {order.format(action)}" for action in ("start", "stop")]
    return tuple(lines)


SCENARIO = Scenario(
    name="s3",
    node="demo-s3",
    folder=Path(".run/demo-s3"),
    write=lambda folder, size: write(folder, identifiers=size.identifiers),
    hints=hints,
)
