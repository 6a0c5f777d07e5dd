"""Serves the console over real engines of the identity plane; prints its port.

    python tests/browser/identity/serve_identity.py [PORT]

The plant is the in-memory one of ``serve_fake``; second-level node, usage log, carriers are real.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "story" / "api"))

from fakeplant import make_fake_services
from identityplane import Plane

from mingwu.api.engines import LocalResolve
from mingwu.console.serve import run_console
from mingwu.console.settings import ConsoleSettings


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    settings = ConsoleSettings(port=port)
    services = make_fake_services(settings)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = Plane(folder, stack, services.journal.append)
        await plane.open()
        served = replace(
            services, guarded=tuple(plane.routes), resolve=LocalResolve(plane.resolver)
        )
        living = asyncio.create_task(plane.live())
        await run_console(settings, served, stop, ready=lambda port: print(port, flush=True))
        living.cancel()


asyncio.run(main())
