"""The SQL driver: one SELECT per read."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, literal_column, select

from mingwu.field.base import DriverKind
from mingwu.field.sql.database import Database, line
from mingwu.field.sql.plan import Plan, Row, source, zone
from mingwu.field.sql.settings import SqlSettings
from mingwu.kernel.batch import Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec

_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


class SqlDriver:
    """One table of one database. Implements Driver of ``field.base``."""

    def __init__(self, settings: SqlSettings, simulated: bool, clock: Clock | None = None) -> None:
        _check(settings)
        self._settings = settings
        self._simulated = simulated
        self._clock = clock or SystemClock()
        self._database = Database(settings)
        self._known: frozenset[str] | None = None

    def compile(self, tags: Sequence[TagSpec]) -> Plan:
        """Columns and keys to ask for; raises ConfigError ``sql.address``."""
        return Plan(tags, self._settings, simulated=self._simulated)

    async def open(self) -> None:
        """Connect; raises Unavailable ``sql.unreachable``."""
        self._known = None
        await self._database.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._database.close()

    async def read(self, plan: Plan) -> Columns:
        """One query; raises Unavailable ``sql.failed`` when it fails or takes too long."""

        def work(connection: Connection) -> tuple[list[str], list[Row]]:
            if self._known is None:
                self._known = self._columns_of(connection)
            statement, names = plan.statement(self._known)
            if not names:
                return [], []
            return names, [tuple(row) for row in connection.execute(statement)]

        names, rows = await self._database.run(work)
        return plan.decode(names, rows, self._clock.time_ns())

    def _columns_of(self, connection: Connection) -> frozenset[str]:
        """Names of the columns the table or query has."""
        everything: Any = select(literal_column("*")).select_from(source(self._settings, []))
        return frozenset(connection.execute(everything.where(literal_column("1") == 0)).keys())


def _check(settings: SqlSettings) -> None:
    if bool(settings.table) == bool(settings.query):
        raise ConfigError(
            "sql.setting",
            setting="table",
            fault=Phrase("give either table or query", "table 与 query 须且只能给出一个"),
        )
    if settings.query and not _SELECT.match(settings.query):
        raise ConfigError(
            "sql.setting", setting="query", fault=Phrase("only SELECT is allowed", "只允许 SELECT")
        )
    zone(settings.time_zone)


KIND = DriverKind(name="sql", settings=SqlSettings, create=SqlDriver, line=line)
