"""Serves the console over a real enterprise node and record store; prints its port.

    python tests/browser/names/serve_names.py [PORT]

The plant is the in-memory one of ``serve_fake``; names, templates, trust and usage are real.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "story" / "api"))

from fakeplant import Feed, make_fake_services
from nameplane import NamePlane

from mingwu.api.engines import LocalResolve
from mingwu.console.serve import run_console
from mingwu.console.settings import ConsoleSettings
from mingwu.kernel.plant import CardTag, ThingCard


def cards_of(plant: Any) -> list[ThingCard]:
    """What the registry would tell the resolver of the plant's things."""
    state = plant.state()
    tags: dict[str, list[CardTag]] = {}
    for tag in state.tags:
        if tag.exposed:
            card = CardTag(number=tag.number, name=tag.name, unit=tag.unit, type=tag.type)
            tags.setdefault(tag.thing, []).append(card)
    return [
        ThingCard(
            id=one.id, kind=one.kind, type=one.type, name_en=one.name_en, name_zh=one.name_zh,
            place=one.place, documentation=one.documentation, simulated=one.simulated,
            relations=tuple(
                (row.kind, row.id) for row in plant.relations(one.id) if not row.inverse
            ),
            tags=tuple(tags.get(one.id, ())),
        )
        for one in state.things
    ]  # fmt: skip


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    settings = ConsoleSettings(port=port)
    services = make_fake_services(settings)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = NamePlane(folder, stack, services.journal.append)
        await plane.open(cards_of(services.plant), services.live)
        served = replace(
            services, guarded=tuple(plane.routes), resolve=LocalResolve(plane.resolver)
        )
        feed = asyncio.create_task(Feed(services.live, services.plant.state().tags).run(stop))
        await run_console(settings, served, stop, ready=lambda port: print(port, flush=True))
        feed.cancel()


asyncio.run(main())
