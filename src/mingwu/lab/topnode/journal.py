"""Append-only files of the simulated top node: one JSON document a line, on disk before told.

A line that a crash cut short was never acknowledged; it is dropped when the file is read again.
"""

import os
from collections.abc import Iterator
from pathlib import Path


def append(path: Path, line: bytes) -> None:
    """Add one document (without line ends in it), durably."""
    with path.open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file; a torn end is cut off so that appending goes on cleanly."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    yield from data[:whole].splitlines()
