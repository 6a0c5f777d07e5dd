"""Durable pull consumer: fetches bounded by bytes, stream sequences, acknowledgement of a range.

Invariants: at least once. A fetch asks for at most ``max_bytes`` (more than 64 MB at once makes
the server drop the connection, again and again). A message of this process's own acknowledged
past is not handed out twice. A gap in the stream's sequence (messages that the stream forgot
before they were read) is counted in :attr:`Consumer.missed` and logged; nothing is lost silently.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from nats.aio.msg import Msg

from mingwu.bus import envelope
from mingwu.bus.jetstream import ensure_consumer
from mingwu.bus.link import LIBRARY_ERRORS, Interest, Link
from mingwu.kernel.batch import Batch
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)

MAX_BYTES = 32 * 1024 * 1024
_GRACE_S = 1.0
_ACK_TOKENS = 9


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a stream; ``stream_sequence`` is unique for ever within the stream."""

    subject: str
    data: bytes
    stream_sequence: int
    delivered: int
    pending: int
    reply: str

    def batch(self) -> Batch:
        """The batch in it; raises PeerError ``bus.malformed-envelope``."""
        return envelope.decode(self.data)


class _Pull(msgspec.Struct):
    batch: int
    max_bytes: int
    expires: int


def _delivery(message: Msg) -> Delivery:
    """``$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.consumed.time.pending[.x]``."""
    tokens = message.reply.split(".")
    if len(tokens) > _ACK_TOKENS:
        tokens = tokens[2:]
    return Delivery(
        message.subject, message.data, int(tokens[5]), int(tokens[4]), int(tokens[8]), message.reply
    )


class Consumer:
    """One reader of a stream under a durable name. Fetches one at a time."""

    def __init__(self, link: Link, stream: str, durable: str, max_bytes: int) -> None:
        self.stream = stream
        self.durable = durable
        self.max_bytes = min(max_bytes, MAX_BYTES)
        self.missed = 0
        self.acked = 0
        self._link = link
        self._last = 0
        self._arrived: list[Delivery] = []
        self._request = 0
        self._done = asyncio.Event()
        self._wanted = 1
        self._stale = False
        self._inbox = ""
        self._interest: Interest | None = None

    async def open(self) -> None:
        """Create the durable consumer if it is not there; raises Unavailable."""
        await ensure_consumer(self._link, self.stream, self.durable)
        self._inbox = self._link.client.new_inbox() + "."
        self._interest = await self._link.listen(self._inbox + "*", self._take)
        self._link.listeners.down.append(self._done.set)

    async def close(self) -> None:
        """Stop; unacknowledged messages are delivered again later, to whoever asks."""
        if self._interest is not None:
            await self._interest.close()
            self._interest = None
            self._link.listeners.down.remove(self._done.set)

    async def fetch(self, *, max_messages: int = 5000, wait_s: float = 1.0) -> list[Delivery]:
        """Messages in stream order, up to the limits; what there is after ``wait_s``, maybe none.

        Never raises for a lost connection: the list is empty then and a later fetch goes on.
        """
        if not await self._link.wait_connected(wait_s):
            return []
        with contextlib.suppress(*LIBRARY_ERRORS, Unavailable):
            await self._pull(max_messages, wait_s)
        arrived, self._arrived = self._arrived, []
        return self._in_order(arrived)

    async def ack_through(self, delivery: Delivery) -> None:
        """Acknowledge the message and all before it. Lost acknowledgements are harmless: the
        messages are delivered again. Raises Unavailable without a connection.
        """
        self.acked = max(self.acked, delivery.stream_sequence)
        try:
            await self._link.client.publish(delivery.reply, b"+ACK")
        except LIBRARY_ERRORS as error:
            raise Unavailable("bus.disconnected") from error

    async def _pull(self, max_messages: int, wait_s: float) -> None:
        client = self._link.client
        if self._stale:
            await ensure_consumer(self._link, self.stream, self.durable)
            self._stale = False
        self._request += 1
        self._done.clear()
        # A message larger than the limit would never be delivered.
        limit = max(self.max_bytes, client.max_payload + 4096)
        body = _Pull(max_messages, limit, int(wait_s * 1e9))
        self._wanted = max_messages
        await client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.durable}",
            msgspec.json.encode(body),
            reply=f"{self._inbox}{self._request}",
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), wait_s + _GRACE_S)

    async def _take(self, message: Msg) -> None:
        if message.reply:
            self._arrived.append(_delivery(message))
            if len(self._arrived) >= self._wanted:
                self._done.set()
            return
        # A status ends the request it belongs to: 404 and 408 nothing more within the time,
        # 409 limit reached or consumer deleted, 503 nobody there.
        if message.subject != f"{self._inbox}{self._request}":
            return
        status = (message.headers or {}).get("Status", "")
        description = (message.headers or {}).get("Description", "")
        if status == "503" or "Deleted" in description:
            self._stale = True
        self._done.set()

    def _in_order(self, arrived: Sequence[Delivery]) -> list[Delivery]:
        """Without what was acknowledged already; gaps counted."""
        fresh = sorted(
            (one for one in arrived if one.stream_sequence > self.acked),
            key=lambda one: one.stream_sequence,
        )
        for one in fresh:
            gap = one.stream_sequence - self._last - 1
            if gap > 0 and self._last:
                self.missed += gap
                log.warning(
                    "stream=%s consumer=%s missed=%d before=%d",
                    self.stream,
                    self.durable,
                    gap,
                    one.stream_sequence,
                )
            self._last = max(self._last, one.stream_sequence)
        return fresh
