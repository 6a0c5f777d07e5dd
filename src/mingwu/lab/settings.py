"""Settings of the simulated plant: how big it is, where it listens, whose broker it reports to."""

import os
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

Port = Annotated[int, Meta(ge=0, le=65_535)]

# Ports one replica of the plant may use; the first of replica r is first_port + r * PORTS.
PORTS_PER_REPLICA = 20


class Broker(Settings, frozen=True):
    """The MQTT broker that assembly line and vehicles publish to (the platform's)."""

    # Host name or address of the broker.
    host: str = "127.0.0.1"
    # TCP port of its MQTT 3.1.1 listener.
    port: Port = 1883
    # User name; empty connects without one.
    user: str = ""
    # Password of that user.
    password: str = ""


class LabWorld(StrEnum):
    """What the lab simulates: plant S1, lent moulds S2, a second-level node's surroundings S3."""

    PLANT = "plant"
    CARRIERS = "carriers"
    TOPNODE = "topnode"


class LabSettings(Settings, frozen=True):
    """What is simulated, and one plant S1 (江洲精密), ``scale`` times."""

    # What the lab role simulates; `carriers` has the section `lab_carriers`, `topnode` the sections
    # `lab_topnode` (root, top-level and recursive node) and `lab_enterprises`.
    world: LabWorld = LabWorld.PLANT
    # Folder for what the plant keeps: its plant file, certificates, MES table, serial line.
    directory: str = "lab"
    # Prefix of the identifiers; 88.888.101 lies in the demonstration space.
    prefix: str = "88.888.101"
    # Name of the gateway that the plant file connects the devices to.
    gateway: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "gw1"
    # Seed of all random streams; the same seed gives the same plant.
    seed: int = 1
    # How many times the whole plant stands there.
    scale: Annotated[int, Meta(ge=1, le=500)] = 1
    # Processes that share the replicas; 0 = one per replica up to the number of cores.
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    # Address the plant's servers listen on; nothing but this machine should see them.
    host: str = "127.0.0.1"
    # First TCP port of the servers; 0 lets the system choose (one worker only).
    first_port: Port = 15_020
    # TCP port of the fault-injection control; 0 lets the system choose.
    control_port: Port = 15_019
    # Second meter bus: pty (a pseudo-terminal pair), tcp, or auto = pty where the system has it.
    serial: Annotated[str, Meta(pattern=r"^(auto|pty|tcp)$")] = "auto"
    # Where assembly line and vehicles publish.
    broker: Broker = Broker()
    # Die-casting cells of one plant.
    cells: Annotated[int, Meta(ge=1, le=8)] = 2
    # Machining centres of one plant; without any there is no OPC UA.
    machines: Annotated[int, Meta(ge=0, le=48)] = 12
    # OPC UA servers they are spread over (each takes 45 MB and a second to start).
    opcua_servers: Annotated[int, Meta(ge=1, le=4)] = 1
    # Nutrunners of one plant.
    nutrunners: Annotated[int, Meta(ge=1, le=32)] = 8
    # Automated guided vehicles of one plant.
    vehicles: Annotated[int, Meta(ge=1, le=32)] = 6

    def __post_init__(self) -> None:
        if self.first_port == 0 and self.processes > 1:
            raise ValueError("`first_port` = 0 works with `workers` = 1 only")
        if self.first_port + self.scale * PORTS_PER_REPLICA > 65_535:  # noqa: PLR2004 — TCP ports
            raise ValueError("the ports of this `scale` do not fit above `first_port`")

    @property
    def processes(self) -> int:
        """How many processes the replicas are spread over."""
        return min(self.workers or os.cpu_count() or 1, self.scale)
