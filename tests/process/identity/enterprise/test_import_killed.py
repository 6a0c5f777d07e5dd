"""kill -9 during imports, of the command line and of a web process: nothing lost or twice."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mingwu.identity.enterprise.imports.jobs import JobState
from mingwu.identity.enterprise.seed import templates
from mingwu.node.config import load
from mingwu.node.nameimport import import_desk
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

PREFIX, ROWS, WRONG = "88.888.101", 40_000, 4
PASSWORD = "copper-Kettle-47"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def table() -> bytes:
    rows = (
        f"K{n:06},壳体 {n},EAH3,{'heavy' if n % (ROWS // WRONG) == 7 else 1}\n" for n in range(ROWS)
    )
    return ("serial,name,model,mass_kg\n" + "".join(rows)).encode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "mingwu.toml"
    ports = f"[api]\nport = {free_port()}\n[resolver]\nport = 0\nhttp_port = 0\n"
    file.write_text(f'[node]\nroles = ["resolver", "api"]\n{ports}', "utf-8")
    (tmp_path / "var").mkdir()
    (tmp_path / "parts.csv").write_bytes(table())
    with import_desk(load(file)) as desk:
        for one in templates(PREFIX):
            desk.node.templates.create(one, actor="test", publish=True)
    return file


@pytest.fixture
def start():
    children = []

    def begin(*words, **more):
        child = subprocess.Popen(
            [sys.executable, "-m", "mingwu", *map(str, words)],
            env=os.environ | {"LANG": "C.UTF-8"}, text=True, **more,
        )  # fmt: skip
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait(20)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def check_whole(config: Path) -> None:
    """Every good row is registered, once, and resolves with its values."""
    with import_desk(load(config)) as desk:
        node = desk.node
        assert node.register.counts()["state"] == {"registered": ROWS - WRONG}
        assert node.recover() == 0
        store = node.projector._store
        for n in range(0, ROWS, 379):
            if n % (ROWS // WRONG) == 7:
                continue
            name = f"{PREFIX}/K{n:06}"
            assert node.register.get(name).row.version == 1
            assert f"壳体 {n}" in [one.text() for one in store.get(name).values]


def test_the_command_line_is_killed_and_run_again(config, start):
    words = ("names", "import", config.parent / "parts.csv", "--template", "S1-PART-1.0",
             "--config", config)  # fmt: skip
    child = start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seen = 0
    while seen < 4000:
        line = child.stderr.readline()
        assert line, "it ended before it could be killed"
        found = re.search(r"running: ([\d,]+) of", line)
        seen = int(found[1].replace(",", "")) if found else seen
    child.send_signal(signal.SIGKILL)
    child.wait(20)
    with import_desk(load(config)) as desk:
        wait_until(lambda: desk.jobs.get(1).state is JobState.INTERRUPTED)
        told = desk.jobs.get(1).report
        stored = desk.node.register.counts()["state"]["registered"]
        assert 0 < told.registered <= stored < ROWS - WRONG
    again = start(*words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said, _ = again.communicate(timeout=120)
    assert again.returncode == 1  # four rows were refused
    assert f"{ROWS - WRONG - stored:,}  registered" in said
    assert f"{stored:,}  unchanged" in said
    check_whole(config)


def test_a_web_process_is_killed_and_the_job_is_run_again(config, start):
    settings = load(config)
    trust = Trust.open(settings.trust)
    trust.accounts.create("eng", PASSWORD, Role.ENGINEER)
    token = trust.sessions.create_token("eng", "test")
    trust.close()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    base = f"http://127.0.0.1:{settings.api.port}/api/identity"
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        child = start("run", "api", "--config", config, **quiet)
        wait_until(
            lambda: client.get(f"{base}/imports/about").status_code == 200,
            not_yet=(httpx.HTTPError,),
        )
        # more than the API takes in one body elsewhere
        large = client.post(
            f"{base}/imports/uploads?name=l.csv", content=b"a,b\n" + b"1,2\n" * 5 * 10**6
        )
        assert large.json()["size"] > 16 << 20
        with socket.create_connection(("127.0.0.1", settings.api.port)) as half:
            half.sendall(
                b"POST /api/identity/imports/uploads?name=half.csv HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer " + token.encode() + b"\r\n"
                b"Content-Length: 900000\r\n\r\na,b\n1,2\n"
            )  # and goes away
        upload = client.post(f"{base}/imports/uploads?name=parts.csv", content=table()).json()
        number = next(
            one["number"]
            for one in client.get(f"{base}/templates?limit=100").json()["templates"]
            if one["definition"]["version"] == "S1-PART-1.0"
        )
        look = client.get(f"{base}/imports/preview?upload={upload['id']}&template={number}").json()
        order = {"mapping": look["proposal"], "upload": upload["id"], "dry": False}
        job = client.post(f"{base}/imports", json=order).json()["id"]

        def at_work():
            return client.get(f"{base}/imports/{job}").json()["report"]["rows"] >= 4000

        wait_until(at_work, not_yet=(httpx.HTTPError,))
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        start("run", "api", "--config", config, **quiet)

        def interrupted():
            return client.get(f"{base}/imports/{job}").json()["state"] == "interrupted"

        wait_until(interrupted, not_yet=(httpx.HTTPError,))
        again = client.post(f"{base}/imports/{job}/again", json={}).json()["id"]

        def ended():
            found = client.get(f"{base}/imports/{again}").json()
            return found if found["state"] not in {"waiting", "running"} else None

        report = wait_until(ended, not_yet=(httpx.HTTPError,))["report"]
        assert report["registered"] + report["unchanged"] == ROWS - WRONG
        assert report["registered"] > 0
        assert report["unchanged"] >= 4000 - WRONG
        rows = client.get(f"{base}/imports/{again}/rows").json()
        assert [row["row"] for row in rows["rows"]] == [9, 10009, 20009, 30009]
    check_whole(config)
    with import_desk(settings) as desk, desk.node.engine.connect() as connection:
        kept = "SELECT name FROM enterprise_upload ORDER BY at_ms"
        assert connection.exec_driver_sql(kept).scalars().all() == ["l.csv", "parts.csv"]
