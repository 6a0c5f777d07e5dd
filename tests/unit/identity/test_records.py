"""The record store keeps what it was given, under any spelling, and refuses what it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mingwu.identity.live import LiveSource
from mingwu.identity.recordbytes import StoredRecord
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import Record, RecordStore, encode_record, read_record
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.wire.handle.values import HandleValue, Reference

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def records(draw):
    indexes = draw(st.lists(st.integers(1, 2**31 - 1), unique=True, max_size=6))
    split = draw(st.integers(0, len(indexes)))
    values = tuple(
        HandleValue(
            index,
            draw(words),
            draw(st.binary(max_size=40)),
            permissions=draw(st.integers(0, 15)),
            references=draw(st.sampled_from([(), (Reference("0.NA/1", 300),)])),
        )
        for index in sorted(indexes[:split])
    )
    live = tuple(
        LiveSource(index=index, number=index % 1000, tag=draw(words), unit="1")
        for index in indexes[split:]
    )
    return Record(draw(words), values, live)


@settings(max_examples=60)
@given(records())
def test_stored_bytes_hold_the_whole_record(record):
    stored = StoredRecord(memoryview(encode_record(record)))
    assert read_record(memoryview(encode_record(record))) == record
    assert stored.name == record.name
    assert [index for index, _, _ in stored.public_values()] == [
        value.index for value in record.values if value.is_public
    ]


def test_spellings_meet_and_the_first_is_kept(store):
    found = store.get("88.888.101/pART.7")
    assert found is not None
    assert found.name == "88.888.101/Part.7"
    with pytest.raises(Conflict):
        store.create(Record("88.888.101/PART.7", ()))


def test_unicode_spellings_meet_in_normal_form_but_keep_their_case(store):
    store.put(Record("88.888.101/é-Ω", ()))
    assert store.get("88.888.101/é-Ω") is not None
    assert store.get("88.888.101/é-ω") is None


def test_long_names_are_told_apart(store):
    names = [f"88.888.101/{'标' * 200}{tail}" for tail in ("1", "2")]
    store.put_many(Record(name, ()) for name in names)
    assert len(key_of(names[0])) < 511
    assert [store.get(name).name for name in names] == names
    assert set(names) <= set(store.names("88.888.101"))


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (Record("", ()), "1 to"),
        (Record("a/" + "x" * 3000, ()), "1 to"),
        (Record("a/\ud800", ()), "Unicode"),
        (Record("a/b", (HandleValue(1, "A", b""), HandleValue(1, "B", b""))), "twice"),
        (Record("a/b", (HandleValue(0, "A", b""),)), "outside"),
        (Record("a/b", tuple(HandleValue(i, "A", b"") for i in range(1, 2050))), "more than"),
    ],
)
def test_unusable_records_are_refused_and_nothing_is_stored(store, record, fault):
    before = store.generation
    with pytest.raises(InvalidInput, match=fault):
        store.put(record)
    assert store.generation == before


def test_names_page_in_order(store):
    store.put_many(Record(f"88.888.101/N{number:03d}", ()) for number in range(25))
    first = store.names("88.888.101", after="88.888.101/N", limit=10)
    assert first == [f"88.888.101/N{number:03d}" for number in range(10)]
    assert store.names("88.888.101", after=first[-1], limit=2) == [
        "88.888.101/N010", "88.888.101/N011",
    ]  # fmt: skip


def test_listing_stops_at_the_prefix(store):
    store.put(Record("88.888.1012/other", ()))
    assert "88.888.1012/other" not in store.names("88.888.101")


def test_deleted_and_unknown_names(store):
    assert store.delete_many(["88.888.101/PART.7", "88.888.101/none"]) == 1
    assert store.get("88.888.101/Part.7") is None
    with pytest.raises(NotFound):
        store.change("88.888.101/Part.7", lambda record: record)


def test_prefixes_are_homed_and_given_up(store):
    store.home("88.999")
    assert store.prefixes() == ["88.888.101", "88.999"]
    store.unhome("88.999")
    assert not store.is_homed("88.999")


def test_records_survive_reopening(tmp_path):
    store = RecordStore(tmp_path / "s", map_bytes=2**24)
    store.put(Record("1/a", (HandleValue(1, "URL", b"u"),)))
    store.close()
    again = RecordStore(tmp_path / "s", map_bytes=2**24)
    assert again.get("1/A").value(1).data == b"u"
    again.close()


def test_a_snapshot_is_one_state_of_the_store(store):
    snapshot = store.snapshot()
    snapshot.begin()
    store.put(Record("88.888.101/later", ()))
    assert snapshot.get(key_of("88.888.101/later")) is None
    snapshot.end()
    snapshot.begin()
    assert snapshot.get(key_of("88.888.101/later")) is not None
    snapshot.end()
    with pytest.raises(RuntimeError):
        snapshot.get(key_of("88.888.101/later"))


def test_a_record_that_no_answer_could_hold_is_refused(store):
    """Each change may add sixteen megabytes; a record that grew on could be read by nobody."""
    values = tuple(HandleValue(index, "T", bytes(7_000_000)) for index in (1, 2))
    store.put(Record("P/LARGE", values))
    with pytest.raises(InvalidInput, match="more than 16000000 bytes"):
        store.put(Record("P/LARGE", (*values, HandleValue(3, "T", bytes(7_000_000)))))
    assert len(store.get("P/LARGE").values) == 2
