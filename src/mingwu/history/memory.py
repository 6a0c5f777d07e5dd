"""What the history knows of a writer that starts: where it was, what it has stored.

Read once at the start. The position lies in the same database as the points, so that it can
never be ahead of them. (The names in the texts below are checked by settings or quoted.)
"""
# ruff: noqa: S608

from dataclasses import dataclass

import numpy as np

from mingwu.history import native
from mingwu.history.client import History
from mingwu.history.seen import Seen

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Pending:
    """A block that was announced and is not known to be stored: it must be formed again alike."""

    token: str
    first: int
    last: int


async def pending(history: History, writer: str) -> Pending | None:
    """The block that was under way when the last writer of this name ended. Raises Unavailable."""
    announced = await history.select(
        "SELECT token, first, last FROM blocks "
        f"WHERE writer = '{writer}' AND block > "
        f"(SELECT max(block) FROM progress WHERE writer = '{writer}') "
        "ORDER BY block DESC LIMIT 1"
    )
    tokens = native.texts(announced, "token")
    if not tokens:
        return None
    first = native.numbers(announced, "first", np.int64)
    last = native.numbers(announced, "last", np.int64)
    return Pending(tokens[0], int(first[0]), int(last[0]))


async def seen(history: History, remember_days: float) -> Seen:
    """The filter with all sources heard within ``remember_days``. Raises Unavailable."""
    since = f"now() - {round(remember_days * _DAY_S)}"
    found = await history.select(
        "SELECT CAST(source AS String) AS name, boot, min(s.first_seq) AS first, "
        "max(s.last_seq) AS last, sum(s.messages) AS messages FROM sources AS s "
        f"GROUP BY name, boot HAVING max(s.received) >= {since}"
    )
    filled = Seen()
    broken: list[tuple[str, int]] = []
    for name, boot, first, last, messages in _rows(found, "messages"):
        filled.load(name, boot, [(first, last)])
        if messages != last - first + 1:
            broken.append((name, boot))
    for name, boot in broken:
        filled.load(name, boot, await _runs(history, name, boot))
    return filled


async def _runs(history: History, source: str, boot: int) -> list[tuple[int, int]]:
    """The runs of a source with holes, from the lineage."""
    quoted = source.replace("\\", "\\\\").replace("'", "\\'")
    found = await history.select(
        "SELECT first_seq AS first, last_seq AS last FROM batches "
        f"WHERE source = '{quoted}' AND boot = {boot} ORDER BY first_seq"
    )
    firsts = native.numbers(found, "first", np.uint64).tolist()
    return list(zip(firsts, native.numbers(found, "last", np.uint64).tolist(), strict=True))


def _rows(found: dict[str, native.Column], *more: str) -> list[tuple[str, int, int, int, int]]:
    names = native.texts(found, "name")
    columns = [
        native.numbers(found, column, np.uint64).tolist()
        for column in ("boot", "first", "last", *more)
    ]
    return list(zip(names, *columns, strict=True))
