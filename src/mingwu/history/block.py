"""The block: the messages that make one insert. Pure.

Invariants: a block is a run of the stream's sequence; its token is made of the names of its
batches alone, so the same messages always give the same token, in this process or in the one after
a crash. What the writer does to a message depends on the message alone (the guard of times uses the
gateway's clock, not ours), so a block formed again has the same rows.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from mingwu.history import inserts as encoding
from mingwu.history import native
from mingwu.history.schema import table
from mingwu.kernel.batch import I64, U8, Batch, Columns, concatenate
from mingwu.kernel.quality import SIMULATED, Reason, uncertain

EARLIEST_NS = 946_684_800_000_000_000  # 2000-01-01
LATEST_NS = 4_102_444_800_000_000_000  # 2100-01-01
AHEAD_NS = 86_400_000_000_000  # a source's clock may be ahead of the gateway's by a day

_LINEAGE = [(c.name, c.type) for c in table("batches").columns]


def guard_times(batch: Batch) -> tuple[Columns, int]:
    """The batch's columns with impossible times replaced by the gateway's, and how many.

    Such points become uncertain, TIME_SUSPECT: a point of the year 2260 would otherwise be the last
    value for ever. The gateway checks too; this guards against other publishers.
    """
    columns = batch.columns
    times = columns.time_ns
    gateway = min(max(batch.gateway_ns, EARLIEST_NS), LATEST_NS)
    if len(times) == 0 or (times.min() >= EARLIEST_NS and times.max() <= gateway + AHEAD_NS):
        return columns, 0
    wrong = (times < EARLIEST_NS) | (times > gateway + AHEAD_NS)
    suspect = (columns.quality & SIMULATED) | uncertain(Reason.TIME_SUSPECT)
    quality: U8 = np.where(wrong, suspect, columns.quality).astype(np.uint8)
    guarded: I64 = np.where(wrong, gateway, times)
    return Columns(columns.tag, guarded, columns.value, quality, columns.text), int(wrong.sum())


@dataclass(slots=True)
class _Lineage:
    """Consecutive batches of one source in one block."""

    source: str
    boot: int
    first_seq: int
    last_seq: int
    points: int
    first_ns: int
    last_ns: int
    gateway_ns: int
    stream_first: int
    stream_last: int


@dataclass(slots=True, eq=False)
class Block:
    """Messages on their way into the history."""

    opened_ns: int
    first: int = 0
    last: int = 0
    rows: int = 0
    suspect: int = 0
    oldest_ns: int = 0
    _columns: list[Columns] = field(default_factory=list)
    _lineage: dict[tuple[str, int], _Lineage] = field(default_factory=dict)
    _closed: list[_Lineage] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """Batches in it."""
        return len(self._columns)

    def pass_over(self, sequence: int) -> None:
        """Take note of a message that adds nothing (repeated, malformed)."""
        self.first = min(self.first or sequence, sequence)
        self.last = max(self.last, sequence)

    def add(self, batch: Batch, sequence: int) -> None:
        """Take a batch."""
        self.pass_over(sequence)
        columns, suspect = guard_times(batch)
        self.suspect += suspect
        self.rows += len(columns)
        self.oldest_ns = self.oldest_ns or batch.gateway_ns
        self._columns.append(columns)
        times = columns.time_ns
        first = int(times.min()) if len(times) else batch.gateway_ns
        last = int(times.max()) if len(times) else batch.gateway_ns
        key = (batch.source, batch.boot)
        run = self._lineage.get(key)
        if run is not None and run.last_seq + 1 == batch.seq:
            run.last_seq = batch.seq
            run.points += len(columns)
            run.first_ns, run.last_ns = min(run.first_ns, first), max(run.last_ns, last)
            run.gateway_ns, run.stream_last = batch.gateway_ns, sequence
            return
        if run is not None:
            self._closed.append(run)
        self._lineage[key] = _Lineage(
            batch.source,
            batch.boot,
            batch.seq,
            batch.seq,
            len(columns),
            first,
            last,
            batch.gateway_ns,
            sequence,
            sequence,
        )

    def _runs(self) -> list[_Lineage]:
        return [*self._closed, *self._lineage.values()]

    def stored(self) -> list[tuple[str, int, int, int]]:
        """The runs of batches in it: source, boot, first and last number."""
        return [(r.source, r.boot, r.first_seq, r.last_seq) for r in self._runs()]

    def token(self) -> str:
        """The block's name to the engine: the same messages, the same token."""
        digest = blake2b(digest_size=16)
        for run in sorted(self._runs(), key=lambda r: (r.source, r.boot, r.first_seq)):
            digest.update(f"{run.source}\0{run.boot}\0{run.first_seq}\0{run.last_seq}\n".encode())
        return digest.hexdigest()

    def inserts(self, ns_tags: Collection[int] = ()) -> list[encoding.Insert]:
        """The blocks for ``points``, ``points_ns`` and ``texts``, as far as there are rows."""
        columns = concatenate(self._columns)
        found = list(encoding.of_columns(columns))
        if ns_tags:
            fine = np.isin(columns.tag, np.fromiter(ns_tags, np.uint32, len(ns_tags)))
            if columns.text:
                fine[np.fromiter(columns.text, np.intp, len(columns.text))] = False
            if fine.any():
                found.append(
                    encoding.points_ns(
                        columns.tag[fine],
                        columns.time_ns[fine],
                        columns.value[fine],
                        columns.quality[fine],
                    )
                )
        return found

    def lineage(self, writer: str, block: int, received_ns: int) -> encoding.Insert:
        """The block for ``batches``; inserted last, it makes the whole block count as stored."""
        runs = self._runs()

        def whole(values: list[int]) -> native.Array:
            return np.array(values, np.uint64)

        def milliseconds(values: list[int]) -> native.Array:
            return np.array(values, np.int64) // 1_000_000

        values: dict[str, native.Array | list[str]] = {
            "source": [r.source for r in runs],
            "boot": whole([r.boot for r in runs]),
            "first_seq": whole([r.first_seq for r in runs]),
            "last_seq": whole([r.last_seq for r in runs]),
            "points": whole([r.points for r in runs]),
            "first_time": milliseconds([r.first_ns for r in runs]),
            "last_time": milliseconds([r.last_ns for r in runs]),
            "gateway_time": milliseconds([r.gateway_ns for r in runs]),
            "received": milliseconds([received_ns] * len(runs)),
            "writer": [writer] * len(runs),
            "block": whole([block] * len(runs)),
            "stream_first": whole([r.stream_first for r in runs]),
            "stream_last": whole([r.stream_last for r in runs]),
        }
        columns = [(name, kind, values[name]) for name, kind in _LINEAGE]
        return "batches", [name for name, _ in _LINEAGE], native.encode(columns)


INTENTION = ["writer", "block", "token", "first", "last", "time"]


def intention(writer: str, block: int, token: str, span: tuple[int, int], now_ns: int) -> bytes:
    """The row of ``blocks`` that is written before the block itself: what is about to be stored."""
    return native.encode(
        (
            ("writer", "String", [writer]),
            ("block", "UInt64", np.array([block], np.uint64)),
            ("token", "String", [token]),
            ("first", "UInt64", np.array([span[0]], np.uint64)),
            ("last", "UInt64", np.array([span[1]], np.uint64)),
            ("time", "DateTime64(3, 'UTC')", np.array([now_ns // 1_000_000], np.int64)),
        )
    )
