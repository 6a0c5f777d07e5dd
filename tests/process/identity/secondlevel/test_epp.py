"""EPP between the node and the simulated top node, over TCP and HTTP, with TLS and without."""

import asyncio
import datetime as dt
import io
import ipaddress
import ssl

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mingwu.identity.secondlevel.epp.line import frame, read_frame
from mingwu.identity.secondlevel.epp.messages import (
    NAMES,
    Command,
    Result,
    login_payload,
    write_command,
)
from mingwu.identity.secondlevel.epp.reply import read_greeting, read_response
from mingwu.identity.secondlevel.outbox import Entry
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.upstream import Upstream
from mingwu.kernel.errors import ConfigError, PeerError, Unavailable
from mingwu.lab.topnode.eppserver import EppServer
from mingwu.lab.topnode.registry import Registry
from mingwu.lab.topnode.settings import KnownNode
from mingwu.trust import sm2

pytestmark = pytest.mark.anyio
SCALAR = bytes(31) + b"\x05"
FIELDS = {"uscc": "91330000MA2ABCDE51", "name": "企业 <1>"}


def entry(verb, prefix="88.101.1", fields=FIELDS, number=1):
    return Entry(
        number=number, channel="epp", subject=prefix, body={"verb": verb, "fields": fields},
        created_ms=0, attempts=0, acknowledged_ms=0, state="waiting", error="",
    )  # fmt: skip


class Service:
    """The simulated service, over the transport that a test asks for."""

    def __init__(self, kind, tmp_path):
        self.kind, self.tmp = kind, tmp_path
        self.node = KnownNode(prefix="88.101", public_key=sm2.public_point(SCALAR).hex())
        self.epp = self.runner = None
        self.port = 0

    async def start(self, *, tls=None, registry=None):
        self.epp = EppServer({self.node.app_id: self.node}, registry, session_s=60.0)
        if self.kind == "tcp":
            await self.epp.start("127.0.0.1", self.port, tls)
            self.port = self.epp.port
            return
        app = web.Application()
        app.router.add_routes(self.epp.web_routes())
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        self.port = self.runner.addresses[0][1]

    @property
    def registry(self):
        return self.epp.registry

    @property
    def registered(self):
        return self.epp.registered

    def address(self, *, tls=False, port=0):
        if self.kind == "tcp":
            return f"127.0.0.1:{port or self.port}"
        return f"{'https' if tls else 'http'}://127.0.0.1:{port or self.port}{NAMES['path']}"

    async def close(self):
        if self.runner:
            await self.runner.cleanup()
        if self.epp:
            await self.epp.close()


@pytest.fixture(params=["tcp", "http"])
async def service(request, tmp_path):
    made = Service(request.param, tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def line(service):
    """Makes lines to the service and closes them."""
    made = []

    def make(*, tls=False, port=0, **more):
        settings = SecondLevelSettings(
            upstream_epp=service.address(tls=tls, port=port), upstream_timeout_s=20.0, **more
        )
        made.append(Upstream(settings, SCALAR))
        return made[-1]

    yield make
    for one in made:
        await one.epp.log_out()


def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "top (simulated)")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "top.pem", tmp_path / "top.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


async def test_create_twice_update_and_delete(service, line):
    await service.start()
    one = line()
    assert await one.send_prefix(entry("create")) == "registered"
    assert service.registered["88.101.1"] == FIELDS
    renamed = FIELDS | {"name": "b"}
    await one.send_prefix(entry("create", fields=renamed, number=2))
    assert service.registered["88.101.1"]["name"] == "b"
    assert await one.look("88.101.1") == renamed
    assert await one.check(("88.101.1", "88.101.2", "88.102.1")) == {
        "88.101.1": False, "88.101.2": True, "88.102.1": False,
    }  # fmt: skip
    await one.send_prefix(entry("delete", fields={}, number=3))
    await one.send_prefix(entry("delete", fields={}, number=4))
    assert service.registered == {}
    assert await one.look("88.101.1") is None
    with pytest.raises(PeerError, match="2303"):
        await one.send_prefix(entry("update", number=5))
    with pytest.raises(PeerError, match="2201"):
        await one.send_prefix(entry("create", "88.102.1", number=6))
    with pytest.raises(PeerError, match="2005"):
        await one.send_prefix(entry("create", fields={}, number=7))


