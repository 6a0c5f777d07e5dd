"""What a thread that answers reads: one state of the record store at a time."""

from collections.abc import Callable
from typing import Any

from mingwu.kernel.names import fold
from mingwu.store.projection import Projection
from mingwu.wire.handle.values import HandleValue


class Snapshot:
    """The read transactions of one thread that answers requests, one after the other.

    ``carrier_values`` tells what the carrier of a name's key says now (key, ttl in seconds); it is
    for records with ``HAS_CARRIER``.

    ``begin`` before reading, ``end`` soon after: what is read in between is one state of the
    store, and memory handed out by ``get`` is valid only in between.
    """

    __slots__ = ("_env", "_records", "_txn", "carrier_values", "get", "refused")

    def __init__(
        self,
        projection: Projection,
        refused: set[str],
        carrier_values: Callable[[bytes, int], list[HandleValue]],
    ) -> None:
        self.refused = refused
        self.carrier_values = carrier_values
        self._env: Any = projection.env
        self._records: Any = projection.records
        self._txn: Any = None
        self.get: Callable[[bytes], memoryview | None] = _not_begun

    def begin(self) -> None:
        """Look at the store as it is now."""
        txn = self._txn = self._env.begin(db=self._records, buffers=True)
        self.get = txn.get

    def refuses(self, name: str) -> bool:
        """Whether questions about this name wait for another day (``RecordStore.refused``)."""
        return bool(self.refused) and fold(name.partition("/")[0]) in self.refused

    def end(self) -> None:
        """Let go; may be called twice."""
        if self._txn is not None:
            self._txn.abort()
            self._txn = None
            self.get = _not_begun


def _not_begun(key: bytes) -> memoryview | None:
    raise RuntimeError(f"snapshot used outside begin/end for {key[:40]!r}")
