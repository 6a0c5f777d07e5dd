"""Keeps PublishRequests waiting at the server and hands each message to its subscription.

One per session, since PublishRequests belong to the session (OPC 10000-4, 5.14.5). Watches the
server's silence: every subscription must hear a message or a keep-alive within two and a half
keep-alive periods, or the session is lost. A gap in the sequence numbers is asked for again.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mingwu.field.opcua import notify, rawcall, status
from mingwu.field.opcua.session import Session
from mingwu.kernel.errors import MingwuError, Unavailable

_log = logging.getLogger(__name__)

SILENT_PERIODS = 2.5
TICKS = 8  # looks per silence allowed
_SPARE_REQUESTS = 1  # so that one is always waiting while another's message is being handled
_MAX_REPUBLISH = 64
_LAST_SEQUENCE = 2**32 - 1

Changes = Callable[[bytes, int, int], None]


@dataclass(slots=True)
class _Reader:
    changes: Changes
    silence_s: float
    quiet_s: float = 0.0
    expected: int = 0
    missed: int = 0


class Publishing:
    """Publish pumps of one session; they run while there are subscriptions."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._readers: dict[int, _Reader] = {}
        self._acknowledge: list[tuple[int, int]] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    def add(self, subscription: notify.Revised, changes: Changes) -> None:
        """Deliver the subscription's data changes: ``changes(body, position, count)``."""
        period_s = subscription.interval_ms * max(subscription.keepalive_count, 1) / 1000
        silence_s = SILENT_PERIODS * max(period_s, self._session.settings.keepalive_ms / 1000)
        self._readers[subscription.subscription] = _Reader(changes, silence_s)
        while len(self._pumps) < len(self._readers) + _SPARE_REQUESTS:
            self._start(self._pump())
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_silence())

    def remove(self, subscription: int) -> None:
        """Stop delivering; pumps end when the server says that no subscription is left."""
        self._readers.pop(subscription, None)

    async def close(self) -> None:
        self._readers.clear()
        tasks = [*self._pumps, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, pump: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(pump)
        self._pumps.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A pump that ends by an error ends the session: nobody would listen any more."""
        self._pumps.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        fault = error if isinstance(error, Unavailable) else None
        if not isinstance(error, MingwuError | rawcall.ServiceFailed):
            _log.error("publishing failed", exc_info=error)
        self._session.lose(fault or self._lost(str(error)))

    def _lost(self, fault: str) -> Unavailable:
        return Unavailable("opcua.lost", endpoint=self._session.settings.endpoint, fault=fault)

    async def _pump(self) -> None:
        while self._readers:
            acknowledged, self._acknowledge = self._acknowledge, []
            try:
                body, pos = await self._session.raw(
                    rawcall.PUBLISH,
                    notify.publish(acknowledged),
                    reply=rawcall.PUBLISH_REPLY,
                    timeout_s=None,
                )
            except rawcall.ServiceFailed as error:
                if error.code == status.BAD_TOO_MANY_PUBLISH_REQUESTS and len(self._pumps) > 1:
                    return
                if error.code == status.BAD_NO_SUBSCRIPTION and not self._readers:
                    return
                raise
            await self._deliver(body, notify.published(body, pos))

    async def _deliver(self, body: bytes, found: notify.Published) -> None:
        reader = self._readers.get(found.subscription)
        if reader is None:
            return
        reader.quiet_s = 0.0
        if found.status is not None:
            raise self._lost(f"subscription ended: {rawcall.status_name(found.status)}")
        if found.keepalive:
            return
        self._acknowledge.append((found.subscription, found.sequence))
        missing, reader.expected = reader.expected, _next(found.sequence)
        for pos, count in found.changes:
            reader.changes(body, pos, count)
        if missing and missing != found.sequence:
            await self._fetch_missing(reader, found.subscription, missing, found.sequence)

    async def _fetch_missing(
        self, reader: _Reader, subscription: int, first: int, beyond: int
    ) -> None:
        """Republish (5.14.6) what a gap left out, as far as the server still has it."""
        sequence = first
        for _ in range(_MAX_REPUBLISH):
            if sequence == beyond:
                return
            try:
                body, pos = await self._session.raw(
                    rawcall.REPUBLISH,
                    notify.republish(subscription, sequence),
                    reply=rawcall.REPUBLISH_REPLY,
                )
            except rawcall.ServiceFailed as error:
                reader.missed += 1
                _log.warning(
                    "notification lost endpoint=%s sequence=%d missed=%d status=%s",
                    self._session.settings.endpoint, sequence, reader.missed, error,
                )  # fmt: skip
                return
            for at, count in notify.message(body, pos, subscription).changes:
                reader.changes(body, at, count)
            sequence = _next(sequence)

    async def _watch_silence(self) -> None:
        """Count the quiet by our own ticks: a gateway that was itself held up blames nobody."""
        while self._readers and self._session.fault is None:
            tick_s = min(reader.silence_s for reader in self._readers.values()) / TICKS
            await asyncio.sleep(tick_s)
            for reader in self._readers.values():
                reader.quiet_s += tick_s
                if reader.quiet_s > reader.silence_s:
                    self._session.lose(silent(self._session, reader.silence_s))
                    return


def silent(session: Session, silence_s: float) -> Unavailable:
    """The fault of a server that says nothing any more."""
    endpoint = session.settings.endpoint
    return Unavailable("opcua.silent", endpoint=endpoint, silence_s=round(silence_s, 1))


def _next(sequence: int) -> int:
    """Sequence numbers wrap to 1 (OPC 10000-4, 7.25.2)."""
    return 1 if sequence == _LAST_SEQUENCE else sequence + 1
