"""A real node process (`mingwu run api`) beside the simulated top node, killed again and again."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from mingwu.identity.records import RecordStore
from mingwu.lab.topnode.run import TopNode, topnode_key
from mingwu.lab.topnode.settings import KnownNode, TopNodeSettings
from mingwu.node.config import load
from mingwu.node.platform import prepare
from mingwu.trust import secrets, sm2
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust

NODE = "88.101"
ENTERPRISE = "88.888.101"
_MAP_BYTES = 2**28
_TLS = ssl.create_default_context()  # made once: a client of its own per call would make it anew


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Node:
    """The process, its files and its doors. ``more`` are lines of the section [secondlevel]."""

    def __init__(self, folder: Path, seed: int, more: str) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.port = free_port()
        away = free_port()  # nobody listens there: bus and history play no part here
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "mingwu.toml"
        self.file.write_text(
            f"""
[node]
name = "kills"
data = "data"
roles = ["api"]
identity = ["enterprise", "secondlevel"]

[bus]
urls = ["nats://127.0.0.1:{away}"]

[history]
url = "http://127.0.0.1:{away}"

[resolver]
port = {away}
http_port = 0
prefixes = ["{ENTERPRISE}", "{NODE}"]
map_bytes = {_MAP_BYTES}

[api]
port = {self.port}

[secondlevel]
round_s = 0.05
retry_s = 0.05
upstream_poll_s = 0.2
escrow_hour = 0
{more}
"""
        )
        config = load(self.file)
        prepare(config)
        self.data = config.data
        trust = Trust.open(config.trust)
        trust.accounts.create("clerk", "a long enough password 7", Role.ADMIN)
        self.token = trust.sessions.create_token("clerk", "kills")
        trust.close()
        self.child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        self._launch()
        async with asyncio.timeout(120), self.client() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/api/secondlevel/prefixes")).status_code == 200:
                        return
                assert self.is_running, (self.folder / "output.txt").read_text()[-3000:]
                await asyncio.sleep(0.02)

    async def ended(self) -> subprocess.CompletedProcess[str]:
        """What it says when it cannot start."""
        return await asyncio.to_thread(
            subprocess.run, self._command, check=False, text=True, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "mingwu", "run", "api", "--config", str(self.file)]

    def _launch(self) -> None:
        with (self.folder / "output.txt").open("ab") as output:
            self.child = subprocess.Popen(
                self._command,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.child is not None and self.child.poll() is None

    def kill(self) -> None:
        """SIGKILL, at once."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGKILL)
            self.child.wait(20)
            self.child = None

    async def kill_within(self, most_s: float) -> None:
        """Let it live for a random time, then kill it."""
        await asyncio.sleep(self.random.uniform(0, most_s))
        self.kill()

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=20, verify=_TLS
        )

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """An answer, or None when the process died over it."""
        async with self.client() as client:
            try:
                return await client.request(method, path, json=body)
            except httpx.TransportError:
                return None

    def rows(self, query: str, *values: object, database: str = "secondlevel") -> list[Any]:
        """Rows of one of its databases."""
        with contextlib.closing(sqlite3.connect(self.data / f"{database}.db", timeout=20)) as link:
            found = link.execute(query, values).fetchall()
            link.commit()
            return found

    @contextmanager
    def records(self) -> Iterator[RecordStore]:
        """Its record store, opened beside it."""
        store = RecordStore(self.data / "identity", map_bytes=_MAP_BYTES, durable=False)
        try:
            yield store
        finally:
            store.close()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(60):
            while not condition():
                assert self.is_running, "the node died by itself"
                await asyncio.sleep(0.05)
        assert condition(), what

    def settled(self) -> bool:
        """Whether nothing waits in the outbox."""
        state = "SELECT count(*) FROM secondlevel_outbox WHERE state = 'waiting'"
        return bool(self.rows(state)[0][0] == 0)


class Land:
    """The top node of a test, and the node under it."""

    def __init__(self, top: TopNode, node: Node) -> None:
        self.top = top
        self.node = node

    def received(self, table: str) -> list[dict[str, Any]]:
        """Rows that the top node wrote down, in order."""
        path = Path(self.top.settings.directory) / "received.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        told = [msgspec.json.decode(line) for line in lines]
        numbers = [(one["node"], one["id"]) for one in told]
        assert len(numbers) == len(set(numbers)), "a message was taken twice"
        return [row for one in told if one["table"] == table for row in one["rows"]]


@pytest.fixture
async def land(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Land]:
    """Both, the node not started yet; ``land.seed`` by parametrising, lines of settings too."""
    seed, more = getattr(request, "param", (1, ""))
    keys = tmp_path / "node" / "data" / "secrets"
    topnode = topnode_key(tmp_path / "top")
    ports = {"root_port": 0, "top_port": 0, "recursive_port": 0, "emergency_port": 0}
    scalar = sm2.generate()
    known = KnownNode(prefix=NODE, public_key=sm2.public_point(scalar).hex())
    settings = TopNodeSettings(
        directory=str(tmp_path / "top"), epp_port=0, http_port=0, nodes=(known,),
        map_bytes=_MAP_BYTES, **ports,
    )  # fmt: skip
    async with TopNode(settings) as top:
        base = f"http://127.0.0.1:{top.receiver.port}"
        address = f"""upstream_url = "{base}"
upstream_epp = "{base}/epp"
upstream_public_key = "{sm2.public_point(topnode).hex()}"
{more}"""
        secrets_made = secrets.load_or_make(keys, "secondlevel-sm2.key", lambda: scalar)
        assert secrets_made == scalar
        node = Node(tmp_path / "node", seed, address)
        try:
            yield Land(top, node)
        finally:
            node.kill()
            await asyncio.sleep(0.1)  # the top node sees its connections end
