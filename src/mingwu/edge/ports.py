"""What the gateway needs of the bus; :class:`mingwu.bus.client.Bus` is it, tests have their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from mingwu.bus.acks import Ack

T = TypeVar("T")


class Interest(Protocol):
    """A running subscription."""

    async def close(self) -> None: ...


class GatewayBus(Protocol):
    """Publishing with acknowledgement, live documents, requests. See ``bus.client``."""

    @property
    def connected(self) -> bool: ...

    async def wait_connected(self, seconds: float) -> bool: ...

    async def post(self, subject: str, payload: bytes, message_id: str) -> asyncio.Future[Ack]: ...

    async def publish_json(self, subject: str, document: Any) -> None: ...

    async def subscribe_json(
        self, subject: str, callback: Callable[[str, T], None], kind: type[T]
    ) -> Interest: ...

    async def serve(
        self, subject: str, answer: Callable[[str, bytes], Awaitable[Any]], *, queue: str = ""
    ) -> Interest: ...
