"""Which processes make up a node, and what must be true before they start.

``prepare`` brings folders, secrets, the registry and the first account into being; ``children``
lists the processes in start order, each with the probe that tells that it serves.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from mingwu.bus.server import NatsServer
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import Config, Role
from mingwu.node.people import first_account
from mingwu.node.ports import places, require_free
from mingwu.node.supervisor import Child
from mingwu.registry import plantfile
from mingwu.registry.importing import ImportSummary
from mingwu.registry.service import Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What preparation did: the import's differences, and the password shown only this once."""

    imported: ImportSummary | None
    first_password: str | None


def prepare(config: Config) -> Prepared:
    """Make the node able to start. Idempotent. Raises MingwuError with what to do."""
    require_free(config)
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    imported = import_plant(config, config.plant_file) if config.plant_file else None
    if Role.BUS in config.node.roles:
        NatsServer(config.bus_server).prepare()
    return Prepared(imported, first_account(config))


def import_plant(config: Config, file: Path) -> ImportSummary:
    """Check a plant file and make it the registry's truth."""
    plant = plantfile.parse(file.read_text("utf-8"))
    registry = Registry.open(config.registry)
    try:
        return registry.import_plant(plant.file, actor=f"file {file.name}")
    finally:
        registry.close()


def gateways(config: Config) -> list[str]:
    """Names of the gateways that this node runs."""
    if config.node.gateways:
        return list(config.node.gateways)
    registry = Registry.open(config.registry)
    try:
        return [gateway.name for gateway in registry.gateways()]
    finally:
        registry.close()


def children(config: Config) -> list[Child]:
    """The node's processes, in the order of the way of the data."""
    wanted = config.node.roles
    found: list[Child] = []
    bus: tuple[str, ...] = ("bus",) if Role.BUS in wanted else ()
    historian: tuple[str, ...] = ("historian",) if Role.HISTORIAN in wanted else ()
    if Role.BUS in wanted:
        server = NatsServer(config.bus_server)
        found.append(
            Child(
                name="bus",
                argv=server.argv,
                probe=listens(config.bus_server.host, config.bus_server.port),
                **_at_its_ports(config, Role.BUS),
            )
        )
    if Role.HISTORIAN in wanted:
        address = urlsplit(config.history.url)
        found.append(
            _role(
                config,
                Role.HISTORIAN,
                probe=listens(address.hostname or "127.0.0.1", address.port or 80),
            )
        )
    if Role.LAB in wanted:
        lab = config.lab
        probe = listens(lab.host, lab.control_port) if lab.control_port else None
        found.append(_role(config, Role.LAB, probe=probe, after=bus))
    if Role.WRITER in wanted:
        found.append(_role(config, Role.WRITER, after=bus + historian))
    if Role.GATEWAY in wanted:
        found += [_role(config, Role.GATEWAY, name=name, after=bus) for name in gateways(config)]
    if Role.RESOLVER in wanted:
        resolver = config.resolver
        found.append(_role(config, Role.RESOLVER, probe=listens(resolver.host, resolver.http_port)))
    if Role.API in wanted:
        found.append(_role(config, Role.API, probe=listens(config.api.host, config.api.port)))
    if Role.CONSOLE in wanted:
        console = config.console
        found.append(_role(config, Role.CONSOLE, probe=listens(console.host, console.port)))
    return found


def _role(
    config: Config,
    role: Role,
    *,
    name: str = "",
    probe: Callable[[], Awaitable[bool]] | None = None,
    after: tuple[str, ...] = (),
) -> Child:
    argv = [sys.executable, "-m", "mingwu", "run", role.value, "--config", str(config.file)]
    if name:
        argv += ["--name", name]
    label = f"{role.value}-{name}" if name else role.value
    ports = _at_its_ports(config, role)
    return Child(name=label, argv=argv, probe=probe, after=after, **ports)


class _AtPorts(TypedDict):
    hindrance: Callable[[], MingwuError | None]
    owns: Callable[[int], bool]


def _at_its_ports(config: Config, role: Role) -> _AtPorts:
    """A role starts when its ports are free, and serves when it is the one that listens there."""
    found = places(config, role)

    def hindrance() -> MingwuError | None:
        return next((taken for one in found if (taken := one.taken(config))), None)

    def owns(pid: int) -> bool:
        return all(one.is_of(pid) for one in found)

    return {"hindrance": hindrance, "owns": owns}


def listens(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    """A probe: does somebody accept connections there."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe
