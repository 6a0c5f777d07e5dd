"""A node's own records are no registered names: they resolve and are listed, but do not count."""

from mingwu.identity.ownrecords import anchor_name, count_registered
from mingwu.identity.records import Record
from mingwu.identity.trusted.setup import found
from mingwu.node.namecounts import NameCounts
from mingwu.trust.keys import Algorithm, generate

PREFIX = "88.888.101"


def test_the_anchor_of_a_prefix_is_not_counted(store):
    before = store.count_names(PREFIX)
    assert count_registered(store, PREFIX) == before > 0
    settings = found(store, PREFIX, generate(Algorithm.RSA), generate(Algorithm.RSA))
    assert settings.name.endswith(anchor_name(PREFIX))
    assert store.get(anchor_name(PREFIX)) is not None
    assert store.count_names(PREFIX) == before + 1  # a list has it
    assert count_registered(store, PREFIX) == before
    assert NameCounts(store)() == {PREFIX: before}


def test_names_like_it_count(store):
    before = count_registered(store, PREFIX)
    for suffix in ("TRUST.1", "A/TRUST", "TRUSTED"):
        store.put(Record(f"{PREFIX}/{suffix}", ()))
    assert count_registered(store, PREFIX) == before + 3
