"""A writer as a process of its own: ``python writer_main.py BUS HISTORY WRITER`` (JSON each)."""

import asyncio
import signal
import sys

import msgspec

from mingwu.bus.client import Bus
from mingwu.bus.settings import BusSettings
from mingwu.history.client import History
from mingwu.history.settings import HistorySettings, WriterSettings
from mingwu.history.writer import run_writer


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await Bus.open(msgspec.json.decode(sys.argv[1], type=BusSettings), name="writer")
    history = await History.open(msgspec.json.decode(sys.argv[2], type=HistorySettings))
    try:
        settings = msgspec.json.decode(sys.argv[3], type=WriterSettings)
        await run_writer(bus, history, settings, stop)
    finally:
        await history.close()
        await bus.close()


asyncio.run(main())
