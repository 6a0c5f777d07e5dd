"""Routes of values in time: last values, thinned series, completeness, CSV export.

Series are thinned on the server to the pixels there are; each reply carries its lineage (window,
method, points) and the simulated mark. Points of bad quality are null, so that a line breaks.
"""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import numpy as np
from starlette.responses import Response, StreamingResponse

from mingwu.api.livetag import live_tags
from mingwu.api.ports import HistoryReader, SeriesColumns, TagRow
from mingwu.api.records import (
    CompletenessItem,
    CompletenessQuery,
    CompletenessReply,
    Lineage,
    Series,
    SeriesQuery,
    SeriesReply,
    ValuesQuery,
    ValuesReply,
    Window,
)
from mingwu.api.routing import Call, Endpoint
from mingwu.kernel import units
from mingwu.kernel.batch import F64, Columns
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.quality import (
    BAD,
    SIMULATED,
    STATUS_MASK,
    is_simulated,
    reason_of,
    status_name,
)

HOUR_MS = 3_600_000
_NS = 1_000_000


async def values(call: Call) -> ValuesReply:
    """Last values of the tags asked for, in that order."""
    query: ValuesQuery = call.query
    index = await call.services.index.get()
    rows = [index.tag(number) for number in query.tags]
    return ValuesReply(values=live_tags(rows, index, call.services, time.time_ns()))


async def series(call: Call) -> SeriesReply:
    """Thinned series of up to 16 tags over one window."""
    query: SeriesQuery = call.query
    history = call.services.need_history()
    index = await call.services.index.get()
    rows = [index.tag(number) for number in query.tags]
    start_ms, end_ms = _window(query)
    found = await asyncio.gather(
        *(
            history.series(
                row, start_ms * _NS, end_ms * _NS, points=query.width, method=query.method
            )
            for row in rows
        )
    )
    return SeriesReply(
        lineage=_lineage(start_ms, end_ms, query.method, query.width),
        series=[_series(row, columns) for row, columns in zip(rows, found, strict=True)],
    )


def _series(row: TagRow, columns: SeriesColumns) -> Series:
    bad = (columns.quality & STATUS_MASK) == BAD
    return Series(
        tag=row.number,
        ms=(columns.time_ns // _NS).tolist(),
        v=_nulled(columns.value, bad),
        q=columns.quality.tolist(),
        low=_nulled(columns.low, bad) if len(columns.low) else [],
        high=_nulled(columns.high, bad) if len(columns.high) else [],
        count=columns.count,
        source=columns.source,
        simulated=bool((columns.quality & SIMULATED).any()),
    )


def _nulled(
    column: F64, bad: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> list[float | None]:
    gone = bad | ~np.isfinite(column)
    out: list[float | None] = column.tolist()
    for row in np.flatnonzero(gone).tolist():
        out[row] = None
    return out


async def completeness(call: Call) -> CompletenessReply:
    """Received ÷ expected per tag in a window."""
    query: CompletenessQuery = call.query
    history = call.services.need_history()
    index = await call.services.index.get()
    rows = [index.tag(number) for number in query.tags]
    start_ms, end_ms = _window(query)
    found = await history.completeness(rows, start_ms * _NS, end_ms * _NS)
    return CompletenessReply(
        lineage=_lineage(start_ms, end_ms, "completeness", 0),
        rows=[CompletenessItem(row=row, ratio=round(row.ratio, 6)) for row in found],
    )


async def export_csv(call: Call) -> Response:
    """Raw points as CSV, streamed; a UTF-8 mark in front so that spreadsheets read Chinese."""
    query: Window = call.query
    history = call.services.need_history()
    index = await call.services.index.get()
    rows = [index.tag(number) for number in query.tags]
    start_ms, end_ms = _window(query)
    limit = call.services.settings.export_rows
    await call.journal("export", " ".join(f"{r.thing}:{r.name}" for r in rows), start=start_ms)
    name = datetime.fromtimestamp(start_ms / 1000, UTC).strftime("mingwu-%Y%m%dT%H%M%SZ.csv")
    return StreamingResponse(
        _csv(history, rows, start_ms, end_ms, limit),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


_CSV_HEAD = ("time", "thing", "tag", "value", "unit", "quality", "reason", "simulated")


async def _csv(
    history: HistoryReader, rows: list[TagRow], start_ms: int, end_ms: int, limit: int
) -> AsyncIterator[bytes]:
    yield b"\xef\xbb\xbf" + (",".join(_CSV_HEAD) + "\r\n").encode()
    left = limit
    for row in rows:
        async for chunk in history.raw(row, start_ms * _NS, end_ms * _NS, limit=left):
            left -= len(chunk)
            yield _csv_rows(row, chunk)
        if left <= 0:
            yield f"# stopped after {limit} rows,,,,,,,\r\n".encode()
            return


def _csv_rows(row: TagRow, chunk: Columns) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    unit = units.display(row.unit)
    times = np.datetime_as_string(chunk.time_ns.astype("datetime64[ns]"), unit="ms")
    for at, (when, value, quality) in enumerate(
        zip(times.tolist(), chunk.value.tolist(), chunk.quality.tolist(), strict=True)
    ):
        shown = chunk.text.get(at, "" if np.isnan(value) else repr(value))
        writer.writerow(
            (
                f"{when}Z",
                row.thing,
                row.name,
                _inert(shown),
                unit,
                status_name(quality),
                reason_of(quality).name.lower(),
                int(is_simulated(quality)),
            )
        )
    return out.getvalue().encode()


def _inert(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    if text[:1] in ("=", "@", "\t") or (text[:1] in ("+", "-") and not _is_number(text)):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _window(query: Window) -> tuple[int, int]:
    end = query.end if query.end is not None else time.time_ns() // _NS
    start = query.start if query.start is not None else max(0, end - HOUR_MS)
    if end <= start:
        raise InvalidInput("api.window-empty")
    return start, end


def _lineage(start_ms: int, end_ms: int, method: str, points: int) -> Lineage:
    return Lineage(
        start_ms=start_ms,
        end_ms=end_ms,
        method=method,
        points=points,
        made_ms=time.time_ns() // _NS,
    )


ENDPOINTS = (
    Endpoint(method="GET", path="/api/values", handler=values, tag="values",
             summary="Last values", query=ValuesQuery, reply=ValuesReply, errors=(404,)),
    Endpoint(method="GET", path="/api/series", handler=series, tag="values",
             summary="Series thinned to a pixel width", query=SeriesQuery, reply=SeriesReply,
             errors=(404, 503)),
    Endpoint(method="GET", path="/api/completeness", handler=completeness, tag="values",
             summary="Received ÷ expected", query=CompletenessQuery, reply=CompletenessReply,
             errors=(404, 503)),
    Endpoint(method="GET", path="/api/export.csv", handler=export_csv, tag="values",
             summary="Raw points as CSV", query=Window, reply=str, media_type="text/csv",
             errors=(404, 503)),
)  # fmt: skip
