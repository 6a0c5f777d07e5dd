"""The live WebSocket ``/api/live``.

The client sends JSON: ``{"subscribe": [tag numbers] | "document name", "id": any}`` and
``{"unsubscribe": topic}``. Each subscribe is answered by ``{"k": "ok", "id": …, "topic": n}``,
then a snapshot, then deltas (frames of :mod:`mingwu.api.live`). A bad message is answered by
``{"k": "error", …}`` and does not end the connection. Close codes: 4401 no session, 4403 foreign
origin, 4429 too many clients (RFC 6455 7.4.2, private range).
"""

import asyncio
import logging
import re

import msgspec
import numpy as np
import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mingwu.api.door import language_of, require_own_origin, require_role
from mingwu.api.live import Subscriber, Topic
from mingwu.api.services import Services
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Denied, InvalidInput, MingwuError, NotAuthenticated
from mingwu.kernel.plant import MAX_TAG_NUMBER

log = logging.getLogger(__name__)

MESSAGE_CHARS = 256_000
TOPICS_PER_CLIENT = 32
RECHECK_S = 30.0
NO_SESSION, FOREIGN_ORIGIN, TOO_MANY = 4401, 4403, 4429

# Documents a client may watch: ``status`` of all parts, or ``role.name`` of one.
_DOCUMENT = re.compile(r"[a-z][a-z-]{0,30}(\.[A-Za-z0-9_-]{1,64})?")


class Message(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client may say."""

    subscribe: list[int] | str | None = None
    unsubscribe: int | None = None
    id: int | str | None = None


_decode = msgspec.json.Decoder(Message).decode


class _Client:
    """One connection: a reader of messages and a writer of frames."""

    def __init__(
        self, socket: WebSocket, services: Services, subscriber: Subscriber, lang: str
    ) -> None:
        self._socket = socket
        self._services = services
        self._subscriber = subscriber
        self._lang = lang

    async def read(self) -> None:
        """Serve messages until the client goes."""
        while True:
            text = await self._socket.receive_text()
            try:
                self._serve(text)
            except MingwuError as error:
                self._say({"k": "error", **error.as_dict(self._lang)})

    def _serve(self, text: str) -> None:
        if len(text) > MESSAGE_CHARS:
            raise InvalidInput("api.live-message", fault=Phrase("too long", "过长"))
        try:
            message = _decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise InvalidInput("api.live-message", fault=told(error)) from error
        if message.unsubscribe is not None:
            self._services.hub.unsubscribe(self._subscriber, message.unsubscribe)
        if message.subscribe is not None:
            topic = self._subscribe(message.subscribe)
            self._say({"k": "ok", "id": message.id, "topic": topic.key})

    def _subscribe(self, wanted: list[int] | str) -> Topic:
        hub = self._services.hub
        if len(self._subscriber.topics) >= TOPICS_PER_CLIENT:
            raise InvalidInput(
                "api.live-message",
                fault=Phrase(
                    f"more than {TOPICS_PER_CLIENT} topics", f"超过 {TOPICS_PER_CLIENT} 个主题"
                ),
            )
        if isinstance(wanted, str):
            if not _DOCUMENT.fullmatch(wanted):
                raise InvalidInput(
                    "api.live-message", fault=Phrase("no such document", "没有该文档")
                )
            return hub.subscribe_document(self._subscriber, wanted)
        limit = self._services.settings.live_tags
        if not 0 < len(wanted) <= limit:
            raise InvalidInput(
                "api.live-message", fault=Phrase(f"1 to {limit} tags", f"点位数应为 1 至 {limit}")
            )
        if min(wanted) < 0 or max(wanted) > MAX_TAG_NUMBER:
            raise InvalidInput("api.live-message", fault=Phrase("not a tag number", "不是点位编号"))
        return hub.subscribe_tags(self._subscriber, np.array(wanted, np.uint32))

    def _say(self, document: object) -> None:
        self._subscriber.offer_control(orjson.dumps(document))

    async def write(self) -> None:
        """Send frames as the client takes them."""
        while True:
            frame = await self._subscriber.next_frame()
            await self._socket.send({"type": "websocket.send", "text": frame.decode()})

    async def watch_session(self) -> None:
        """End when the session ends, so that a revoked one stops seeing data."""
        while True:
            if await self._services.door.principal(self._socket) is None:
                await self._socket.close(NO_SESSION)
                return
            await asyncio.sleep(RECHECK_S)


def live_route(services: Services) -> WebSocketRoute:
    """The route ``/api/live``."""

    async def live(socket: WebSocket) -> None:
        code = await _refusal(socket, services)
        await socket.accept()
        if code:
            await socket.close(code)
            return
        subscriber = services.hub.connect()
        try:
            lang = language_of(socket, await services.door.principal(socket))
            await _serve(_Client(socket, services, subscriber, lang))
        finally:
            services.hub.disconnect(subscriber)

    return WebSocketRoute("/api/live", live)


async def _refusal(socket: WebSocket, services: Services) -> int:
    try:
        require_own_origin(socket)
    except Denied:
        return FOREIGN_ORIGIN
    try:
        require_role(await services.door.principal(socket), "viewer")
    except (NotAuthenticated, Denied):
        return NO_SESSION
    if len(services.hub.clients) >= services.settings.live_clients:
        log.warning("live clients=%d state=full", len(services.hub.clients))
        return TOO_MANY
    return 0


async def _serve(client: _Client) -> None:
    """Run reader, writer and session watch until one of them ends, then end the others."""
    tasks = [
        asyncio.create_task(client.read(), name="live-read"),
        asyncio.create_task(client.write(), name="live-write"),
        asyncio.create_task(client.watch_session(), name="live-session"),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(
            result, (WebSocketDisconnect, RuntimeError)
        ):
            raise result
