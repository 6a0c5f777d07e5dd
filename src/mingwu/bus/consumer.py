"""Durable pull consumer: every message once, in order, in fetches bounded by bytes.

Invariants: messages are handed out in the order of the stream and without gaps, from the first
one that nobody acknowledged. What the server sent and a lost connection swallowed, or what a dead
predecessor had fetched, would be sent again only after the acknowledgement wait, behind newer
messages, and acknowledging those would acknowledge it unread; so gaps are closed by asking the
stream itself. What the stream no longer has is counted in :attr:`Consumer.missed` and logged.
A fetch is bounded by bytes: more than 64 MB at once makes the server drop the connection, again
and again.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

import msgspec
from nats.aio.msg import Msg

from mingwu.bus import envelope
from mingwu.bus.jetstream import call, ensure_consumer, stored
from mingwu.bus.link import LIBRARY_ERRORS, Interest, Link
from mingwu.kernel.batch import Batch
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)

MAX_BYTES = 32 * 1024 * 1024
_GRACE_S = 1.0
_AT_ONCE = 64
_ACK_TOKENS = 9


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a stream; ``stream_sequence`` is unique for ever within the stream.

    ``pending`` messages come after it, as far as the server knew when it sent it.
    """

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
        self.acked = await ensure_consumer(self._link, self.stream, self.durable)
        self._last = self.acked
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
        try:
            found = await self._in_order(self._arrived)
        except Unavailable:
            return []  # what arrived is kept; the next fetch tries again
        self._arrived = []
        return found

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

    async def _in_order(self, arrived: list[Delivery]) -> list[Delivery]:
        """Sorted, once each, gaps closed; raises Unavailable if a gap cannot be closed now."""
        arrived.sort(key=lambda one: one.stream_sequence)
        found: list[Delivery] = []
        last = self._last
        if arrived and arrived[0].stream_sequence <= last and await self._began_anew():
            last = self.acked = arrived[0].stream_sequence - 1
        for one in arrived:
            if one.stream_sequence <= last:
                continue
            if one.stream_sequence > last + 1:
                found += await self._missing(last, one)
            found.append(one)
            last = one.stream_sequence
        self._last = last
        return found

    async def _began_anew(self) -> bool:
        """Whether the stream is younger than what was read of it (its store was lost)."""
        state = await call(self._link, f"STREAM.INFO.{self.stream}", {})
        anew = state.state.last_seq < self._last
        if anew:
            log.warning("stream=%s consumer=%s begins anew", self.stream, self.durable)
        return anew

    async def _missing(self, last: int, after: Delivery) -> list[Delivery]:
        """What the stream still has between the last message handed out and ``after``."""
        end = after.stream_sequence
        state = await call(self._link, f"STREAM.INFO.{self.stream}", {})
        begin = max(last + 1, min(end, state.state.first_seq))
        found: list[Delivery] = []
        for at in range(begin, end, _AT_ONCE):
            wanted = range(at, min(end, at + _AT_ONCE))
            found += [
                Delivery(one.subject, one.data, seq, 1, after.pending, after.reply)
                for seq, one in zip(
                    wanted,
                    await asyncio.gather(*(stored(self._link, self.stream, n) for n in wanted)),
                    strict=True,
                )
                if one is not None
            ]
        gone = end - last - 1 - len(found)
        if gone and last:
            self.missed += gone
            log.warning("stream=%s consumer=%s missed=%d", self.stream, self.durable, gone)
        return found
