"""kill -9 between an application's acceptance, the prefix at the top node and the answer."""

import asyncio
from collections import Counter

import msgspec
import pytest

from mingwu.identity.secondlevel.model import Mode, SiteForm
from mingwu.lab.enterprises.trade import stranger

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROUNDS, EACH = 4, 6
QUEUE = "/api/secondlevel/applications"
ACCEPT = {"action": "accept"}


async def submitted(node, number):
    """An application in the queue: hosted, or with a node of its own."""
    mode = Mode.OWN if number % 2 else Mode.HOSTED
    site = SiteForm(host="127.0.0.1", port=9) if mode is Mode.OWN else None
    form = stranger("88.101", number, mode, site)
    reply = await node.call("POST", QUEUE, msgspec.to_builtins(form))
    if reply is None or reply.status_code == 409:
        return form.prefix, ""  # killed over it; whether it arrived is looked up later
    assert reply.status_code == 201, reply.text
    return form.prefix, reply.json()["id"]


async def decided(node, id_):
    reply = await node.call("POST", f"{QUEUE}/{id_}/decision", ACCEPT)
    if reply is None:
        return None
    assert reply.status_code in {200, 409}, reply.text
    if reply.status_code == 409:
        assert reply.json()["code"] == "secondlevel.application-state"
    return reply.status_code


async def in_queue(node):
    reply = await node.call("GET", QUEUE)
    return {row["form"]["prefix"]: row for row in reply.json()["rows"]}


@pytest.mark.parametrize("land", [(11, "")], indirect=True)
async def test_exactly_one_prefix_and_one_answer(land):
    node, told = land.node, {}
    await node.start()
    for turn in range(ROUNDS):
        made = [await submitted(node, turn * 20 + n) for n in range(EACH)]
        work = [asyncio.create_task(decided(node, id_)) for _, id_ in made]
        work.append(asyncio.create_task(submitted(node, turn * 20 + EACH)))
        await node.kill_within(0.25)
        answers = await asyncio.gather(*work[:-1])
        lost, _ = await work[-1]
        await node.start()
        queue = await in_queue(node)
        for (prefix, id_), answer in zip(made, answers, strict=True):
            assert queue[prefix]["id"] == id_, "what was acknowledged is in the queue"
            if answer is None and queue[prefix]["state"] == "submitted":
                # the clerk got no answer and tries again
                assert await decided(node, id_) == 200
            elif answer is None:
                assert await decided(node, id_) == 409, "decided once"
            told[prefix] = id_
        if lost in queue:  # the applicant got no answer: sending it again makes no second one
            again = await submitted(node, turn * 20 + EACH)
            assert again == (lost, "")
    await node.until(node.settled, "everything delivered")
    await land.node.until(lambda: set(told) <= set(land.top.epp.registered), "all prefixes there")
    await node.until(lambda: lines_of(node, told) == dict.fromkeys(told, 1), "journal")
    check(land, told)


def lines_of(node, told):
    """How many lines the journal has for the acceptance of each prefix."""
    query = "SELECT object FROM journal WHERE action = 'identity.prefix-accept'"
    lines = Counter(one for (one,) in node.rows(query, database="trust"))
    return {prefix: lines[id_] for prefix, id_ in told.items()}


def check(land, told):
    """One prefix each, here, in the records and at the top node; one acceptance in the history."""
    node = land.node
    rows = node.rows("SELECT prefix, state, upstream, projected FROM secondlevel_prefix")
    assert sorted(rows) == sorted((prefix, "active", "registered", 1) for prefix in told)
    sent = node.rows("SELECT subject, state FROM secondlevel_outbox WHERE channel = 'epp'")
    assert sorted(sent) == sorted((prefix, "acknowledged") for prefix in told)
    steps = node.rows(
        "SELECT application FROM secondlevel_application_event WHERE state = 'accepted'"
    )
    assert sorted(one for (one,) in steps) == sorted(told.values())
    journal = (land.top.registry._path).read_bytes()
    for prefix in told:
        assert journal.count(b'"held":{"%s":' % prefix.encode()) == 1, "one create at the top node"
    node.kill()
    with node.records() as records:
        assert all(records.get(f"0.NA/{prefix}") is not None for prefix in told)
        hosted = {prefix for prefix in told if int(prefix.rpartition(".")[2]) % 2 == 0}
        assert {one for one in records.prefixes() if one.startswith("88.101.")} == hosted