async def test_over_tls_with_the_right_authority_only(service, line, tmp_path):
    chain, secret = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, secret)
    await service.start(tls=context)
    await line(tls=True, upstream_epp_ca=str(chain)).send_prefix(entry("create"))
    assert set(service.registered) == {"88.101.1"}
    other = tmp_path / "other"
    other.mkdir()
    stranger, _ = certificate(other)
    with pytest.raises(Unavailable):
        await line(tls=True, upstream_epp_ca=str(stranger)).send_prefix(entry("create"))
    with pytest.raises(ConfigError):
        line(upstream_epp_ca=str(tmp_path / "none.pem"))


async def test_the_same_command_again_changes_nothing(service, line, tmp_path):
    await service.start(registry=Registry(tmp_path / "top"))
    create, delete = entry("create"), entry("delete", fields={}, number=2)
    one = line()
    for sent in (create, create, delete, delete, create):
        await one.send_prefix(sent)
    # the create that came late was known: the prefix stays away
    assert (service.registered, service.registry.changes) == ({}, 2)
    await one.epp.close()
    await service.close()
    await service.start(registry=Registry(tmp_path / "top"))
    await one.send_prefix(create)
    assert (service.registered, service.registry.changes) == ({}, 2), "known after a restart"


class Cut:
    """Passes bytes on to a port; while ``deaf`` it drops the connection instead of answering."""

    def __init__(self, port):
        self.target, self.deaf, self.port, self.cut = port, False, 0, 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)

        async def up():
            while data := await reader.read(65536):
                far_writer.write(data)

        task = asyncio.create_task(up())
        self._tasks.add(task)
        try:
            while data := await far_reader.read(65536):
                if self.deaf:
                    self.cut += 1
                    return
                writer.write(data)
        finally:
            for one in (writer, far_writer):
                one.close()


async def test_a_lost_reply_does_no_harm(service, line):
    await service.start()
    async with Cut(service.port) as cut:
        one = line(port=cut.port)
        await one.send_prefix(entry("create"))
        cut.deaf = True
        with pytest.raises(Unavailable):
            await one.send_prefix(entry("delete", fields={}, number=2))
        assert service.registered == {}, "done, but nobody was told"
        cut.deaf = False
        assert await one.send_prefix(entry("delete", fields={}, number=2)) == "registered"
        assert cut.cut
        assert service.registry.changes == 2
        await one.epp.log_out()


async def test_passing_on_is_decided_later_and_told_by_the_queue(service, line, tmp_path):
    await service.start(registry=Registry(tmp_path / "top", review_s=3600))
    one = line()
    await one.send_prefix(entry("create"))
    new = {"uscc": "91330000MA2ABCDE52", "name": "b"}
    with pytest.raises(PeerError, match="2201"):
        await one.send_prefix(entry("transfer", fields=new | {"holder": "someone"}, number=2))
    wanted = new | {"holder": FIELDS["uscc"]}
    assert await one.send_prefix(entry("transfer", fields=wanted, number=3)) == "pending"
    with pytest.raises(PeerError, match="2304"):
        await one.send_prefix(entry("update", number=4))
    with pytest.raises(PeerError, match="2300"):
        await one.send_prefix(entry("transfer", fields=wanted, number=5))
    assert service.registered["88.101.1"] == FIELDS
    told = []

    async def take(notice):
        told.append((notice.prefix, notice.fields))

    assert await one.fetch(take) == 0
    await one.epp.close()
    await service.close()
    await service.start(registry=Registry(tmp_path / "top", review_s=3600))
    service.registry.decide("88.101.1", approve=True)

    async def fall(notice):
        del notice
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await one.fetch(fall)
    assert await one.fetch(take) == 1
    assert told == [("88.101.1", {"trStatus": "serverApproved"})], "not taken means not gone"
    assert service.registered["88.101.1"]["uscc"] == new["uscc"]
    assert await one.fetch(take) == 0
    reply = await one.epp.ask(Command(verb="transfer", id="q", prefix="88.101.1", op="query"))
    assert reply.code == Result.TRANSFER_NONE


