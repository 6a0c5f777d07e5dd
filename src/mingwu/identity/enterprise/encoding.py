"""Identifiers as handle records: which values a registered name answers with, and their bytes.

============  ==============  ================================================================
index         type            data
============  ==============  ================================================================
100           HS_ADMIN        the prefix's administrator (new names only)
1000          TEMPLATE_ID     handle of the data template
1001          TEMPLATE        its version
1011          MW.KIND         machine, product, part …, where it is not the template's
1012          MW.ACCESS       ``open``, where everybody may read the whole name
2000 …        item types      the template's items; restricted ones are not public, unless
                              the name is open
============  ==============  ================================================================

The state is the register's and not told here, so filing a name writes no record. Two records of
some 1,300 bytes share a page of the store and larger ones do not, hence no value that can be had
otherwise. Indexes 1000–99999 of a record belong to this package; whatever else stands in it (a
thing's card, keys, live values) is kept. New names are the mass case: all that names of one
template and kind have in common is encoded once, so a record costs a few joins; the result is byte
for byte that of ``records.encode_record`` for the same values.
"""

from collections.abc import Iterable, Sequence

from mingwu.identity.batchencoding import BatchEncoder
from mingwu.identity.cards import prefix_admin
from mingwu.identity.enterprise.model import (
    KIND_INDEX,
    LAST_INDEX,
    TEMPLATE_ID_INDEX,
    TEMPLATE_INDEX,
    Template,
    Value,
)
from mingwu.identity.records import OPEN_INDEX, OPEN_TYPE, Record
from mingwu.wire.handle.codes import DEFAULT_PERMISSIONS, PUBLIC_READ
from mingwu.wire.handle.values import HandleValue

FIRST_OWN, LAST_OWN = TEMPLATE_ID_INDEX, LAST_INDEX
RESTRICTED_PERMISSIONS = DEFAULT_PERMISSIONS & ~PUBLIC_READ


def own_values(
    template: Template, kind: str, values: Iterable[Value], stamp: int, *, opened: bool = False
) -> list[HandleValue]:
    """The values of this package for one identifier, by index; ``stamp`` in seconds.

    ``opened``: everybody may read all of them (``granting.grants.open_keys``).
    """
    definition = template.definition
    restricted = {item.index for item in definition.items if item.restricted and not opened}
    heads = [
        (TEMPLATE_ID_INDEX, "TEMPLATE_ID", definition.handle),
        (TEMPLATE_INDEX, "TEMPLATE", definition.version),
    ]
    if kind != definition.kind.value:
        heads.append((KIND_INDEX, "MW.KIND", kind))
    if opened:
        heads.append((OPEN_INDEX, OPEN_TYPE, "open"))
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


def fresh_encoder(prefix: str, template: Template, kind: str, stamp: int) -> BatchEncoder:
    """For new names of one prefix, template, kind and second."""
    fixed = [prefix_admin(prefix), *own_values(template, kind, (), stamp)]
    rows = [Value(item.index, item.type, "") for item in template.definition.items]
    return BatchEncoder(fixed, own_values(template, kind, rows, stamp)[len(fixed) - 1 :])
