"""Values that must be unique in a template, kept in step when an item begins or ceases to be so.

Registration keeps the table up to date name by name; here a change of the template does it for the
names that exist. Of two names with the same value the one whose latest version is older holds it;
the other keeps its value and is refused at its next change.
"""

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.model import TemplateDef
from mingwu.identity.enterprise.validation import read_content

_CHUNK = 10_000


def unique_types(definition: TemplateDef) -> frozenset[str]:
    """The types of items whose values occur once."""
    return frozenset(item.type for item in definition.items if item.unique and item.enabled)


def follow(connection: Connection, template: int, old: TemplateDef, new: TemplateDef) -> None:
    """Bring the table to what ``new`` says, inside the transaction of the change."""
    before, after = unique_types(old), unique_types(new)
    table = schema.unique
    if ended := before - after:
        gone = (table.c.template == template) & table.c.item.in_(sorted(ended))
        connection.execute(delete(table).where(gone))
    if begun := after - before:
        _claim(connection, template, begun)


def _claim(connection: Connection, template: int, kinds: frozenset[str]) -> None:
    names, history = schema.identifier, schema.history
    query = select(names.c.key, history.c.content)
    query = query.join(history, history.c.sequence == names.c.sequence)
    query = query.where(names.c.template == template, names.c.state != State.DEREGISTERED.value)
    query = query.order_by(names.c.sequence).execution_options(yield_per=_CHUNK)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = dialect.insert(schema.unique).on_conflict_do_nothing()
    for found in connection.execute(query).partitions():
        rows = [
            {"template": template, "item": one.type, "value": one.value, "key": key}
            for key, content in found
            for one in read_content(content)
            if one.type in kinds
        ]
        if rows:
            connection.execute(put, rows)
