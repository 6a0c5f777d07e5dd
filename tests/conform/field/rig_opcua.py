"""OPC UA: a server in a process of its own, and a wire to it that can fall silent."""

import asyncio
import atexit
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import MappingProxyType

from mingwu.kernel.plant import TagSpec, ValueType

TESTS = Path(__file__).parents[2]


@cache
def server_port():
    """One server for the whole run: starting one takes seconds."""
    process = subprocess.Popen(
        [sys.executable, TESTS / "process" / "field" / "opcua_server.py", "0", "3"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip

    def end():
        process.kill()
        process.communicate()

    atexit.register(end)
    return int(process.stdout.readline())


@cache
def story():
    path = TESTS / "story" / "field" / "opcua" / "conftest.py"
    spec = importlib.util.spec_from_file_location("story_field_opcua", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rig:
    driver = "opcua"
    loses_s = 4.0
    bad_addresses = ("", "v1", "ns=2", "ns=2;i=x", "g=1", "ns=99999;s=v1")
    dead_settings = MappingProxyType({"endpoint": "opc.tcp://127.0.0.1:1", "timeout_ms": 500})
    tags = (
        TagSpec(number=1, thing="x", name="a", address="nsu=urn:test:cell;s=v0", period_ms=50),
        TagSpec(number=2, thing="x", name="b", address="ns=2;s=v1", scale=0.5, period_ms=50),
        TagSpec(
            number=3, thing="x", name="c", address="nsu=urn:test:cell;s=program",
            type=ValueType.TEXT,
        ),
        TagSpec(number=4, thing="x", name="d", address="i=2259", type=ValueType.INT),
    )  # fmt: skip

    @property
    def settings(self):
        return {
            "endpoint": f"opc.tcp://127.0.0.1:{self._wire.port}/cell",
            "timeout_ms": 1000,
            "keepalive_ms": 300,
        }

    async def start(self, directory):
        port = await asyncio.to_thread(server_port)
        self._wire = await story().Wire(port).__aenter__()

    async def stop(self):
        await self._wire.__aexit__()

    async def vanish(self):
        self._wire.hearing.clear()

    async def come_back(self):
        self._wire.hearing.set()

    async def stir(self):
        pass
