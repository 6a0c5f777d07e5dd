"""Numbered steps from an empty database to the schema of today.

A step is never changed once released; a new one is appended. The number of the last step done
stands in the table ``migrations``. Every statement can be repeated, so a step that was cut off is
simply run again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mingwu.history import schema
from mingwu.history.settings import SchemaSettings

Statements = Callable[[SchemaSettings, str], Iterable[str]]

RECORD = schema.Table(
    "migrations",
    (
        schema.Column("number", "UInt32"),
        schema.Column("done", schema.MILLISECONDS),
        schema.Column("what", "String"),
    ),
    order="number",
    shard="number",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """A step; ``statements(settings, database)`` gives its DDL."""

    number: int
    what: str
    statements: Statements


def _first(settings: SchemaSettings, database: str) -> Iterator[str]:
    yield from schema.create_all(settings, database)


MIGRATIONS = (Migration(1, "points, rollups and lineage", _first),)
NEWEST = MIGRATIONS[-1].number


def prepare(settings: SchemaSettings, database: str) -> Iterator[str]:
    """Statements that make the record of migrations itself."""
    yield schema.create_database(settings, database)
    yield from schema.create_table(RECORD, settings, database)


def recorded() -> str:
    """The query for the number of the last step done, 0 for none."""
    return "SELECT max(number) AS number FROM migrations"


def record(step: "Migration") -> str:
    """The statement that notes a step as done."""
    what = step.what.replace("'", "")
    return f"INSERT INTO migrations VALUES ({step.number}, now64(3), '{what}')"  # noqa: S608 — constants


def after(number: int) -> list[Migration]:
    """The steps that are still to do."""
    return [step for step in MIGRATIONS if step.number > number]
