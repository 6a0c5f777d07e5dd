"""The simulated plant as a role: ``run_lab`` starts all replicas and their control.

With one process the replicas live here; with more, each process is a child
(``python -m mingwu.lab.worker``) that takes its settings from standard input and ends when that
closes, so no child outlives its parent. The parent's control answers for all.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, MingwuError, NotFound, Unavailable
from mingwu.lab.control import Control, Request, forward
from mingwu.lab.faults import Faults
from mingwu.lab.layout import layouts
from mingwu.lab.plant.connections import Sockets
from mingwu.lab.plant.s1 import device_tags, plant_file
from mingwu.lab.settings import LabSettings
from mingwu.lab.site import Site
from mingwu.registry.model import PlantFile
from mingwu.registry.plantfile import dump

log = logging.getLogger(__name__)

STATUS_S = 1.0
WORKER_START_S = 60.0


def control_address(settings: LabSettings) -> str:
    """Where the fault control of a plant with these settings listens."""
    return f"{settings.host}:{settings.control_port}"


def write_plant_file(settings: LabSettings, path: Path) -> None:
    """Write the plant file that matches ``settings``, for import into a registry."""
    _write(path, plant_file(settings))


def _write(path: Path, file: PlantFile) -> None:
    """Readable by its owner only: device settings may hold the broker's password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(dump(file), encoding="utf-8")


async def run_lab(
    settings: LabSettings, stop: asyncio.Event, started: asyncio.Event | None = None
) -> None:
    """Run the plant until ``stop``; ``started`` is set when every socket answers.

    Writes ``plant.toml`` (with the ports really used) and ``lab.json`` (status, once a second)
    into the directory. Raises Unavailable with ``lab.port-taken`` or ``lab.no-terminal``.
    """
    await asyncio.to_thread(Path(settings.directory).mkdir, parents=True, exist_ok=True)
    if settings.processes == 1:
        await _run_here(settings, range(settings.scale), stop, started, settings.control_port)
    else:
        await _run_workers(settings, stop, started)


async def run_replicas(
    settings: LabSettings, replicas: Sequence[int], stop: asyncio.Event, control_port: int
) -> None:
    """A worker's share of the plant."""
    await _run_here(settings, replicas, stop, None, control_port)


async def _run_here(
    settings: LabSettings,
    replicas: Sequence[int],
    stop: asyncio.Event,
    started: asyncio.Event | None,
    control_port: int,
) -> None:
    begun_s = time.time()
    tags = device_tags(plant_file(settings))
    sites = [
        Site(layout, tags, begun_s) for layout in layouts(settings) if layout.replica in replicas
    ]
    local = _Local(sites)
    control = Control(local.answer)
    async with AsyncExitStack() as stack:
        sockets: list[Sockets] = []
        for site in sites:
            stack.push_async_callback(site.stop)
            sockets.append(await site.start())
        stack.push_async_callback(control.stop)
        await control.start(settings.host, control_port)
        local.control_port = control.port
        if len(sites) == settings.scale:
            _write(Path(settings.directory) / "plant.toml", plant_file(settings, sockets))
        log.info("plant runs replicas=%d start_s=%.1f", len(sites), time.time() - begun_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell_status(settings, local, stop))
            for site in sites:
                group.create_task(site.run(stop))
            if started is not None:
                started.set()


