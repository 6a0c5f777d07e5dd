"""The columnar batch: the only shape in which points travel, from driver to history.

Invariants: the columns have equal length; a row's value is a float64 (booleans are 0/1, integers
are exact up to 2**53; text rows hold NaN and their string stands in ``text``); times are
nanoseconds since the epoch, UTC; ``quality`` is the byte of :mod:`mingwu.kernel.quality`.
``(source, boot, seq)`` names a batch for ever: consumers drop what they have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

NO_TEXT: dict[int, str] = {}


@dataclass(slots=True)
class Columns:
    """What a driver returns: one row per reading, in any order.

    ``tag`` [n] u32 tag numbers; ``time_ns`` [n] i64 source times; ``value`` [n] f64;
    ``quality`` [n] u8; ``text`` row index -> string for text tags.
    """

    tag: U32
    time_ns: I64
    value: F64
    quality: U8
    text: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tag)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Columns":
        """The chosen rows (index array or mask), texts renumbered."""
        text: dict[int, str] = {}
        if self.text:
            index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
            text = {
                new: self.text[old] for new, old in enumerate(index.tolist()) if old in self.text
            }
        return Columns(
            self.tag[rows], self.time_ns[rows], self.value[rows], self.quality[rows], text
        )


def concatenate(parts: Sequence[Columns]) -> Columns:
    """One after the other, texts renumbered."""
    if len(parts) == 1:
        return parts[0]
    text: dict[int, str] = {}
    at = 0
    for part in parts:
        text.update({row + at: words for row, words in part.text.items()})
        at += len(part)
    return Columns(
        np.concatenate([part.tag for part in parts]),
        np.concatenate([part.time_ns for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.quality for part in parts]),
        text,
    )


@dataclass(slots=True)
class Batch:
    """One message: columns with their origin.

    ``source`` is ``gateway/device``; ``boot`` the gateway's start time in ms (unique per start);
    ``seq`` counts from 1 within (source, boot); ``gateway_ns`` is when the gateway took the batch.
    """

    source: str
    boot: int
    seq: int
    gateway_ns: int
    columns: Columns

    @property
    def message_id(self) -> str:
        """Deduplication key on the bus."""
        return f"{self.source}:{self.boot}:{self.seq}"
