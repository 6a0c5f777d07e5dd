"""MQTT publishers: every device of the assembly line and every vehicle is a client of its own.

Payloads are nested JSON made from the tags' paths, with the device's own clock in ``timestamp``
(ISO 8601, UTC). A lost broker is told once and tried again every two seconds; nothing is queued,
because these devices show their state and the next message says it anew.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTError

from mingwu.lab.gate import Gate
from mingwu.lab.physics.laws import Readings
from mingwu.lab.settings import Broker
from mingwu.registry.expand import ResolvedTag

log = logging.getLogger(__name__)
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # told by BrokerLine, once

RETRY_S = 2.0
CONNECT_S = 5.0
KEEPALIVE_S = 20
_NO_RETRY = -2  # gmqtt: -1 is for ever, 0 is once


class Payloads:
    """The JSON documents of one device: topic -> nested object, filled from readings."""

    def __init__(self, tags: Sequence[ResolvedTag]) -> None:
        self._topics: dict[str, list[tuple[str, list[str]]]] = {}
        for tag in tags:
            topic, _, path = tag.address.partition("#")
            self._topics.setdefault(topic, []).append((tag.property, path.split(".")))

    def encode(self, readings: Readings, time_s: float) -> list[tuple[str, bytes]]:
        """(topic, payload) of every topic."""
        stamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
        made = []
        for topic, fields in self._topics.items():
            document: dict[str, Any] = {"timestamp": stamp.replace("+00:00", "Z")}
            for name, path in fields:
                place = document
                for step in path[:-1]:
                    place = place.setdefault(step, {})
                value = readings[name]
                place[path[-1]] = round(value, 4) if isinstance(value, float) else value
            made.append((topic, orjson.dumps(document)))
        return made


class BrokerLine:
    """What the publishers of a plant share: the broker, and having told of its loss."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._told = False

    def lost(self, fault: object) -> None:
        """Tell it once for all devices."""
        if not self._told:
            broker = self.broker
            log.warning("mqtt broker lost broker=%s:%d fault=%s", broker.host, broker.port, fault)
            self._told = True

    def back(self) -> None:
        """Tell it once when it was told lost."""
        if self._told:
            log.info("mqtt broker back broker=%s:%d", self.broker.host, self.broker.port)
            self._told = False


class Publisher:
    """One device's connection to the broker."""

    def __init__(
        self, device: str, tags: Sequence[ResolvedTag], gate: Gate, line: BrokerLine
    ) -> None:
        self.device, self.gate = device, gate
        self._payloads, self._line = Payloads(tags), line
        self._client: Any = None
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker would take a message now."""
        return self._client is not None and not self._lost.is_set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                if not self.gate.dead:
                    await self._session()
                await asyncio.sleep(RETRY_S)
        finally:
            await self._close()

    async def _session(self) -> None:
        self._lost.clear()
        client: Any = Client(f"jiangzhou-{self.device}", logger=logging.getLogger("gmqtt"))
        client.set_config({"reconnect_retries": _NO_RETRY, "reconnect_delay": 0})
        broker = self._line.broker
        if broker.user:
            client.set_auth_credentials(broker.user, broker.password)
        client.on_disconnect = self._disconnected
        try:
            async with asyncio.timeout(CONNECT_S):
                await client.connect(
                    broker.host, broker.port, keepalive=KEEPALIVE_S, version=MQTTv311
                )
        except (OSError, TimeoutError, MQTTError) as error:
            self._line.lost(error)
            return
        self._line.back()
        self._client = client
        await self._lost.wait()
        if not self.gate.dead:
            self._line.lost("connection lost")
        await self._close()

    def _disconnected(self, _client: Any, _packet: Any, _exc: Any = None) -> None:
        self._lost.set()

    def put(self, readings: Readings, time_s: float) -> None:
        """Publish the state, unless the device is dead or the broker is away."""
        if not self.connected or self.gate.dead:
            return
        shown = self.gate.shown(readings)
        for topic, payload in self._payloads.encode(shown, time_s + self.gate.skew_s):
            # Garbage is a message cut off in the middle, as from a rebooting device.
            body = payload[: len(payload) // 2] if self.gate.garbage else payload
            if self.gate.delay_s > 0:
                asyncio.get_running_loop().call_later(self.gate.delay_s, self._publish, topic, body)
            else:
                self._publish(topic, body)

    def _publish(self, topic: str, payload: bytes) -> None:
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    def drop_connections(self) -> None:
        """The device has lost its power."""
        self._lost.set()

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            # RuntimeError: uvloop's word for writing to a transport that is closed
            with suppress(TimeoutError, OSError, AttributeError, RuntimeError):
                async with asyncio.timeout(1.0):
                    await client.disconnect()
