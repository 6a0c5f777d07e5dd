"""kill -9 while deposits are written, sealed and sent: the chain at the sink is whole each time."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.escrow import read_manifest
from mingwu.identity.secondlevel.model import Mode
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.lab.enterprises.trade import stranger
from mingwu.lab.topnode.emergency import restore
from mingwu.lab.topnode.run import topnode_key

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROUNDS, ITEMS, PREFIX = 4, 800, "88.101.1002"
DAY_MS = 86_400_000
QUEUE = "/api/secondlevel/applications"
SMALL = "escrow_piece_bytes = 4096\nescrow_full_days = 2"


def deposits(node):
    """(number, id, kind) of what the node made."""
    return node.rows("SELECT number, id, kind FROM secondlevel_deposit ORDER BY number")


def turn_the_day(node):
    """As if every deposit had been made a day earlier."""
    node.rows(f"UPDATE secondlevel_deposit SET made_at_ms = made_at_ms - {DAY_MS}")


async def begun(node, was):
    """Wait for a deposit in the making (it takes a moment only), or made."""
    async with asyncio.timeout(60):
        while not any((node.data / "escrow").glob("making-*")) and len(deposits(node)) == was:
            await asyncio.sleep(0.001)


def restored(land, turn):
    """Names that the sink would answer for now; raises when the chain is broken."""
    held = land.top.receiver.deposits["88.101"]
    if not held:
        return set()
    folder = land.top.receiver.folder("88.101")
    path = Path(land.top.settings.directory) / f"drill-{turn}"
    records = RecordStore(path, map_bytes=2**27, durable=False)
    try:
        known = land.top.settings.nodes[0]
        restore(
            records, folder, held, scalar=topnode_key(Path(land.top.settings.directory)),
            signer=bytes.fromhex(known.public_key), site=site_at("127.0.0.1", 2641),
        )  # fmt: skip
        return set(records.names(PREFIX, limit=10**6))
    finally:
        records.close()


@pytest.mark.parametrize("land", [(41, SMALL)], indirect=True)
async def test_no_half_deposit_counts_and_the_chain_is_unbroken(land):
    node, done = land.node, set()
    await node.start()
    form = msgspec.to_builtins(stranger("88.101", 2, Mode.HOSTED))
    made = await node.call("POST", QUEUE, form)
    await node.call("POST", f"{QUEUE}/{made.json()['id']}/decision", {"action": "accept"})
    for turn in range(ROUNDS):
        items = [{"name": f"{PREFIX}/EDU.{turn:02d}-{n:04d}", "values": {"t9.brand": f"牌{n}"}}
                 for n in range(ITEMS)]  # fmt: skip
        reply = await node.call("POST", f"/api/secondlevel/prefixes/{PREFIX}/identifiers", items)
        assert {one["code"] for one in reply.json()} == {1}, reply.text[:500]
        done |= {one["name"] for one in items}
        was = len(deposits(node))
        turn_the_day(node)
        await begun(node, was)
        await node.kill_within(0.05 if turn % 2 else 0.5)  # in the making, in the sending
        assert restored(land, turn) <= done, "the sink can answer for us at any time"
        await node.start()
    await node.until(node.settled, "everything delivered")
    rows = deposits(node)
    kinds = [kind for _, _, kind in rows]
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert kinds[0] == "FULL"
    assert kinds.count("FULL") >= 2
    assert "DIFF" in kinds
    assert land.top.receiver.deposits["88.101"] == [id_ for _, id_, _ in rows]
    check_chain(land, rows)
    turn_the_day(node)
    await node.until(lambda: len(deposits(node)) > len(rows), "one more day")
    await node.until(node.settled, "everything delivered")
    node.kill()
    assert restored(land, "end") == done
    left = {path.name for path in (node.data / "escrow").iterdir()}
    owned = {name for _, id_, _ in deposits(node) for name in left if name.startswith(id_ + ".")}
    assert left == owned, "nothing of the killed ones is left"


def check_chain(land, rows):
    """Each DIFF begins where the deposit before it ended."""
    signer = bytes.fromhex(land.top.settings.nodes[0].public_key)
    ended = 0
    for _, id_, kind in rows:
        manifest = read_manifest(land.top.receiver.folder("88.101"), id_, signer)
        assert manifest.from_sequence == (ended if kind == "DIFF" else 0)
        ended = manifest.to_sequence
