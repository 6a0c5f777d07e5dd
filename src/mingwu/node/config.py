"""The configuration file: one TOML document, one typed section per part of the house.

``node`` alone reads it. Directories and passwords are filled in here, from the data directory and
its ``secrets`` folder, so that neither stands in the file. Addresses of the local engines are
filled in too, unless the file names external ones (``bus.urls``, ``history.url``).
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

from msgspec import Meta

from mingwu.api.settings import ApiSettings
from mingwu.bus.settings import BusSettings, ServerSettings
from mingwu.console.settings import ConsoleSettings
from mingwu.edge.settings import EdgeSettings
from mingwu.history.settings import HistorianSettings, HistorySettings, WriterSettings
from mingwu.identity.aliases.settings import OidDnsSettings
from mingwu.identity.carriers.settings import CarrierSettings, CoapSettings, MqttBearerSettings
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.gs1.settings import Gs1Settings
from mingwu.identity.marking.settings import MarkingSettings
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.settings import ResolverSettings
from mingwu.identity.trusted.settings import TrustedSettings
from mingwu.identity.usage.settings import UsageSettings
from mingwu.kernel.catalogue import add
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.settings import Settings, build
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.lab.enterprises.settings import EnterpriseLabSettings
from mingwu.lab.settings import LabSettings
from mingwu.lab.topnode.settings import TopNodeSettings
from mingwu.node.carriersections import bus_users, lab_carriers, mqtt_defaults
from mingwu.registry.settings import RegistrySettings
from mingwu.trust.secrets import load_or_create
from mingwu.trust.settings import TrustSettings

add(
    "config.unreadable",
    en=("{file} cannot be read: {fault}", "Write one with `mingwu sample-config > {file}`."),
    zh=("无法读取 {file}：{fault}", "可用 `mingwu sample-config > {file}` 生成一份。"),
)
add(
    "config.unknown-section",
    en=("{path}: there is no section of this name", "Known sections: {known}."),
    zh=("{path}：没有这个配置段", "可用的配置段：{known}。"),
)


class Role(StrEnum):
    """What a node can run; ``lab`` is the simulated plant and never part of the default."""

    BUS = "bus"
    HISTORIAN = "historian"
    WRITER = "writer"
    GATEWAY = "gateway"
    RESOLVER = "resolver"
    API = "api"
    CONSOLE = "console"
    LAB = "lab"


PLATFORM = tuple(role for role in Role if role is not Role.LAB)


class IdentityPart(StrEnum):
    """Parts of the identity plane; second-level node and carriers are for those who run them."""

    CODES = "codes"
    GS1 = "gs1"
    MARKING = "marking"
    TRUST = "trust"
    USAGE = "usage"
    ENTERPRISE = "enterprise"
    SECONDLEVEL = "secondlevel"
    CARRIERS = "carriers"


_ON_REQUEST = {IdentityPart.SECONDLEVEL, IdentityPart.CARRIERS}
USUAL_PARTS = tuple(part for part in IdentityPart if part not in _ON_REQUEST)


class NodeSettings(Settings, frozen=True, kw_only=True):
    """What this machine does in the platform."""

    # Name of the node, unique in the platform; shown in status documents and logs.
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "node1"
    # Folder for everything the node keeps; relative to the configuration file.
    data: str = "var"
    # Plant file imported at every start when it changed; empty for none.
    plant: str = ""
    # What this node runs. Leave out `bus` or `historian` where the file names external ones.
    roles: tuple[Role, ...] = PLATFORM
    # Parts of the identity plane at work beside plain resolving; `secondlevel` and `carriers` are
    # for nodes that run them. Each but `codes` has a section of its own (`trust`: `trusted`).
    identity: tuple[IdentityPart, ...] = USUAL_PARTS
    # Gateways of the plant that run here; empty for all that the registry knows.
    gateways: tuple[str, ...] = ()
    # Seconds between two looks whether the registry changed.
    registry_watch_s: Annotated[float, Meta(ge=0.2, le=3600)] = 2.0


Fill = Callable[[Mapping[str, Any], "Filling"], dict[str, Any]]


@dataclass(frozen=True)
class Filling:
    """What the node knows that the file does not say: its folder and its secrets."""

    data: Path
    create: bool

    def secret(self, name: str) -> str:
        """A secret of this node, made at first use; a placeholder while only checking."""
        if not self.create:
            return "not-yet-made"
        return load_or_create(self.data / "secrets", name).hex()

    def folder(self, name: str) -> str:
        """A folder under the data directory."""
        return str(self.data / name)


def _address(section: Mapping[str, Any], default_port: int) -> str:
    return f"{section.get('host', '127.0.0.1')}:{section.get('port', default_port)}"


def _prefixes(tables: Mapping[str, Any]) -> list[str]:
    """The prefixes that the resolver answers for; what is no list gets its fault elsewhere."""
    given = tables.get("resolver", {}).get("prefixes", ResolverSettings().prefixes)
    return [str(prefix) for prefix in given] if isinstance(given, list | tuple) else []


def _runs_lab(tables: Mapping[str, Any]) -> bool:
    """Whether this node runs simulated plants or enterprises."""
    roles = tables.get("node", {}).get("roles", ())
    return isinstance(roles, list) and Role.LAB in roles


@dataclass(frozen=True)
class Section:
    """One table of the file: its declaration and what is filled in (shown to nobody as a key)."""

    cls: type[Settings]
    fill: Fill = lambda _tables, _filling: {}
    # Lists whose items stand beside those of the file.
    add: Fill = lambda _tables, _filling: {}


SECTIONS: dict[str, Section] = {
    "node": Section(NodeSettings),
    "bus": Section(
        BusSettings,
        lambda tables, filling: {
            "urls": [f"nats://{_address(tables.get('bus_server', {}), 4222)}"],
            "user": "mingwu",
            "password": filling.secret("bus"),
        },
    ),
    "bus_server": Section(
        ServerSettings,
        lambda _tables, filling: {
            "directory": filling.folder("bus"),
            "password": filling.secret("bus"),
        },
        bus_users,
    ),
    "history": Section(
        HistorySettings,
        lambda tables, filling: {
            "url": f"http://{_address(tables.get('historian', {}), 8123)}",
            "password": filling.secret("history"),
        },
    ),
    "historian": Section(
        HistorianSettings,
        lambda _tables, filling: {
            "directory": filling.folder("history"),
            "password": filling.secret("history"),
        },
    ),
    "writer": Section(WriterSettings),
    "registry": Section(
        RegistrySettings,
        lambda _t, filling: {"store": {"url": f"sqlite:///{filling.folder('registry.db')}"}},
    ),
    "trust": Section(
        TrustSettings,
        lambda _t, filling: {
            "store": {"url": f"sqlite:///{filling.folder('trust.db')}", "durable": True}
        },
    ),
    "gateway": Section(EdgeSettings),
    "resolver": Section(
        ResolverSettings, lambda _tables, filling: {"directory": filling.folder("identity")}
    ),
    "enterprise": Section(
        EnterpriseSettings,
        lambda tables, filling: {
            "store": {"url": f"sqlite:///{filling.folder('enterprise.db')}", "durable": True},
            "prefixes": _prefixes(tables),
        },
    ),
    "trusted": Section(
        TrustedSettings,
        lambda tables, filling: {
            "issuer": f"301:0.NA/{_prefixes(tables)[0]}" if _prefixes(tables) else "",
            "key_file": filling.folder("secrets/record-key.pem"),
        },
    ),
    "usage": Section(UsageSettings, lambda _t, filling: {"directory": filling.folder("usage")}),
    "gs1": Section(Gs1Settings),
    "oid_dns": Section(OidDnsSettings),
    "marking": Section(MarkingSettings),
    "secondlevel": Section(
        SecondLevelSettings,
        lambda tables, filling: {
            "simulated": _runs_lab(tables),
            "store": {"url": f"sqlite:///{filling.folder('secondlevel.db')}", "durable": True},
            "escrow_directory": filling.folder("escrow"),
            "secrets_directory": filling.folder("secrets"),
        },
    ),
    "carriers": Section(
        CarrierSettings,
        lambda _t, filling: {
            "store": {"url": f"sqlite:///{filling.folder('carriers.db')}", "durable": True}
        },
    ),
    "carriers_mqtt": Section(MqttBearerSettings, mqtt_defaults),
    "carriers_coap": Section(CoapSettings),
    "api": Section(ApiSettings),
    "console": Section(ConsoleSettings),
    "lab": Section(LabSettings, lambda _tables, filling: {"directory": filling.folder("lab")}),
    "lab_carriers": Section(CarrierLabSettings, lab_carriers),
    "lab_topnode": Section(
        TopNodeSettings, lambda _t, filling: {"directory": filling.folder("lab/topnode")}
    ),
    "lab_enterprises": Section(
        EnterpriseLabSettings,
        lambda tables, filling: {
            "directory": filling.folder("lab/enterprises"),
            "prefix": tables.get("secondlevel", {}).get("prefix", SecondLevelSettings().prefix),
            "resolver": _address(tables.get("resolver", {}), 2641),
        },
    ),
}


@dataclass(frozen=True)
class Config:
    """The whole configuration, typed; ``data`` and ``file`` are absolute paths."""

    file: Path
    data: Path
    node: NodeSettings
    bus: BusSettings
    bus_server: ServerSettings
    history: HistorySettings
    historian: HistorianSettings
    writer: WriterSettings
    registry: RegistrySettings
    trust: TrustSettings
    gateway: EdgeSettings
    resolver: ResolverSettings
    enterprise: EnterpriseSettings
    trusted: TrustedSettings
    usage: UsageSettings
    gs1: Gs1Settings
    oid_dns: OidDnsSettings
    marking: MarkingSettings
    secondlevel: SecondLevelSettings
    carriers: CarrierSettings
    carriers_mqtt: MqttBearerSettings
    carriers_coap: CoapSettings
    api: ApiSettings
    console: ConsoleSettings
    lab: LabSettings
    lab_carriers: CarrierLabSettings
    lab_topnode: TopNodeSettings
    lab_enterprises: EnterpriseLabSettings

    def runs(self, part: IdentityPart) -> bool:
        """Whether a part of the identity plane is at work on this node."""
        return part in self.node.identity

    @property
    def plant_file(self) -> Path | None:
        """The plant file to import, if any; relative to the configuration file."""
        return self.file.parent / self.node.plant if self.node.plant else None


def read(file: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigError ``config.unreadable``."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("config.unreadable", file=str(file), fault=told(error)) from error


def load(file: Path) -> Config:
    """Read, validate and fill in; creates missing secrets. Raises the first ConfigError."""
    config, faults = _build(file, create=True)
    if faults:
        raise faults[0]
    return cast("Config", config)


def check(file: Path) -> list[ConfigError]:
    """Every fault of the file, one per section at most; touches nothing on disk."""
    return _build(file, create=False)[1]


def _build(file: Path, *, create: bool) -> tuple[Config | None, list[ConfigError]]:
    file = file.absolute()
    tables = read(file)
    faults = [
        ConfigError("config.unknown-section", path=f"$.{name}", known=", ".join(SECTIONS))
        for name in tables
        if name not in SECTIONS
    ]
    built: dict[str, Any] = {}
    filling = Filling(file.parent, create=False)
    for name, section in SECTIONS.items():
        try:
            table = tables.get(name, {})
            if isinstance(table, dict):
                table = _filled(section, table, _only_tables(tables), filling)
            built[name] = build(section.cls, table, f"$.{name}")
            if isinstance(built[name], NodeSettings):
                filling = Filling(file.parent / built[name].data, create)
        except ConfigError as fault:
            faults.append(fault)
    if faults:
        return None, faults
    return Config(file=file, data=filling.data, **built), []


def _filled(
    section: Section, table: dict[str, Any], tables: dict[str, Any], filling: Filling
) -> dict[str, Any]:
    """The table of a section with what the file does not say; what it says wins."""
    filled = {**section.fill(tables, filling), **table}
    for name, items in section.add(tables, filling).items():
        given = filled.get(name, [])
        filled[name] = [*items, *given] if isinstance(given, list) else given
    return filled


def _only_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in tables.items() if isinstance(table, dict)}
