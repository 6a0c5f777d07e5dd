"""Taking over a durable consumer from a reader that died.

What a dead reader had fetched and not acknowledged is held for it until the acknowledgement wait is
over, a minute. The consumer asks the stream for it when a newer message arrives; where none does
(the plant is idle) it would be a minute late. Shortening the wait makes the server hand it out
again within a second (measured with nats-server 2.15); afterwards the wait is as declared.
"""

import msgspec

from mingwu.bus.client import Bus
from mingwu.bus.jetstream import consumer_configuration
from mingwu.kernel.errors import Unavailable

_SHORT_NS = 1_000_000_000


class _Position(msgspec.Struct):
    stream_seq: int = 0


class _Fault(msgspec.Struct):
    description: str = ""


class _Consumer(msgspec.Struct):
    num_ack_pending: int = 0
    ack_floor: _Position = msgspec.field(default_factory=_Position)
    delivered: _Position = msgspec.field(default_factory=_Position)
    error: _Fault | None = None


async def unread(bus: Bus, stream: str, durable: str) -> tuple[int, int] | None:
    """First and last stream sequence that were handed out and not acknowledged, None for none.

    Raises Unavailable.
    """
    found = await _ask(bus, f"$JS.API.CONSUMER.INFO.{stream}.{durable}", {})
    if not found.num_ack_pending:
        return None
    return found.ack_floor.stream_seq + 1, found.delivered.stream_seq


async def hurry(bus: Bus, stream: str, durable: str) -> None:
    """Have what is unread handed out again now. Raises Unavailable."""
    await _set_wait(bus, stream, durable, _SHORT_NS)


async def calm(bus: Bus, stream: str, durable: str) -> None:
    """Wait for acknowledgements as declared again. Raises Unavailable."""
    await _set_wait(bus, stream, durable, consumer_configuration(durable)["ack_wait"])


async def _set_wait(bus: Bus, stream: str, durable: str, wait_ns: int) -> None:
    body = {
        "stream_name": stream,
        "config": {**consumer_configuration(durable), "ack_wait": wait_ns},
    }
    await _ask(bus, f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}", body)


async def _ask(bus: Bus, subject: str, body: object) -> _Consumer:
    answer = await bus.request(subject, body, _Consumer)
    if answer.error is not None:
        raise Unavailable("bus.rejected", fault=answer.error.description)
    return answer
