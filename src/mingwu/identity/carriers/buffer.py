"""Samples that wait in the carrier: in order, bounded, counted.

A small SQLite file; what was added is on the disk. When it is full the oldest samples go, and
``dropped`` counts them for good, so the platform learns how many are missing.
"""

import sqlite3
from pathlib import Path

import msgspec

from mingwu.identity.carriers.frames import Sample

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sample (sequence INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dropped (only INTEGER PRIMARY KEY CHECK (only = 1), times INTEGER);
INSERT OR IGNORE INTO dropped VALUES (1, 0);
"""


class SampleBuffer:
    """At most ``limit`` samples; used by one thread."""

    def __init__(self, path: Path, limit: int) -> None:
        self._limit = limit
        self._base = sqlite3.connect(path, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._base.close()

    def __len__(self) -> int:
        (count,) = self._base.execute("SELECT count(*) FROM sample").fetchone()
        return int(count)

    @property
    def dropped(self) -> int:
        """Samples lost for want of room since the carrier was made."""
        (times,) = self._base.execute("SELECT times FROM dropped").fetchone()
        return int(times)

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest waiting sample, 0 for none."""
        (last,) = self._base.execute("SELECT max(sequence) FROM sample").fetchone()
        return int(last or 0)

    def add(self, sample: Sample) -> None:
        """Append a sample; drops the oldest ones when there is no room."""
        with self._base:
            self._base.execute(
                "INSERT INTO sample VALUES (?, ?)", (sample.sequence, _encode(sample))
            )
            gone = self._base.execute(
                "DELETE FROM sample WHERE sequence IN"
                " (SELECT sequence FROM sample ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
                (self._limit,),
            ).rowcount
            if gone > 0:
                self._base.execute("UPDATE dropped SET times = times + ?", (gone,))

    def first(self, count: int) -> tuple[Sample, ...]:
        """The oldest samples, at most ``count``."""
        rows = self._base.execute(
            "SELECT content FROM sample ORDER BY sequence LIMIT ?", (count,)
        ).fetchall()
        return tuple(_decode(content) for (content,) in rows)

    def forget(self, sequence: int) -> None:
        """Remove samples up to ``sequence``: the platform has them."""
        with self._base:
            self._base.execute("DELETE FROM sample WHERE sequence <= ?", (sequence,))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sample).decode
