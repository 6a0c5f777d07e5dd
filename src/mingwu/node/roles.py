"""The roles a process can play: each builds its engines from the configuration and runs.

Every role waits for engines that are not there yet, says so once, and stops on SIGTERM or SIGINT.
Heavy libraries are imported by the role that needs them, not by the others.
"""

import asyncio
import gc
import importlib.util
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from mingwu.kernel.errors import MingwuError
from mingwu.node import logs
from mingwu.node.config import Config, Role

log = logging.getLogger(__name__)

Run = Callable[[Config, str, asyncio.Event], Coroutine[Any, Any, None]]


def run_role(role: Role, config: Config, name: str = "") -> int:
    """Play ``role`` until told to stop; returns the exit status."""
    logs.start()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signal(ROLES[role], config, name))
    except* MingwuError as group:
        # an expected failure: the sentence and the next step, no traceback
        for error in _leaves(group):
            log.error("role=%s code=%s %s %s", role.value, error.code, error, error.next_step())  # noqa: TRY400
        failed = True
    else:
        failed = False
    return 1 if failed else 0


def _leaves(group: BaseExceptionGroup[MingwuError]) -> Iterator[MingwuError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _until_signal(run: Run, config: Config, name: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # what was imported stays: later collections need not walk it
    gc.collect()
    gc.freeze()
    await run(config, name, stop)


async def _historian(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.history.server import run_historian

    await run_historian(config.historian, stop)


async def _writer(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.history.writer import run_writer
    from mingwu.node.finetimes import NanosecondTags
    from mingwu.node.live import open_bus, open_history

    bus = await open_bus(config.bus, f"{config.node.name}-writer", stop)
    history = await open_history(config.history, stop, schema=True)
    if bus is None or history is None:
        return
    try:
        fine = await NanosecondTags.open(config)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fine.follow(stop))
            await run_writer(bus, history, config.writer, stop, ns_tags=fine.numbers)
            stop.set()
    finally:
        await history.close()
        await bus.close()


async def _gateway(config: Config, name: str, stop: asyncio.Event) -> None:
    from mingwu.node.gatewayrole import run

    await run(config, name, stop)


async def _resolver(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.node.resolverrole import run

    await run(config, stop)


async def _api(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.api.serve import run_api
    from mingwu.node.webrole import serving

    async with serving(config, config.api, Role.API, stop) as services:
        await run_api(config.api, services, stop)


async def _console(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.console.serve import run_console
    from mingwu.node.webrole import serving

    async with serving(config, config.console, Role.CONSOLE, stop) as services:
        await run_console(config.console, services, stop)


async def _lab(config: Config, _name: str, stop: asyncio.Event) -> None:
    from mingwu.lab.settings import LabWorld

    if config.lab.world is LabWorld.CARRIERS:
        from mingwu.lab.carriers.run import run_carriers

        control = config.lab.host, config.lab.control_port
        await run_carriers(config.lab_carriers, stop, control=control)
        return
    if config.lab.world is LabWorld.TOPNODE:
        from mingwu.lab.enterprises.run import run_enterprises

        control = config.lab.host, config.lab.control_port
        await run_enterprises(config.lab_enterprises, config.lab_topnode, stop, control)
        return
    from mingwu.lab.run import run_lab

    await run_lab(config.lab, stop)


ROLES: dict[Role, Run] = {
    Role.HISTORIAN: _historian,
    Role.WRITER: _writer,
    Role.GATEWAY: _gateway,
    Role.RESOLVER: _resolver,
    Role.API: _api,
    Role.CONSOLE: _console,
    Role.LAB: _lab,
}
