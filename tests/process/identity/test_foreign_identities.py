"""Administrators and readers whose keys live at another node, over real servers.

Root, the user's home and the serving node are servers of their own; the root file carries the
root's key, so every step down is signed.
"""

import asyncio
import base64
import contextlib
import json
import time
import urllib.error
import urllib.request

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mingwu.identity.access.elsewhere import Question
from mingwu.identity.client import adminclient
from mingwu.identity.client.credentials import (
    KeyCredentials,
    SecretCredentials,
    Sm2Credentials,
    new_key,
    public_data,
    wire_key,
)
from mingwu.identity.client.credentials import credentials as credentials_of
from mingwu.identity.client.handleclient import connected
from mingwu.identity.client.root import parse_root, root_at
from mingwu.identity.records import Record
from mingwu.identity.server.foreign import ForeignIdentities
from mingwu.kernel.errors import PeerError
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.keys import encode_key
from mingwu.wire.handle.site import Interface, Server, Site, encode_site, pack_address
from mingwu.wire.handle.values import HandleValue, Reference

pytestmark = pytest.mark.anyio
PREFIX, HOME = "88.888.101", "88.777"
ANN, BEN, SUE = (f"{HOME}/USR.{name}" for name in ("ANN", "BEN", "SUE"))
NAME = f"{PREFIX}/LOT.1"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
SM2_PEM = new_key("sm2")


def key_value(key, index=300):
    return HandleValue(index, "HS_PUBKEY", encode_key(wire_key(key.public_key())))


def site_of_port(port, server_key, **more):
    server = Server(1, pack_address("127.0.0.1"), server_key, (Interface(3, 1, port),))
    return encode_site(Site((server,), **more))


def server_key(server):
    """The key that a server's own site record tells."""
    return server._resolver.site.servers[0].public_key


def root_file(root):
    value = HandleValue(1, "HS_SITE", site_of_port(root.port, server_key(root)))
    return parse_root(orjson.dumps({"values": [value_to_json(value)]}))


def fill(home, serving_node):
    home.store.put(Record(ANN, (key_value(RSA_KEY),)))
    secret = HandleValue(301, "HS_SECKEY", b"ben's secret", permissions=0x0C)
    home.store.put(Record(BEN, (secret,)))
    home.store.put(Record(SUE, (HandleValue(300, "HS_PUBKEY", public_data(SM2_PEM)),)))

    def with_strangers(record):
        admins = [
            HandleValue(120 + number, "HS_ADMIN", encode_admin(Admin(name, 0)))
            for number, name in enumerate((ANN, BEN, SUE))
        ]
        return Record(record.name, (*record.values, *admins), record.live)

    serving_node.store.change(f"0.NA/{PREFIX}", with_strangers)


@pytest.fixture
def nodes(serving):
    """``async with nodes() as (root, home, here)``; ``here`` asks the root about strangers."""

    @contextlib.asynccontextmanager
    async def stand(*, home_key=None, root_for=root_file, **more):
        async with (
            serving("root", filled=False, prefixes=("0.NA",)) as root,
            serving("home", filled=False, prefixes=(HOME,)) as home,
            serving("here") as here,
        ):
            key = home_key if home_key is not None else server_key(home)
            data = site_of_port(home.port, key)
            root.store.put(Record(f"0.NA/{HOME}", (HandleValue(1, "HS_SITE", data),)))
            fill(home, here)
            foreign = ForeignIdentities(root_for(root), **{"timeout_s": 5.0} | more)
            here._worker._verdicts, here._worker.gate.asks_elsewhere = foreign, True
            yield root, home, here

    return stand


async def attempt(here, who):
    """Create and delete a name as ``who``; the refusal's code or None."""
    async with connected("127.0.0.1", here.port) as client:
        try:
            await adminclient.create(client, who, NAME, [HandleValue(1, "URL", b"x")])
        except PeerError as error:
            return error.params["code"]
    assert here.store.get(NAME) is not None
    here.store.delete_many([NAME])
    return None


ann = KeyCredentials(Reference(ANN, 300), RSA_KEY)
ben = SecretCredentials(Reference(BEN, 301), b"ben's secret")
sue = credentials_of(Reference(SUE, 300), SM2_PEM)


@pytest.mark.parametrize("who", [ann, ben, sue], ids=["rsa", "secret", "sm2"])
async def test_users_of_another_node_administer_here(nodes, who):
    assert isinstance(sue, Sm2Credentials)
    async with nodes() as (_, _, here):
        assert await attempt(here, who) is None


@pytest.mark.parametrize(
    "who",
    [
        KeyCredentials(Reference(ANN, 300), OTHER),
        KeyCredentials(Reference(ANN, 301), RSA_KEY),
        SecretCredentials(Reference(BEN, 301), b"guess"),
        SecretCredentials(Reference(f"{HOME}/USR.NOBODY", 301), b"x"),
        SecretCredentials(Reference("99.1/NOWHERE", 301), b"x"),
    ],
    ids=["other-key", "other-index", "other-secret", "no-user", "no-prefix"],
)
async def test_bad_proofs_of_strangers_are_refused(nodes, who):
    async with nodes() as (_, _, here):
        assert await attempt(here, who) == Rc.AUTHENTICATION_FAILED


async def test_a_home_that_does_not_sign_with_the_key_named_above_is_not_believed(nodes):
    impostor = encode_key(wire_key(OTHER.public_key()))
    async with nodes(home_key=impostor) as (_, _, here):
        for who in (ann, ben):
            assert await attempt(here, who) == Rc.AUTHENTICATION_FAILED


def by_address(root):
    return root_at(f"127.0.0.1:{root.port}")


