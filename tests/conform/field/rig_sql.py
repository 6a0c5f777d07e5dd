"""SQL: a SQLite file that another connection writes."""

import sqlite3
from types import MappingProxyType

from mingwu.kernel.plant import TagSpec, ValueType


class Rig:
    driver = "sql"
    loses_s = 3.0
    bad_addresses = ("", "@A", "amount", "amount@")
    dead_settings = MappingProxyType(
        {"url": "sqlite:////does/not/exist.db", "table": "orders", "key_column": "id"}
    )
    tags = (
        TagSpec(number=1, thing="x", name="amount", address="amount@A1"),
        TagSpec(number=2, thing="x", name="state", address="state@A1", type=ValueType.TEXT),
        TagSpec(number=3, thing="x", name="done", address="amount@B2", scale=2),
    )

    async def start(self, directory):
        self._file = directory / "mes.db"
        with sqlite3.connect(self._file) as made:
            made.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, amount REAL, state TEXT)")
            made.execute("INSERT INTO orders VALUES ('A1', 7, '在制'), ('B2', 8, 'done')")
        made.close()

    @property
    def settings(self):
        url = f"sqlite:///{self._file}"
        return {"url": url, "table": "orders", "key_column": "id", "timeout_ms": 1000}

    async def stop(self):
        pass

    def _rename(self, old, new):
        with sqlite3.connect(self._file) as made:
            made.execute(f"ALTER TABLE {old} RENAME TO {new}")
        made.close()

    async def vanish(self):
        self._rename("orders", "away")

    async def come_back(self):
        self._rename("away", "orders")

    async def stir(self):
        pass
