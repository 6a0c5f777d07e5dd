"""kill -9 while tables go to the top node: every row arrives, and counts once."""

import asyncio
import contextlib
from collections import Counter

import msgspec
import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import Mode, SiteForm
from mingwu.identity.server.process import ResolverServer
from mingwu.identity.settings import ResolverSettings
from mingwu.lab.enterprises.trade import stranger

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROUNDS, ITEMS, HOSTED = 3, 500, "88.101.1002"
QUEUE = "/api/secondlevel/applications"


async def accepted(node, number, mode, site=None):
    form = msgspec.to_builtins(stranger("88.101", number, mode, site))
    made = await node.call("POST", QUEUE, form)
    done = await node.call("POST", f"{QUEUE}/{made.json()['id']}/decision", {"action": "accept"})
    assert done.status_code == 200, done.text


async def registering(node, turn, done):
    """Names under the hosted prefix until the node dies."""
    for batch in range(1000):
        items = [{"name": f"{HOSTED}/EDU.{turn}-{batch}-{n}"} for n in range(ITEMS)]
        reply = await node.call("POST", f"/api/secondlevel/prefixes/{HOSTED}/identifiers", items)
        if reply is None:
            return
        assert all(one["code"] == 1 for one in reply.json())
        done += [one["name"] for one in items]


@contextlib.asynccontextmanager
async def enterprise_node(folder):
    """An enterprise's own node that comes and goes; yields its port."""
    store = RecordStore(folder, map_bytes=2**27, durable=False)
    settings = ResolverSettings(directory=str(folder), port=0, http_port=0, durable=False)
    async with ResolverServer(settings, store) as server:
        port = server.port

    async def flap():
        again = msgspec.structs.replace(settings, port=port)
        while True:
            async with ResolverServer(again, store):
                await asyncio.sleep(0.25)
            await asyncio.sleep(0.25)

    task = asyncio.create_task(flap())
    try:
        yield port
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        store.close()


def turn_the_day(node):
    """As if the identifiers' daily table had last been made yesterday (the node is dead)."""
    node.rows(
        "UPDATE secondlevel_mark SET value = '2026-01-01' || substr(value, 11) WHERE name = 'T9'"
    )


PROBING = "probe_interval_s = 0.05\nprobe_failures = 1\nprobe_timeout_s = 1.0"


@pytest.mark.parametrize("land", [(31, PROBING)], indirect=True)
async def test_every_row_arrives_and_counts_once(land, tmp_path):
    node, done = land.node, []
    async with enterprise_node(tmp_path / "own") as port:
        await node.start()
        await accepted(node, 2, Mode.HOSTED)
        await accepted(node, 3, Mode.OWN, SiteForm(host="127.0.0.1", port=port))
        for turn in range(ROUNDS):
            had = len(done)
            work = asyncio.create_task(registering(node, turn, done))
            await node.until(lambda: len(done) > had, "a first batch")  # noqa: B023 - called now
            await node.kill_within(0.6)
            await work
            turn_the_day(node)
            await node.start()
        events = "SELECT count(*) FROM secondlevel_event"
        await node.until(lambda: node.rows(events)[0][0] > 3, "nodes that come and go")
    await node.until(node.settled, "everything delivered")
    node.kill()
    turn_the_day(node)
    await node.start()
    told = "SELECT value FROM secondlevel_mark WHERE name = 'T9'"
    await node.until(lambda: not node.rows(told)[0][0].startswith("2026-01-01"), "a day's table")
    # the last event may have been seen and not yet told
    await node.until(
        lambda: node.settled() and received_events(land) == events_of(node), "everything delivered"
    )
    node.kill()
    check_identifiers(land, done)
    assert received_events(land) == events_of(node)
    check_messages(land)


def check_identifiers(land, done):
    names = Counter(row["code"] for row in land.received("T9"))
    assert set(done) <= set(names)
    assert set(names.values()) == {1}
    kept = {name for (name,) in land.node.rows("SELECT name FROM secondlevel_identifier")}
    assert set(names) == kept


def events_of(node):
    """The beginning and the end of each event, once."""
    expected = Counter()
    for number, ended in node.rows("SELECT number, ended_ms FROM secondlevel_event"):
        expected[number, "abnormal"] = 1
        if ended:
            expected[number, "recovered"] = 1
    return expected


def received_events(land):
    """What the top node heard of them."""
    return Counter((row["id"], row["event"]) for row in land.received("M2"))


def check_messages(land):
    """What the node believes delivered is what the top node has, no more and no less."""
    query = "SELECT number, state FROM secondlevel_outbox WHERE channel IN ('sync', 'monitor')"
    rows = dict(land.node.rows(query))
    assert set(rows.values()) == {"acknowledged"}
    assert set(rows) == {number for _, number in land.top.receiver._seen}
