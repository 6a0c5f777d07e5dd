"""The surroundings of a second-level node as a role: ``run_enterprises``.

Root, top-level node and recursive node, the enterprises' own nodes, and clients that begin to ask
once the second-level node says that it is filled. The top-level node watches the node from its
first good answer on: a node that is only starting is not taken over.
"""

import asyncio
import logging
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

from mingwu.lab.control import Control
from mingwu.lab.enterprises.facade import Facade
from mingwu.lab.enterprises.filling import key_file, note_file
from mingwu.lab.enterprises.incidents import Incidents
from mingwu.lab.enterprises.load import Load
from mingwu.lab.enterprises.ownnodes import OwnNodes
from mingwu.lab.enterprises.settings import FACADES, EnterpriseLabSettings
from mingwu.lab.topnode.run import TopNode
from mingwu.lab.topnode.settings import TopNodeSettings

log = logging.getLogger(__name__)
_LOOK_S = 0.5


async def run_enterprises(
    settings: EnterpriseLabSettings,
    topnode: TopNodeSettings,
    stop: asyncio.Event,
    control: tuple[str, int],
) -> None:
    """Run until ``stop``. ``control``: where incidents are ordered (``mingwu lab fault``)."""
    async with AsyncExitStack() as stack:
        top = await stack.enter_async_context(TopNode(topnode))
        own = await stack.enter_async_context(OwnNodes(settings))
        load = Load(settings, f"{topnode.host}:{top.recursive.port}")
        door = Control(Incidents(top, own, load).answer)
        stack.push_async_callback(door.stop)
        await door.start(*control)
        log.info("surroundings run root=%d own_nodes=%d", top.root.port, len(own.nodes))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_facades(settings, own, stop))
            tasks.create_task(_watch(top, stop))
            tasks.create_task(_ask(load, settings, stop))
            await stop.wait()


async def _facades(settings: EnterpriseLabSettings, own: OwnNodes, stop: asyncio.Event) -> None:
    """The façades of the first own nodes; one of them lets the second-level node in."""
    first = settings.facade_first_port
    if not first:
        return
    with ExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            for at, node in enumerate([*own.nodes.values()][:FACADES]):
                directory = Path(settings.directory) / f"facade-{node.enterprise.number:02d}"
                facade = await asyncio.to_thread(Facade, node.enterprise, node.records, directory)
                stack.callback(facade.close)
                tasks.create_task(facade.run(first + at, stop))
                if at == 0:
                    tasks.create_task(_admit(facade, key_file(settings), stop))


async def _admit(facade: Facade, key: Path, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if await asyncio.to_thread(key.exists):
            await asyncio.to_thread(lambda: facade.admit(key.read_text("utf-8")))
            return
        await _pause(stop)


async def _watch(top: TopNode, stop: asyncio.Event) -> None:
    while not stop.is_set() and not await top.is_everybody_up():
        await _pause(stop)
    await top.watch(stop)


async def _ask(load: Load, settings: EnterpriseLabSettings, stop: asyncio.Event) -> None:
    done = note_file(settings)
    while not stop.is_set() and not await asyncio.to_thread(done.exists):
        await _pause(stop)
    if settings.asked_per_s:
        await load.run(stop)


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_S):
            await stop.wait()
