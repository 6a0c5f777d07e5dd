"""Answers of the engine as the house's columns. Pure."""

from collections.abc import Mapping

import numpy as np

from mingwu.history import native
from mingwu.history.records import Series, bucket_quality
from mingwu.kernel.batch import F64, I64, NO_TEXT, U8, U32, Columns

MS_NS = 1_000_000


def no_points() -> Columns:
    """None."""
    return Columns(
        np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), {}
    )


def tagged(answer: Mapping[str, native.Column], value: str | None = "value") -> Columns:
    """tag, time (ms), value, quality of an answer as columns."""
    tag: U32 = native.numbers(answer, "tag", np.uint32)
    times: I64 = native.numbers(answer, "time", np.int64) * MS_NS
    values: F64 = (
        np.full(len(tag), np.nan) if value is None else native.numbers(answer, value, np.float64)
    )
    quality: U8 = native.numbers(answer, "quality", np.uint8)
    return Columns(tag, times, values, quality, {})


def untagged(answer: Mapping[str, native.Column], tag: int, unit_ns: int = MS_NS) -> Columns:
    """time, value or text, quality of one tag as columns."""
    times: I64 = native.numbers(answer, "time", np.int64) * unit_ns
    strings = native.texts(answer, "text") if "text" in answer else []
    values: F64 = (
        np.full(len(times), np.nan)
        if "text" in answer
        else native.numbers(answer, "value", np.float64)
    )
    quality: U8 = native.numbers(answer, "quality", np.uint8)
    text = dict(enumerate(strings)) if strings else NO_TEXT
    return Columns(np.full(len(times), tag, np.uint32), times, values, quality, dict(text))


def newest(points: Columns, texts: Columns) -> Columns:
    """Of tags that have numbers and texts, the newer row."""
    number_times = dict(zip(points.tag.tolist(), points.time_ns.tolist(), strict=True))
    text_times = dict(zip(texts.tag.tolist(), texts.time_ns.tolist(), strict=True))
    points = points.take(
        np.array([text_times.get(t, -1) < number_times[t] for t in points.tag.tolist()], bool)
    )
    texts = texts.take(
        np.array([number_times.get(t, -1) <= text_times[t] for t in texts.tag.tolist()], bool)
    )
    shift = len(points)
    return Columns(
        np.concatenate([points.tag, texts.tag]),
        np.concatenate([points.time_ns, texts.time_ns]),
        np.concatenate([points.value, texts.value]),
        np.concatenate([points.quality, texts.quality]),
        {row + shift: text for row, text in texts.text.items()},
    )


def bucketed(answer: Mapping[str, native.Column], unit_ns: int, source: str, width: int) -> Series:
    points = native.numbers(answer, "points", np.uint64)
    used = native.numbers(answer, "used", np.uint64)
    empty = used == 0

    def figure(name: str) -> F64:
        return np.where(empty, np.nan, native.numbers(answer, name, np.float64))

    return Series(
        native.numbers(answer, "start", np.int64) * unit_ns,
        figure("mean"),
        figure("low"),
        figure("high"),
        points,
        bucket_quality(
            points,
            native.numbers(answer, "good", np.uint64),
            used,
            native.numbers(answer, "marks", np.uint8),
        ),
        int(points.sum()),
        source,
        width,
    )
