"""MQTT: the platform's own broker, and a device that publishes to it."""

import asyncio
import socket
from types import MappingProxyType

import orjson
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311

from mingwu.bus.server import NatsServer
from mingwu.bus.settings import ServerSettings
from mingwu.kernel.plant import TagSpec, ValueType

PASSWORD = "conform"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rig:
    driver = "mqtt"
    loses_s = 8.0
    bad_addresses = ("", "#x", "a/+/b#x", "topic#")
    dead_settings = MappingProxyType({"host": "127.0.0.1", "port": 1, "timeout_ms": 500})
    tags = (
        TagSpec(number=1, thing="x", name="rate", address="line1/leak#result.rate"),
        TagSpec(number=2, thing="x", name="ok", address="line1/leak#ok", type=ValueType.BOOL),
        TagSpec(number=3, thing="x", name="state", address="agv.1/state", type=ValueType.TEXT),
    )

    def __init__(self):
        self._port = 0
        self._device = None
        self._count = 0

    @property
    def settings(self):
        return {
            "port": self._port, "user": "mingwu", "password": PASSWORD, "timeout_ms": 3000,
            "keepalive_s": 1,
        }  # fmt: skip

    async def start(self, directory):
        self._port = free_port()
        self._server = NatsServer(
            ServerSettings(
                directory=str(directory), port=0, mqtt_port=self._port, password=PASSWORD
            )
        )
        await asyncio.to_thread(self._server.start)
        await self._connect()

    async def _connect(self):
        self._device = Client("device")
        self._device.set_config({"reconnect_retries": -2})
        self._device.set_auth_credentials("mingwu", PASSWORD)
        async with asyncio.timeout(60):
            await self._device.connect("127.0.0.1", self._port, version=MQTTv311)

    async def stop(self):
        if self._device is not None:
            await self._device.disconnect()
        await asyncio.to_thread(self._server.stop)

    async def vanish(self):
        device, self._device = self._device, None
        await device.disconnect()
        await asyncio.to_thread(self._server.kill)

    async def come_back(self):
        await asyncio.to_thread(self._server.start)
        await self._connect()

    async def stir(self):
        self._count += 1
        leak = {"result": {"rate": self._count / 10}, "ok": True}
        self._device.publish("line1/leak", orjson.dumps(leak), qos=0)
        self._device.publish("agv.1/state", b"driving", qos=0)
