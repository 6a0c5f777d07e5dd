"""Events of the gateway, recorded in the stream EVENT as soon as the bus takes them.

A bounded number waits while the bus is away; beyond it the oldest are dropped and counted in the
next one that gets through.
"""

import asyncio
import logging
from collections import deque

import msgspec

from mingwu.bus import subjects
from mingwu.edge.ports import GatewayBus
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)

_MOST = 500
_RETRY_S = 1.0


class GatewayEvent(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` is ``device.lost``, ``device.back``, ``device.faulty``, ``device.idle``,
    ``buffer.<code>``, ``buffer.recovered``, ``command.done``, ``command.refused``,
    ``gateway.started``.
    """

    kind: str
    gateway: str
    time_ns: int
    device: str = ""
    code: str = ""
    en: str = ""
    zh: str = ""
    # For commands: the tag's number, the value and who asked.
    tag: int | None = None
    value: bool | float | str | None = None
    by: str = ""
    # Events dropped before this one.
    dropped: int = 0


class Events:
    """The queue and its sender."""

    def __init__(self, bus: GatewayBus, gateway: str, boot: int, clock: Clock) -> None:
        self._bus = bus
        self._gateway = gateway
        self._boot = boot
        self._clock = clock
        self._waiting: deque[GatewayEvent] = deque()
        self._dropped = 0
        self._count = 0
        self._wake = asyncio.Event()

    def tell(
        self,
        kind: str,
        *,
        device: str = "",
        error: MingwuError | None = None,
        tag: int | None = None,
        value: bool | float | str | None = None,
        by: str = "",
    ) -> None:
        """Record an event; never blocks."""
        if len(self._waiting) >= _MOST:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(
            GatewayEvent(
                kind=kind,
                gateway=self._gateway,
                time_ns=self._clock.time_ns(),
                device=device,
                code=error.code if error else "",
                en=error.text("en") if error else "",
                zh=error.text("zh") if error else "",
                tag=tag,
                value=value,
                by=by,
            )
        )
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; every event once, in order."""
        subject = subjects.event("gateway", self._gateway)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                event = self._waiting.popleft()
                if self._dropped:
                    event = msgspec.structs.replace(event, dropped=self._dropped)
                self._count += 1
                message_id = f"{self._gateway}:event:{self._boot}:{self._count}"
                payload = msgspec.json.encode(event)
                await self._send(subject, payload, message_id)
                self._dropped = 0

    async def _send(self, subject: str, payload: bytes, message_id: str) -> None:
        """Until the bus has it."""
        while True:
            try:
                await (await self._bus.post(subject, payload, message_id))
            except Unavailable as error:
                log.debug("event not sent: %s", error)
                await asyncio.sleep(_RETRY_S)
            else:
                return
