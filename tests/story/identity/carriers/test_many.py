"""Many carriers at once, each in its own thread: every report is taken over once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from mingwu.identity.carriers.model import State

CARRIERS, UPLOADS = 6, 5


def test_carriers_at_once(scene):
    fleet = [scene.carrier(number) for number in range(1, CARRIERS + 1)]

    def live(carrier) -> int:
        async def run() -> int:
            await carrier.agent.power_on()
            taken = 0
            for _ in range(UPLOADS):
                carrier.agent.measure(carrier.mould.readings())
                taken += await carrier.agent.report()
            return taken

        return asyncio.run(run())

    with ThreadPoolExecutor(CARRIERS) as pool:
        assert list(pool.map(live, fleet)) == [UPLOADS] * CARRIERS
    units, total = scene.platform.units()
    assert total == CARRIERS
    assert {(u.state, u.reports, u.samples) for u in units} == {(State.ACTIVE, UPLOADS, UPLOADS)}
    assert len(scene.samples) == CARRIERS * UPLOADS
    events = scene.platform.events()
    assert {event.code for event in events} == {"carriers.registered", "carriers.written-back"}
    assert len(events) == 2 * CARRIERS
    first, _ = scene.platform.units(offset=2, limit=2)
    assert [unit.serial for unit in first] == ["MWC-000003", "MWC-000004"]
