"""Carrier uploads: CPU and time of the platform per authenticated upload (greeting and report).

No rival: nothing comparable is open. The agent's own share is measured apart, in the same run.
"""

import asyncio
import os
import platform as machine
import sys
import tempfile
import time
from pathlib import Path

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.keys import Algorithm

UPLOADS = 300


class Wire:
    """In memory; counts the platform's CPU and wall time."""

    def __init__(self, platform: CarrierPlatform) -> None:
        self.platform, self.cpu_s, self.wall_s = platform, 0.0, 0.0

    async def exchange(self, frame: bytes) -> bytes:
        cpu, wall = time.process_time(), time.perf_counter()
        reply = self.platform.access.handle(frame, "bench")
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall
        return reply


async def measure(base: Path, algorithm: Algorithm, durable: bool) -> tuple[float, float, float]:
    """(platform CPU, platform wall, agent CPU) in µs per upload of one sample."""
    identity = prepare(base / "secrets")
    records = RecordStore(base / "records", map_bytes=2**24)
    store = StoreSettings(url=sqlite_url(base / "carriers.sqlite"), durable=durable)
    platform = CarrierPlatform.open(
        CarrierSettings(store=store), RecordRegistrar(records), key=identity.key,
        certificate=identity.certificate, anchors=identity.anchors, table=records.carriers(),
    )  # fmt: skip
    mould = moulds(1, 1)[0]
    factory = Factory(identity.authority, "memory", "88.888.102", int(time.time()))
    key, new = factory.open(base / "carrier", mould, algorithm)
    platform.provision(new)
    wire = Wire(platform)
    agent = CarrierAgent(base / "carrier", key, wire)
    await agent.power_on()
    wire.cpu_s = wire.wall_s = 0.0
    begun = time.process_time()
    for _ in range(UPLOADS):
        mould.step(10)
        agent.measure(mould.readings())
        await agent.report()
    cpu_s = time.process_time() - begun
    agent.close()
    platform.close()
    records.close()
    scale = 1e6 / UPLOADS
    return wire.cpu_s * scale, wire.wall_s * scale, (cpu_s - wire.cpu_s) * scale


def main() -> int:
    load = os.getloadavg()[0]
    print(f"cores={os.cpu_count()} machine={machine.machine()} load={load:.1f}")
    print(f"{'key':<20}{'durable':<9}{'platform CPU µs':>16}{'wall µs':>10}{'agent CPU µs':>14}")
    for algorithm in (Algorithm.P256, Algorithm.SM2):
        for durable in (False, True):
            with tempfile.TemporaryDirectory() as base:
                cpu, wall, agent = asyncio.run(measure(Path(base), algorithm, durable))
            print(f"{algorithm:<20}{durable!s:<9}{cpu:>16.0f}{wall:>10.0f}{agent:>14.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
