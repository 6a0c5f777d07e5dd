"""From what stood on the wire (cells) to points of tags (columns).

Rules: a bad or uncertain status keeps its severity; a value that is there but not finite is bad
(not a number); a good status without a value is bad (initialising: OPC UA's null is "nothing
yet"); a text for a numeric tag, an array or a structure is bad (conversion). A bad point has no
value. Numbers of text tags become text; text rows carry NaN. Rows without a source time get the
gateway's.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

from mingwu.field.opcua import scan
from mingwu.field.opcua.layout import ARRAY, TEXT_KINDS, Cells
from mingwu.field.opcua.plan import Plan, Rows
from mingwu.field.opcua.status import qualities
from mingwu.kernel.batch import U8, Columns
from mingwu.kernel.quality import BAD, STATUS_MASK, Reason, bad

_INTEGERS = range(scan.SBYTE, scan.UINT64 + 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_KINDS = np.array(sorted(TEXT_KINDS), np.uint8)


def columns(plan: Plan, rows: Rows, cells: Cells, now_ns: int) -> Columns:
    """Points of the plan's ``rows``, one per cell and in their order."""
    quality = qualities(cells.status)
    value = cells.value
    if plan.scaled:
        value = value * plan.scale[rows] + plan.offset[rows]
    text: dict[int, str] = {}
    if plan.plain:
        _spoil(quality, ~np.isfinite(value), Reason.NOT_A_NUMBER)
        if cells.kind.min(initial=scan.DOUBLE) == scan.NULL or cells.text or _odd(cells.kind):
            _spoil_kinds(quality, cells, as_text=np.zeros(len(rows), np.bool_))
    else:
        as_text = plan.is_text[rows]
        _spoil(quality, ~np.isfinite(value) & ~as_text, Reason.NOT_A_NUMBER)
        _spoil_kinds(quality, cells, as_text=as_text)
        text = _texts(cells, as_text)
        value[as_text] = np.nan
        booleans = plan.is_bool[rows] & np.isfinite(value)
        value[booleans] = value[booleans] != 0
    is_bad = (quality & STATUS_MASK) == BAD
    if is_bad.any():
        value = np.where(is_bad, np.nan, value)
        text = {row: words for row, words in text.items() if not is_bad[row]}
    time_ns = np.where(cells.time_ns == 0, now_ns, cells.time_ns)
    return Columns(plan.numbers[rows], time_ns, value, quality, text)


def unreadable(plan: Plan, rows: Rows, quality: U8 | int, now_ns: int) -> Columns:
    """Points without a value: every row NaN with the quality given (a byte or a column)."""
    n = len(rows)
    return Columns(
        plan.numbers[rows],
        np.full(n, now_ns, np.int64),
        np.full(n, np.nan),
        np.broadcast_to(np.asarray(quality, np.uint8), n).copy(),
    )


def _odd(kind: U8) -> bool:
    return bool((kind > scan.DATE_TIME).any())


def _spoil(quality: U8, where: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: Reason) -> None:
    """Make rows bad that are not so already; their first reason stands."""
    worse = where & ((quality & STATUS_MASK) != 0)
    if worse.any():
        quality[worse] = bad(reason)


def _spoil_kinds(
    quality: U8, cells: Cells, *, as_text: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> None:
    """Replace "not a number" by the better reason where there was no scalar to begin with."""
    was_nan = quality == bad(Reason.NOT_A_NUMBER)
    quality[was_nan & (cells.kind == scan.NULL)] = bad(Reason.INITIALISING)
    _spoil(quality, as_text & (cells.kind == scan.NULL), Reason.INITIALISING)
    is_text = np.isin(cells.kind, _TEXT_KINDS)
    other = (cells.kind >= ARRAY) | ((cells.kind > scan.DATE_TIME) & ~is_text)
    other &= cells.kind != scan.STATUS_CODE
    quality[was_nan & (is_text | other)] = bad(Reason.CONVERSION)
    _spoil(quality, as_text & other, Reason.CONVERSION)


def _texts(cells: Cells, as_text: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[int, str]:
    result = {}
    for row in np.flatnonzero(as_text).tolist():
        kind = int(cells.kind[row])
        if row in cells.text:
            result[row] = cells.text[row]
        elif scan.NULL < kind < ARRAY and np.isfinite(cells.value[row]):
            result[row] = _number_as_text(kind, float(cells.value[row]))
    return result


def _number_as_text(kind: int, value: float) -> str:
    if kind == scan.BOOLEAN:
        return "true" if value else "false"
    if kind in _INTEGERS or kind == scan.STATUS_CODE:
        return str(int(value))
    if kind == scan.DATE_TIME:
        try:
            return (_EPOCH + timedelta(seconds=value)).isoformat()
        except OverflowError:
            return f"{value:.0f} s"
    return repr(value)
