"""The MES's database: a dispatch table with one row per line, and the orders and lots behind it.

A SQLite file that the platform reads over its SQL driver. WAL, so that reader and writer do not
wait for each other; not synchronous, because a simulated MES may lose its last second.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from mingwu.lab.physics.laws import Readings

COLUMNS = (
    "order_id", "lot_id", "product", "recipe", "quantity", "produced", "scrap", "progress",
    "first_pass_yield", "rate", "shift",
)  # fmt: skip
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS dispatch (
  line TEXT PRIMARY KEY, order_id TEXT, lot_id TEXT, product TEXT, recipe TEXT,
  quantity INTEGER, produced INTEGER, scrap INTEGER, progress REAL, first_pass_yield REAL,
  rate REAL, shift INTEGER, updated_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
  order_id TEXT PRIMARY KEY, line TEXT, product TEXT, recipe TEXT, quantity INTEGER,
  produced INTEGER, scrap INTEGER, status TEXT, opened_at INTEGER, closed_at INTEGER);
CREATE TABLE IF NOT EXISTS lots (
  lot_id TEXT PRIMARY KEY, order_id TEXT, line TEXT, opened_at INTEGER);
"""


class MesTable:
    """The database. All methods block for well under a millisecond; call them from a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._open: dict[str, tuple[str, str]] = {}

    def open(self) -> None:
        """Create or open the file. Last run's orders are gone: the simulation starts anew."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, timeout=1.0, check_same_thread=False)
        self._db.executescript(_SCHEMA)
        with self._db:
            for table in ("dispatch", "orders", "lots"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 — names from this line

    def put(self, rows: Iterable[tuple[str, Readings]], time_s: float) -> None:
        """Bring lines, orders and lots up to date; ``rows`` are (line, its readings)."""
        if self._db is None:
            return
        now_ms = int(time_s * 1000)
        with self._db:
            for line, readings in rows:
                self._dispatch(self._db, line, readings, now_ms)
                self._follow(self._db, line, readings, now_ms)

    @staticmethod
    def _dispatch(db: sqlite3.Connection, line: str, readings: Readings, now_ms: int) -> None:
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        names = ", ".join(("line", *COLUMNS, "updated_at"))
        db.execute(
            f"INSERT OR REPLACE INTO dispatch ({names}) VALUES ({marks})",  # noqa: S608 — constants
            (line, *(readings[name] for name in COLUMNS), now_ms),
        )

    def _follow(self, db: sqlite3.Connection, line: str, readings: Readings, now_ms: int) -> None:
        """Open orders and lots as they appear; close the one that is over."""
        order, lot = str(readings["order_id"]), str(readings["lot_id"])
        before = self._open.get(line, ("", ""))
        if before[0] != order:
            if before[0]:
                db.execute(
                    "UPDATE orders SET status = 'closed', closed_at = ?, produced = quantity"
                    " WHERE order_id = ?",
                    (now_ms, before[0]),
                )
            db.execute(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, 0, 0, 'running', ?, NULL)",
                (order, line, *(readings[n] for n in ("product", "recipe", "quantity")), now_ms),
            )
        if before[1] != lot:
            db.execute(
                "INSERT OR REPLACE INTO lots VALUES (?, ?, ?, ?)", (lot, order, line, now_ms)
            )
        db.execute(
            "UPDATE orders SET produced = ?, scrap = ? WHERE order_id = ?",
            (readings["produced"], readings["scrap"], order),
        )
        self._open[line] = order, lot

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