async def test_a_root_without_keys_is_not_enough(nodes):
    async with nodes(root_for=by_address) as (_, _, here):
        assert await attempt(here, ann) == Rc.AUTHENTICATION_FAILED


@pytest.mark.parametrize("trusted", [True, False])
async def test_but_an_anchor_may_vouch_for_the_prefix(nodes, trusted):
    asked = []

    async def vouched(name, values):
        asked.append((name, {value.type for value in values}))
        return trusted

    async with nodes(root_for=by_address, vouched=vouched) as (_, _, here):
        for who in (ann, ben):
            assert await attempt(here, who) == (None if trusted else Rc.AUTHENTICATION_FAILED)
        assert asked == [(f"0.NA/{HOME}", {"HS_SITE"})] * 2


async def test_administrators_at_prefix_records(nodes):
    admin = f"0.NA/{HOME}"
    async with nodes() as (root, home, here):
        entry = HandleValue(130, "HS_ADMIN", encode_admin(Admin(admin, 300)))
        here.store.change(f"0.NA/{PREFIX}", lambda r: Record(r.name, (*r.values, entry), r.live))
        who = KeyCredentials(Reference(admin, 300), RSA_KEY)
        assert await attempt(here, who) == Rc.AUTHENTICATION_FAILED
        here._worker._verdicts._homes.clear()
        # The prefix's own node speaks where the tree above tells no key …
        home.store.change(admin, lambda r: Record(r.name, (*r.values, key_value(RSA_KEY))))
        assert await attempt(here, who) is None
        # … and is not asked where it does.
        here._worker._verdicts._homes.clear()
        root.store.change(admin, lambda r: Record(r.name, (*r.values, key_value(OTHER))))
        assert await attempt(here, who) == Rc.AUTHENTICATION_FAILED


async def test_keys_are_kept_briefly_and_asked_for_once(nodes):
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    clock = Clock()
    async with nodes(clock=clock) as (_, home, here):
        results = await asyncio.gather(*(attempt_as(here, number) for number in range(4)))
        assert results == [None] * 4
        first = home.statistics.tcp
        assert await attempt(here, ann) is None
        assert home.statistics.tcp == first
        home.store.put(Record(ANN, (key_value(OTHER),)))
        clock.now += 61
        assert await attempt(here, ann) == Rc.AUTHENTICATION_FAILED


async def attempt_as(here, number):
    name = f"{PREFIX}/LOT.P{number}"
    async with connected("127.0.0.1", here.port) as client:
        await adminclient.create(client, ann, name, [HandleValue(1, "URL", b"x")])


async def test_a_silent_home_delays_only_who_waits_for_it(nodes):
    async def nobody(reader, writer):
        with contextlib.suppress(Exception):
            await reader.read()
        writer.close()

    silent = await asyncio.start_server(nobody, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with nodes(timeout_s=1.0) as (root, home, here):
        data = site_of_port(port, server_key(home))
        root.store.put(Record(f"0.NA/{HOME}", (HandleValue(1, "HS_SITE", data),)))
        started = time.monotonic()
        waiting = asyncio.create_task(attempt(here, ann))
        await asyncio.sleep(0.2)
        local = SecretCredentials(Reference(f"0.NA/{PREFIX}", 301), b"correct horse")
        assert await attempt(here, local) is None
        assert time.monotonic() - started < 1
        assert await waiting == Rc.AUTHENTICATION_FAILED
        assert time.monotonic() - started < 3
    silent.close()
    await silent.wait_closed()


async def test_the_json_interface_knows_them_too(nodes):
    def put(here, authorization, url_path=NAME):
        url = f"http://127.0.0.1:{here.http_port}/api/handles/{url_path}"
        body = json.dumps([{"index": 1, "type": "URL", "data": "x"}]).encode()
        question = urllib.request.Request(  # noqa: S310
            url, method="PUT", data=body, headers={"Authorization": authorization}
        )
        try:
            with urllib.request.urlopen(question, timeout=8) as reply:  # noqa: S310
                return reply.status, dict(reply.headers), ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.headers.get_all("WWW-Authenticate")

    def basic(secret):
        return "Basic " + base64.b64encode(f"301%3A{BEN}:{secret}".encode()).decode()

    async with nodes() as (_, _, here):
        assert (await asyncio.to_thread(put, here, basic("ben's secret")))[0] == 201
        assert (await asyncio.to_thread(put, here, basic("guess")))[0] == 401
        _, _, offers = await asyncio.to_thread(put, here, "Nothing")
        offer = next(text for text in offers if text.startswith("Handle"))
        session, nonce = (part.split('"')[1] for part in offer.split(", "))
        cnonce = b"c" * 16
        _, proof = ann.prove(base64.b64decode(nonce) + cnonce)
        signature = base64.b64encode(proof[proof.index(b"SHA-256") + 11 :]).decode()
        header = (
            f'Handle sessionId="{session}", cnonce="{base64.b64encode(cnonce).decode()}", '
            f'id="300:{ANN}", type="HS_PUBKEY", alg="SHA-256", signature="{signature}"'
        )
        assert (await asyncio.to_thread(put, here, header, f"{PREFIX}/LOT.2"))[0] == 201
        assert (await asyncio.to_thread(put, here, header))[0] == 401, "a proof is good once"


async def test_no_node_passes_on_a_question_about_a_secret(nodes):
    async with nodes() as (_, _, here):
        foreign = here._worker._verdicts
        here._worker.gate.asks_elsewhere = True
        question = Question(ben.who, "HS_SECKEY", b"x", b"n", b"d")
        assert not await foreign.holds(question)
