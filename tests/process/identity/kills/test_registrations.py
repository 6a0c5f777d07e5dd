"""kill -9 while batches come in by HTTP, at the own routes and at a façade: no answer was a lie."""

import asyncio

import httpx
import pytest

from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import encode_record

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
PREFIX, ITEMS, ROUNDS = "88.888.101", 60, 4
REF = {"prefix": PREFIX, "version": "1"}
TEMPLATE = {
    **REF,
    "industry": {"category": "C", "division": "36"},
    "items": [{"type": "name", "required": True}, {"type": "batch", "restricted": True}],
}


def names(batch):
    return [f"{PREFIX}/K{batch}.{number:03d}" for number in range(ITEMS)]


async def own_route(node, batch):
    items = [{"name": name, "template": REF, "values": {"name": name, "batch": batch}}
             for name in names(batch)]  # fmt: skip
    reply = await node.call("POST", "/api/identity/names/register", {"items": items})
    if reply is None:
        return None
    assert reply.json()["done"] == ITEMS, reply.text
    return batch


async def facade(node, batch, token):
    rows = [
        {"prefix": PREFIX, "handle": name, "templateVersion": "1", "value": [
            {"index": 2000, "type": "name", "data": {"format": "string", "value": name}},
            {"index": 2001, "type": "batch", "data": {"format": "string", "value": batch}}]}
        for name in names(batch)
    ]  # fmt: skip
    async with node.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        try:
            reply = await client.post("/identityv2/data/batchCreate", json=rows)
        except httpx.TransportError:
            return None
    assert reply.json()["status"] == 1, reply.text
    return batch


async def registering(node, turn, lane, token, done, begun):
    """Batch after batch until the node dies."""
    for number in range(1000):
        batch = f"{turn}-{lane}-{number}"
        begun.add(batch)
        work = facade(node, batch, token) if lane % 2 else own_route(node, batch)
        if await work is None:
            return
        done.add(batch)


@pytest.mark.parametrize("land", [(21, "")], indirect=True)
async def test_what_was_answered_is_there_and_batches_are_whole(land):
    node, done, begun = land.node, set(), set()
    await node.start()
    made = await node.call("POST", "/api/identity/templates?publish=1", TEMPLATE)
    assert made.status_code == 200, made.text
    for turn in range(ROUNDS):
        credentials = {"username": "clerk", "password": "a long enough password 7"}
        token = (await node.call("POST", "/identity/token", credentials)).json()["data"]["token"]
        lanes = [
            asyncio.create_task(registering(node, turn, lane, token, done, begun))
            for lane in range(3)
        ]
        had = len(done)
        await node.until(lambda: len(done) > had, "a first batch")  # noqa: B023 - called now
        await node.kill_within(0.6)
        await asyncio.gather(*lanes)
        await node.start()
        await check_over_http(node, done)
    assert len(done) >= ROUNDS
    node.kill()
    check_stores(node, done, begun)


async def check_over_http(node, done):
    for batch in sorted(done)[-20:]:
        reply = await node.call("GET", f"/api/identity/names/detail?name={names(batch)[7]}")
        assert reply.json()["values"][1]["value"] == batch, reply.text
        assert reply.json()["version"] == 1


def check_stores(node, done, begun):
    """Every acknowledged batch, and no half one, in the rows, the history and the records."""
    kept = {name for (name,) in node.rows("SELECT name FROM enterprise_identifier",
                                          database="enterprise")}  # fmt: skip
    whole = {batch for batch in begun if names(batch)[0] in kept}
    assert done <= whole
    assert kept == {name for batch in whole for name in names(batch)}
    with node.records() as records:
        stored = {name for name in records.names(PREFIX, limit=10**6) if "/K" in name}
        assert stored == kept
        for batch in whole:
            for name in names(batch)[:: ITEMS - 1]:
                record = records.get(name)
                assert record.value(2001).text() == batch
                assert records.projection.get(key_of(name)) == encode_record(record)
