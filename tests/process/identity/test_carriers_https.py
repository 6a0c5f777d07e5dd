"""The HTTPS bearer for real: uvicorn with TLS, the lab's carriers, people over the API."""

import asyncio
import shutil
import ssl
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import SimpleNamespace

import aiohttp
import msgspec
import pytest
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware

from mingwu.identity.carriers.agent import CarrierAgent
from mingwu.identity.carriers.bearers import PATH, HttpsBearer
from mingwu.identity.carriers.certificates import Authority
from mingwu.identity.carriers.frames import Kind, Refused, read
from mingwu.identity.carriers.http import BASE, bearer_routes, routes
from mingwu.identity.carriers.platform import CarrierPlatform
from mingwu.identity.carriers.registrar import RecordRegistrar
from mingwu.identity.carriers.settings import CarrierSettings
from mingwu.identity.carriers.setup import prepare
from mingwu.identity.records import RecordStore
from mingwu.kernel.errors import Denied, PeerError, Unavailable
from mingwu.lab.carriers.moulds import moulds
from mingwu.lab.carriers.personalise import Factory
from mingwu.lab.carriers.run import run_carriers, write_units
from mingwu.lab.carriers.settings import CarrierLabSettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
from mingwu.trust.keys import Algorithm, generate

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
    async with asyncio.timeout(60):
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
        asked = {c["serial"]: (c["queried"], c["queried_by"]) for c in listing["carriers"]}
        assert asked == {"MWC-000001": (True, "eve"), "MWC-000002": (False, "")}
        assert listing["carriers"][0]["queried_ms"] >= listing["carriers"][0]["registered_ms"] > 0
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


class Tap:
    """A bearer that keeps what was sent, and can change the next report."""

    def __init__(self, bearer: HttpsBearer) -> None:
        self.bearer, self.sent, self.change = bearer, [], None

    async def exchange(self, frame: bytes) -> bytes:
        if self.change is not None and read(frame).kind is Kind.REPORT:
            frame, self.change = self.change(frame), None
        self.sent.append(frame)
        return await self.bearer.exchange(frame)


async def refusal(step) -> str:
    with pytest.raises(Denied) as told:
        await step
    return told.value.params["reason"]


async def test_attacks_over_https_are_refused_and_visible(platform, tmp_path):
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    tls = ssl.create_default_context(cafile=str(ca))
    identity = prepare(tmp_path / "secrets")
    app = Starlette(routes=bearer_routes(platform))
    mould = moulds(1, 1)[0]
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(app, authority))
        bearer = await stack.enter_async_context(HttpsBearer(address, tls=tls))

        def agent_in(folder, key, bearer=bearer) -> CarrierAgent:
            made = CarrierAgent(tmp_path / folder, key, bearer, accept=mould.apply)
            stack.callback(made.close)
            return made

        factory = Factory(identity.authority, address, "88.888.102", int(time.time()))
        key, new = factory.open(tmp_path / "carrier", mould)
        platform.provision(new)
        tap = Tap(bearer)
        agent = agent_in("carrier", key, tap)

        async def report(sender=agent) -> int:
            sender.measure(mould.readings())
            return await sender.report()

        assert await agent.power_on() == NAME
        assert await report() == 1
        # a report played again, and one changed on the way
        sent = next(f for f in tap.sent if read(f).kind is Kind.REPORT)
        assert read(await bearer.exchange(sent)).body.code == "carriers.replayed"
        tap.change = lambda frame: frame.replace(b"factory", b"FACTORY")
        with pytest.raises(PeerError, match="another message"):  # and the carrier knows it, too
            await report()
        # an identifier that is not the registered one, signed with the carrier's own key
        genuine = agent.profile
        agent.profile = msgspec.structs.replace(genuine, identifier="88.888.102/MLD.M9999")
        assert await refusal(report()) == "carriers.wrong-identifier"
        agent.profile = genuine
        # the same serial number with another key
        start_s = factory.now_s
        forger = Authority.create(
            generate(Algorithm.P256), "Somebody", start_s=start_s - 60, end_s=start_s + 3600
        )
        forging = Factory(forger, address, "88.888.102", start_s)
        false_key, _ = forging.open(tmp_path / "forged", mould)
        with pytest.raises(PeerError):  # it knows no authority of the platform, either
            await agent_in("forged", false_key).power_on()
        # nothing of all this counted, and the carrier goes on with what waited
        assert await report() == 3
        assert platform.unit(new.serial).samples == 4
        # key and state copied whole: both go on from the same link, so their ways part
        shutil.copytree(tmp_path / "carrier", tmp_path / "copy")
        copy = agent_in("copy", key)
        for _ in range(3):
            assert await report() == 1
        copy._keep(counter=copy.profile.counter + 5)
        assert await refusal(report(copy)) == "carriers.diverged"
        assert await refusal(report()) == "carriers.quarantined"
        told = {event.code: event.address for event in platform.events(name=new.serial)}
        assert told.keys() >= {
            "carriers.replayed", "carriers.wrong-signature", "carriers.wrong-identifier",
            "carriers.cloned", "carriers.diverged",
        }  # fmt: skip
        assert set(told.values()) == {"127.0.0.1"}
        assert not platform.discover(NAME, asker="partner").is_trusted


async def test_remote_change_suspend_and_revoke_over_https(platform, tmp_path):
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    tls = ssl.create_default_context(cafile=str(ca))
    identity = prepare(tmp_path / "secrets")
    app = Starlette(routes=[*bearer_routes(platform), *routes(platform)])
    app.add_middleware(BaseHTTPMiddleware, dispatch=as_somebody)
    mould = moulds(1, 1)[0]
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(app, authority))
        bearer = await stack.enter_async_context(HttpsBearer(address, tls=tls))
        people = await stack.enter_async_context(aiohttp.ClientSession(address))
        factory = Factory(identity.authority, address, "88.888.102", int(time.time()))
        key, new = factory.open(tmp_path / "carrier", mould)
        platform.provision(new)
        agent = CarrierAgent(tmp_path / "carrier", key, bearer, accept=mould.apply)
        stack.callback(agent.close)

        async def command(**order) -> dict:
            path = f"{BASE}/{new.serial}/commands"
            headers = {"x-role": "engineer"}
            data = msgspec.json.encode(order)
            async with people.post(path, data=data, headers=headers, ssl=tls) as reply:
                return msgspec.json.decode(await reply.read())

        async def discover(name: str) -> dict:
            path = f"{BASE}/discover/{name}"
            async with people.get(path, headers={"x-role": "viewer"}, ssl=tls) as reply:
                return msgspec.json.decode(await reply.read())

        async def report() -> int:
            agent.measure(mould.readings())
            return await agent.report()

        await agent.power_on()
        assert await report() == 1
        fresh = "88.888.102/MLD.M0001-B"
        assert (await command(action="rename", suffix="MLD.M0001-B"))["identifier"] == fresh
        assert await report() == 1  # the write-back runs before the report
        assert agent.profile.identifier == fresh
        assert (await discover(fresh))["is_trusted"]
        assert (await discover(NAME))["code"] == "carriers.unknown"
        await command(action="suspend")
        assert await refusal(report()) == "carriers.suspended"
        assert (await discover(fresh))["readings"] == {}
        await command(action="resume")
        assert await report() == 2  # with the sample that waited
        await command(action="revoke")
        assert await refusal(report()) == "carriers.revoked"
        gone = await discover(fresh)
        assert (gone["reason"], gone["readings"]) == ("carriers.revoked", {})
        assert (await command(action="resume"))["code"] == "carriers.revoked"
