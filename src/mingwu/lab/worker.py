"""A process with a share of a scaled plant: ``python -m mingwu.lab.worker``.

The first line of standard input is the order (JSON: settings, replicas, control port). The process
ends when standard input closes, which it does when the parent ends, however that happens.
"""

import asyncio
import logging
import sys
from collections.abc import Callable

import msgspec

from mingwu.kernel.settings import build
from mingwu.lab.run import run_replicas
from mingwu.lab.settings import LabSettings


class Order(msgspec.Struct):
    """What the parent hands over."""

    settings: dict[str, object]
    replicas: list[int]
    control_port: int


async def work(order: Order) -> None:
    """Run the share until standard input closes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    stopped = loop.run_in_executor(None, sys.stdin.buffer.read)
    stopped.add_done_callback(lambda _: stop.set())
    settings = build(LabSettings, order.settings)
    await run_replicas(settings, order.replicas, stop, order.control_port)


def main() -> None:
    """Entry of the process."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work(order))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster loop where the platform has it: it halves the cost of small messages."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    main()
