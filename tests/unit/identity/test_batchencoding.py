"""Names encoded together are stored as each would be alone."""

from hypothesis import given
from hypothesis import strategies as st

from mingwu.identity.batchencoding import BatchEncoder
from mingwu.identity.cards import prefix_admin
from mingwu.identity.records import Record, encode_record
from mingwu.wire.handle.values import HandleValue

FIXED = (prefix_admin("88.101"), HandleValue(1001, "TEMPLATE", b"T/1", timestamp=7))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(TEXTS, max_size=5), st.sampled_from([0x0E, 0x0C]))
def test_the_bytes_are_those_of_a_single_record(texts, permissions):
    items = [
        HandleValue(2000 + at, f"item{at}", b"", timestamp=7, permissions=permissions)
        for at in range(5)
    ]
    encoded = BatchEncoder(FIXED, items).encode("88.101/A\u4e2d", list(enumerate(texts, 2000)))
    values = [
        HandleValue(one.index, one.type, text.encode(), timestamp=7, permissions=permissions)
        for one, text in zip(items, texts, strict=False)
    ]
    assert encoded == encode_record(Record("88.101/A\u4e2d", (*FIXED, *values)))
