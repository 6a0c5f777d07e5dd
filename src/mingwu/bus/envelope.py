"""The envelope: a batch as bytes. The byte level is in docs/formats/envelope.md.

Invariants: ``decode(encode(batch)) == batch``; ``decode`` raises PeerError for any other bytes and
nothing else, and checks every length before it allocates. Columns of a decoded batch are
read-only views of the message wherever the column stands in it as it is (no copy).

Version 1::

    0        version (1)
    1..3     zero
    4..7     u32  length of the header
    8..      header, msgpack array; zero bytes up to the next multiple of 8
    then     value f64[n], time (see below), tag u32[n], quality u8[n] unless constant

Times are constant (in the header), runs (``i64[r]`` starts a run, ``u32[r]`` its length; reads of
one device share their time) or ``i64[n]``. All numbers are little-endian.
"""

import struct
import sys
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from mingwu.bus import errors as _errors  # noqa: F401 — registers the texts
from mingwu.kernel.batch import I64, NO_TEXT, U8, Batch, Columns
from mingwu.kernel.errors import PeerError

__all__ = ["MAX_POINTS", "VERSION", "decode", "encode"]

VERSION = 1
MAX_POINTS = 1 << 20
CONSTANT, RUNS, EACH = 0, 1, 2

_PREFIX = struct.Struct("<B3xI")
_MAX_HEADER = 1 << 26
_I64 = Meta(ge=-(2**63), le=2**63 - 1)
_COUNT = Meta(ge=0, le=2**63 - 1)


class _Header(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The msgpack array, in this order."""

    source: Annotated[str, Meta(min_length=1, max_length=129)]
    boot: Annotated[int, _COUNT]
    seq: Annotated[int, _COUNT]
    gateway_ns: Annotated[int, _I64]
    points: Annotated[int, Meta(ge=0, le=MAX_POINTS)]
    # CONSTANT: ``time`` is the time in ns. RUNS: ``time`` is the number of runs. EACH: 0.
    time_form: Annotated[int, Meta(ge=0, le=2)]
    time: Annotated[int, _I64]
    # The quality of every point, or nil when a column follows.
    quality: Annotated[int, Meta(ge=0, le=255)] | None
    # Row -> text of text tags, or nil.
    text: dict[int, str] | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Header)


def _column(array: np.ndarray, dtype: str) -> bytes:
    """The column's bytes, little-endian, contiguous."""
    return np.ascontiguousarray(array, dtype=dtype).tobytes()


def _encode_times(times: I64) -> tuple[int, int, bytes]:
    """(form, header field, column bytes)."""
    if len(times) == 0:
        return CONSTANT, 0, b""
    changes = np.flatnonzero(times[1:] != times[:-1])
    if len(changes) == 0:
        return CONSTANT, int(times[0]), b""
    runs = len(changes) + 1
    if runs * 3 > len(times):
        return EACH, 0, _column(times, "<i8")
    starts = np.empty(runs, np.int64)
    starts[0] = 0
    starts[1:] = changes + 1
    lengths = np.diff(starts, append=len(times))
    return RUNS, runs, _column(times[starts], "<i8") + _column(lengths, "<u4")


def encode(batch: Batch) -> bytes:
    """The message for ``batch``; its columns must have equal lengths (ValueError)."""
    columns = batch.columns
    points = len(columns.tag)
    if not (len(columns.time_ns) == len(columns.value) == len(columns.quality) == points):
        raise ValueError("columns of a batch have unequal lengths")
    if points > MAX_POINTS:
        raise ValueError(f"a batch holds at most {MAX_POINTS} points")
    form, time, times = _encode_times(columns.time_ns)
    quality = columns.quality
    constant = int(quality[0]) if points and (quality == quality[0]).all() else None
    header = _encoder.encode(
        _Header(
            batch.source,
            batch.boot,
            batch.seq,
            batch.gateway_ns,
            points,
            form,
            time,
            constant,
            columns.text or None,
        )
    )
    return b"".join(
        (
            _PREFIX.pack(VERSION, len(header)),
            header,
            bytes(-len(header) % 8),
            _column(columns.value, "<f8"),
            times,
            _column(columns.tag, "<u4"),
            _column(quality, "|u1") if constant is None else b"",
        )
    )


def _fault(what: str) -> PeerError:
    return PeerError("bus.malformed-envelope", fault=what)


def _read_header(data: bytes) -> tuple[_Header, int]:
    """The header and where the columns begin."""
    if len(data) < _PREFIX.size:
        raise _fault("shorter than its prefix")
    version, size = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise _fault(f"version {version} is not {VERSION}")
    if data[1:4] != b"\0\0\0":
        raise _fault("reserved bytes are not zero")
    end = _PREFIX.size + size
    if size > _MAX_HEADER or end > len(data):
        raise _fault("header longer than the message")
    try:
        header = _decoder.decode(memoryview(data)[_PREFIX.size : end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _fault(str(error)) from error
    return header, end + (-size % 8)


def _read_times(header: _Header, data: bytes, at: int, room: int) -> tuple[I64, int]:
    """Times of the points and where the next column begins."""
    points = header.points
    if header.time_form == CONSTANT:
        return np.full(points, header.time, np.int64), at
    if header.time_form == EACH:
        if header.time != 0 or room < points * 8:
            raise _fault("time column does not fit")
        return np.frombuffer(data, "<i8", points, at), at + points * 8
    runs = header.time
    if not 0 < runs <= points or room < runs * 12:
        raise _fault("time runs do not fit")
    starts = np.frombuffer(data, "<i8", runs, at)
    lengths = np.frombuffer(data, "<u4", runs, at + runs * 8)
    if int(lengths.sum(dtype=np.int64)) != points:
        raise _fault("time runs do not add up to the points")
    return np.repeat(starts, lengths), at + runs * 12


def decode(data: bytes) -> Batch:
    """The batch of a message; raises PeerError ``bus.malformed-envelope``."""
    header, at = _read_header(data)
    points = header.points
    if at + points * 12 > len(data):
        raise _fault("columns longer than the message")
    value = np.frombuffer(data, "<f8", points, at)
    at += points * 8
    times, at = _read_times(header, data, at, len(data) - at)
    own_quality = header.quality is None
    if at + points * (5 if own_quality else 4) != len(data):
        raise _fault("columns and message differ in length")
    tag = np.frombuffer(data, "<u4", points, at)
    quality: U8
    if header.quality is None:
        quality = np.frombuffer(data, "|u1", points, at + points * 4)
    else:
        quality = np.full(points, header.quality, np.uint8)
    text = header.text or NO_TEXT
    if text and (min(text) < 0 or max(text) >= points):
        raise _fault("text for a row that is not there")
    if sys.byteorder == "big":  # columns are used in arithmetic: native order is what numpy likes
        value, times, tag = value.astype("=f8"), times.astype("=i8"), tag.astype("=u4")
    columns = Columns(tag, times, value, quality, text)
    return Batch(header.source, header.boot, header.seq, header.gateway_ns, columns)
