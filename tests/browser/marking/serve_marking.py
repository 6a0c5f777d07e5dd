"""The console over the in-memory plant, with a real record store and the real marking routes."""

import asyncio
import dataclasses
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "story" / "api"))

from fakeplant import Feed, make_fake_services

from mingwu.console.serve import run_console
from mingwu.console.settings import ConsoleSettings
from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.cards import sync_cards
from mingwu.identity.marking.http import routes
from mingwu.identity.records import RecordStore
from mingwu.kernel.plant import ThingCard

MOULD_CODE = "(01)09506000134352(21)M0187"


async def main() -> None:
    settings = ConsoleSettings(port=0)
    services = make_fake_services(settings, 50)
    things = services.plant.state().things
    stop = asyncio.Event()

    async def announce(port: int) -> None:
        print(port, flush=True)

    def ready(port: int) -> None:
        asyncio.get_running_loop().create_task(announce(port))

    with tempfile.TemporaryDirectory() as folder:
        store = RecordStore(Path(folder) / "names", map_bytes=2**26, durable=False)
        store.home("88.888.101")
        cards = [
            ThingCard(id=one.id, kind=one.kind, type=one.type, name_en=one.name_en,
                      name_zh=one.name_zh, place=one.place, simulated=one.simulated)
            for one in things
        ]  # fmt: skip
        sync_cards(store, cards)
        AliasBook(store).add("88.888.101/DEV.DCM2500.01", MOULD_CODE)
        guarded = tuple(routes(store, base_url="https://mingwu.example.com"))
        services = dataclasses.replace(services, guarded=guarded)
        feed = Feed(services.live, services.plant.state().tags)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run(stop))
            await run_console(settings, services, stop, ready=ready)


asyncio.run(main())
