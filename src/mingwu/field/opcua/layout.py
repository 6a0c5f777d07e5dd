"""Reads the DataValues of a message as numpy columns.

A polled tag list is constant, so the reply to it nearly always has the layout it had before. A
:class:`Layout` remembers where each mask, value, status and time stood and checks, before it is
used again, every byte that decides about lengths (masks, types, string lengths); by induction
from the first item, equal bytes mean equal offsets. A mismatch costs one new scan, never a wrong
value. Unaligned values are gathered through views that overlap with a stride of one byte.
"""

import struct
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mingwu.field.opcua import scan
from mingwu.kernel.batch import F64, I64, U8

Ints = npt.NDArray[np.intp]
Index = slice | Ints

TICKS_1970 = 116_444_736_000_000_000  # FILETIME (100 ns since 1601) of the Unix epoch
_MAX_TICKS = (2**63 - 1) // 100  # farther from 1970 than this does not fit 64-bit nanoseconds
_FIRST_TICK, _LAST_TICK = TICKS_1970 - _MAX_TICKS, TICKS_1970 + _MAX_TICKS

ARRAY = 0x80  # in Cells.kind: an array, of whatever type

_DTYPES = {
    scan.BOOLEAN: "?", scan.SBYTE: "<i1", scan.BYTE: "<u1", scan.INT16: "<i2", scan.UINT16: "<u2",
    scan.INT32: "<i4", scan.UINT32: "<u4", scan.INT64: "<i8", scan.UINT64: "<u8",
    scan.FLOAT: "<f4", scan.DOUBLE: "<f8", scan.DATE_TIME: "<i8", scan.STATUS_CODE: "<u4",
}  # fmt: skip
NUMBER_KINDS = frozenset(_DTYPES)
_SIMPLE_TEXT = (scan.STRING, scan.XML, scan.BYTE_STRING)
TEXT_KINDS = frozenset({*_SIMPLE_TEXT, scan.GUID, scan.QUALIFIED_NAME, scan.LOCALIZED_TEXT})
# Kinds whose length is decided by the bytes a layout checks.
_REGULAR = frozenset({scan.NULL, scan.GUID, *_DTYPES, *_SIMPLE_TEXT})
_TAIL_SIZE = np.array(scan.TAIL_SIZE, np.intp)
_NO_ROWS = np.empty(0, np.intp)


@dataclass(slots=True)
class Cells:
    """Columns of one message: ``value`` NaN where the wire has no number, ``time_ns`` 0 where it
    has no source time, ``status`` as sent, ``kind`` the type byte (:data:`ARRAY` for arrays).
    """

    value: F64
    time_ns: I64
    status: npt.NDArray[np.uint32]
    kind: U8
    text: dict[int, str] = field(default_factory=dict)

    def take(self, rows: Ints) -> "Cells":
        """The chosen rows, texts renumbered."""
        text = {new: self.text[old] for new, old in enumerate(rows.tolist()) if old in self.text}
        return Cells(self.value[rows], self.time_ns[rows], self.status[rows], self.kind[rows], text)


@dataclass(slots=True)
class Layout:
    """Offsets relative to the first item; build with :func:`learn`."""

    count: int
    lead: int
    end: int
    masks: U8
    mask_at: Index
    types: U8
    type_at: Index
    kind: U8
    lengths: npt.NDArray[np.int32]
    length_at: Index
    numbers: list[tuple[int, Index, Index]]  # variant type, rows, offsets of values
    texts: list[tuple[int, int, int]]  # row, variant type, offset of the value
    status_rows: Index
    status_at: Index
    time_rows: Index
    time_at: Index
    regular: bool  # every length is decided by masks, types and the lengths above

    def fits(self, body: bytes, pos: int) -> bool:
        """Whether the message from ``pos`` has exactly this layout."""
        if not self.regular or len(body) - pos < self.end:
            return False
        octets = np.frombuffer(body, np.uint8, offset=pos)
        if not (octets[self.mask_at] == self.masks).all():
            return False
        if not (octets[self.type_at] == self.types).all():
            return False
        if not len(self.lengths):
            return True
        return bool((_view(body, pos, "<i4")[self.length_at] == self.lengths).all())

    def cells(self, body: bytes, pos: int) -> Cells:
        """The columns of a message that fits."""
        n = self.count
        value = np.full(n, np.nan)
        with np.errstate(invalid="ignore"):  # a signalling NaN is a value like any other
            for kind, rows, offsets in self.numbers:
                raw: Any = _view(body, pos, _DTYPES[kind])[offsets]
                value[rows] = (raw - TICKS_1970) * 1e-7 if kind == scan.DATE_TIME else raw
        status = np.zeros(n, np.uint32)
        status[self.status_rows] = _view(body, pos, "<u4")[self.status_at]
        time_ns = np.zeros(n, np.int64)
        time_ns[self.time_rows] = _nanoseconds(_view(body, pos, "<i8")[self.time_at])
        text = {row: _text(body, pos + offset, kind) for row, kind, offset in self.texts}
        return Cells(value, time_ns, status, self.kind, text)

    def handles(self, body: bytes, pos: int) -> npt.NDArray[np.uint32]:
        """The u32 before each item (client handles of a notification)."""
        at = self.mask_at
        before = slice(at.start - 4, at.stop - 4, at.step) if isinstance(at, slice) else at - 4
        return np.asarray(_view(body, pos, "<u4")[before])


