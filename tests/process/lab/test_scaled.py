"""A scaled plant: replicas in worker processes, one control for all, no orphans."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mingwu.kernel.errors import NotFound
from mingwu.lab.control import Request, send, send_fault
from mingwu.lab.settings import PORTS_PER_REPLICA
from tests.waiting import wait_until

PROGRAM = """
import asyncio, signal, sys
from mingwu.lab.run import run_lab
from mingwu.lab.settings import LabSettings

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = LabSettings(
        directory=sys.argv[1], first_port=int(sys.argv[2]), control_port=int(sys.argv[2]) - 1,
        scale=2, workers=2, cells=1, machines=0, nutrunners=1, vehicles=1,
    )
    await run_lab(settings, stop)

asyncio.run(main())
"""


def free_range(count: int) -> int:
    """First of ``count`` free ports; two below it are free as well."""
    while True:
        first = random.randrange(20_000, 30_000)
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first - 3, first + count):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def children(parent: int) -> list[int]:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in path.read_text().split()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_two_replicas_answer_on_one_control_and_end_with_their_parent(tmp_path, ending):
    first = free_range(2 * PORTS_PER_REPLICA)
    control = f"127.0.0.1:{first - 1}"
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), str(first)])
    try:
        wait_until(lambda: (tmp_path / "plant.toml").exists() and parent.poll() is None)
        workers = children(parent.pid)
        assert len(workers) == 2
        shares = send(control, Request(action="status"))["workers"]
        assert sorted(share["replicas"] for share in shares) == [[0], [1]]
        assert send_fault(control, "dead-device", "dcm01", "start")["target"] == "dcm01"
        assert send_fault(control, "dead-device", "dcm02", "start")["target"] == "dcm02"
        answer = send_fault(control)
        assert len(answer["active"]) == 2
        drift = next(one for one in answer["known"] if one["name"] == "die-temperature-drift")
        assert drift["targets"] == ["M0187", "M0190"]
        with pytest.raises(NotFound):
            send_fault(control, "dead-device", "dcm03", "start")
        os.kill(parent.pid, ending)
        parent.wait(30)
        wait_until(lambda: not any(alive(worker) for worker in workers))
    finally:
        if parent.poll() is None:
            parent.kill()
        parent.wait(10)
