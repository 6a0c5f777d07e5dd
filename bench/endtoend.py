"""From device register to stored point and to WebSocket message, through the whole platform.

The platform is the real one, started by `mingwu up`; the devices are the pre-encoded Modbus
servers of bench/gateway.py in a process of their own. Targets: 50,000 points/s queryable in the
history, sustained for 60 s; device to WebSocket p99 < 1 s at 10,000 points/s. There is no rival
that does this whole way; the figure to compare with is thingsboard-gateway's measured ceiling of
1,000-1,500 points/s for the first third of it (facts: docs/benchmarks.md).

    ./dev bench endtoend [--seconds 60] [--demo]     # --demo: seconds from nothing to a page
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import orjson
from gateway import machine
from websockets.asyncio.client import connect

from mingwu.history.client import History
from mingwu.kernel.errors import MingwuError
from mingwu.node.config import load

HERE = Path(__file__).parent
TAGS = 1000


def plant(ports: list[int], period_ms: int) -> str:
    lines = ['name = "bench"', 'prefix = "88.888.101"', "[[gateway]]", 'name = "gw1"']
    lines += ["[[type]]", 'name = "DEVICE"', 'kind = "machine"', "property = ["]
    lines.append(
        '  { name = "r{i}", type = "int", low = 0, high = 65535, address = "holding:{i}",'
        f" period_ms = {period_ms}, repeat = {{ first = 0, last = {TAGS - 1} }} }},"
    )
    lines.append("]")
    for at, port in enumerate(ports):
        lines += ["[[thing]]", f'id = "BENCH.{at}"', 'type = "DEVICE"', "simulated = true"]
        lines.append(
            f'connection = {{ gateway = "gw1", device = "d{at}", driver = "modbus",'
            f' settings = {{ host = "127.0.0.1", port = {port} }} }}'
        )
    return "\n".join(lines) + "\n"


def configuration() -> str:
    return """[node]
plant = "plant.toml"
roles = ["bus", "historian", "writer", "gateway", "console"]
[bus_server]
port = 24222
[historian]
port = 28123
[console]
port = 28080
"""


class Run:
    """A platform with its devices, in a folder that goes when it ends."""

    def __init__(self, devices: int, period_ms: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mingwu-bench-"))
        argv = [sys.executable, str(HERE / "gateway.py"), "serve", str(devices), "1.0"]
        self.devices = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE
        )
        assert self.devices.stdout
        ports = json.loads(self.devices.stdout.readline())
        (self.folder / "plant.toml").write_text(plant(ports, period_ms))
        self.file = self.folder / "mingwu.toml"
        self.file.write_text(configuration())
        self.config = load(self.file)
        self.output = self.folder / "output.txt"
        self.platform = subprocess.Popen(
            [sys.executable, "-m", "mingwu", "up", str(self.file)],
            stdout=self.output.open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "LANG": "C"},
        )

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds by process so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        pid = self.platform.pid
        found = {}
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            name = words[words.index("run") + 1] if "run" in words else "bus"
            stat = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(stat[11]) + int(stat[12])) / ticks
        return found

    def password(self) -> str:
        for _ in range(120):
            if found := re.search(r"admin / (\S+)", self.output.read_text()):
                return found[1]
            time.sleep(0.5)
        raise SystemExit(self.output.read_text())

    def end(self) -> None:
        self.platform.send_signal(signal.SIGTERM)
        try:
            self.platform.wait(30)
        finally:
            self.platform.kill()
            assert self.devices.stdin
            self.devices.stdin.close()
            self.devices.wait(10)
            shutil.rmtree(self.folder, ignore_errors=True)


async def ready(run: Run) -> History:
    """The history, once points arrive."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(MingwuError):  # not there yet
            history = await History.open(run.config.history)
            try:
                if int((await history.select("SELECT count() AS n FROM points"))["n"][0]) > 0:
                    return history
            except MingwuError:
                await history.close()
        await asyncio.sleep(0.5)
    raise SystemExit(run.output.read_text())


