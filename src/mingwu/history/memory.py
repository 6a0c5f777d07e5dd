"""What the history remembers for a writer: where it was and what it has stored.

The position lies in the same database as the points, so that it can never be ahead of them: a
block counts as stored when its lineage is in ``batches``. Now and then the writer also writes its
whole repetition filter to ``seen``, so that a start reads that and the few blocks after it, not
years of lineage. (Names in the texts below are checked by the settings.)
"""
# ruff: noqa: S608

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mingwu.history import native
from mingwu.history.client import History
from mingwu.history.inserts import Insert
from mingwu.history.seen import Key, Seen, read_runs, write_runs

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Pending:
    """A block that was announced and is not known to be stored: it must be formed again alike."""

    token: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The filter as of the last stored block, and the block that was under way, if any."""

    seen: Seen
    pending: Pending | None


async def recall(history: History, writer: str, remember_days: float) -> Memory:
    """What the last writer of this name left. Raises Unavailable.

    Sources not heard of for ``remember_days`` are left out.
    """
    stored = Seen()
    newest = await history.select(f"SELECT max(block) AS block FROM seen WHERE writer = '{writer}'")
    upto = _number(newest, "block")
    kept = await history.select(
        "SELECT source, boot, runs FROM seen FINAL "
        f"WHERE writer = '{writer}' AND received >= now() - {round(remember_days * _DAY_S)}"
    )
    for source, boot, runs in zip(
        native.texts(kept, "source"),
        native.numbers(kept, "boot", np.uint64).tolist(),
        native.texts(kept, "runs"),
        strict=True,
    ):
        stored.load(source, boot, read_runs(runs))
    since = await history.select(
        "SELECT block, source, boot, first_seq, last_seq FROM batches "
        f"WHERE writer = '{writer}' AND block > {upto} ORDER BY block"
    )
    columns = [
        native.numbers(since, name, np.uint64).tolist()
        for name in ("boot", "first_seq", "last_seq", "block")
    ]
    for source, boot, first, last, block in zip(
        native.texts(since, "source"), *columns, strict=True
    ):
        stored.cover(source, boot, first, last)
        upto = block
    return Memory(stored, await _pending(history, writer, upto))


async def _pending(history: History, writer: str, stored: int) -> Pending | None:
    announced = await history.select(
        "SELECT token, first, last FROM blocks "
        f"WHERE writer = '{writer}' AND block > {stored} ORDER BY block DESC LIMIT 1"
    )
    tokens = native.texts(announced, "token")
    if not tokens:
        return None
    return Pending(tokens[0], _number(announced, "first"), _number(announced, "last"))


def _number(answer: dict[str, native.Column], name: str) -> int:
    values = native.numbers(answer, name, np.uint64)
    return int(values[0]) if len(values) else 0


def remember(writer: str, block: int, seen: Seen, keys: Iterable[Key], now_ns: int) -> Insert:
    """The rows of ``seen`` for what changed since they were written last."""
    changed = list(keys)
    rows = len(changed)
    names = ["writer", "source", "boot", "runs", "block", "received"]
    body = native.encode(
        (
            ("writer", "String", [writer] * rows),
            ("source", "String", [source for source, _ in changed]),
            ("boot", "UInt64", np.array([boot for _, boot in changed], np.uint64)),
            ("runs", "String", [write_runs(seen.runs(*key)) for key in changed]),
            ("block", "UInt64", np.full(rows, block, np.uint64)),
            ("received", "DateTime64(3, 'UTC')", np.full(rows, now_ns // 1_000_000, np.int64)),
        )
    )
    return "seen", names, body
