"""One broker connection: the only importer of the MQTT client library.

The library would reconnect by itself and tell of it in its log; here it does neither, because when
to reconnect is the gateway's business and the loss is told once, as Unavailable.
"""

import asyncio
import contextlib
import logging
import ssl
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from gmqtt import Client
from gmqtt import Subscription as TopicFilter
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTError

from mingwu.field.mqtt.settings import MqttSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

Message = Callable[[str, bytes], None]
NEVER = -2  # the library takes -1 for "always" and 0 for "once"
REFUSED = 0x80
TOPICS_PER_REQUEST = 100
CLOSING_S = 1.0

logging.getLogger("gmqtt").setLevel(logging.CRITICAL)


def line(settings: MqttSettings) -> str:
    """Key and display name of the connection."""
    return f"mqtt://{settings.host}:{settings.port}"


class Link:
    """Made by :meth:`connect`; dead for good once lost or closed."""

    def __init__(self, settings: MqttSettings, on_message: Message) -> None:
        self._settings = settings
        self._on_message = on_message
        self._acks: dict[int, asyncio.Future[list[int]]] = {}
        self.lost = asyncio.Event()
        client_id = settings.client_id or f"mingwu-{uuid.uuid4().hex[:16]}"
        self._client: Any = Client(client_id, logger=logging.getLogger("gmqtt"))
        self._client.set_config({"reconnect_retries": NEVER, "reconnect_delay": 0})
        if settings.user:
            self._client.set_auth_credentials(settings.user, settings.password)
        self._client.on_message = self._received
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected

    @classmethod
    async def connect(cls, settings: MqttSettings, on_message: Message) -> "Link":
        """Connect; raises Unavailable ``mqtt.unreachable``."""
        link = cls(settings, on_message)
        try:
            security = await asyncio.to_thread(tls_context, settings) if settings.tls else False
            async with asyncio.timeout(settings.timeout_ms / 1000):
                await link._client.connect(
                    settings.host,
                    settings.port,
                    ssl=security,
                    keepalive=settings.keepalive_s,
                    version=MQTTv311,
                )
        except (OSError, TimeoutError, MQTTError) as error:
            await link.close()
            fault = told(error)
            raise Unavailable("mqtt.unreachable", line=line(settings), fault=fault) from error
        except BaseException:
            await link.close()
            raise
        if link.lost.is_set():
            await link.close()
            raise Unavailable("mqtt.lost", line=line(settings))
        return link

    async def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Subscribe; gives the topics the broker refused. Raises Unavailable ``mqtt.lost``."""
        refused: list[str] = []
        for start in range(0, len(topics), TOPICS_PER_REQUEST):
            some = topics[start : start + TOPICS_PER_REQUEST]
            granted = await self._request(some)
            refused += [t for t, code in zip(some, granted, strict=False) if code >= REFUSED]
        return refused

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """No more messages of these topics."""
        if topics and not self.lost.is_set():
            self._client.unsubscribe(list(topics))

    async def close(self) -> None:
        """Disconnect; never raises."""
        self.lost.set()
        self._end_acks()
        with contextlib.suppress(TimeoutError, OSError, AttributeError):
            async with asyncio.timeout(CLOSING_S):
                await self._client.disconnect()

    async def _request(self, topics: Sequence[str]) -> list[int]:
        if self.lost.is_set():
            raise Unavailable("mqtt.lost", line=line(self._settings))
        filters = [TopicFilter(topic, qos=self._settings.qos) for topic in topics]
        number = self._client.subscribe(filters)
        ack: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._acks[number] = ack
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                return await ack
        except TimeoutError as error:
            raise Unavailable("mqtt.lost", line=line(self._settings)) from error
        finally:
            self._acks.pop(number, None)

    def _received(
        self, _client: Any, topic: str, payload: bytes, _qos: int, _properties: Any
    ) -> None:
        self._on_message(topic, payload)

    def _subscribed(
        self, _client: Any, number: int, granted: Sequence[int], _properties: Any
    ) -> None:
        ack = self._acks.get(number)
        if ack and not ack.done():
            ack.set_result(list(granted))

    def _disconnected(self, _client: Any, _packet: Any, _exc: Any = None) -> None:
        self.lost.set()
        self._end_acks()

    def _end_acks(self) -> None:
        for ack in self._acks.values():
            if not ack.done():
                ack.set_exception(Unavailable("mqtt.lost", line=line(self._settings)))


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Verifying context; raises OSError (ssl.SSLError is one) for unreadable files."""
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.certificate:
        context.load_cert_chain(settings.certificate, settings.private_key or None)
    return context
