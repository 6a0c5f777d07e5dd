"""The HTTPS bearer for real: uvicorn with TLS, the lab's carriers, people over the API."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import aiohttp
import msgspec
import pytest
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware

from mingwu.identity.carriers.bearers import PATH, HttpsBearer
from mingwu.identity.carriers.frames import Refused, read
from mingwu.identity.carriers.http import BASE, bearer_routes, routes
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Unavailable
from mingwu.lab.carriers.run import run_carriers, write_units
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

pytestmark = pytest.mark.anyio
NAME = "88.888.102/MLD.M0001"


async def as_somebody(request, call_next):
    """In place of the API's door: the role stands in a header."""
    role = request.headers.get("x-role", "")
    request.state.principal = SimpleNamespace(account="eve", role=role) if role else None
    return await call_next(request)


@asynccontextmanager
async def served(app, authority: trustme.CA):
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    config.load()
    config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(config.ssl)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"https://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def platform(tmp_path):
    identity = prepare(tmp_path / "secrets")
    records = RecordStore(tmp_path / "records", map_bytes=2**24)
    made = CarrierPlatform.open(
        CarrierSettings(store=StoreSettings(url=sqlite_url(tmp_path / "carriers.sqlite"))),
        RecordRegistrar(records),
        key=identity.key,
        certificate=identity.certificate,
        anchors=identity.anchors,
    )
    yield made
    made.close()
    records.close()


async def test_lent_moulds_over_https(platform, tmp_path):
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    journal = []
    app = Starlette(
        routes=[
            *bearer_routes(platform),
            *routes(platform, lambda *line: journal.append(line)),
        ]
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=as_somebody)
    tls = ssl.create_default_context(cafile=str(ca))
    async with served(app, authority) as address, aiohttp.ClientSession(address) as people:
        settings = CarrierLabSettings(
            directory=str(tmp_path / "lab"), authority=str(tmp_path / "secrets"),
            platform=address, tls_ca=str(ca), moulds=2, period_s=0.2, speed=300,
            stray_after_s=0.5, clone_after_s=0.5,
        )  # fmt: skip

        async def ask(method: str, path: str, role: str = "engineer", **more):
            headers = {"x-role": role} if role else {}
            async with people.request(
                method, BASE + path, headers=headers, ssl=tls, **more
            ) as reply:
                return reply.status, msgspec.json.decode(await reply.read())

        units = await asyncio.to_thread(write_units, settings)
        for unit in units:
            body = msgspec.json.encode(unit)
            assert (await ask("POST", "", role="viewer", data=body))[0] == 403
            assert (await ask("POST", "", data=body))[0] == 200
        stop = asyncio.Event()
        lab = asyncio.create_task(run_carriers(settings, stop))
        try:
            async with asyncio.timeout(60):
                while True:
                    _, told = await ask("GET", "/events")
                    codes = {event["code"] for event in told["events"]}
                    if codes >= {"carriers.cloned", "carriers.left-fence"}:
                        break
                    await asyncio.sleep(0.1)
        finally:
            stop.set()
            with suppress(asyncio.CancelledError):
                await lab
        status, found = await ask("GET", f"/discover/{NAME}")
        assert (status, found["is_trusted"]) == (200, True)
        assert found["simulated"]
        status, listing = await ask("GET", "")
        assert listing["counts"]["queried"] == 1
        assert [c["registered"] and c["reported"] for c in listing["carriers"]] == [True, True]
        left = next(e for e in told["events"] if e["code"] == "carriers.left-fence")
        status, evidence = await ask("GET", f"/events/{left['number']}/evidence")
        assert (status, evidence["serial"]) == (200, "MWC-000001")
        order = msgspec.json.encode({"action": "parameters", "parameters": {"set_point": 70}})
        status, done = await ask("POST", "/MWC-000001/commands", data=order)
        assert (status, done["state"]) == (200, "waiting")
        assert journal[-1][1] == "identity.carrier-parameters"
        status, detail = await ask("GET", "/MWC-000001?lang=zh")
        assert (status, detail["carrier"]["identifier"]) == (200, NAME)
        assert (await ask("GET", "", role=""))[0] == 401
        assert (await ask("GET", "/nobody"))[0] == 404
        assert (await ask("POST", "/MWC-000001/commands", data=b"{"))[0] == 400
        assert (await ask("GET", "?limit=x"))[0] == 400
        async with people.post(PATH, data=b"nonsense", ssl=tls) as reply:
            body = read(await reply.read()).body
        assert isinstance(body, Refused)
        async with people.post(PATH, data=bytes(10**6), ssl=tls) as reply:
            assert reply.status == 413
        async with HttpsBearer(address) as stranger:  # its authority is not the system's
            with pytest.raises(Unavailable):
                await stranger.exchange(b"x")
