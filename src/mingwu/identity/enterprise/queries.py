"""Asking the register: identifiers, their versions, counts.

Lists come in pages with the total; text searches match ASCII without case; history is walked from
the latest version backwards.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Connection, Engine, func, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.model import HistoryRow, Identifier, IdentifierRow, Template
from mingwu.identity.enterprise.templates.keeping import Templates
from mingwu.identity.enterprise.validation import read_content
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind
from mingwu.store.engine import reading

MAX_PAGE = 1000
_CHUNK = 500
_SORTS = ("name", "state", "kind", "version", "owner", "registered_at_ms", "changed_at_ms")

R = TypeVar("R", bound=msgspec.Struct)


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which identifiers, in which order, which part of them. Times in ms since the epoch."""

    text: str = ""
    prefix: str = ""
    kind: Kind | None = None
    state: State | None = None
    template: int | None = None
    owner: str = ""
    changed_from_ms: int | None = None
    changed_before_ms: int | None = None
    sort: str = "changed_at_ms"
    descending: bool = True
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class Register:
    """Reads of one store."""

    def __init__(self, engine: Engine, templates: Templates) -> None:
        self._engine = engine
        self._templates = templates

    def search(self, search: Search) -> tuple[list[IdentifierRow], int]:
        """A page of identifiers, and how many match."""
        if search.sort not in _SORTS:
            fault = Phrase(f"one of {', '.join(_SORTS)}", f"应为下列之一：{', '.join(_SORTS)}")
            raise InvalidInput("input.invalid", path="sort", fault=fault)
        table = schema.identifier
        where = _terms(search)
        # The sequence of the latest change rises with its time, and has an index.
        column = table.c["sequence" if search.sort == "changed_at_ms" else search.sort]
        order = column.desc() if search.descending else column
        query = select(table).where(*where).order_by(order, table.c.key)
        query = query.offset(search.offset).limit(search.limit)
        total = select(func.count()).select_from(table).where(*where)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
            count = connection.execute(total).scalar_one()
        return [_struct(IdentifierRow, row) for row in rows], count

    def get(self, name: str) -> Identifier:
        """An identifier with its values; NotFound ``enterprise.name-unknown``."""
        with reading(self._engine) as connection:
            row = _row_of(connection, name)
            content = _version(connection, row["sequence"])["content"]
        return Identifier(row=_struct(IdentifierRow, row), values=read_content(content))

    def values_of(self, names: Sequence[str]) -> dict[str, tuple[State, dict[str, str]]]:
        """State and values (by item type) of those names that are known, by folded name."""
        table, names_table = schema.history, schema.identifier
        joined = names_table.join(table, table.c.sequence == names_table.c.sequence)
        found: dict[str, tuple[State, dict[str, str]]] = {}
        keys = [fold(name) for name in names]
        with reading(self._engine) as connection:
            for start in range(0, len(keys), _CHUNK):
                wanted = names_table.c.key.in_(keys[start : start + _CHUNK])
                columns = (names_table.c.key, names_table.c.state, table.c.content)
                query = select(*columns).select_from(joined).where(wanted)
                for key, state, content in connection.execute(query):
                    values = {value.type: value.value for value in read_content(content)}
                    found[key] = State(state), values
        return found

    def template_of(self, name: str) -> Template:
        """The template of an identifier."""
        with reading(self._engine) as connection:
            number = _row_of(connection, name)["template"]
            return self._templates.checker_of(connection, number).template

    def template(self, number: int) -> Template:
        """The template with this number."""
        with reading(self._engine) as connection:
            return self._templates.checker_of(connection, number).template

    def history(self, name: str, *, limit: int = 100) -> list[HistoryRow]:
        """Versions, latest first."""
        found: list[HistoryRow] = []
        with reading(self._engine) as connection:
            sequence = _row_of(connection, name)["sequence"]
            while sequence and len(found) < limit:
                row = _version(connection, sequence)
                found.append(_history(row))
                sequence = row["previous"]
        return found

    def version(self, name: str, version: int) -> HistoryRow:
        """One version; NotFound ``enterprise.name-unknown``."""
        for row in self.history(name, limit=2**31):
            if row.version == version:
                return row
        raise NotFound("enterprise.name-unknown", name=f"{name} @{version}")

    def changes(self, after: int, limit: int = 1000) -> list[HistoryRow]:
        """Changes behind a sequence, in commit order: what the node above is told."""
        table = schema.history
        query = select(table).where(table.c.sequence > after).order_by(table.c.sequence)
        with reading(self._engine) as connection:
            return [_history(row) for row in connection.execute(query.limit(limit)).mappings()]

    def counts(self) -> dict[str, dict[str, int]]:
        """Identifiers by state and by kind, and by template number."""
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for name in ("state", "kind", "template"):
                column = schema.identifier.c[name]
                query = select(column, func.count()).group_by(column)
                found[name] = {str(k): int(n) for k, n in connection.execute(query)}
        return found


def _terms(search: Search) -> list[ColumnElement[bool]]:
    table = schema.identifier
    terms = text_terms(search.text)
    equal = (
        (table.c.prefix, search.prefix),
        (table.c.kind, search.kind and search.kind.value),
        (table.c.state, search.state and search.state.value),
        (table.c.template, search.template),
        (table.c.owner, search.owner),
    )
    terms += [column == value for column, value in equal if value]
    if search.changed_from_ms is not None:
        terms.append(table.c.changed_at_ms >= search.changed_from_ms)
    if search.changed_before_ms is not None:
        terms.append(table.c.changed_at_ms < search.changed_before_ms)
    return terms


def text_terms(text: str) -> list[ColumnElement[bool]]:
    """Each word of ``text`` stands in the name. Keys are folded names: no case folding per row."""
    key = schema.identifier.c.key
    return [key.contains(fold(word), autoescape=True) for word in text.split()]


def _row_of(connection: Connection, name: str) -> Mapping[Any, Any]:
    query = select(schema.identifier).where(schema.identifier.c.key == fold(name))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound("enterprise.name-unknown", name=name[:255])
    return row


def _version(connection: Connection, sequence: int) -> Mapping[Any, Any]:
    query = select(schema.history).where(schema.history.c.sequence == sequence)
    return connection.execute(query).mappings().one()


def _history(row: Mapping[Any, Any]) -> HistoryRow:
    fields = {str(name): value for name, value in row.items() if name != "content"}
    fields["kind"], fields["state"] = Kind(fields["kind"]), State(fields["state"])
    return HistoryRow(**fields, values=read_content(row["content"]))


def _struct(cls: type[R], row: Mapping[Any, Any]) -> R:
    names = cls.__struct_fields__
    return msgspec.convert({name: row[name] for name in names}, cls)
