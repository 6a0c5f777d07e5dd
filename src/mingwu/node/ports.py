"""Which ports a node listens at, and whether they are free before anything is started."""

import socket
from collections.abc import Iterator

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import Conflict
from mingwu.lab.enterprises.settings import FACADES
from mingwu.lab.settings import LabWorld
from mingwu.node.config import Config, Role

add(
    "node.port-taken",
    en=(
        "Port {port} of {host} is taken by another program",
        "End that program (or an earlier `mingwu up`), or set another port in [{section}].",
    ),
    zh=(
        "{host} 的端口 {port} 已被其他程序占用",
        "请结束该程序（或先前的 `mingwu up`），或在 [{section}] 中改用其他端口。",
    ),
)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens at the port, TCP and UDP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def listening(config: Config) -> Iterator[tuple[str, str, int]]:
    """(section, host, port) of everything this node's roles will listen at."""
    where = {
        Role.BUS: [
            ("bus_server", config.bus_server.host, config.bus_server.port),
            ("bus_server", config.bus_server.host, config.bus_server.mqtt_port),
        ],
        Role.HISTORIAN: [("historian", config.historian.host, config.historian.port)],
        Role.RESOLVER: [
            ("resolver", config.resolver.host, config.resolver.port),
            ("resolver", config.resolver.host, config.resolver.http_port),
        ],
        Role.API: [("api", config.api.host, config.api.port)],
        Role.CONSOLE: [("console", config.console.host, config.console.port)],
        Role.LAB: [("lab", config.lab.host, config.lab.control_port), *_surroundings(config)],
    }
    for role in config.node.roles:
        yield from where.get(role, [])


def _surroundings(config: Config) -> Iterator[tuple[str, str, int]]:
    """What stands around a second-level node in the lab."""
    if config.lab.world is not LabWorld.TOPNODE:
        return
    top, own = config.lab_topnode, config.lab_enterprises
    ports = (top.root_port, top.top_port, top.recursive_port, top.emergency_port, top.epp_port,
             top.http_port)  # fmt: skip
    yield from (("lab_topnode", top.host, port) for port in ports)
    for first, count in ((own.own_first_port, own.own_nodes), (own.facade_first_port, FACADES)):
        if first:
            yield from (("lab_enterprises", top.host, first + at) for at in range(count))


def require_free(config: Config) -> None:
    """Raise Conflict ``node.port-taken`` for the first port somebody else has (0: none wanted)."""
    for section, host, port in listening(config):
        if port and not is_free(port, host):
            raise Conflict("node.port-taken", section=section, host=host, port=port)
