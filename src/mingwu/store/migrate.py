"""Numbered migrations, one folder per component.

A component's ``migrations`` package holds modules ``m0001_what.py``, each with ``STATEMENTS``: SQL
that SQLite and PostgreSQL both understand, run in one transaction. Invariants: numbers have no
gaps; what ran is recorded with the checksum of its statements; a changed migration or a schema
newer than the program is refused before anything is touched.
"""

import hashlib
import importlib
import logging
import pkgutil
import time
from types import ModuleType

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    select,
)

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import Conflict
from mingwu.store.engine import lock, writing

log = logging.getLogger(__name__)

_METADATA = MetaData()
_RAN = Table(
    "schema_migration",
    _METADATA,
    Column("component", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("ran_at_ms", BigInteger, nullable=False),
)

add(
    "store.newer-schema",
    en=(
        "The data of “{component}” were written by a newer program (schema {found}, known {known})",
        "Start the newer version again, or restore a backup made with this one.",
    ),
    zh=(
        "“{component}”的数据由更新版本的程序写入（结构 {found}，本程序支持到 {known}）",
        "请重新启动较新的版本，或恢复用本版本做的备份。",
    ),
)
add(
    "store.changed-migration",
    en=(
        "Migration {name} of “{component}” is not the one that was run on this database",
        "Install the released program again; released migrations never change.",
    ),
    zh=(
        "“{component}”的迁移 {name} 与此数据库曾执行的不一致",
        "请重新安装正式发布的程序；已发布的迁移不会改变。",
    ),
)


class Migration(msgspec.Struct, frozen=True):
    """One step: its number, its module's name, its statements."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements with white space folded."""
        folded = "\0".join(" ".join(statement.split()) for statement in self.statements)
        return hashlib.sha256(folded.encode()).hexdigest()


def load(package: ModuleType) -> list[Migration]:
    """The migrations of a package in order; raises ValueError for gaps (a programmer's fault)."""
    found = []
    for info in pkgutil.iter_modules(package.__path__):
        if not (info.name.startswith("m") and info.name[1:5].isdigit()):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.append(Migration(int(info.name[1:5]), info.name, tuple(module.STATEMENTS)))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations of {package.__name__} are not numbered 1..n")
    return found


def migrate(engine: Engine, component: str, package: ModuleType) -> int:
    """Bring ``component`` up to date; returns how many steps were run.

    Safe to call from several processes at once. Raises Conflict ``store.newer-schema`` or
    ``store.changed-migration`` with nothing changed.
    """
    return run(engine, component, load(package))


def run(engine: Engine, component: str, migrations: list[Migration]) -> int:
    """Like :func:`migrate`, with the steps given."""
    with writing(engine) as connection:
        lock(connection, "schema_migration")
        _METADATA.create_all(connection)
        done = _done(connection, component)
        known = len(migrations)
        if done and max(done) > known:
            raise Conflict("store.newer-schema", component=component, found=max(done), known=known)
        for migration in migrations:
            ran = done.get(migration.number)
            if ran is not None and ran != migration.checksum:
                raise Conflict("store.changed-migration", component=component, name=migration.name)
        missing = [migration for migration in migrations if migration.number not in done]
        for migration in missing:
            _apply(connection, component, migration)
    return len(missing)


def _done(connection: Connection, component: str) -> dict[int, str]:
    rows = connection.execute(
        select(_RAN.c.number, _RAN.c.checksum).where(_RAN.c.component == component)
    )
    return {row.number: row.checksum for row in rows}


def _apply(connection: Connection, component: str, migration: Migration) -> None:
    for statement in migration.statements:
        connection.exec_driver_sql(statement)
    connection.execute(
        insert(_RAN).values(
            component=component,
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            ran_at_ms=time.time_ns() // 1_000_000,
        )
    )
    log.info("migrated component=%s step=%s", component, migration.name)
