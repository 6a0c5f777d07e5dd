"""Grammar of SQL tag addresses: ``column@key``, or ``column`` when the device reads a single row.

The first ``@`` separates, so keys may contain it and column names may not.
"""

import mingwu.field.sql.errors  # noqa: F401 — registers the texts
from mingwu.field.sql.settings import KeyType, SqlSettings
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec

Key = str | int | None


def parse(tag: TagSpec, settings: SqlSettings) -> tuple[str, Key]:
    """(column, key) of a tag; raises ConfigError ``sql.address`` that quotes the address."""
    column, separator, text = tag.address.partition("@")
    key: Key = text if separator else None
    fault = ""
    if not column.strip() or "\0" in tag.address:
        fault = "no column"
    elif settings.key_column and not text:
        fault = "no key, but the device's rows have keys"
    elif separator and not settings.key_column:
        fault = "a key, but the device's settings name no key_column"
    elif separator and settings.key_type is KeyType.INT:
        try:
            key = int(text)
        except ValueError:
            fault = f"key “{text}” is no integer"
    if fault:
        raise ConfigError("sql.address", tag=tag.name, address=tag.address, fault=fault)
    return column, key
