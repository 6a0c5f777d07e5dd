"""From what stood on the wire (cells) to points of tags (columns).

Rules: a bad or uncertain status keeps its severity; a value that is there but not finite is bad
(not a number); a good status without a value is bad (initialising: OPC UA's null is "nothing
yet"); a text for a numeric tag, an array or a structure is bad (conversion). A bad point has no
value. Numbers of text tags become text; text rows carry NaN. Rows without a source time get the
gateway's.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from mingwu.field.opcua import scan
from mingwu.field.opcua.layout import NUMBER_KINDS, TEXT_KINDS, Cells
from mingwu.field.opcua.plan import Plan, Rows
from mingwu.field.opcua.status import qualities
from mingwu.kernel.batch import U8, Columns
from mingwu.kernel.quality import BAD, STATUS_MASK, Reason, bad

_INTEGERS = range(scan.SBYTE, scan.UINT64 + 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What a kind of cell (variant type, or ARRAY) is to us, by kind, and why it is no number.
_NUMBER, _TEXT, _NOTHING, _OTHER = range(4)
_SORT = np.array(
    [
        _NUMBER if kind in NUMBER_KINDS
        else _TEXT if kind in TEXT_KINDS
        else _NOTHING if kind == scan.NULL
        else _OTHER
        for kind in range(256)
    ],
    np.uint8,
)  # fmt: skip
_WRONG = np.array(
    [
        bad(reason)
        for reason in (
            Reason.NOT_A_NUMBER, Reason.CONVERSION, Reason.INITIALISING, Reason.CONVERSION,
        )
    ],
    np.uint8,
)  # fmt: skip


def columns(plan: Plan, rows: Rows, cells: Cells, now_ns: int) -> Columns:
    """Points of the plan's ``rows``, one per cell and in their order."""
    quality = qualities(cells.status)
    value = cells.value
    if plan.scaled:
        value = value * plan.scale[rows] + plan.offset[rows]
    usable = np.isfinite(value)
    text: dict[int, str] = {}
    if not plan.plain:
        as_text = plan.is_text[rows]
        usable |= as_text & (_SORT[cells.kind] == _TEXT)
        text = _texts(cells, as_text & usable)
        booleans = plan.is_bool[rows] & usable
        value = np.where(booleans, value != 0, value)
        value[as_text] = np.nan
    if not usable.all():
        # The server's own bad status stands; else the kind of cell says what is wrong.
        wrong = ~usable & ((quality & STATUS_MASK) != BAD)
        quality[wrong] = _WRONG[_SORT[cells.kind[wrong]]]
    is_bad = (quality & STATUS_MASK) == BAD
    if is_bad.any():
        value = np.where(is_bad, np.nan, value)
        text = {row: words for row, words in text.items() if not is_bad[row]}
    time_ns = cells.time_ns
    untimed = time_ns == 0
    if untimed.any():
        time_ns = np.where(untimed, now_ns, time_ns)
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


def _texts(cells: Cells, where: npt.NDArray[np.bool_]) -> dict[int, str]:
    """Text of the rows chosen: as sent, or a number in words."""
    result = {}
    for row in np.flatnonzero(where).tolist():
        if row in cells.text:
            result[row] = cells.text[row]
        else:
            result[row] = _number_as_text(int(cells.kind[row]), float(cells.value[row]))
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