class _Local:
    """Answers the control for the sites of this process."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self.sites, self.faults, self.control_port = sites, Faults(sites), 0

    async def answer(self, request: Request) -> object:
        match request.action:
            case "start":
                return self.faults.start(request.name, request.target, request.parameters)
            case "stop":
                return self.faults.stop(request.name, request.target)
            case "list":
                return {"active": self.faults.listing(), "known": self.faults.known()}
            case "status":
                return self.status()
            case action:
                raise InvalidInput(
                    "lab.bad-request",
                    fault=Phrase(f"no action “{action}”", f"没有“{action}”这一操作"),
                )

    def status(self) -> dict[str, Any]:
        """Counters of this process."""
        cells = [cell for site in self.sites for cell in site.world.cells.values()]
        return {
            "replicas": [site.layout.replica for site in self.sites],
            "control_port": self.control_port,
            "steps": sum(site.world.steps for site in self.sites),
            "castings": sum(cell.good + cell.scrap for cell in cells),
            "faults": self.faults.listing(),
            "publishers": sum(len(site.publishers) for site in self.sites),
            "publishers_connected": sum(
                publisher.connected for site in self.sites for publisher in site.publishers.values()
            ),
            "time_s": time.time(),
        }


async def _tell_status(settings: LabSettings, local: _Local, stop: asyncio.Event) -> None:
    """Keep ``lab.json`` (or a worker's own file) up to date."""
    first = local.sites[0].layout.replica
    whole = len(local.sites) == settings.scale
    path = Path(settings.directory) / ("lab.json" if whole else f"lab-{first + 1:02d}.json")
    while not stop.is_set():
        document = msgspec.json.encode(local.status())
        await asyncio.to_thread(_replace, path, document)
        with suppress(TimeoutError):
            async with asyncio.timeout(STATUS_S):
                await stop.wait()


def _replace(path: Path, document: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(document)
    fresh.replace(path)


class _Worker:
    """A child process with a share of the replicas."""

    def __init__(self, settings: LabSettings, index: int, control: str) -> None:
        self.settings, self.index, self.control = settings, index, control
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        replicas = list(range(self.index, self.settings.scale, self.settings.processes))
        order = {
            "settings": self.settings,
            "replicas": replicas,
            "control_port": int(self.control.rpartition(":")[2]),
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mingwu.lab.worker", stdin=asyncio.subprocess.PIPE
        )
        assert self.process.stdin is not None  # noqa: S101 — asked for above
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        await self.process.stdin.drain()

    async def ready(self) -> None:
        """Wait until its control answers; raises Unavailable ``lab.not-running``."""
        deadline = time.monotonic() + WORKER_START_S
        while True:
            try:
                await forward(self.control, Request(action="status"))
            except Unavailable:
                ended = self.process is None or self.process.returncode is not None
                if ended or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def stop(self) -> None:
        """Close its standard input and wait for its end."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def _run_workers(
    settings: LabSettings, stop: asyncio.Event, started: asyncio.Event | None
) -> None:
    """Start the children, answer for them, end with the first that ends."""
    workers = [
        _Worker(settings, index, f"{settings.host}:{settings.control_port - 1 - index}")
        for index in range(settings.processes)
    ]
    control = Control(lambda request: _ask_all(workers, request))
    async with AsyncExitStack() as stack:
        for worker in workers:
            stack.push_async_callback(worker.stop)
            await worker.start()
        for worker in workers:
            await worker.ready()
        stack.push_async_callback(control.stop)
        await control.start(settings.host, settings.control_port)
        write_plant_file(settings, Path(settings.directory) / "plant.toml")
        if started is not None:
            started.set()
        ends = [asyncio.create_task(w.process.wait()) for w in workers if w.process is not None]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([*ends, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in (*ends, stopped):
            task.cancel()
    if not stop.is_set():
        raise Unavailable(
            "lab.not-running",
            control=control_address(settings),
            fault=Phrase("a worker process ended", "一个工作进程已退出"),
        )


async def _ask_all(workers: Sequence[_Worker], request: Request) -> object:
    """Starting and stopping go to the worker that knows the target; the rest is put together."""
    if request.action in ("start", "stop"):
        failure: MingwuError | None = None
        for worker in workers:
            try:
                return await forward(worker.control, request)
            except NotFound as error:
                failure = error
        raise failure or NotFound("lab.unknown-target", name=request.name, target=request.target)
    answers = [await forward(worker.control, request) for worker in workers]
    if request.action == "list":
        return _joined(answers)
    return {"workers": answers}


def _joined(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The listings of all workers as one."""
    known = answers[0]["known"]
    for answer in answers[1:]:
        for fault, more in zip(known, answer["known"], strict=True):
            fault["targets"] += more["targets"]
    return {"active": [one for answer in answers for one in answer["active"]], "known": known}
