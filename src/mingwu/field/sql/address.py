"""Grammar of SQL tag addresses: ``column@key``, or ``column`` when the device reads a single row.

The first ``@`` separates, so keys may contain it and column names may not.
"""

import mingwu.field.sql.errors  # noqa: F401 — registers the texts
from mingwu.field.sql.settings import KeyType, SqlSettings
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec

Key = str | int | None


def parse(tag: TagSpec, settings: SqlSettings) -> tuple[str, Key]:
    """(column, key) of a tag; raises ConfigError ``sql.address`` that quotes the address."""
    column, separator, text = tag.address.partition("@")
    key: Key = text if separator else None
    fault = ""
    if not column.strip() or "\0" in tag.address:
        fault = Phrase("no column", "缺少列名")
    elif settings.key_column and not text:
        fault = Phrase("no key, but the device's rows have keys", "缺少键值，而该设备的行按键区分")
    elif separator and not settings.key_column:
        fault = Phrase(
            "a key, but the device's settings name no key_column",
            "给出了键值，但设备未设置 key_column",
        )
    elif separator and settings.key_type is KeyType.INT:
        try:
            key = int(text)
        except ValueError:
            fault = Phrase(f"key “{text}” is no integer", f"键值“{text}”不是整数")
    if fault:
        raise ConfigError("sql.address", tag=tag.name, address=tag.address, fault=fault)
    return column, key
