"""A port that somebody else has: who it is and what moves it is told, and nothing else claimed."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mingwu.cli.main import main
from mingwu.kernel.errors import Conflict
from mingwu.node.config import Config, Role, load
from mingwu.node.demo.scenario import Size
from mingwu.node.demo.scenarios import find
from mingwu.node.demo.scenarios import prepare as written
from mingwu.node.platform import children, listens, prepare
from mingwu.node.portholder import holders
from mingwu.node.ports import Place, places, require_free
from mingwu.node.supervisor import Child, Supervisor

DEADLINE_S = 60
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")


@contextmanager
def taken(kind: socket.SocketKind = socket.SOCK_STREAM, port: int = 0) -> Iterator[int]:
    """A port that this process has."""
    with socket.socket(type=kind) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            held.listen()
        yield held.getsockname()[1]


def free_port() -> int:
    with taken() as port:
        return port


def configured(folder: Path, text: str) -> Config:
    file = folder / "mingwu.toml"
    file.write_text(text)
    return load(file)


async def until(condition, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.05)


@LINUX
def test_a_taken_port_is_told_with_who_has_it_and_what_moves_it(tmp_path: Path):
    with taken() as port:
        text = f'[node]\nroles = ["console"]\n[console]\nport = {port}\n'
        with pytest.raises(Conflict) as caught:
            prepare(configured(tmp_path, text))
    error = caught.value
    assert error.code == "node.port-taken"
    for lang in ("zh", "en"):
        assert str(port) in error.text(lang)
        assert str(os.getpid()) in error.text(lang)
        assert "`port`" in error.next_step(lang)
        assert "[console]" in error.next_step(lang)
        assert str(tmp_path / "mingwu.toml") in error.next_step(lang)


def test_a_port_that_the_node_wants_twice_is_told(tmp_path: Path):
    port = free_port()
    text = f"[api]\nport = {port}\n[console]\nport = {port}\n"
    with pytest.raises(Conflict) as caught:
        require_free(configured(tmp_path, '[node]\nroles = ["api", "console"]\n' + text))
    assert caught.value.code == "node.port-twice"
    for words in ("[api]", "[console]", str(port)):
        assert words in caught.value.text("zh")


def test_no_two_default_ports_are_the_same(tmp_path: Path):
    """What `mingwu sample-config` writes can be started as it is."""
    config = configured(tmp_path, "")
    found = [(kind, one.port) for role in config.node.roles for one in places(config, role)
             for kind in one.kinds]  # fmt: skip
    assert len(found) == len(set(found)) > 5


@LINUX
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_who_listens_is_found_by_address(kind):
    name = "tcp" if kind is socket.SOCK_STREAM else "udp"
    with taken(kind) as port:
        assert [one.pid for one in holders(port, "127.0.0.1", (name,))] == [os.getpid()]
        assert holders(port, "127.0.0.2", (name,)) == []
        assert holders(port, "localhost", (name,))
    assert holders(port, "127.0.0.1", (name,)) == []


def test_where_the_system_tells_nothing_nobody_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("mingwu.node.portholder.PROC", tmp_path)
    with taken() as port:
        place = Place(section="api", key="port", host="127.0.0.1", port=port)
        found = place.taken(configured(tmp_path, "[node]\n"))
        assert place.is_of(1)
    assert found is not None
    assert "another program" in found.text("en")
    assert "其他程序" in found.text("zh")


@LINUX
@pytest.mark.anyio
async def test_a_role_whose_port_is_taken_waits_and_is_not_said_to_be_up(tmp_path: Path):
    """It comes up by itself once the port is free."""
    udp, http = free_port(), free_port()
    config = configured(
        tmp_path, f'[node]\nroles = ["resolver"]\n[resolver]\nport = {udp}\nhttp_port = {http}\n'
    )
    supervisor = Supervisor(children(config), config.data / "log")
    stop = asyncio.Event()
    status = supervisor.status()[0]
    with taken(port=http):
        running = asyncio.create_task(supervisor.run(stop))
        await until(lambda: status.state == "hindered", "told")
        assert status.hindrance is not None
        assert str(http) in str(status.hindrance)
        assert "`http_port` in [resolver]" in status.hindrance.next_step()
        assert (status.restarts, status.pid) == (0, 0)
    try:
        await until(lambda: status.state == "up", "up")
        assert status.hindrance is None
        assert all(place.is_of(status.pid) for place in places(config, Role.RESOLVER))
    finally:
        stop.set()
        await asyncio.wait_for(running, DEADLINE_S)


@LINUX
@pytest.mark.anyio
async def test_who_answers_in_its_place_does_not_count_as_up(tmp_path: Path):
    asked = []
    with taken() as port:
        place = Place(section="api", key="port", host="127.0.0.1", port=port)
        answers = listens("127.0.0.1", port)

        async def probe() -> bool:
            asked.append(await answers())
            return asked[-1]

        child = Child(name="a", argv=SLEEPER, probe=probe, owns=place.is_of)
        supervisor = Supervisor([child], tmp_path)
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        try:
            await until(lambda: len(asked) >= 4, "asked")
            assert asked[:4] == [True] * 4
            assert supervisor.status()[0].state == "starting"
        finally:
            stop.set()
            await asyncio.wait_for(running, DEADLINE_S)


@LINUX
@pytest.mark.parametrize(
    ("locale", "words"),
    [("en_GB.UTF-8", ("is taken by", "start with `--folder")),
     ("zh_CN.UTF-8", ("已被程序", "加上 `--folder"))],
)  # fmt: skip
def test_a_demonstration_says_what_to_do(tmp_path, monkeypatch, capsys, locale, words):
    monkeypatch.setenv("LC_ALL", locale)
    folder = tmp_path / "demo"
    config = written(find("s1"), folder, Size())
    # the plant's own machines count, too
    port = next(one for one in places(config, Role.LAB) if one.key == "first_port").port
    with taken(port=port):
        assert main(["demo", "--folder", str(folder)]) == 1
    told = capsys.readouterr()
    for part in (*words, str(port), str(os.getpid()), "[lab]", f"{folder}-2"):
        assert part in told.err
    assert told.out == ""
