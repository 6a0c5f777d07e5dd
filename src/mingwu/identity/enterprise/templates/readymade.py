"""Ready-made data templates for all eleven kinds of objects, to begin with.

They are data: ``data/readymade.csv`` holds one item a row with where it comes from. Names of
documents there say what an item is modelled on; none was compared with a printed text. A node
stores nothing of it: whoever makes a template starts from a copy and gives it prefix, version and
industry.
"""

import csv
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from mingwu.identity.enterprise.model import DataType, Item
from mingwu.kernel.plant import Kind

_TABLE = "data/readymade.csv"
_SEPARATOR = "|"


class ReadyMade(msgspec.Struct, frozen=True, kw_only=True):
    """The items a kind begins with, and the sources of each, by item type."""

    kind: Kind
    items: tuple[Item, ...]
    sources: dict[str, str]


@cache
def shipped() -> tuple[ReadyMade, ...]:
    """One for each kind, in the order of the kinds."""
    text = resources.files("mingwu.identity.enterprise").joinpath(_TABLE).read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return tuple(_one(kind, [row for row in rows if row["kind"] in {kind, "*"}]) for kind in Kind)


def _one(kind: Kind, rows: Iterable[dict[str, str]]) -> ReadyMade:
    rows = list(rows)
    items = tuple(_item(row) for row in rows)
    return ReadyMade(kind=kind, items=items, sources={row["type"]: row["source"] for row in rows})


def _item(row: dict[str, str]) -> Item:
    given = {name: text for name, text in row.items() if text and name in Item.__struct_fields__}
    flags = set(row["flags"].split())
    data = {
        **given,
        "data_type": row["data_type"] or DataType.STRING,
        "choices": [one for one in row["choices"].split(_SEPARATOR) if one],
        **{name: name in flags for name in ("required", "unique", "restricted")},
    }
    return msgspec.convert(data, Item, strict=False)
