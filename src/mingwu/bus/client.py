"""The bus as every role uses it: batches, events, status documents, requests.

Two ways to read. :meth:`Bus.consume` reads a stream durably: everything, at least once, in order;
whatever is counted or stored goes this way. :meth:`Bus.subscribe_batches` and
:meth:`Bus.subscribe_json` hear what passes by: live views only, a slow listener loses messages.

Publishing while the bus is away raises Unavailable at once; nothing is buffered here. The sender
keeps the message and sends it again with the same message id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import msgspec
from nats.aio.msg import Msg

from mingwu.bus import envelope, jetstream, subjects
from mingwu.bus.acks import Ack, Acks
from mingwu.bus.consumer import Consumer
from mingwu.bus.link import LIBRARY_ERRORS, Interest, Link
from mingwu.bus.settings import BusSettings
from mingwu.kernel.batch import Batch
from mingwu.kernel.causes import told
from mingwu.kernel.errors import MingwuError, PeerError, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
_DEFAULT_FETCH_BYTES = 16 * 1024 * 1024


class Bus:
    """One connection of one role. ``await Bus.open(settings, name=...)``."""

    def __init__(self, settings: BusSettings, name: str) -> None:
        self.settings = settings
        self.malformed = 0
        self._link = Link(settings, name)
        self._acks = Acks(self._link)

    @classmethod
    async def open(cls, settings: BusSettings, *, name: str) -> Self:
        """Connect and make sure of the streams; raises Unavailable."""
        bus = cls(settings, name)
        await bus._link.open()
        try:
            await bus._acks.open()
            if settings.manage_streams:
                await jetstream.ensure_streams(bus._link)
                bus._link.listeners.up.append(bus._renew_streams)
        except MingwuError:
            await bus.close()
            raise
        return bus

    async def close(self) -> None:
        """Disconnect; messages in flight fail with Unavailable. May be called twice."""
        await self._acks.close()
        await self._link.close()

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet acknowledged."""
        return len(self._acks)

    async def wait_connected(self, seconds: float) -> bool:
        """Whether there is a connection now or within ``seconds``."""
        return await self._link.wait_connected(seconds)

    def statistics(self) -> dict[str, int]:
        """Counters since the start."""
        counters = self._link.counters
        return {
            "connected": counters.connected,
            "lost": counters.lost,
            "slow_consumer": counters.slow_consumer,
            "failed_callbacks": counters.failed_callbacks,
            "malformed": self.malformed,
            "in_flight": self.in_flight,
        }

    # ------------------------------------------------------------ publishing

    async def post(self, subject: str, payload: bytes, message_id: str) -> asyncio.Future[Ack]:
        """Send into a stream without waiting for the acknowledgement, which is the future.

        Raises Unavailable without a connection; the future ends with Ack or Unavailable
        (``bus.storage-full``, ``bus.no-stream``, ``bus.no-ack``, ``bus.disconnected``).
        """
        return await self._acks.post(subject, payload, message_id)

    async def publish(self, subject: str, payload: bytes, message_id: str) -> Ack:
        """Send into a stream and wait for the acknowledgement; raises Unavailable."""
        return await (await self._acks.post(subject, payload, message_id))

    async def publish_batch(self, batch: Batch) -> Ack:
        """Send a batch into TELEMETRY and wait for the acknowledgement; raises Unavailable."""
        payload = envelope.encode(batch)
        return await self.publish(subjects.telemetry(batch.source), payload, batch.message_id)

    async def publish_event(self, area: str, name: str, event: Any, message_id: str) -> Ack:
        """Record an event (a struct or plain data) in EVENT; raises Unavailable."""
        return await self.publish(
            subjects.event(area, name), msgspec.json.encode(event), message_id
        )

    async def publish_json(self, subject: str, document: Any) -> None:
        """Say something to whoever listens now; raises Unavailable without a connection."""
        await self._say(subject, msgspec.json.encode(document))

    async def _say(self, subject: str, payload: bytes) -> None:
        try:
            await self._link.client.publish(subject, payload)
        except LIBRARY_ERRORS as error:
            raise Unavailable("bus.rejected", fault=told(error)) from error

    # ------------------------------------------------------------ listening

    async def subscribe_batches(
        self, callback: Callable[[Batch], None], subject: str = subjects.ALL_TELEMETRY
    ) -> Interest:
        """Hear batches as they pass (live views). Malformed messages are counted and dropped."""

        async def heard(message: Msg) -> None:
            try:
                batch = envelope.decode(message.data)
            except PeerError as error:
                self._drop(message.subject, error)
                return
            callback(batch)

        return await self._link.listen(subject, heard)

    async def subscribe_json(
        self, subject: str, callback: Callable[[str, T], None], kind: type[T]
    ) -> Interest:
        """Hear JSON documents; ``callback(subject, document)``, decoded as ``kind``."""
        decode = msgspec.json.Decoder(kind).decode

        async def heard(message: Msg) -> None:
            try:
                document = decode(message.data)
            except msgspec.DecodeError as error:
                fault = PeerError(
                    "bus.malformed-message", subject=message.subject, fault=told(error)
                )
                self._drop(message.subject, fault)
                return
            callback(message.subject, document)

        return await self._link.listen(subject, heard)

    def _drop(self, subject: str, error: PeerError) -> None:
        self.malformed += 1
        if self.malformed == 1:
            log.warning("subject=%s dropped: %s (further ones only counted)", subject, error)

    async def consume(
        self, stream: str, durable: str, *, max_bytes: int = _DEFAULT_FETCH_BYTES
    ) -> Consumer:
        """A durable reader of ``stream``; raises Unavailable."""
        consumer = Consumer(self._link, stream, durable, max_bytes)
        await consumer.open()
        return consumer

    # ------------------------------------------------------------ request and reply

    async def request(
        self, subject: str, question: Any, kind: type[T], *, timeout_s: float = 5.0
    ) -> T:
        """Ask and wait for the answer, decoded as ``kind``.

        Raises Unavailable ``bus.no-answer``, or PeerError for an answer of another shape.
        """
        try:
            message = await self._link.client.request(
                subject, msgspec.json.encode(question), timeout=timeout_s
            )
        except LIBRARY_ERRORS as error:
            raise Unavailable("bus.no-answer", subject=subject) from error
        try:
            return msgspec.json.decode(message.data, type=kind)
        except msgspec.DecodeError as error:
            raise PeerError("bus.malformed-message", subject=subject, fault=told(error)) from error

    async def serve(
        self, subject: str, answer: Callable[[str, bytes], Awaitable[Any]], *, queue: str = ""
    ) -> Interest:
        """Answer requests: ``answer(subject, body)`` gives the reply, sent as JSON.

        Each request runs in a task of its own, so a slow one delays no other.
        """
        running: set[asyncio.Task[None]] = set()

        def finished(task: asyncio.Task[None]) -> None:
            running.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("subject=%s request not answered", subject, exc_info=error)

        async def respond(message: Msg) -> None:
            reply = msgspec.json.encode(await answer(message.subject, message.data))
            if message.reply and self.connected:
                await self._say(message.reply, reply)

        async def heard(message: Msg) -> None:
            task = asyncio.create_task(respond(message))
            running.add(task)
            task.add_done_callback(finished)

        return await self._link.listen(subject, heard, queue)

    async def _renew_streams(self) -> None:
        """After a reconnect: the server may be a new one, or its store was emptied."""
        try:
            await jetstream.ensure_streams(self._link)
        except Unavailable as error:
            log.warning("bus=%s streams not renewed: %s", self._link.name, error)