async def test_nothing_without_login_and_syntax_errors_are_answered():
    service = Service("tcp", None)
    await service.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    read_greeting(await read_frame(reader))
    create = write_command(Command(verb="create", id="1", prefix="88.101.1", fields=FIELDS))
    for document, code in ((create, Result.USE), (b"<nonsense>", Result.SYNTAX)):
        writer.write(frame(document))
        assert read_response(await read_frame(reader)).code == code
    writer.write(frame(write_command(Command(verb="hello", id=""))))
    assert read_greeting(await read_frame(reader))[1]
    writer.write(b"\xff\xff\xff\xff")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert service.registered == {}
    await service.close()


async def test_a_login_cannot_be_replayed():
    service = Service("tcp", None)
    await service.start()

    async def session(signature="", prefix="88.101"):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        name, nonce = read_greeting(await read_frame(reader))
        made = sm2.sign(SCALAR, login_payload(name, nonce, "mingwu-demo", prefix)).hex()
        fields = {"app": "mingwu-demo", "signature": signature or made}
        login = Command(verb="login", id="1", prefix=prefix, fields=fields)
        writer.write(frame(write_command(login)))
        reply = read_response(await read_frame(reader))
        writer.close()
        await writer.wait_closed()
        return reply.code, made

    code, signature = await session()
    assert code == Result.OK
    assert (await session(signature))[0] == Result.AUTHENTICATION
    assert (await session("zz"))[0] == Result.AUTHENTICATION
    assert (await session(prefix="88.102"))[0] == Result.AUTHENTICATION
    await service.close()


@pytest.fixture
async def http(tmp_path):
    made = Service("http", tmp_path)
    await made.start()
    yield made
    await made.close()


async def test_a_session_over_http_goes_on_between_connections_and_ends(http):
    settings = SecondLevelSettings(upstream_epp=http.address(), upstream_timeout_s=20.0)
    one = Upstream(settings, SCALAR)
    signed = []
    sign, one.epp._sign = one.epp._sign, lambda payload: signed.append(1) or sign(payload)
    await one.send_prefix(entry("create"))
    await one.epp.close()
    await one.send_prefix(entry("update", number=9))
    assert len(signed) == 1, "the cookie outlives the connection"
    http.epp.expire()
    await one.send_prefix(entry("delete", fields={}, number=2))
    assert (len(signed), http.registered) == (2, {}), "an ended session is begun anew"
    await one.epp.close()
    await http.close()
    await http.start()
    await one.send_prefix(entry("create", number=3))
    assert len(signed) == 3, "also after the service was started again"
    await one.epp.log_out()
    assert one.epp._cookies == {}


async def test_http_details(http):
    url, media = http.address(), {"Content-Type": NAMES["media"]}
    hello = write_command(Command(verb="hello", id=""))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
        async with browser.get(url) as reply:
            assert (reply.status, reply.content_type) == (200, NAMES["media"])
            assert reply.headers["Cache-Control"] == "no-store"
            cookie = reply.cookies[NAMES["cookie"]]
            assert cookie["httponly"]
            read_greeting(await reply.read())
        async with browser.post(url, data=hello, headers=media) as reply:
            read_greeting(await reply.read())
            assert NAMES["cookie"] in reply.cookies
        for verb in ("create", "logout"):
            command = write_command(Command(verb=verb, id="1", prefix="88.101.1", fields=FIELDS))
            async with browser.post(url, data=command, headers=media) as reply:
                assert reply.status == 200, "the outcome stands in the document"
                assert read_response(await reply.read()).code == Result.USE
        async with browser.post(url, data=b"<epp", headers=media) as reply:
            assert read_response(await reply.read()).code == Result.SYNTAX
        async with browser.post(url, data=b"x") as reply:
            assert reply.status == 415
        async with browser.post(url, data=io.BytesIO(bytes(2**20 + 1)), headers=media) as reply:
            assert reply.status == 413
        async with browser.put(url, data=b"x", headers=media) as reply:
            assert reply.status == 405
    assert http.registered == {}


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_another_server_there_is_tried_again(http, status):

    async def answer(request):
        return web.Response(status=status, headers={"Location": str(request.url)})

    app = web.Application()
    app.router.add_route("*", NAMES["path"], answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = SecondLevelSettings(upstream_epp=http.address(port=runner.addresses[0][1]))
    with pytest.raises(Unavailable):
        await Upstream(settings, SCALAR).send_prefix(entry("create"))
    await runner.cleanup()
