"""Settings of a table that is polled."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from mingwu.calc.convert import TimeFormat
from mingwu.kernel.settings import Settings


class KeyType(StrEnum):
    """Type of the key column."""

    TEXT = "text"
    INT = "int"


class SqlSettings(Settings, frozen=True, kw_only=True):
    """A database and the table or query to read. Give ``table`` or ``query``, not both."""

    url: str
    """SQLAlchemy URL, e.g. ``sqlite:////var/lib/mes.db``, ``postgresql+psycopg://u:p@host/db``."""

    table: str = ""
    """Table or view, ``schema.name`` allowed."""

    query: str = ""
    """A SELECT (or WITH … SELECT) to use instead of a table."""

    key_column: str = ""
    """Column that identifies rows; empty when there is a single row."""

    key_type: KeyType = KeyType.TEXT
    """Type of the key column: keys in addresses are converted to it."""

    time_column: str = ""
    """Column with the row's own time; empty = time of the query."""

    time_format: TimeFormat = TimeFormat.AUTO
    """Format of the time column when it is no timestamp type."""

    time_zone: str = "UTC"
    """Zone of times without one, e.g. ``Asia/Shanghai``."""

    timeout_ms: Annotated[int, Meta(ge=10, le=600_000)] = 5000
    """How long connecting or one query may take."""

    max_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """Rows read at most; what lies beyond is not seen."""
