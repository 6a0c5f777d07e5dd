"""A carrier's first power-on in a process of its own, killed at the moment that is asked for.

Arguments: folder, and where to die: ``registered`` (the node has the name, the platform does not
know), ``untold`` (the node above was not told yet), ``unfiled`` (told, receipt not noted),
``unanswered`` (everything is done, the carrier never hears), or ``never``.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.frames import Kind
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.registrars import NodeRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

PREFIX = "88.888.102"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Nodes:
    """Everything of a plant that is its own second-level node, in one folder."""

    def __init__(self, base: Path) -> None:
        def store(name: str) -> StoreSettings:
            return StoreSettings(url=sqlite_url(base / name), durable=True)

        self.base = base
        self.records = RecordStore(base / "records", map_bytes=2**24)
        self.enterprise = EnterpriseNode.open(
            EnterpriseSettings(store=store("enterprise.db"), prefixes=(PREFIX,)), self.records
        )
        self.above = SecondLevel.open(
            SecondLevelSettings(
                prefix=PREFIX, store=store("second.db"), escrow_directory=str(base / "escrow"),
                secrets_directory=str(base / "secrets"),
            ),
            self.records, site_at("127.0.0.1", 2641),
        )  # fmt: skip
        self.identity = prepare(base / "secrets")
        registrar = NodeRegistrar(
            records=RecordRegistrar(self.records), enterprise=self.enterprise,
            secondlevel=self.above,
        )  # fmt: skip
        self.platform = CarrierPlatform.open(
            CarrierSettings(store=store("carriers.db")), registrar, key=self.identity.key,
            certificate=self.identity.certificate, anchors=self.identity.anchors,
        )  # fmt: skip

    def close(self) -> None:
        self.platform.close()
        self.above.close()
        self.enterprise.close()
        self.records.close()


def arm(nodes: Nodes, where: str) -> None:
    """Let the process die at a place; the parts themselves stay as they are."""
    hosted, log_once = nodes.above.hosted, nodes.above.hosted.log_once
    registrar = nodes.platform.access._registrar
    register = registrar.register

    def registered(*given):
        register(*given)
        die()

    def untold(*given):
        die()

    def unfiled(*given):
        log_once(*given)
        die()

    if where == "registered":
        registrar.register = registered
    if where in {"untold", "unfiled"}:
        hosted.log_once = untold if where == "untold" else unfiled


class Wire:
    def __init__(self, nodes: Nodes, where: str) -> None:
        self.nodes, self.where = nodes, where

    async def exchange(self, frame: bytes) -> bytes:
        reply = self.nodes.platform.access.handle(frame, "here")
        if frame[4] == Kind.POWER_ON and self.where == "unanswered":
            die()
        return reply


def main() -> None:
    base, where = Path(sys.argv[1]), sys.argv[2]
    nodes = Nodes(base)
    mould = moulds(1, 1)[0]
    factory = Factory(nodes.identity.authority, "here", PREFIX, int(time.time()))
    key, new = factory.open(base / "carrier", mould)
    if not nodes.platform.units()[0]:
        nodes.platform.provision(new)
    arm(nodes, where)
    agent = CarrierAgent(base / "carrier", key, Wire(nodes, where), accept=mould.apply)
    print(asyncio.run(agent.power_on()), flush=True)
    agent.close()
    nodes.close()


if __name__ == "__main__":
    main()
