"""A gateway as a process of its own: counting devices, the bus from stdin. Run by the tests.

Each read of a device gives the next whole number for all its tags, so a reader of the stream sees
what is missing and what is there twice.
"""

import asyncio
import signal
import sys
import time

import msgspec
import numpy as np

from mingwu.bus.client import Bus
from mingwu.bus.settings import BusSettings
from mingwu.edge.gateway import run_gateway
from mingwu.edge.settings import EdgeSettings
from mingwu.field.base import DriverKind
from mingwu.kernel.batch import Columns
from mingwu.kernel.plant import DeviceSpec, GatewaySpec, TagSpec
from mingwu.kernel.settings import Settings

TAGS = 20


class Counting:
    """Driver: 1, 2, 3 …"""

    def __init__(self) -> None:
        self.count = 0

    def compile(self, tags):
        return np.array([tag.number for tag in tags], np.uint32)

    async def open(self):
        pass

    async def close(self):
        pass

    async def read(self, plan):
        await asyncio.sleep(0)
        self.count += 1
        return Columns(
            plan,
            np.full(len(plan), time.time_ns(), np.int64),
            np.full(len(plan), float(self.count)),
            np.full(len(plan), 0xC0, np.uint8),
        )


class NoSettings(Settings, frozen=True, kw_only=True):
    """Nothing to set."""


KIND = DriverKind(
    name="counting",
    settings=NoSettings,
    create=lambda _settings, _simulated: Counting(),
    line=lambda _settings: "",
)


def specification(devices=3, period_ms=10, tags=TAGS):
    return GatewaySpec(
        name="gw",
        devices=tuple(
            DeviceSpec(
                name=f"d{at}",
                thing=f"p/{at}",
                driver="counting",
                tags=tuple(
                    TagSpec(
                        number=at * tags + n,
                        thing=f"p/{at}",
                        name=f"t{n}",
                        address="x",
                        period_ms=period_ms,
                    )
                    for n in range(tags)
                ),
            )
            for at in range(devices)
        ),
    )


async def main() -> None:
    settings = msgspec.json.decode(sys.stdin.readline(), type=BusSettings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await Bus.open(settings, name="gateway")
    edge = EdgeSettings(linger_s=0.03, drain_s=15.0)
    await run_gateway(specification(), bus, edge, stop, kinds=lambda _name: KIND)
    await bus.close()


if __name__ == "__main__":
    asyncio.run(main())
