"""Sessions: protection, users, refusals, keeping alive, and peers that speak no OPC UA."""

import asyncio
import os
import time

import pytest
from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.user_managers import UserManager
from cryptography.x509.oid import ExtendedKeyUsageOID

from mingwu.field.opcua.settings import Policy, Protection
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.quality import GOOD
from tests.waiting import until

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"


class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username == "gateway" and password == "s3cret":
            return User(role=UserRole.User)
        return None


@pytest.fixture(scope="module")
async def keys(tmp_path_factory):
    """Certificates of a server, the gateway and a stranger."""
    folder = tmp_path_factory.mktemp("pki")
    for name, usage in [
        ("server", ExtendedKeyUsageOID.SERVER_AUTH),
        ("gateway", ExtendedKeyUsageOID.CLIENT_AUTH),
        ("stranger", ExtendedKeyUsageOID.SERVER_AUTH),
    ]:
        await setup_self_signed_certificate(
            folder / f"{name}.pem", folder / f"{name}.der", f"urn:test:{name}", HOST, [usage], {}
        )
    return folder


@pytest.fixture(scope="module")
async def protected(keys, request):
    """A server that offers every policy, and asks for a user."""

    async def prepare(server):
        await server.set_application_uri("urn:test:server")
        server.set_security_policy(
            [
                ua.SecurityPolicyType.Basic256Sha256_Sign,
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
                ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
            ],
            permission_ruleset=SimpleRoleRuleset(),
        )
        await server.load_certificate(keys / "server.der")
        await server.load_private_key(keys / "server.pem")
        server.iserver.user_manager = Users()

    async with request.getfixturevalue("serving_module")(prepare) as found:
        yield found


def mine(keys, **more):
    return {
        "policy": Policy.BASIC256SHA256,
        "certificate": str(keys / "gateway.der"),
        "private_key": str(keys / "gateway.pem"),
        "user": "gateway",
        "password": "s3cret",
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"protection": Protection.SIGN},
        {"protection": Protection.ENCRYPT},
        {"policy": Policy.AES128},
        {"policy": Policy.AES256},
    ],
    ids=str,
)
async def test_protected_channels(protected, keys, connected, points, more):
    async with connected(protected.endpoint, **mine(keys, **more)) as driver:
        plan = driver.compile([protected.tag(1, "load"), protected.tag(2, "count")])
        assert (await driver.read(plan)).value.tolist() == [1.5, 7.0]
        await driver.subscribe(plan, points)
        await until(lambda: len(points.value) == 2)


async def test_the_pinned_server_certificate_is_accepted(protected, keys, connected):
    pinned = str(keys / "server.der")
    async with connected(protected.endpoint, **mine(keys, server_certificate=pinned)) as driver:
        found = await driver.read(driver.compile([protected.tag(1, "load")]))
    assert found.quality[0] == GOOD


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"password": "guess"}, "opcua.refused"),
        ({"user": "", "password": ""}, "opcua.refused"),
        ({"policy": Policy.NONE}, "opcua.refused"),
        ({"certificate": "/nowhere/own.der"}, "opcua.credentials"),
    ],
    ids=str,
)
async def test_refusals_say_what_to_check(protected, keys, connected, more, code):
    with pytest.raises(Unavailable) as caught:
        async with connected(protected.endpoint, **mine(keys, **more)):
            pass
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)
    assert "guess" not in str(caught.value)


async def test_another_server_than_the_pinned_one_is_refused(protected, keys, connected):
    pinned = str(keys / "stranger.der")
    with pytest.raises(Unavailable):
        async with connected(protected.endpoint, **mine(keys, server_certificate=pinned)):
            pass


async def test_keys_of_a_channel_are_renewed(protected, keys, connected, monkeypatch):
    """A channel with a life of one second lives on, encrypted with new keys."""
    async with connected(protected.endpoint, **mine(keys, channel_lifetime_s=1.0)) as driver:
        plan = driver.compile([protected.tag(1, "load")])
        channel = driver._session.client.uaclient.protocol._connection
        tokens = set()
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            assert (await driver.read(plan)).quality[0] == GOOD
            tokens.add(channel.security_token.TokenId)
            await asyncio.sleep(0.05)
    assert len(tokens) >= 3


async def test_an_idle_session_is_kept_alive(protected, keys, connected):
    async with connected(protected.endpoint, **mine(keys, session_timeout_s=0.6)) as driver:
        asked = driver._session.client.uaclient.protocol
        before = asked._request_handle
        await until(lambda: asked._request_handle > before)
        assert driver._session.fault is None


async def test_nobody_there(connected, unused_port):
    with pytest.raises(Unavailable) as caught:
        async with connected(f"opc.tcp://127.0.0.1:{unused_port}"):
            pass
    assert caught.value.code == "opcua.unreachable"
    assert caught.value.next_step("zh")


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", os.urandom(300)])
async def test_a_peer_that_speaks_something_else(connected, says):
    """Neither silence nor garbage hangs or breaks anything; it ends within the time allowed."""

    done = asyncio.Event()

    async def answer(reader, writer):
        await reader.read(100)
        writer.write(says)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable):
            async with connected(f"opc.tcp://127.0.0.1:{port}", timeout_ms=200):
                pass
        await done.wait()