async def stored(seconds: float) -> None:
    """50,000 points/s: rate in the history, age of the newest point when it can be queried."""
    run = Run(5, 100)
    try:
        history = await ready(run)
        await asyncio.sleep(5)
        count = "SELECT count() AS n, toUnixTimestamp64Milli(max(time)) AS newest FROM points"
        first = await history.select(count)
        began, cpu, ages = time.monotonic(), run.cpu_s(), []
        while time.monotonic() - began < seconds:
            await asyncio.sleep(0.5)
            now = await history.select(count)
            ages.append(time.time() * 1000 - int(now["newest"][0]))
        elapsed = time.monotonic() - began
        points = int(now["n"][0]) - int(first["n"][0])
        print(f"register -> history, 5 x 1,000 tags at 100 ms, {elapsed:.0f} s")
        print(f"  offered 50,000/s   stored {points / elapsed:,.0f}/s")
        p50, p99 = np.percentile(ages, [50, 99])
        print(f"  age of the newest stored point: p50 {p50:,.0f} ms  p99 {p99:,.0f} ms")
        spent = {name: now - cpu.get(name, 0) for name, now in run.cpu_s().items()}
        print("  core: " + "  ".join(f"{n} {s / elapsed:.1%}" for n, s in spent.items()))
        await history.close()
    finally:
        run.end()


async def live(seconds: float) -> None:
    """10,000 points/s: from the time the gateway gave a point to its arrival at a client."""
    run = Run(10, 1000)
    try:
        history = await ready(run)
        await history.close()
        base = f"127.0.0.1:{run.config.console.port}"
        token = _login(base, run.password())
        late: list[float] = []
        headers = {"Authorization": f"Bearer {token}"}
        async with connect(
            f"ws://{base}/api/live", additional_headers=headers, compression=None
        ) as socket:
            await socket.send(json.dumps({"subscribe": list(range(1, 1001)), "id": 1}))
            began = time.monotonic()
            async with asyncio.timeout(seconds + 30):
                while time.monotonic() - began < seconds:
                    frame = orjson.loads(await socket.recv())
                    if frame["k"] == "d" and time.monotonic() - began > 3:  # noqa: PLR2004
                        now = time.time() * 1000
                        late += [now - ms for ms in frame["ms"]]
        p50, p99 = np.percentile(late, [50, 99])
        print(f"device -> WebSocket, 10 x 1,000 tags at 1 s, {seconds:.0f} s")
        print(f"  {len(late) / seconds:,.0f} values/s   p50 {p50:,.0f} ms  p99 {p99:,.0f} ms")
    finally:
        run.end()


def _login(base: str, password: str) -> str:
    """A session token; the generated password must be changed first."""

    def call(method: str, path: str, body: object, token: str = "") -> dict[str, str]:
        request = urllib.request.Request(  # noqa: S310 — loopback
            f"http://{base}{path}", orjson.dumps(body), method=method
        )
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return orjson.loads(reply.read())

    chosen = "Bench-2026-mingwu"
    first = call("POST", "/api/session", {"account": "admin", "password": password})
    call("PUT", "/api/session/password", {"old": password, "new": chosen}, first["token"])
    return call("POST", "/api/session", {"account": "admin", "password": chosen})["token"]


def from_nothing() -> None:
    """Seconds from a clone without an environment to a served page (installer caches as found)."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "mingwu"
        subprocess.run(["git", "clone", "-q", str(HERE.parent), str(clone)], check=True)
        began = time.monotonic()
        with subprocess.Popen(["./dev", "demo"], cwd=clone, stdout=subprocess.DEVNULL) as demo:
            file = clone / ".run/demo/mingwu.toml"
            while True:
                time.sleep(0.2)
                try:
                    port = load(file).console.port if file.exists() else 0
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=2):  # noqa: S310
                        break
                except Exception:  # noqa: BLE001 — not there yet
                    if time.monotonic() - began > 300:  # noqa: PLR2004
                        break
            print(f"./dev demo from nothing to a served page: {time.monotonic() - began:.0f} s")
            demo.send_signal(signal.SIGTERM)
            demo.wait(40)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    print(machine())
    if options.demo:
        from_nothing()
        return 0
    asyncio.run(stored(options.seconds))
    asyncio.run(live(min(options.seconds, 20.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
