"""The supervisor keeps real processes alive and never leaves one behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from mingwu.node.supervisor import Child, Supervisor
from tests.waiting import until

pytestmark = pytest.mark.anyio
SLEEPER = (sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(60)")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_killed_child_comes_back_and_stop_ends_it(tmp_path: Path):
    supervisor = Supervisor([Child(name="a", argv=SLEEPER)], tmp_path)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    status = supervisor.status()[0]
    await until(lambda: status.state == "up")
    await until(lambda: "hello" in (tmp_path / "a.log").read_text())
    first = status.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: status.state == "up" and status.pid != first)
    assert status.restarts == 1
    second = status.pid
    await until(lambda: (tmp_path / "a.log").read_text().count("hello") == 2)
    stop.set()
    await running
    assert not alive(second)


async def test_dependent_waits_for_the_probe(tmp_path: Path):
    ready = False

    async def probe() -> bool:
        return ready

    supervisor = Supervisor(
        [
            Child(name="a", argv=SLEEPER, probe=probe),
            Child(name="b", argv=SLEEPER, after=("a",)),
        ],
        tmp_path,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    first, second = supervisor.status()
    await until(lambda: first.state == "starting")
    assert second.state == "waiting"
    ready = True
    await until(lambda: second.state == "up")
    stop.set()
    await running


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_children_die_with_a_killed_supervisor(tmp_path: Path):
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from mingwu.node.supervisor import Child, Supervisor\n"
        f"s = Supervisor([Child(name='a', argv={SLEEPER!r})], Path({str(tmp_path)!r}))\n"
        "async def main():\n"
        "    t = asyncio.create_task(s.run(asyncio.Event()))\n"
        "    await s.wait_up('a'); print(s.status()[0].pid, flush=True); await t\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(child))
