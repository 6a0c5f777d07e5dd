"""Escrow: full and differential deposits, sealed, cut, restored; every tampering is seen."""

from pathlib import Path

import pytest

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.cards import prefix_admin
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.secondlevel.escrow import DIFF, FULL, Escrow, read_manifest, read_objects
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.kernel.errors import InvalidInput
from mingwu.lab.topnode.emergency import forget, restore
from mingwu.trust import sm2
from mingwu.wire.handle.codes import Permission
from mingwu.wire.handle.values import HandleValue, Reference

RECEIVER = bytes(31) + b"\x07"
VERSION_1 = Path(__file__).parents[3] / "golden/identity/escrow-1/88.101"
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
    node.escrow = Escrow(node._engine, node._records, small, clock, node.escrow._scalar)
    return node


def deposit(node, kind):
    return node.escrow.make(kind, sm2.public_point(RECEIVER))


def put_back(node, records, folder, *ids):
    return restore(
        records, folder, ids, scalar=RECEIVER, signer=node.public_key,
        site=site_at("127.0.0.1", 9),
    )  # fmt: skip


@pytest.fixture
def other(tmp_path):
    """The store of whoever takes over."""
    store = RecordStore(tmp_path / "other", map_bytes=2**27, durable=False)
    yield store
    store.close()


def public(store, name):
    """What a name answers to anybody, to the byte."""
    return {value for value in store.get(name).values if value.is_public}


def test_full_and_diff_restore_to_the_same_records(
    node_small_pieces, records, other, accepted, clock, tmp_path
):
    node = node_small_pieces
    accepted(1)
    accepted(2, mode=Mode.OWN)
    accepted(3)
    node.hosted.register(PREFIX, items(range(100)))
    clock.ms += 1
    full = deposit(node, FULL)
    assert full.objects == 106, "three prefixes with their records, a hundred names"
    assert len(full.pieces) > 1
    clock.ms += DAY
    node.hosted.register(PREFIX, items([200]))
    node.hosted.change(PREFIX, items([5], "changed"))
    node.hosted.remove(PREFIX, [items([6])[0].name])
    accepted(3, kind=Kind.EXIT)
    diff = deposit(node, DIFF)
    assert diff.objects == 5, "a prefix and its record gone, three names"
    folder = tmp_path / "escrow"
    assert put_back(node, other, folder, full.id, diff.id) == 111
    assert other.names(PREFIX) == records.names(PREFIX)
    for name in (*other.names(PREFIX), "0.NA/88.101.2"):
        assert public(other, name) == public(records, name)
    assert other.is_homed(PREFIX)
    assert not other.is_homed("88.101.3")
    forget(other, "88.101")
    assert other.prefixes() == []
    assert other.names(PREFIX) == other.names("0.NA") == []


def test_what_others_gave_a_name_comes_along_and_goes_again(
    node, records, other, accepted, clock, tmp_path
):
    """Aliases, signatures, values of odd forms: whoever wrote them, in FULL and in DIFF."""
    accepted(1)
    kept, given, taken = (f"{PREFIX}/PRT.{n:04d}" for n in range(3))
    node.hosted.register(PREFIX, items(range(3)))
    book, gtin = AliasBook(records), "https://id.gs1.org/01/09506000134352/21/"
    book.add(kept, gtin + "0")
    book.add(taken, gtin + "2")
    odd = (
        HandleValue(400, "HS_SIGNATURE", b"eyJ.eyJ.c2ln", timestamp=7),
        HandleValue(600, "HS_SITE", b"\x00\x01not a site", ttl=60),
        HandleValue(601, "HS_VLIST", b"\x00\x00\x00\x00\x00\xff", ttl=1, ttl_absolute=True),
        HandleValue(602, "\ufffe<&", "\uffff".encode(), references=(Reference(taken, 1),)),
        HandleValue(603, "HS_ADMIN", prefix_admin(PREFIX).data + b"\x00"),
        HandleValue(604, "SECRET", b"hidden", permissions=Permission.ADMIN_READ),
    )
    records.change(kept, lambda one: Record(one.name, one.values + odd))
    own = Record("88.101/T.1", (HandleValue(1, "DESC", b"of the node itself"),))
    records.put_many((own, Record("88.102/X", own.values), Record("88.101.9/X", own.values)))
    records.home("88.101")
    records.home("88.102")
    clock.ms += 1
    ids = [deposit(node, FULL).id]
    clock.ms += DAY
    book.add(given, gtin + "1")
    book.remove(taken, gtin + "2")
    made = deposit(node, DIFF)
    assert made.objects == 2
    folder = tmp_path / "escrow"
    put_back(node, other, folder, *ids, made.id)
    assert {one.index for one in odd} - {one.index for one in public(other, kept)} == {604}
    for name in (kept, given, taken, own.name):
        assert public(other, name) == public(records, name)
    found = AliasBook(other)
    assert [found.names(gtin + end) for end in "012"] == [[kept], [given], []]
    assert other.get("88.102/X") is None, "another node's"
    assert other.get("88.101.9/X") is None, "of a prefix that is not answered here"
    assert deposit(node, DIFF).objects == 0


def test_certificates_stay_and_the_site_is_that_of_the_substitute(
    node, records, other, accepted, clock, tmp_path
):
    accepted(1)
    home = f"0.NA/{PREFIX}"
    certificate = HandleValue(400, "HS_CERT", b"eyJ.eyJ.Y2VydA", timestamp=7)
    signature = HandleValue(401, "HS_SIGNATURE", b"eyJ.eyJ.c2ln", timestamp=7)
    full = deposit(node, FULL)
    clock.ms += DAY
    records.change(home, lambda one: Record(one.name, (*one.values, certificate, signature)))
    put_back(node, other, tmp_path / "escrow", full.id, deposit(node, DIFF).id)
    there = {value.index: value for value in other.get(home).values}
    assert there[400] == certificate
    assert 401 not in there, "it would be wrong about the site"
    assert there[1].type == "HS_SITE"
    assert there[1].data != records.get(home).value(1).data
    assert there[5].text() == "企业1"


def test_a_deposit_of_the_first_version_is_still_read(other):
    signer = bytes.fromhex((VERSION_1 / "node.hex").read_text().strip())
    ids = [path.stem for path in VERSION_1.glob("*.json")]
    site = site_at("127.0.0.1", 9)
    assert restore(other, VERSION_1, ids, scalar=RECEIVER, signer=signer, site=site) == 13
    assert other.names(PREFIX) == [f"{PREFIX}/PRT.{n:04d}" for n in (0, 1, 3, 4)]
    texts = {value.type: value.text() for value in other.get(f"{PREFIX}/PRT.0001").values}
    assert (texts["TEMPLATE"], texts["NAME"]) == ("T", "changed")
    assert other.is_homed(PREFIX)
    assert not other.is_homed("88.101.2")
    assert other.get("0.NA/88.101.2").value(1).type == "HS_SITE"
    assert other.names("88.101.3") == []
    assert other.get("88.888.101/OTHER") is None


def test_without_the_last_state_everything_is_deposited(node, accepted, clock, tmp_path):
    accepted(1)
    first = deposit(node, FULL)
    clock.ms += DAY
    (tmp_path / "escrow" / f"{first.id}.state").unlink()
    assert deposit(node, DIFF).kind == FULL


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
    ends = (".json", ".sig", ".state")
    assert left == {*(last.id + end for end in ends), last.pieces[0].name}
    assert not (tmp_path / "escrow" / first.pieces[0].name).exists()
    assert node.outbox.prune(60) == 2, "the newest number is kept"
    assert [row["acknowledged"] for row in node.outbox.lag()] == [1]
