"""Questions over a template: the names whose items have given values, as the node above asks them.

Only names that resolve are found, and only values that the asker may read are given. A condition
on a value that the asker may not read finds nothing, so nobody learns by guessing what a restricted
value is. One question looks at no more than :data:`LOOKED_AT` names and says behind which the next
one begins. Values are compared as text; ``text*`` matches beginnings.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.lifecycle import RESOLVABLE
from mingwu.identity.enterprise.model import Actor, IdentifierRow, Template, TemplateRef, Value
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.validation import read_content
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.store.engine import reading

LOOKED_AT = 20_000
_CHUNK = 1000
_ANY_PREFIX = "*/"
_RESOLVABLE = frozenset(state.value for state in RESOLVABLE)
Text = Annotated[str, Meta(max_length=255)]


class DataQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A question. ``template`` is a handle, or ``*/NAME`` for any prefix's of that name;
    ``prefix`` holds those below it too.

    ``asker`` is for whom the node above asks, for the journal; it gives no rights.
    """

    template: Annotated[str, Meta(min_length=1, max_length=255)]
    prefix: Text = ""
    conditions: Annotated[Mapping[Text, str], Meta(max_length=20)] = {}
    after: Text = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    asker: Text = ""


class DataRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name with the values that the asker may read, by item type."""

    name: str
    template: str
    at_ms: int
    values: Mapping[str, str]


class DataPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the order of names; ``after`` where the next page begins, empty at the end.

    ``known`` is false when the node has no such template.
    """

    rows: list[DataRow] = []
    after: str = ""
    known: bool = True


def query(node: EnterpriseNode, asked: DataQuery, actor: Actor) -> DataPage:
    """One page of the answer. Blocks."""
    templates = {one.number: one for one in _templates(node, asked.template)}
    if not templates:
        return DataPage(known=False)
    rows: list[DataRow] = []
    looked_at, last = 0, ""
    for row, content in _rows(node, asked, list(templates)):
        if len(rows) == asked.limit or looked_at == LOOKED_AT:
            return DataPage(rows=rows, after=last)
        looked_at, last = looked_at + 1, row.name
        values = read_content(content)
        if row.state.value in _RESOLVABLE and _meets(values, asked.conditions):
            template = templates[row.template]
            hidden = node.hidden(row, template, actor)
            open_ = {one.type: one.value for one in values if one.index not in hidden}
            if open_.keys() >= asked.conditions.keys():
                handle = template.definition.handle
                rows.append(
                    DataRow(name=row.name, template=handle, at_ms=row.changed_at_ms, values=open_)
                )
    return DataPage(rows=rows)


def _templates(node: EnterpriseNode, asked: str) -> Sequence[Template]:
    if asked.startswith(_ANY_PREFIX):
        end = fold(asked[1:])
        return [one for one in node.templates.list() if fold(one.definition.handle).endswith(end)]
    try:
        return [node.templates.get(TemplateRef(handle=asked))]
    except NotFound:
        return []


def _meets(values: tuple[Value, ...], conditions: Mapping[str, str]) -> bool:
    have = {one.type: one.value for one in values}
    return all(item in have and _like(have[item], wanted) for item, wanted in conditions.items())


def _like(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _rows(
    node: EnterpriseNode, asked: DataQuery, templates: Sequence[int]
) -> Iterator[tuple[IdentifierRow, str]]:
    """Names of the templates behind ``after``, in the order of keys, a chunk at a time."""
    table, history = schema.identifier, schema.history
    joined = table.join(history, history.c.sequence == table.c.sequence)
    # "+ 0" keeps to the primary index, whose order is the one that is asked for
    of_template = (table.c.template + 0).in_(templates)
    base = select(table, history.c.content).select_from(joined).where(of_template)
    if asked.prefix:
        # "." and "/" come right before "0": the prefix and all below it
        head = fold(asked.prefix)
        base = base.where(table.c.key > head + ".", table.c.key < head + "0")
    after = fold(asked.after)
    while True:
        chunk = base.where(table.c.key > after).order_by(table.c.key).limit(_CHUNK)
        with reading(node.engine) as connection:
            found: list[Mapping[Any, Any]] = list(connection.execute(chunk).mappings())
        for row in found:
            fields = {name: row[name] for name in IdentifierRow.__struct_fields__}
            yield msgspec.convert(fields, IdentifierRow), row["content"]
        if len(found) < _CHUNK:
            return
        after = found[-1]["key"]
