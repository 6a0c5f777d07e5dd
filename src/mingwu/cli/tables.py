"""Tables on a terminal: columns as wide as their text is shown, Chinese characters two columns.

What came from elsewhere is shown as text: control characters become spaces, so that no answer
moves the cursor of a terminal.
"""

import unicodedata
from collections.abc import Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; rows have equally many cells, the first are the headings."""
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  ".join(padded(cell, wide) for cell, wide in zip(row, widths, strict=True)).rstrip()


def padded(text: str, columns: int) -> str:
    """``text`` with spaces behind it up to so many columns."""
    return text + " " * (columns - width(text))


def plain(value: object) -> str:
    """A value as text without control characters."""
    text = "" if value is None else str(value)
    return "".join(" " if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)


def width(text: str) -> int:
    """How many columns a terminal needs for ``text``."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
