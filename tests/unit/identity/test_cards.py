"""Thing cards become records, and only what changed is written again."""

import msgspec

from mingwu.identity.cards import SyncSummary, card_record, sync_cards
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.plant import CardTag, Kind, ThingCard
from mingwu.wire.handle.values import HandleValue

CARD = ThingCard(
    id="88.888.101/MLD.M0187", kind=Kind.MACHINE, type="Mould", name_en="Mould", name_zh="模具",
    tags=(CardTag(number=3, name="shots", unit="1"),),
)  # fmt: skip


def test_card_layout():
    record = card_record(CARD, base_url="http://console:8080", now=5)
    texts = {value.index: (value.type, value.text()) for value in record.values}
    assert texts[1] == ("URL", "http://console:8080/things/88.888.101/MLD.M0187")
    assert texts[2] == ("DESC.zh", "模具")
    assert texts[4] == ("MW.KIND", "machine")
    assert texts[7][0] == "MW.TD"
    assert 8 not in texts
    assert record.value(100).type == "HS_ADMIN"
    assert [source.index for source in record.live] == [100_003]


def test_relations_and_codes_of_the_plant_stand_in_the_record_and_lead_back(tmp_path):
    card = msgspec.structs.replace(
        CARD,
        relations=(("mounted_on", "88.888.101/DEV.1"), ("uses", "88.888.101/PRC.7")),
        codes=("(8004)6901234M0187", "no code of any system", "(01)06901234567890"),
    )
    record = card_record(card)
    texts = {value.index: (value.type, value.text()) for value in record.values}
    assert texts[10] == ("REL.mounted_on", "88.888.101/DEV.1")
    assert texts[11] == ("REL.uses", "88.888.101/PRC.7")
    assert texts[80] == ("ALIAS.GS1", "8004/6901234M0187")
    assert 81 not in texts  # a code with a wrong check digit is no alias
    store = RecordStore(tmp_path / "s", map_bytes=2**26, durable=False)
    sync_cards(store, [card])
    assert store.named("gs1:8004/6901234M0187") == [CARD.id]
    sync_cards(store, [CARD])
    assert store.named("gs1:8004/6901234M0187") == []
    store.close()


def test_more_relations_than_indexes_are_cut():
    many = tuple(("feeds", f"88.888.101/N{n}") for n in range(200))
    record = card_record(msgspec.structs.replace(CARD, relations=many))
    assert max(value.index for value in record.values if value.index < 100) == 79


def test_empty_texts_are_left_out():
    record = card_record(CARD)
    assert {1, 6, 7, 8}.isdisjoint(value.index for value in record.values)


def test_sync_writes_changes_only_and_leaves_strangers_alone(tmp_path):
    store = RecordStore(tmp_path / "s", map_bytes=2**28, durable=False)
    store.put(Record("88.888.101/manual", (HandleValue(1, "URL", b"u"),)))
    others = [msgspec.structs.replace(CARD, id=f"88.888.101/N{n}") for n in range(12_000)]
    assert sync_cards(store, [CARD, *others]) == SyncSummary(12_001, 0, 0)
    generation = store.generation
    assert sync_cards(store, [CARD, *others]) == SyncSummary(0, 12_001, 0)
    assert store.generation == generation
    renamed = msgspec.structs.replace(CARD, name_en="Mould 187")
    assert sync_cards(store, [renamed, *others[1:]]) == SyncSummary(1, 11_999, 1)
    assert store.get(CARD.id).value(3).text() == "Mould 187"
    assert store.get("88.888.101/N0") is None
    assert store.get("88.888.101/manual") is not None
    assert sync_cards(store, [CARD, *others], base_url="http://x") == SyncSummary(12_001, 0, 0)
    store.close()