def learn(body: bytes, pos: int, count: int, lead: int = 0) -> Layout:
    """The layout of ``count`` DataValues from ``pos``. Raises Malformed."""
    edges = np.array(scan.data_values(body, pos, count, lead), np.intp) - pos
    starts = edges[:-1]
    octets = np.frombuffer(body, np.uint8, offset=pos)
    masks = octets[starts]
    valued = np.flatnonzero(masks & scan.HAS_VALUE)
    types = octets[starts[valued] + 1]
    kind = np.zeros(count, np.uint8)
    kind[valued] = np.where(types & scan.ARRAY_BIT, ARRAY, types & scan.TYPE_MASK)
    present = set(kind.tolist())
    rows = {one: np.flatnonzero(kind == one) for one in present}
    # The tail (status, times) is what stands before the next item's lead.
    tails = edges[1:] - _TAIL_SIZE[masks]
    tails[:-1] -= lead
    has_status = (masks & scan.HAS_STATUS) != 0
    status_rows = np.flatnonzero(has_status)
    time_rows = np.flatnonzero(masks & scan.HAS_TIME)
    time_at = tails + 4 * has_status
    sized = [rows[one] for one in _SIMPLE_TEXT if one in present]
    length_at = starts[np.concatenate(sized)] + 2 if sized else _NO_ROWS
    return Layout(
        count=count, lead=lead, end=int(edges[-1]), masks=masks.copy(), mask_at=_index(starts),
        types=types.copy(), type_at=_index(starts[valued] + 1), kind=kind,
        lengths=_view(body, pos, "<i4")[length_at], length_at=length_at,
        numbers=[
            (one, _rows(rows[one], count), _index(starts[rows[one]] + 2))
            for one in present & _DTYPES.keys()
        ],
        texts=[
            (row, one, int(starts[row]) + 2)
            for one in present & TEXT_KINDS
            for row in rows[one].tolist()
        ],
        status_rows=_rows(status_rows, count), status_at=_index(tails[status_rows]),
        time_rows=_rows(time_rows, count), time_at=_index(time_at[time_rows]),
        regular=present <= _REGULAR,
    )  # fmt: skip


def _view(body: bytes, pos: int, dtype: str) -> npt.NDArray[Any]:
    """All values of ``dtype`` that could start at any byte from ``pos`` on."""
    kind = np.dtype(dtype)
    length = max(len(body) - pos - kind.itemsize + 1, 0)
    return np.ndarray((length,), kind, body, pos if length else 0, (1,))


def _index(offsets: Ints) -> Index:
    """A slice when the offsets are evenly spaced (views instead of copies), else themselves."""
    if len(offsets) == 0:
        return slice(4, 4)  # empty, and 4 so that `handles` may step back
    if len(offsets) == 1:
        return slice(int(offsets[0]), int(offsets[0]) + 1)
    first, last = int(offsets[0]), int(offsets[-1])
    step, uneven = divmod(last - first, len(offsets) - 1)
    if uneven or (offsets[1:] - offsets[:-1] != step).any():
        return offsets
    return slice(first, last + 1, step)


def _rows(rows: Ints, count: int) -> Index:
    return slice(None) if len(rows) == count else rows


def _nanoseconds(ticks: I64) -> I64:
    """FILETIME to nanoseconds since 1970; out of range is clipped, 0 (no time) stays 0."""
    if ((ticks < _FIRST_TICK) | (ticks > _LAST_TICK)).any():
        clipped: I64 = (np.clip(ticks, _FIRST_TICK, _LAST_TICK) - TICKS_1970) * 100
        clipped[ticks == 0] = 0
        return clipped
    return (ticks - TICKS_1970) * 100


def _text(body: bytes, pos: int, kind: int) -> str:
    """The text of a scalar whose extent the scan has checked."""
    if kind == scan.GUID:
        return str(uuid.UUID(bytes_le=body[pos : pos + 16]))
    if kind == scan.QUALIFIED_NAME:
        return scan.text_at(body, pos + 2)[0]
    if kind == scan.LOCALIZED_TEXT:
        mask, pos = body[pos], pos + 1
        if mask & 1:
            _, pos = scan.text_at(body, pos)
        return scan.text_at(body, pos)[0] if mask & 2 else ""
    if kind == scan.BYTE_STRING:
        length = max(struct.unpack_from("<i", body, pos)[0], 0)
        return body[pos + 4 : pos + 4 + length].hex()
    return scan.text_at(body, pos)[0]
