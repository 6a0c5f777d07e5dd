"""Grants of the enterprise node hold on the resolver's doors of a running node.

The grants are given over HTTP in one process, asked for by Handle identities in another.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mingwu.identity.client import adminclient
from mingwu.identity.client.credentials import (
    Credentials,
    KeyCredentials,
    SecretCredentials,
    wire_key,
)
from mingwu.identity.client.handleclient import connected, resolve
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.server.process import open_store
from mingwu.kernel.errors import PeerError
from mingwu.trust.roles import Role
from mingwu.wire.handle.codes import Rc
from mingwu.wire.handle.keys import encode_key
from mingwu.wire.handle.values import HandleValue, Reference

from .running import until
from .test_identity_plane import Plane

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

PREFIX = "88.888.101"
NAME = f"{PREFIX}/PRT.GRANTED.1"
ANN, BEN, EVE = (f"{PREFIX}/USR.{name}" for name in ("ANN", "BEN", "EVE"))
TEMPLATE = {
    "prefix": PREFIX,
    "version": "GRANT-1",
    "name_zh": "零件",
    "name_en": "part",
    "industry": {"category": "C", "division": "36", "group": "367", "class": "3670"},
    "items": [
        {"type": "name", "name_zh": "名称", "required": True},
        {"type": "inspector", "name_zh": "检验员", "restricted": True},
        {"type": "grade", "name_zh": "等级", "restricted": True},
    ],
}
KEY = rsa.generate_private_key(65537, 2048)


def people(store: RecordStore) -> None:
    public = HandleValue(300, "HS_PUBKEY", encode_key(wire_key(KEY.public_key())))
    store.put(Record(ANN, (public,)))
    for name in (BEN, EVE):
        secret = HandleValue(301, "HS_SECKEY", name.encode(), permissions=0x0C)
        store.put(Record(name, (secret,)))


def by_secret(name: str) -> Credentials:
    return SecretCredentials(Reference(name, 301), name.encode())


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    running = Plane(tmp_path_factory.mktemp("plane"))
    try:
        store = open_store(running.config.resolver)
        people(store)
        store.close()

        async def registered() -> bool:
            async with running.client(Role.ENGINEER) as client:
                base = "/api/identity"
                made = await client.post(f"{base}/templates?publish=1", json=TEMPLATE)
                assert made.status_code in {200, 409}, made.text
                values = {"name": "壳体", "inspector": "王", "grade": "A"}
                item = {"name": NAME, "template": {"prefix": PREFIX, "version": "GRANT-1"},
                        "values": values}  # fmt: skip
                done = await client.post(f"{base}/names/register", json={"items": [item]})
                return done.json().get("done") == 1

        await until(registered, "a name with restricted values", 90)
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
async def no_grants_left(plane: Plane) -> AsyncIterator[None]:
    """The tests share a node and come in any order: none inherits another's grants."""
    yield
    async with plane.client(Role.ENGINEER) as client:
        left = (await client.get("/api/identity/grants")).json()["grants"]
        fields = ("grantee", "scope", "target", "item")
        grants = [{field: one[field] for field in fields} for one in left]
        if grants:
            reply = await client.request("DELETE", "/api/identity/grants", json={"grants": grants})
            assert reply.status_code == 200, reply.text


async def read(plane: Plane, who: Credentials, types: tuple[str, ...] = ()) -> set[str] | int:
    """Texts of the values that ``who`` gets, or the code of the refusal."""
    host, port = plane.server.split(":")
    async with connected(host, int(port)) as client:
        try:
            values = await adminclient.read_values(client, who, NAME, types=types)
        except PeerError as error:
            return int(str(error.params["code"]))
    return {value.text() for value in values}


async def give(plane: Plane, grantee: str, item: str, method: str = "POST") -> None:
    grant = {"grantee": grantee, "scope": "identifier", "target": NAME, "item": item}
    async with plane.client(Role.ENGINEER) as client:
        reply = await client.request(method, "/api/identity/grants", json={"grants": [grant]})
        assert reply.status_code == 200, reply.text


async def test_fields_are_readable_by_identity_and_group_and_nobody_else(plane: Plane):
    assert not {"王", "A"} & {value.text() for value in (await resolve(NAME, plane.server)).values}
    ann = KeyCredentials(Reference(ANN, 300), KEY)
    for who in (ann, by_secret(BEN), by_secret(EVE)):
        assert await read(plane, who) == Rc.NO_PERMISSION
    await give(plane, ANN, "inspector")
    async with plane.client(Role.ENGINEER) as client:
        group = {"name": "auditors", "zh": "审核员", "members": [BEN]}
        assert (await client.put("/api/identity/groups", json=group)).status_code == 200
    await give(plane, "group:auditors", "*")
    got = await read(plane, ann)
    assert isinstance(got, set)
    assert "王" in got
    assert "A" not in got
    assert await read(plane, ann, ("grade",)) == Rc.NO_PERMISSION
    both = await read(plane, by_secret(BEN), ("inspector", "grade"))
    assert both == {"王", "A"}
    assert await read(plane, by_secret(EVE)) == Rc.NO_PERMISSION
    await give(plane, ANN, "inspector", "DELETE")
    assert await read(plane, ann) == Rc.NO_PERMISSION


async def test_the_json_interface_asks_the_same_grants(plane: Plane):
    await give(plane, BEN, "grade")
    url = f"http://127.0.0.1:{plane.config.resolver.http_port}/api/handles/{NAME}"
    async with httpx.AsyncClient(timeout=20) as client:
        for who, status in ((BEN, 200), (EVE, 403)):
            login = (f"301%3A{who}", who)
            reply = await client.get(url, params={"type": "grade"}, auth=login)
            assert (reply.status_code, '"A"' in reply.text) == (status, status == 200)
        wrong = await client.get(url, params={"type": "grade"}, auth=(f"301%3A{BEN}", "guess"))
        assert wrong.status_code == 401
        public = await client.get(url)
        assert (public.status_code, "王" in public.text) == (200, False)
