"""A historian as a process of its own: ``python historian_main.py SETTINGS-AS-JSON``."""

import asyncio
import signal
import sys

import msgspec

from mingwu.history.server import run_historian
from mingwu.history.settings import HistorianSettings


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = msgspec.json.decode(sys.argv[1], type=HistorianSettings)
    await run_historian(settings, stop, ready=lambda port: print(port, flush=True))


asyncio.run(main())
