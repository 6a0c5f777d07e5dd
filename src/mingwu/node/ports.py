"""Which ports a node listens at, and whether they are free before a process is started.

A process whose port somebody else has would end, again and again; and whoever listens there would
pass for it. So a port is looked at before each start, and who answers is asked for (where that can
be known, see ``node.portholder``).
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from mingwu.kernel.catalogue import Phrase, add
from mingwu.kernel.errors import Conflict
from mingwu.lab.enterprises.settings import FACADES
from mingwu.lab.layout import SERIAL_BUS, layouts
from mingwu.lab.plant.s1 import uses_pty
from mingwu.lab.settings import LabWorld
from mingwu.node.config import Config, Role
from mingwu.node.portholder import holders

add(
    "node.port-taken",
    en=(
        "Port {port} of {host} is taken by {holder}",
        "End that program, or set another `{key}` in [{section}] of {file}.",
    ),
    zh=(
        "{host} 的端口 {port} 已被{holder}占用",
        "请结束该程序，或在 {file} 的 [{section}] 中为 `{key}` 改用其他端口。",
    ),
)
add(
    "node.port-twice",
    en=(
        "Port {port} of {host} is wanted twice: `{key}` in [{section}], `{other_key}` in [{other}]",
        "Set another port for one of them in {file}.",
    ),
    zh=(
        "{host} 的端口 {port} 被设置了两次：[{section}] 的 `{key}` 与 [{other}] 的 `{other_key}`",
        "请在 {file} 中为其中之一改用其他端口。",
    ),
)
_UNKNOWN = Phrase(
    "another program (the system does not tell which)", "其他程序（系统未告知是哪一个）"
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a role listens, and the setting that moves it: ``[section] key``."""

    section: str
    key: str
    host: str
    port: int
    kinds: tuple[str, ...] = ("tcp",)

    def is_free(self) -> bool:
        """Whether nobody listens there; port 0 always is."""
        return not self.port or all(_binds(self.port, self.host, kind) for kind in self.kinds)

    def taken(self, config: Config) -> Conflict | None:
        """``node.port-taken`` where somebody listens."""
        if self.is_free():
            return None
        found = holders(self.port, self.host, self.kinds)
        names = [
            Phrase(f"{one.name} (process {one.pid})", f"程序 {one.name}（进程号 {one.pid}）")
            for one in found
        ]
        return Conflict(
            "node.port-taken", host=self.host, port=self.port, section=self.section, key=self.key,
            holder=Phrase.joined(names) if names else _UNKNOWN, file=config.file,
        )  # fmt: skip

    def is_of(self, pid: int) -> bool:
        """Whether who listens belongs to the session of ``pid``; true where it cannot be known."""
        found = holders(self.port, self.host, self.kinds)
        return not found or any(one.session == pid for one in found)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens at the port, TCP and UDP."""
    return _binds(port, host, "tcp") and _binds(port, host, "udp")


def _binds(port: int, host: str, kind: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    with socket.socket(family, kinds[kind]) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def places(config: Config, role: Role) -> list[Place]:
    """Everything a role of this node will listen at, fixed ports only."""
    found = {
        Role.BUS: _bus, Role.HISTORIAN: _historian, Role.RESOLVER: _resolver, Role.API: _api,
        Role.CONSOLE: _console, Role.LAB: _lab,
    }.get(role)  # fmt: skip
    return [one for one in found(config) if one.port] if found else []


def _bus(config: Config) -> Iterator[Place]:
    server = config.bus_server
    for key, port in (("port", server.port), ("mqtt_port", server.mqtt_port)):
        yield Place(section="bus_server", key=key, host=server.host, port=port)


def _historian(config: Config) -> Iterator[Place]:
    server = config.historian
    yield Place(section="historian", key="port", host=server.host, port=server.port)


def _resolver(config: Config) -> Iterator[Place]:
    server, dns = config.resolver, config.oid_dns
    both = ("tcp", "udp")
    yield Place(section="resolver", key="port", host=server.host, port=server.port, kinds=both)
    yield Place(section="resolver", key="http_port", host=server.host, port=server.http_port)
    if server.tls_certificate and server.tls_key:
        yield Place(section="resolver", key="https_port", host=server.host, port=server.https_port)
    if dns.listen:
        yield Place(section="oid_dns", key="port", host=dns.host, port=dns.port, kinds=both)


def _api(config: Config) -> Iterator[Place]:
    yield Place(section="api", key="port", host=config.api.host, port=config.api.port)


def _console(config: Config) -> Iterator[Place]:
    server = config.console
    yield Place(section="console", key="port", host=server.host, port=server.port)


def _lab(config: Config) -> Iterator[Place]:
    lab = config.lab
    yield Place(section="lab", key="control_port", host=lab.host, port=lab.control_port)
    if lab.world is LabWorld.PLANT:
        for layout in layouts(lab):
            for name, port in layout.endpoints().items():
                if name != SERIAL_BUS or not uses_pty(lab):
                    yield Place(section="lab", key="first_port", host=lab.host, port=port)
    elif lab.world is LabWorld.TOPNODE:
        yield from _surroundings(config)


def _surroundings(config: Config) -> Iterator[Place]:
    """What stands around a second-level node in the lab."""
    top, own = config.lab_topnode, config.lab_enterprises
    for key in ("root_port", "top_port", "recursive_port", "emergency_port", "epp_port",
                "http_port"):  # fmt: skip
        yield Place(section="lab_topnode", key=key, host=top.host, port=getattr(top, key))
    for key, count in (("own_first_port", own.own_nodes), ("facade_first_port", FACADES)):
        first: int = getattr(own, key)
        for port in range(first, first + count) if first else ():
            yield Place(section="lab_enterprises", key=key, host=top.host, port=port)


def require_free(config: Config) -> None:
    """Raise Conflict for the first port somebody else has, or that the node itself wants twice.

    ``node.port-taken``, ``node.port-twice``.
    """
    wanted: dict[tuple[str, str, int], Place] = {}
    for role in config.node.roles:
        for place in places(config, role):
            for kind in place.kinds:
                first = wanted.setdefault((kind, place.host, place.port), place)
                if first is not place:
                    raise Conflict(
                        "node.port-twice", host=place.host, port=place.port, section=first.section,
                        key=first.key, other=place.section, other_key=place.key, file=config.file,
                    )  # fmt: skip
            if (taken := place.taken(config)) is not None:
                raise taken
