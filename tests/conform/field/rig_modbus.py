"""Modbus: the story tests' server on loopback."""

import importlib.util
import struct
from pathlib import Path
from types import MappingProxyType

from mingwu.kernel.plant import TagSpec, ValueType


def peers():
    path = Path(__file__).parents[2] / "story" / "field" / "conftest.py"
    spec = importlib.util.spec_from_file_location("story_field_peers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rig:
    driver = "modbus"
    loses_s = 3.0
    bad_addresses = ("", "holding:x", "holding:70000", "coil:1:float32", "register:1")
    dead_settings = MappingProxyType({"host": "127.0.0.1", "port": 1, "timeout_ms": 500})
    tags = (
        TagSpec(number=1, thing="x", name="a", address="holding:0:float32"),
        TagSpec(number=2, thing="x", name="b", address="input:3:int16", scale=0.1),
        TagSpec(number=3, thing="x", name="c", address="coil:4", type=ValueType.BOOL),
        TagSpec(number=4, thing="x", name="d", address="holding:9:string(4)", type=ValueType.TEXT),
    )

    def __init__(self):
        self._peer = peers().ModbusPeer("tcp")
        self._peer.banks[1].holding[0:4] = struct.pack(">f", 21.5)
        self._port = 0

    @property
    def settings(self):
        return {"port": self._port, "timeout_ms": 500}

    async def start(self, directory):
        await self._peer.start()
        self._port = self._peer.port

    async def stop(self):
        await self._peer.stop()

    async def vanish(self):
        self._peer.silent.add(1)

    async def come_back(self):
        self._peer.silent.clear()

    async def stir(self):
        pass
