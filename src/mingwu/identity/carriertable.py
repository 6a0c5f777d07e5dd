"""The table of carriers beside the record store: written by the platform, read by every resolver.

One row per name of a carrier, in an LMDB of its own (``carriers`` in the store's folder): a change
is seen by the next question in any process of the node, and records, their generation and their
signatures are not touched. The carriers' database decides; the table can be made anew from it at
any time, and is when the leading web process starts. So commits do not wait for the disk, except
when something is taken away (:meth:`CarrierTable.withdraw`).
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from mingwu.identity.carrierlive import CarrierRow
from mingwu.store.projection import Projection, ProjectionSettings
from mingwu.store.writelock import WriteLock

_LOCK_FILE = "writers.lock"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CarrierRow).decode


class CarrierTable:
    """See the module. Readers need no lock; writers of all processes take turns."""

    def __init__(self, directory: Path, *, map_bytes: int) -> None:
        self._rows = Projection(directory, ProjectionSettings(max_bytes=map_bytes, durable=False))
        self._writing = WriteLock(directory / _LOCK_FILE)

    def close(self) -> None:
        """Release the directory."""
        self._rows.close()
        self._writing.close()

    def get(self, key: bytes) -> CarrierRow | None:
        """The row of a name's key (``recordkeys.key_of``)."""
        data = self._rows.get(key)
        return _decode(data) if data is not None else None

    def bring(self, read: Callable[[], tuple[bytes, CarrierRow] | None]) -> None:
        """Write what ``read`` tells of one carrier: its name's key, its row.

        It is called under the lock: of two writers the later has read what is true later.
        """
        with self._writing:
            told = read()
            if told is not None:
                key, row = told
                self._rows.write([(key, _encode(row))])

    def withdraw(self, serial: str, key: bytes) -> None:
        """Forget what a carrier told under a name; on the disk before this returns."""
        with self._writing:
            row = self.get(key)
            if row is not None and row.serial == serial:
                self._rows.write(delete=[key])
                self._rows.sync()

    def replace(self, read: Callable[[], Iterable[tuple[bytes, CarrierRow]]]) -> int:
        """Hold exactly what ``read`` tells, called under the lock; how many rows."""
        with self._writing:
            rows = {key: _encode(row) for key, row in read()}
            self._rows.write(sorted(rows.items()), clear=True)
            self._rows.sync()
        return len(rows)
