"""The MQTT bearer: frames on ``carriers/up/<serial>``, replies on ``carriers/down/<serial>``.

Both ends are clients of a broker (the bus' MQTT listener, or any other). Quality of service is 0
on purpose: a broker that repeated a frame would look like a replay, and the agent asks again by
itself. A reply is taken when it names the digest of what was sent; anything else on the topic is
passed over, so nobody who may publish there can end a conversation.
"""

import asyncio
import contextlib
import logging
import ssl
import uuid
from collections.abc import Callable
from typing import Any

from gmqtt import Client
from gmqtt import Subscription as TopicFilter
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTError

from mingwu.identity.carriers.frames import digest_of, read
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.settings import MqttBearerSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # told here, once

UP, DOWN = "carriers/up/", "carriers/down/"
_NO_RETRY = -2  # gmqtt: -1 is for ever, 0 is once
_CLOSING_S = 2.0
_KEEPALIVE_S = 30

OnMessage = Callable[[str, bytes], None]


class _Line:
    """One connection to the broker with one subscription; dead for good once lost or closed."""

    def __init__(self, settings: MqttBearerSettings, on_message: OnMessage) -> None:
        self._settings, self._on_message = settings, on_message
        self.lost = asyncio.Event()
        self._granted = asyncio.Event()
        self._client: Any = Client(
            f"mwc-{uuid.uuid4().hex[:16]}", logger=logging.getLogger("gmqtt")
        )
        self._client.set_config({"reconnect_retries": _NO_RETRY, "reconnect_delay": 0})
        if settings.user:
            self._client.set_auth_credentials(settings.user, settings.password)
        self._client.on_message = self._received
        self._client.on_subscribe = lambda *_: self._granted.set()
        self._client.on_disconnect = lambda *_: self.lost.set()

    @classmethod
    async def connect(
        cls, settings: MqttBearerSettings, topic: str, on_message: OnMessage
    ) -> "_Line":
        """Connect and subscribe; raises Unavailable ``carriers.unreachable``."""
        line = cls(settings, on_message)
        try:
            security: ssl.SSLContext | bool = False
            if settings.tls:
                security = await asyncio.to_thread(
                    ssl.create_default_context, cafile=settings.tls_ca or None
                )
            async with asyncio.timeout(settings.timeout_s):
                await line._client.connect(  # noqa: SLF001 — our own, in our constructor
                    settings.host,
                    settings.port,
                    ssl=security,
                    keepalive=_KEEPALIVE_S,
                    version=MQTTv311,
                )
                line._client.subscribe(TopicFilter(topic, qos=0))  # noqa: SLF001 — as above
                await line._granted.wait()  # noqa: SLF001 — as above
        except (OSError, TimeoutError, MQTTError) as error:
            await line.close()
            raise unreachable(settings, told(error)) from error
        except BaseException:
            await line.close()
            raise
        return line

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=0)

    async def close(self) -> None:
        """Disconnect; never raises."""
        self.lost.set()
        with contextlib.suppress(TimeoutError, OSError, AttributeError):
            async with asyncio.timeout(_CLOSING_S):
                await self._client.disconnect()

    def _received(self, _client: Any, topic: str, payload: bytes, _qos: int, _more: Any) -> None:
        self._on_message(topic, payload)


def unreachable(settings: MqttBearerSettings, fault: str) -> Unavailable:
    """The error for a broker or platform that does not answer."""
    address = f"mqtt://{settings.host}:{settings.port}"
    return Unavailable("carriers.unreachable", address=address, fault=fault)


class MqttBearer:
    """The carrier's side; one request at a time, connects when it has to."""

    def __init__(self, settings: MqttBearerSettings, serial: str) -> None:
        self._settings, self._serial = settings, serial
        self._line: _Line | None = None
        self._sent = b""
        self._reply: asyncio.Future[bytes] | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            await self._line.close()
            self._line = None

    async def exchange(self, frame: bytes) -> bytes:
        """See :class:`mingwu.identity.carriers.bearers.Bearer`."""
        if self._line is None or self._line.lost.is_set():
            await self.close()
            self._line = await _Line.connect(self._settings, DOWN + self._serial, self._received)
        self._sent = digest_of(frame)
        self._reply = asyncio.get_running_loop().create_future()
        self._line.publish(UP + self._serial, frame)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._reply
        except TimeoutError as error:
            await self.close()
            raise unreachable(self._settings, "no answer in time") from error
        finally:
            self._reply = None

    def _received(self, _topic: str, payload: bytes) -> None:
        if self._reply is None or self._reply.done():
            return
        try:
            body = read(payload).body
        except MingwuError:
            return  # somebody else's noise on the topic: the reply may still come
        if getattr(body, "request", b"") == self._sent:
            self._reply.set_result(payload)


async def serve_mqtt(
    platform: CarrierPlatform,
    settings: MqttBearerSettings,
    stop: asyncio.Event,
    started: asyncio.Event | None = None,
) -> None:
    """The platform's side: answer carriers until ``stop``; a lost broker is told once."""
    told = False
    while not stop.is_set():
        try:
            door = await _Door.open(platform, settings)
        except Unavailable as error:
            if not told:
                log.warning("carriers' broker lost fault=%s", error.params.get("fault"))
            told = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.retry_s):
                    await stop.wait()
            continue
        if told:
            log.info("carriers' broker back host=%s port=%d", settings.host, settings.port)
            told = False
        if started is not None:
            started.set()
        await door.run(stop)


class _Door:
    """Frames from the broker, worked off by a few tasks."""

    def __init__(self, platform: CarrierPlatform, settings: MqttBearerSettings) -> None:
        self._platform, self._settings = platform, settings
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(settings.waiting)
        self._line: _Line | None = None
        self.dropped = 0

    @classmethod
    async def open(cls, platform: CarrierPlatform, settings: MqttBearerSettings) -> "_Door":
        door = cls(platform, settings)
        door._line = await _Line.connect(settings, UP + "+", door._received)  # noqa: SLF001 — ours
        return door

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until ``stop`` or until the broker is lost."""
        line = self._line
        if line is None:
            return
        workers = [asyncio.create_task(self._answer(line)) for _ in range(self._settings.workers)]
        ends = [asyncio.create_task(event.wait()) for event in (stop, line.lost)]
        try:
            await asyncio.wait([*ends, *workers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for worker in workers:
                if worker.done() and (fault := worker.exception()) is not None:
                    log.error("answering carriers failed; connecting anew", exc_info=fault)
            for task in (*ends, *workers):
                task.cancel()
            await asyncio.gather(*ends, *workers, return_exceptions=True)
            await line.close()

    async def _answer(self, line: _Line) -> None:
        while True:
            serial, frame = await self._waiting.get()
            reply = await asyncio.to_thread(self._platform.access.handle, frame, f"mqtt:{serial}")
            line.publish(DOWN + serial, reply)

    def _received(self, topic: str, payload: bytes) -> None:
        try:
            self._waiting.put_nowait((topic.removeprefix(UP), bytes(payload)))
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped == 1:
                log.warning("carriers send faster than they are answered; frames are dropped")
