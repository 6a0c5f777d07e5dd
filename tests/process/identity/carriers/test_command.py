"""``mingwu carrier``: made with a token, run as a process of its own, platform behind TLS."""

import asyncio
import os
import ssl
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trustme
import uvicorn
from starlette.applications import Starlette

from mingwu.identity.carriers.http import Command, bearer_routes
from mingwu.identity.carriers.model import NewUnit
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.REAL.1"


@asynccontextmanager
async def served(platform, tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    app = Starlette(routes=bearer_routes(platform))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    config.load()
    config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(config.ssl)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def platform(tmp_path):
    (tmp_path / "mingwu.toml").write_text("")
    identity = prepare(tmp_path / "var" / "secrets")
    records = RecordStore(tmp_path / "records", map_bytes=2**24)
    made = CarrierPlatform.open(
        CarrierSettings(store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"))),
        RecordRegistrar(records), key=identity.key, certificate=identity.certificate,
        anchors=identity.anchors,
    )  # fmt: skip
    yield made
    made.close()
    records.close()


async def mingwu(*arguments: object, stdin: bytes = b"", env=None) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mingwu", "carrier", *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=os.environ | {"LANG": "C"} | (env or {}),
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin)
    return process.returncode, out.decode(), err.decode()


async def test_a_carrier_made_with_a_token_reports_from_standard_input(rig, platform, tmp_path):
    folder = tmp_path / "carrier"
    async with served(platform, tmp_path) as port:
        make = (
            "make", folder, "--config", tmp_path / "mingwu.toml", "--serial", "REAL-1",
            "--prefix", "88.888.102", "--suffix", "MLD.REAL.1", "--owner", "模通",
            "--platform", f"https://localhost:{port}",
        )  # fmt: skip
        token = (
            "--token-module", rig.module, "--token", rig.label, "--pin-file", rig.pin_file,
        )  # fmt: skip
        status, out, err = await mingwu(*make, *token[:4])
        assert (status, "--pin-file" in err) == (1, True)
        status, out, err = await mingwu(*make, *token)
        assert status == 0, err
        new = msgspec.json.decode(out, type=NewUnit)
        assert (new.serial, new.simulated, new.owner) == ("REAL-1", False, "模通")
        assert rig.protection in err
        assert rig.pin not in out + err
        rig.power_cycle()
        run = ("run", folder, "--tls-ca", tmp_path / "ca.pem")
        status, out, err = await mingwu(*run, stdin=b'{"shots": 7}\n')
        assert status == 1  # nobody told the platform yet: the observation waits
        assert "carriers.unknown-serial" in err
        assert "1 observation(s) wait" in err
        platform.provision(new)
        platform.set_parameters("REAL-1", {"set_point": 61.5}, actor="eve")
        rig.power_cycle()
        lines = b'{"shots": 8, "place": "A1"}\nnonsense\n{"shots": 9}\n'
        status, out, err = await mingwu(*run, stdin=lines)
        assert (status, err.count("left out a line")) == (1, 1), err
        told = [msgspec.json.decode(line) for line in out.splitlines()]
        assert told[0] == {"identifier": NAME}
        assert {"parameters": {"set_point": 61.5}} in told
        assert sum(line.get("reported", 0) for line in told) == 3
        assert platform.discover(NAME).readings == {"shots": 9.0, "place": "A1"}
        unit = platform.unit("REAL-1")
        assert (unit.certified, unit.samples) == (rig.protection, 3)
        status, out, err = await mingwu("show", folder)
        shown = msgspec.json.decode(out)
        assert (shown["identifier"], shown["waiting"]) == (NAME, 0)
        assert (shown["protection"], shown["parameters"]) == (rig.protection, {"set_point": 61.5})


async def test_what_is_wrong_is_said(tmp_path):
    (tmp_path / "mingwu.toml").write_text("")
    status, out, err = await mingwu("show", tmp_path)
    assert (status, "carriers.bad-profile" in err, out) == (1, True, "")
    status, out, err = await mingwu(
        "make", tmp_path / "c", "--config", tmp_path / "mingwu.toml", "--serial", "X",
        "--prefix", "88.888.102", "--suffix", "X", "--platform", "ftp://here",
    )  # fmt: skip
    assert (status, "carriers.bad-address" in err, out) == (1, True, "")


async def test_a_carrier_is_renewed_and_then_replaced(platform, tmp_path):
    async with served(platform, tmp_path) as port:
        common = ("--config", tmp_path / "mingwu.toml")
        made = (
            *common, "--serial", "REAL-2", "--prefix", "88.888.102", "--suffix", "MLD.REAL.1",
            "--platform", f"https://localhost:{port}",
        )  # fmt: skip
        tls = ("--tls-ca", tmp_path / "ca.pem")
        old, new = tmp_path / "old", tmp_path / "new"
        status, out, err = await mingwu("make", old, *made, "--years", 0.01)
        assert status == 0, err
        platform.provision(msgspec.json.decode(out, type=NewUnit))
        assert (await mingwu("run", old, *tls, stdin=b'{"shots": 1}\n'))[0] == 0
        ends = platform.unit("REAL-2").expires_ms
        status, out, err = await mingwu("renew", old, *common, "--years", 3)
        assert status == 0, err
        assert (await mingwu("run", old, *tls, stdin=b'{"shots": 2}\n'))[0] == 0
        assert platform.unit("REAL-2").expires_ms > ends + 365 * 86_400_000
        status, out, err = await mingwu("make", new, *made, "--replace")
        assert (status, "REAL-2/commands" in err) == (0, True), err
        command = msgspec.json.decode(out, type=Command)
        assert command.action == "certificate"
        platform.certify("REAL-2", command.certificate, actor="eve")
        status, out, err = await mingwu("run", old, *tls, stdin=b'{"shots": 3}\n')
        assert (status, "carriers.cloned" in err) == (1, True)
        status, out, err = await mingwu("run", new, *tls, stdin=b'{"shots": 4}\n')
        assert (status, msgspec.json.decode(out.splitlines()[0])) == (0, {"identifier": NAME})
        assert platform.discover(NAME).readings == {"shots": 4.0}
