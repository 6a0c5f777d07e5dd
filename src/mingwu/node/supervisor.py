"""Starts the platform's processes, restarts the ones that die, stops them in reverse order.

Invariants: a child never outlives the supervisor (Linux: death signal); a child that dies is
started again after a back-off that grows from ``RESTART_FIRST_S`` to ``RESTART_MOST_S`` and
falls back after ``STEADY_S`` of health; a child that something hinders (its port is somebody
else's) is not started until the hindrance is gone; the output of every child goes, line by line,
to a rotating file of its own; a dependent child starts only when what it needs answers its probe.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from mingwu.bus.server import die_with_parent
from mingwu.kernel.errors import MingwuError

log = logging.getLogger(__name__)

RESTART_FIRST_S = 0.25
RESTART_MOST_S = 15.0
STEADY_S = 30.0
HINDERED_S = 0.5
# A child that died may leave its port to processes of its own, for a moment.
LINGER_S = 3.0
LOG_BYTES = 5_000_000
LINE_BYTES = 1 << 20

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process to keep alive. ``probe`` tells whether it serves; None means as soon as it runs."""

    name: str
    argv: Sequence[str]
    probe: Probe | None = None
    after: Sequence[str] = ()
    grace_s: float = 8.0
    # Why it cannot run now, or None: looked at before each start, in a thread.
    hindrance: Callable[[], MingwuError | None] | None = None
    # Whether what the probe found is this child (its process number given); None takes it so.
    owns: Callable[[int], bool] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class ChildStatus(msgspec.Struct, kw_only=True):
    """What the supervisor knows of a child.

    ``state`` is waiting, hindered (see ``hindrance``), starting, up, down or stopped.
    """

    name: str
    state: str = "waiting"
    pid: int = 0
    restarts: int = 0
    since_s: float = 0.0
    exit_code: int | None = None
    hindrance: MingwuError | None = None


class Supervisor:
    """Runs a set of children until asked to stop."""

    def __init__(self, children: Sequence[Child], log_dir: Path) -> None:
        self._children = list(children)
        self._log_dir = log_dir
        self._status = {child.name: ChildStatus(name=child.name) for child in children}
        self._up = {child.name: asyncio.Event() for child in children}
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def status(self) -> list[ChildStatus]:
        """A snapshot, in start order."""
        return list(self._status.values())

    async def wait_up(self, name: str) -> None:
        """Return once ``name`` has answered its probe."""
        await self._up[name].wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all children alive until ``stop`` is set; then stop them, last started first."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        tasks = {
            child.name: asyncio.create_task(self._keep(child), name=f"keep-{child.name}")
            for child in self._children
        }
        try:
            await stop.wait()
        finally:
            for child in reversed(self._children):
                tasks[child.name].cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await tasks[child.name]
                await self._terminate(child)

    async def _keep(self, child: Child) -> None:
        for name in child.after:
            await self._up[name].wait()
        delay = RESTART_FIRST_S
        while True:
            await self._until_unhindered(child)
            started = time.monotonic()
            code = await self._one_life(child)
            steady = time.monotonic() - started > STEADY_S
            delay = RESTART_FIRST_S if steady else min(delay * 2, RESTART_MOST_S)
            status = self._status[child.name]
            status.state, status.exit_code, status.pid = "down", code, 0
            status.restarts += 1
            self._up[child.name].clear()
            log.warning(
                "child=%s event=died exit=%s restart_in_s=%.2f log=%s",
                child.name, code, delay, self._log_path(child),
            )  # fmt: skip
            await asyncio.sleep(delay)

    async def _until_unhindered(self, child: Child) -> None:
        """Wait while something is in the way; what passes within ``LINGER_S`` is not told."""
        status = self._status[child.name]
        began = time.monotonic()
        while child.hindrance and (why := await asyncio.to_thread(child.hindrance)):
            if time.monotonic() - began >= (LINGER_S if status.restarts else 0.0):
                if status.hindrance is None:
                    log.warning("child=%s event=hindered code=%s %s", child.name, why.code, why)
                status.state, status.hindrance = "hindered", why
            await asyncio.sleep(HINDERED_S)
        status.hindrance = None

    async def _one_life(self, child: Child) -> int:
        process = await asyncio.create_subprocess_exec(
            *child.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            close_fds=True,
            start_new_session=True,  # Ctrl-C is for the supervisor: it stops children in order
            limit=LINE_BYTES,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 — two system calls, no lock
            env={**os.environ, **child.environment},
        )
        self._processes[child.name] = process
        status = self._status[child.name]
        status.state, status.pid, status.since_s = "starting", process.pid, time.time()
        pump = asyncio.create_task(self._pump(child, process))
        probing = asyncio.create_task(self._probe(child))
        try:
            code = await process.wait()
            # the last words of a crash are the ones wanted; grandchildren may hold the pipe open
            await asyncio.wait({pump}, timeout=1.0)
            return code
        finally:
            probing.cancel()
            pump.cancel()

    async def _probe(self, child: Child) -> None:
        while not await self._answers(child):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a probe asks another process; there is no event to wait for
        self._status[child.name].state = "up"
        self._up[child.name].set()

    async def _answers(self, child: Child) -> bool:
        """Whether a child serves, it and nobody in its place."""
        if child.probe is None:
            return True
        pid = self._status[child.name].pid
        return await child.probe() and (
            child.owns is None or await asyncio.to_thread(child.owns, pid)
        )

    async def _pump(self, child: Child, process: asyncio.subprocess.Process) -> None:
        handler = RotatingFileHandler(
            self._log_path(child), maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8"
        )
        try:
            assert process.stdout is not None  # noqa: S101 — asked for as a pipe above
            async for line in process.stdout:
                text = line.decode("utf-8", "replace").rstrip()
                handler.emit(logging.makeLogRecord({"msg": text, "name": child.name}))
        finally:
            handler.close()

    def _log_path(self, child: Child) -> Path:
        return self._log_dir / f"{child.name}.log"

    async def _terminate(self, child: Child) -> None:
        process = self._processes.get(child.name)
        if process is None or process.returncode is not None:
            self._status[child.name].state = "stopped"
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(_drain(process), child.grace_s)
            except TimeoutError:
                log.warning("child=%s event=killed reason=did-not-stop", child.name)
                process.kill()
                await process.wait()
        self._status[child.name].state = "stopped"


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read on until the end: a child that blocks on a full pipe would never exit."""
    if process.stdout is not None:
        while await process.stdout.read(65536):
            pass
    await process.wait()
