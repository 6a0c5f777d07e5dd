"""Identifiers as handle records: which values a registered name answers with, and their bytes.

============  ==============  ================================================================
index         type            data
============  ==============  ================================================================
100           HS_ADMIN        the prefix's administrator (new names only)
1000          TEMPLATE_ID     handle of the data template
1001          TEMPLATE        its version
1011          MW.KIND         machine, product, part …, where it is not the template's
2000 …        item types      the template's items; restricted ones are not public
============  ==============  ================================================================

The state is the register's and not told here, so filing a name writes no record. Two records of
some 1,300 bytes share a page of the store and larger ones do not, hence no value that can be had
otherwise. Indexes 1000–99999 of a record belong to this package; whatever else stands in it (a
thing's card, keys, live values) is kept. New names are the mass case: all that names of one
template and kind have in common is encoded once, so a record costs a few joins; the result is byte
for byte that of ``records.encode_record`` for the same values.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import orjson

from mingwu.identity.cards import prefix_admin
from mingwu.identity.enterprise.model import (
    KIND_INDEX,
    LAST_INDEX,
    TEMPLATE_ID_INDEX,
    TEMPLATE_INDEX,
    Template,
    Value,
)
from mingwu.identity.records import FORMAT, HAS_RESTRICTED, HEAD, Record
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS, PUBLIC_READ
from mingwu.wire.handle.jsonform import value_to_json
from mingwu.wire.handle.values import HandleValue, encode_value

FIRST_OWN, LAST_OWN = TEMPLATE_ID_INDEX, LAST_INDEX
RESTRICTED_PERMISSIONS = DEFAULT_PERMISSIONS & ~PUBLIC_READ
_COUNT = struct.Struct(">I")
_NO_REFERENCES = bytes(4)
_MARK = "\ue000mark\ue001"  # private-use characters: no type holds them, types are checked


def own_values(
    template: Template, kind: str, values: Iterable[Value], stamp: int
) -> list[HandleValue]:
    """The values of this package for one identifier, by index; ``stamp`` in seconds."""
    definition = template.definition
    restricted = {item.index for item in definition.items if item.restricted}
    heads = [
        (TEMPLATE_ID_INDEX, "TEMPLATE_ID", definition.handle),
        (TEMPLATE_INDEX, "TEMPLATE", definition.version),
    ]
    if kind != definition.kind.value:
        heads.append((KIND_INDEX, "MW.KIND", kind))
    found = [HandleValue(i, t, text.encode(), timestamp=stamp) for i, t, text in heads]
    for value in values:
        permissions = RESTRICTED_PERMISSIONS if value.index in restricted else DEFAULT_PERMISSIONS
        data = value.value.encode()
        found.append(
            HandleValue(value.index, value.type, data, timestamp=stamp, permissions=permissions)
        )
    return found


def merged(existing: Record | None, name: str, own: Sequence[HandleValue]) -> Record:
    """The record of a name: what others put there, and these values of ours."""
    if existing is None:
        return Record(name, (prefix_admin(name.partition("/")[0]), *own))
    kept = foreign_values(existing)
    values = sorted((*kept, *own), key=lambda value: value.index)
    return Record(existing.name, tuple(values), existing.live)


def foreign_values(record: Record) -> list[HandleValue]:
    """Values of a record that are not this package's."""
    return [value for value in record.values if not FIRST_OWN <= value.index <= LAST_OWN]


@dataclass(frozen=True, slots=True)
class _Piece:
    """The constant bytes around one item's data, in the record and in its JSON."""

    head: bytes
    json_head: bytes
    json_tail: bytes
    public: bool


class FreshEncoder:
    """Stored bytes of new names of one prefix, template, kind and second."""

    def __init__(self, prefix: str, template: Template, kind: str, stamp: int) -> None:
        fixed = [prefix_admin(prefix), *own_values(template, kind, (), stamp)]
        self._fixed = b"".join(map(encode_value, fixed))
        self._fixed_json = b",".join(orjson.dumps(value_to_json(value)) for value in fixed)
        self._fixed_count = len(fixed)
        rows = [Value(item.index, item.type, _MARK) for item in template.definition.items]
        values = own_values(template, kind, rows, stamp)[len(fixed) - 1 :]
        self._pieces = {value.index: _piece(value) for value in values}

    def encode(self, name: str, values: Iterable[Value]) -> bytes:
        """The stored bytes of a name with these values, in template order."""
        public, restricted, json = [self._fixed], [], [self._fixed_json]
        count = self._fixed_count
        for value in values:
            piece = self._pieces[value.index]
            data = value.value.encode()
            encoded = b"".join((piece.head, _COUNT.pack(len(data)), data, _NO_REFERENCES))
            if piece.public:
                public.append(encoded)
                json.append(piece.json_head + orjson.dumps(value.value) + piece.json_tail)
                count += 1
            else:
                restricted.append(encoded)
        shown = name.encode()
        block, hidden = b"".join(public), b"".join(restricted)
        flags = HAS_RESTRICTED if hidden else 0
        head = HEAD.pack(FORMAT, flags, len(shown), len(block) + _COUNT.size, len(hidden), 0)
        return b"".join((head, shown, _COUNT.pack(count), block, hidden, b",".join(json)))


def _piece(value: HandleValue) -> _Piece:
    encoded = encode_value(value)
    # behind the head: length of the data, the data, the (empty) reference list
    head = encoded[: -len(value.data) - _COUNT.size - len(_NO_REFERENCES)]
    shown = replace(value, data=b"x")
    before, _, after = orjson.dumps(value_to_json(shown)).rpartition(b'"x"')
    return _Piece(head, before, after, value.is_public)
