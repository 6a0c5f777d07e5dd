"""Serves the console over the in-memory plant; prints its port. Run by the browser tests."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "story" / "api"))

from fakeplant import Feed, gateway_status, make_fake_services

from mingwu.console.serve import run_console
from mingwu.console.settings import ConsoleSettings


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    more_tags = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    settings = ConsoleSettings(port=port)
    services = make_fake_services(settings, more_tags)
    stop = asyncio.Event()

    async def speak() -> None:
        for tick in range(10**9):
            services.status.apply("gateway", "gw1", gateway_status(tick))
            services.status.apply("writer", "main", {"rows_per_s": 1900})
            await asyncio.sleep(1)

    async def announce(port: int) -> None:
        print(port, flush=True)

    def ready(port: int) -> None:
        asyncio.get_running_loop().create_task(announce(port))

    feed = Feed(services.live, services.plant.state().tags)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed.run(stop))
        tasks.create_task(speak())
        await run_console(settings, services, stop, ready=ready)


asyncio.run(main())
