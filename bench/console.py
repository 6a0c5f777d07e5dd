"""The console under 30 live sessions, and what a page costs to build.

The console process is the real one (pages, API, hub, socket) over an in-memory plant whose values
are the time they were made at, so each frame tells its own latency. A session is what a browser
holds: one WebSocket with 200 tags at 1 Hz and a chart tag at 10 points/s. The rival in the same
run is the usual way to do it: each session's own loop that reads its 201 values ten times a second
and encodes those that changed for itself.

Budgets (docs: numbers of the first slice): <= 10 % of a core at 30 sessions, value to client
p99 < 150 ms, page build <= 30 ms of CPU and <= 60 kB.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

from mingwu.bus.lastvalue import LastValues

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "story" / "api"))

TICKS = os.sysconf("SC_CLK_TCK")
TABLE_TAGS = 200
CHART_TAG = 4  # a 100 ms tag of the first cell
PAGES = ("/", "/tags", "/gateways", "/history", "/things/88.888.101/DEV.DCM2500.01")


def machine() -> str:
    """Cores, model and load, for the table's head."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, load {load}"


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory, MiB."""
    return (
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    )


# ---------------------------------------------------------------- the served side
async def serve() -> None:
    """The console process: prints its port, then feeds values until it is ended."""
    from fakeplant import make_fake_services

    from mingwu.api.serve import run_hub
    from mingwu.api.serve import serve as listen
    from mingwu.console.serve import create_console
    from mingwu.console.settings import ConsoleSettings

    settings = ConsoleSettings(port=0)
    services = make_fake_services(settings, 1500)
    stop = asyncio.Event()
    app = create_console(settings, services)
    app.router.routes.insert(
        0, WebSocketRoute("/rival", lambda socket: rival(socket, services.live))
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed(services.live, stop))
        tasks.create_task(run_hub(services, stop))
        ready = lambda port: print(port, flush=True)  # noqa: E731
        await listen(app, settings, stop, ready=ready)


async def feed(live: LastValues, stop: asyncio.Event) -> None:
    """Ten batches a second: the chart tag in each, a tenth of the table's tags in each."""
    from mingwu.kernel.batch import Batch, Columns

    table = np.arange(100, 100 + TABLE_TAGS, dtype=np.uint32)
    due, seq = time.monotonic(), 0
    while not stop.is_set():
        seq += 1
        tags = np.append(table[seq % 10 :: 10], np.uint32(CHART_TAG))
        now = time.time_ns()
        columns = Columns(
            tags,
            np.full(len(tags), now, np.int64),
            np.full(len(tags), now / 1e9),
            np.full(len(tags), 0xE0, np.uint8),
        )
        live.apply(Batch("bench/bench", 1, seq, now, columns))
        due += 0.1
        await asyncio.sleep(max(0, due - time.monotonic()))


