"""A demonstration as its command starts it, made small and quick, for the tests of this folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from mingwu.cli.main import main
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import load
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust

_PASSWORD = "a long enough password 7"


class RunningDemo:
    """The command over a written configuration, and somebody's client of its API.

    ``quick``: what stands in the configuration and what takes its place.
    """

    def __init__(self, scenario: str, file: Path, quick: Mapping[str, str], role: Role) -> None:
        self.scenario, self.file = scenario, file
        text = file.read_text("utf-8")
        for usual, fast in quick.items():
            assert usual in text
            text = text.replace(usual, fast)
        file.write_text(text, "utf-8")
        self.config = load(file)
        self.config.data.mkdir(exist_ok=True)
        trust = Trust.open(self.config.trust)
        trust.accounts.create("eve", _PASSWORD, role)
        self.token = trust.sessions.create_token("eve", "test")
        trust.close()
        self.output = (file.parent.parent / "output.txt").open("wb")
        self.start()
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.config.console.port}/api",
            headers={"Authorization": f"Bearer {self.token}"}, timeout=20,
        )  # fmt: skip

    def start(self) -> None:
        """Let the command run."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mingwu", "demo", "--scenario", self.scenario, "--folder",
             str(self.file.parent)],
            stdout=self.output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    async def get(self, path: str) -> Any:
        """A reply below ``/api``."""
        reply = await self.client.get(path)
        reply.raise_for_status()
        return reply.json()

    def fault(self, *words: str) -> None:
        """``mingwu lab fault …``."""
        assert main(["lab", "fault", *words, "--config", str(self.file)]) == 0

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process of one role."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in children.read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if "run" in words and role in words:
                os.kill(int(pid), number)
                return
        raise AssertionError(role)

    async def end(self) -> None:
        """Let the command end by itself."""
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, 40)
        finally:
            self.process.kill()

    async def stop(self) -> None:
        """The end of everything."""
        await self.client.aclose()
        await self.end()
        self.output.close()


async def until(condition: Callable[[], Awaitable[Any]], what: str, deadline_s: float = 40) -> None:
    """Wait for a condition; errors of parts that are down count as not yet."""
    last: Exception | None = None
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    if await condition():
                        return
                except (httpx.HTTPError, KeyError, ValueError, MingwuError) as error:
                    last = error
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen (last error: {last!r})") from None
