"""Columns as Native blocks for the tables of the history. Pure.

Times are stored in whole milliseconds (rounded down). Text rows go to ``texts`` only: their number
is NaN and would say nothing in ``points``.
"""

from collections.abc import Iterator

import numpy as np

from mingwu.history import native
from mingwu.history.schema import MILLISECONDS, NANOSECONDS
from mingwu.kernel.batch import F64, I64, U8, U32, Columns

# One block per insert, known by its token to the table and to all that its views feed, on disk
# (of every shard) when it is acknowledged.
SETTINGS: dict[str, object] = {
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "distributed_foreground_insert": 1,
    "parallel_view_processing": 1,
}

Insert = tuple[str, list[str], bytes]
_POINT = ["tag", "time", "value", "quality"]
_TEXT = ["tag", "time", "text", "quality"]


def points(tag: U32, time_ms: I64, value: F64, quality: U8) -> Insert:
    """A block of ``points``."""
    return (
        "points",
        _POINT,
        native.encode(
            (
                ("tag", "UInt32", tag),
                ("time", MILLISECONDS, time_ms),
                ("value", "Float64", value),
                ("quality", "UInt8", quality),
            )
        ),
    )


def points_ns(tag: U32, time_ns: I64, value: F64, quality: U8) -> Insert:
    """A block of ``points_ns``."""
    return (
        "points_ns",
        _POINT,
        native.encode(
            (
                ("tag", "UInt32", tag),
                ("time", NANOSECONDS, time_ns),
                ("value", "Float64", value),
                ("quality", "UInt8", quality),
            )
        ),
    )


def texts(tag: U32, time_ms: I64, text: list[str], quality: U8) -> Insert:
    """A block of ``texts``."""
    return (
        "texts",
        _TEXT,
        native.encode(
            (
                ("tag", "UInt32", tag),
                ("time", MILLISECONDS, time_ms),
                ("text", "String", text),
                ("quality", "UInt8", quality),
            )
        ),
    )


def of_columns(columns: Columns) -> Iterator[Insert]:
    """The inserts of columns: ``points``, and ``texts`` if there are any."""
    time_ms: I64 = columns.time_ns // 1_000_000
    if not columns.text:
        if len(columns):
            yield points(columns.tag, time_ms, columns.value, columns.quality)
        return
    is_text = np.zeros(len(columns), bool)
    rows = np.fromiter(columns.text, np.intp, len(columns.text))
    is_text[rows] = True
    if not is_text.all():
        plain = ~is_text
        yield points(
            columns.tag[plain], time_ms[plain], columns.value[plain], columns.quality[plain]
        )
    yield texts(
        columns.tag[rows], time_ms[rows], list(columns.text.values()), columns.quality[rows]
    )