async def rival(socket: WebSocket, live: LastValues) -> None:
    """A session that polls and encodes for itself."""
    await socket.accept()
    numbers = [CHART_TAG, *range(100, 100 + TABLE_TAGS)]
    seen = dict.fromkeys(numbers, 0)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            changed = []
            for number in numbers:
                last = live.get(number)
                if last is not None and last[1] != seen[number]:
                    seen[number] = last[1]
                    changed.append(
                        {"n": number, "v": last[0], "ms": last[1] // 1_000_000, "q": last[2]}
                    )
            if changed:
                await socket.send_text(orjson.dumps(changed).decode())
            await asyncio.sleep(0.1)


# ---------------------------------------------------------------- the sessions
class Session:
    """A browser's live half."""

    def __init__(self) -> None:
        self.latencies_ms: list[float] = []
        self.frames = 0
        self.bytes = 0

    async def run(self, url: str, headers: dict[str, str], stop: asyncio.Event) -> None:
        async with connect(url, additional_headers=headers, compression=None) as socket:
            if not url.endswith("/rival"):
                table = list(range(100, 100 + TABLE_TAGS))
                await socket.send(orjson.dumps({"subscribe": table, "id": 1}).decode())
                await socket.send(orjson.dumps({"subscribe": [CHART_TAG], "id": 2}).decode())
                await socket.send(orjson.dumps({"subscribe": "status", "id": 3}).decode())
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    self._take(await asyncio.wait_for(socket.recv(), 0.5))

    def _take(self, raw: str | bytes) -> None:
        now = time.time()
        self.frames += 1
        self.bytes += len(raw)
        frame = orjson.loads(raw)
        if isinstance(frame, list):
            self.latencies_ms += [1000 * (now - one["v"]) for one in frame]
        elif frame["k"] == "d":
            self.latencies_ms += [1000 * (now - value) for value in frame["v"]]


async def load(url: str, headers: dict[str, str], pid: int, sessions: int, seconds: float) -> dict:
    """Hold the sessions for a while; CPU of the console, latencies, frames."""
    stop = asyncio.Event()
    all_sessions = [Session() for _ in range(sessions)]
    async with asyncio.TaskGroup() as tasks:
        for one in all_sessions:
            tasks.create_task(one.run(url, headers, stop))
        await asyncio.sleep(2)
        for one in all_sessions:
            one.latencies_ms.clear()
            one.frames = one.bytes = 0
        before, began = cpu_s(pid), time.monotonic()
        await asyncio.sleep(seconds)
        used, elapsed = cpu_s(pid) - before, time.monotonic() - began
        stop.set()
    latencies = np.concatenate([one.latencies_ms for one in all_sessions] or [np.zeros(1)])
    return {
        "cpu": 100 * used / elapsed,
        "p50": float(np.percentile(latencies, 50)) if len(latencies) else 0.0,
        "p99": float(np.percentile(latencies, 99)) if len(latencies) else 0.0,
        "frames": sum(one.frames for one in all_sessions) / elapsed,
        "kB": sum(one.bytes for one in all_sessions) / elapsed / 1000 / max(1, sessions),
    }


def pages(base: str, cookie: dict[str, str], pid: int, count: int) -> None:
    """Cost of building each page: CPU of the console process and bytes."""
    print(f"\n{'page':<42}{'CPU ms':>8}{'kB':>8}   budget 30 ms, 60 kB")
    with httpx.Client(base_url=base, headers=cookie) as client:
        for path in PAGES:
            client.get(path)
            before = cpu_s(pid)
            for _ in range(count):
                reply = client.get(path)
            used = 1000 * (cpu_s(pid) - before) / count
            print(f"{path:<42}{used:>8.1f}{len(reply.content) / 1000:>8.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--sessions", type=int, nargs="*", default=[0, 10, 30, 100])
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    command = [sys.executable, __file__, "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        base = f"127.0.0.1:{int(process.stdout.readline())}"
        body = {"account": "admin", "password": "admin-password"}
        token = httpx.post(f"http://{base}/api/session", json=body).json()["token"]
        cookie = {"Cookie": f"mw_session={token}"}
        print(machine())
        print(
            f"\n{TABLE_TAGS} tags at 1 Hz and a chart at 10 points/s per session; CPU of one core"
        )
        print(
            f"{'sessions':<22}{'CPU %':>8}{'net %':>8}{'p50 ms':>9}{'p99 ms':>9}"
            f"{'frames/s':>10}{'kB/s each':>11}"
        )
        idle, hub = 0.0, {}
        for sessions in options.sessions:
            found = asyncio.run(
                load(f"ws://{base}/api/live", cookie, process.pid, sessions, options.seconds)
            )
            idle = found["cpu"] if sessions == 0 else idle
            hub[sessions] = found
            show(f"hub {sessions}", found, idle)
        found = asyncio.run(load(f"ws://{base}/rival", cookie, process.pid, 30, options.seconds))
        show("rival 30", found, idle)
        if 30 in hub:
            ratio = (found["cpu"] - idle) / max(0.1, hub[30]["cpu"] - idle)
            print(f"rival / hub at 30 sessions, CPU beyond idle: {ratio:.1f}")
        pages(f"http://{base}", cookie, process.pid, 40)
        print(f"\nRSS of the console process {rss_mib(process.pid):.0f} MiB; {machine()}")
    finally:
        process.terminate()
        process.wait(10)
    return 0


def show(name: str, found: dict, idle: float) -> None:
    """One line of the table."""
    print(
        f"{name:<22}{found['cpu']:>8.1f}{found['cpu'] - idle:>8.1f}{found['p50']:>9.0f}"
        f"{found['p99']:>9.0f}{found['frames']:>10.0f}{found['kB']:>11.1f}",
        flush=True,
    )


if __name__ == "__main__":
    raise SystemExit(main())
