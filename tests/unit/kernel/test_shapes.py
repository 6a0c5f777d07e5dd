"""Bodies and queries as declared shapes: what is read, and how a fault names its place."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.shapes import Nothing, read_json, read_query


class Row(msgspec.Struct):
    size: Annotated[int, Meta(ge=0, le=9)] = 1
    names: tuple[str, ...] = ()
    tags: list[int] | None = None


class Table(msgspec.Struct):
    rows: list[Row]


def test_query_values_are_counted_and_converted():
    items = [("size", "3"), ("names", "a,b"), ("names", "c"), ("tags", "1,2"), ("other", "x")]
    assert read_query(Row, items) == Row(3, ("a,b", "c"), [1, 2])  # a name may hold a comma
    assert read_query(Row, [("size", "3"), ("size", "4")]).size == 4
    assert read_query(Nothing, items) == Nothing()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"rows": [{"size": 10}]}', "body.rows[0].size"),
        (b'{"rows": [{"size": "3"}]}', "body.rows[0].size"),
        (b"", "body"),
        (b"{", "body"),
        (b"[" * 100_000, "body"),
    ],
)
def test_a_fault_names_its_place(raw, path):
    with pytest.raises(InvalidInput) as told:
        read_json(Table, raw)
    assert (told.value.code, told.value.params["path"]) == ("input.invalid", path)
