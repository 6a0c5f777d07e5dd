"""A lock for writers of one directory: over threads and over processes, gone with its holder.

LMDB makes single batches atomic; holding this makes read-decide-write one step, too. The kernel
lets go of it when its holder is killed.
"""

import fcntl
import threading
from pathlib import Path


class WriteLock:
    """One writer at a time over all threads and processes that have the directory open."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._file.close()
