"""Bits as text of 0 and 1, first bit first, for formats that do not keep to bytes.

Used by the compressed Digital Links and by EPCs; what runs short is told by the format's own
error, which the reader gets at the start.
"""

from collections.abc import Callable

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput


def number(value: int, width: int) -> str:
    """``value`` in ``width`` bits."""
    return format(value, f"0{width}b") if width else ""


class BitReader:
    """Takes bits from the front; raises what ``fault`` makes of a sentence when they run out."""

    def __init__(self, bits: str, fault: Callable[[str], InvalidInput]) -> None:
        self._bits = bits
        self._at = 0
        self._fault = fault

    @property
    def left(self) -> int:
        """Bits not yet taken."""
        return len(self._bits) - self._at

    def take(self, count: int) -> str:
        """The next bits."""
        if count > self.left:
            raise self._fault(_missing(count - self.left))
        self._at += count
        return self._bits[self._at - count : self._at]

    def number(self, count: int) -> int:
        """The next bits as a number."""
        return int(self.take(count), 2) if count else 0

    def rest(self) -> str:
        """All that is left."""
        return self.take(self.left)


def _missing(count: int) -> Phrase:
    return Phrase(f"{count} bits are missing", f"缺少 {count} 位")
