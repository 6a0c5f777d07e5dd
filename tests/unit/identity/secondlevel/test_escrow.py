"""Escrow: full and differential deposits, sealed, cut, restored; every tampering is seen."""

import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.escrow import DIFF, FULL, Escrow, read_manifest, read_objects
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.kernel.errors import InvalidInput
from mingwu.lab.topnode.emergency import forget, restore
from mingwu.trust import sm2

RECEIVER = bytes(31) + b"\x07"
PREFIX = "88.101.1"
DAY = 86_400_000


def items(numbers, name="a <&> \"b\" 'c' 中"):
    return [
        HostedItem(name=f"{PREFIX}/PRT.{n:04d}", template="T", values={"NAME": name})
        for n in numbers
    ]


@pytest.fixture
def node_small_pieces(node, settings, clock):
    import msgspec

    small = msgspec.structs.replace(settings, escrow_piece_bytes=1024)
    node.escrow = Escrow(node._engine, small, clock, node.escrow._scalar)
    return node


def deposit(node, kind):
    return node.escrow.make(kind, sm2.public_point(RECEIVER))


def put_back(node, records, folder, *ids):
    return restore(
        records, folder, ids, scalar=RECEIVER, signer=node.public_key,
        site=site_at("127.0.0.1", 9),
    )  # fmt: skip


def test_full_and_diff_restore_to_the_same_records(
    node_small_pieces, records, accepted, clock, tmp_path
):
    node = node_small_pieces
    accepted(1)
    accepted(2, mode=Mode.OWN)
    accepted(3)
    node.hosted.register(PREFIX, items(range(100)))
    clock.ms += 1
    full = deposit(node, FULL)
    assert full.objects == 103
    assert len(full.pieces) > 1
    clock.ms += DAY
    node.hosted.register(PREFIX, items([200]))
    node.hosted.change(PREFIX, items([5], "changed"))
    node.hosted.remove(PREFIX, [items([6])[0].name])
    accepted(3, kind=Kind.EXIT)
    diff = deposit(node, DIFF)
    assert diff.objects == 4
    folder = tmp_path / "escrow"
    other = RecordStore(tmp_path / "other", map_bytes=2**27, durable=False)
    try:
        assert put_back(node, other, folder, full.id, diff.id) == 107
        assert other.names(PREFIX) == records.names(PREFIX)
        for name in other.names(PREFIX):
            mine = [(v.index, v.type, v.data) for v in other.get(name).values]
            assert mine == [(v.index, v.type, v.data) for v in records.get(name).values]
        assert other.is_homed(PREFIX)
        assert not other.is_homed("88.101.3")
        referral = "0.NA/88.101.2"
        assert other.get(referral).value(1).data == records.get(referral).value(1).data
        forget(other, "88.101")
        assert other.prefixes() == []
        assert other.names(PREFIX) == other.names("0.NA") == []
    finally:
        other.close()


@pytest.mark.parametrize("what", ["piece", "manifest", "signature", "gone", "key", "signer"])
def test_tampering_is_refused_before_anything_is_read(node, accepted, tmp_path, what):
    accepted(1)
    made = deposit(node, FULL)
    folder, scalar, signer = tmp_path / "escrow", RECEIVER, node.public_key
    files = {"piece": made.pieces[0].name, "manifest": f"{made.id}.json",
             "signature": f"{made.id}.sig"}  # fmt: skip
    if what in files:
        path = folder / files[what]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif what == "gone":
        (folder / made.pieces[0].name).unlink()
    elif what == "key":
        scalar = bytes(31) + b"\x08"
    else:
        signer = sm2.public_point(bytes(31) + b"\x09")
    with pytest.raises(InvalidInput, match="cannot be used"):
        next(read_objects(folder, read_manifest(folder, made.id, signer), scalar))


def test_a_chain_needs_its_full_and_has_no_gap(node, records, accepted, clock, tmp_path):
    accepted(1)
    ids = []
    for kind in (FULL, DIFF, DIFF):
        ids.append(deposit(node, kind).id)
        clock.ms += DAY
    folder = tmp_path / "escrow"
    with pytest.raises(InvalidInput, match="no FULL"):
        put_back(node, records, folder, *ids[1:])
    with pytest.raises(InvalidInput, match="2 is missing"):
        put_back(node, records, folder, ids[0], ids[2])


def test_daily_after_eight_and_full_once_a_week(node, clock):
    assert node.escrow.due() == FULL
    made = []
    clock.ms -= 13 * 3_600_000  # 08:33 in Beijing
    for _ in range(9):
        kind = node.escrow.due()
        made.append(kind)
        deposit(node, kind)
        assert node.escrow.due() == ""
        clock.ms += DAY
    assert made == [FULL, *[DIFF] * 6, FULL, DIFF]
    clock.ms -= 2 * 3_600_000
    assert node.escrow.due() == "", "not before 08:00"


@pytest.mark.anyio
async def test_old_deposits_go_when_delivered_and_superseded(node, clock, tmp_path):
    async def send(entry):
        return None

    first, _ = deposit(node, FULL), deposit(node, DIFF)
    clock.ms += 70 * DAY
    last = deposit(node, FULL)
    assert node.escrow.prune(60) == 0, "not delivered"
    await node.outbox.deliver("escrow", send)
    clock.ms += 70 * DAY
    assert node.escrow.prune(60) == 2
    left = {path.name for path in (tmp_path / "escrow").iterdir()}
    assert left == {f"{last.id}.json", f"{last.id}.sig", last.pieces[0].name}
    assert not (tmp_path / "escrow" / first.pieces[0].name).exists()
    assert node.outbox.prune(60) == 2, "the newest number is kept"
    assert [row["acknowledged"] for row in node.outbox.lag()] == [1]
