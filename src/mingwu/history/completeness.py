"""Gap-aware completeness: received ÷ expected, from each tag's own schedule.

A tag must report at the latest after its interval: its period, or its heartbeat if that is longer
(report by exception is silent between two heartbeats by right). Counting points would let a burst
hide a gap; so silences are measured: between two usable points, and from the last one over the
edges of the window to the first. A silence of about k intervals misses k - 1 reports.
"""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from mingwu.history import native, queries
from mingwu.history.link import Link
from mingwu.history.records import Completeness, Schedule

_EXACT_UP_TO_MS = 6 * 3_600_000


async def measure(
    link: Link, schedules: Sequence[Schedule], start_ms: int, end_ms: int
) -> list[Completeness]:
    """Completeness of each schedule in [start_ms, end_ms), in order."""
    exact = end_ms - start_ms <= _EXACT_UP_TO_MS
    if not exact:  # whole minutes within the window
        first_s, end_s = queries.minutes(start_ms, end_ms - queries.MINUTE_MS + 1)
        start_ms, end_ms = first_s * 1000, end_s * 1000
    groups = {
        "texts": [s for s in schedules if s.text],
        "points": [s for s in schedules if not s.text and exact],
        "minute": [s for s in schedules if not s.text and not exact],
    }
    asked = {kind: group for kind, group in groups.items() if group}
    answers = await asyncio.gather(
        *(link.select(_sql(kind, group, start_ms, end_ms)) for kind, group in asked.items())
    )
    found: dict[int, Completeness] = {}
    for (kind, group), answer in zip(asked.items(), answers, strict=True):
        rows = _rows(answer)
        for one in group:
            found[one.tag] = _judge(one, rows.get(one.tag), start_ms, end_ms, kind == "minute")
    return [found[schedule.tag] for schedule in schedules]


def _sql(kind: str, group: Sequence[Schedule], start_ms: int, end_ms: int) -> str:
    tags = [s.tag for s in group]
    intervals = [s.interval_ms for s in group]
    if kind == "minute":
        return queries.silences_of_minutes(tags, intervals, start_ms, end_ms)
    return queries.silences(tags, intervals, start_ms, end_ms, kind)


def _rows(answer: Mapping[str, native.Column]) -> dict[int, dict[str, int]]:
    names = [name for name in answer if name != "tag"]
    columns = [native.numbers(answer, name, np.int64).tolist() for name in names]
    tags = native.numbers(answer, "tag", np.int64).tolist()
    return {
        tag: dict(zip(names, row, strict=True))
        for tag, row in zip(tags, zip(*columns, strict=True), strict=True)
    }


def _judge(
    schedule: Schedule, row: Mapping[str, int] | None, start_ms: int, end_ms: int, rollup: bool
) -> Completeness:
    interval = schedule.interval_ms
    expected = max(1, (end_ms - start_ms) // interval)
    if row is None or row["used"] == 0:
        return Completeness(
            tag=schedule.tag,
            received=0,
            expected=expected,
            points=row["points"] if row else 0,
            good=row["good"] if row else 0,
            longest_gap_s=(end_ms - start_ms) / 1000,
        )
    # From the rollup the last usable point lies somewhere in the minute after ``last_ms``.
    last_ms = row["last_ms"] + (queries.MINUTE_MS if rollup else 0)
    head, tail = row["first_ms"] - start_ms, max(0, end_ms - last_ms)
    if rollup and interval < queries.MINUTE_MS:
        received = row["received"]
    else:
        # Seen as a circle, the edges are one more silence between two points.
        received = expected - row["missed"] - max(0, round((head + tail) / interval) - 1)
    return Completeness(
        tag=schedule.tag,
        received=min(expected, max(0, received)),
        expected=expected,
        points=row["points"],
        good=row["good"],
        longest_gap_s=max(row["longest_ms"], head, tail) / 1000,
    )
