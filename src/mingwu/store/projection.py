"""LMDB projections: read models of bytes that any number of processes read at memory speed.

A projection is rebuilt or fed from a system of record; it may be deleted at any time. One process
writes, many read. Invariants: a batch is one transaction, seen whole or not at all;
``generation`` counts committed batches and is stored, so readers notice changes and feeders know
where to go on (``mark``).

The map is reserved at its full ``max_bytes`` when opened: that is address space, not memory or
disk (the file grows with the data), and LMDB forbids changing it while any thread of the process
reads. Traps: an environment must be opened once per process and never used across fork; a read
transaction that stays open keeps old pages alive, so :meth:`Projection.reading` is for short work.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import lmdb

from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import Overloaded, Unavailable
from mingwu.kernel.settings import Settings

_META = b"meta"
_RECORDS = b"records"
_GENERATION = b"generation"

add(
    "store.projection-full",
    en=(
        "The projection {path} has reached its limit of {max_bytes} bytes",
        "Raise max_bytes in its settings; nothing of the refused batch was stored.",
    ),
    zh=("投影 {path} 已达到上限 {max_bytes} 字节", "请调大其设置中的 max_bytes；被拒批次未写入。"),
)

add(
    "store.projection-unwritable",
    en=(
        "The projection {path} cannot be written: {fault}",
        "Make room on its disk, or give it the right to write; what waits for it is written then.",
    ),
    zh=("无法写入投影 {path}：{fault}", "请清理磁盘空间或授予写权限，待写内容届时自动写入。"),
)
# What LMDB says when the system refuses; its other errors are ours.
_DISK = frozenset({lmdb.Error, lmdb.DiskError})


class ProjectionSettings(Settings, frozen=True, kw_only=True):
    """Limits and durability of one projection.

    ``max_bytes``: the most the file may grow to; reserved as address space at once.
    ``durable``: wait for the disk at every commit; without it the last batches may be lost on
    power failure (the file stays sound), which a projection that can be fed again may accept.
    ``max_readers``: concurrent reading threads over all processes.
    """

    max_bytes: int = 64 * 2**30
    durable: bool = True
    max_readers: int = 512


class Projection:
    """Sorted byte keys to byte values in the directory ``path``.

    ``readonly`` opens an existing projection of another process. Raises Unavailable
    ``store.projection-unwritable`` when the disk does not let it.
    """

    def __init__(
        self,
        path: Path,
        settings: ProjectionSettings | None = None,
        *,
        readonly: bool = False,
    ) -> None:
        self.path = path
        self._settings = settings or ProjectionSettings()
        try:
            self._open(path, readonly=readonly)
        except lmdb.Error as error:
            if type(error) not in _DISK:
                raise
            raise self._unwritable(error) from error

    def _open(self, path: Path, *, readonly: bool) -> None:
        if not readonly:
            path.mkdir(parents=True, exist_ok=True)
        # max_dbs: records, meta and room for what a later format adds.
        self.env: Any = lmdb.open(
            str(path),
            map_size=self._settings.max_bytes,
            max_dbs=8,
            max_readers=self._settings.max_readers,
            readonly=readonly,
            sync=self._settings.durable,
            metasync=self._settings.durable,
            map_async=False,
            writemap=False,
            create=not readonly,
        )
        self.records: Any = self.env.open_db(_RECORDS, create=not readonly)
        self._meta: Any = self.env.open_db(_META, create=not readonly)

    def close(self) -> None:
        """Release the environment; may be called twice."""
        self.env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, copied, or None."""
        with self.reading() as txn:
            value: bytes | None = txn.get(key)
            return value

    def get_many(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """Values in the order of ``keys``, from one snapshot."""
        with self.reading() as txn:
            return [txn.get(key) for key in keys]

    @contextmanager
    def reading(self, *, buffers: bool = False) -> Iterator[Any]:
        """A read transaction on the records (``get``, ``cursor``).

        With ``buffers`` values are memoryviews, valid inside the block only.
        """
        with self.env.begin(db=self.records, buffers=buffers) as txn:
            yield txn

    def scan(self, prefix: bytes = b"", *, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """(key, value) in key order below ``prefix``, beginning behind ``after`` when given."""
        with self.reading() as txn:
            cursor = txn.cursor()
            found = cursor.set_range(max(prefix, after))
            if found and after and cursor.key() == after:
                found = cursor.next()
            while found and cursor.key().startswith(prefix):
                yield cursor.key(), cursor.value()
                found = cursor.next()

    def __len__(self) -> int:
        with self.reading() as txn:
            entries: int = txn.stat(self.records)["entries"]
            return entries

    def write(
        self,
        put: Iterable[tuple[bytes, bytes]] = (),
        delete: Iterable[bytes] = (),
        *,
        mark: bytes | None = None,
        clear: bool = False,
    ) -> int:
        """One atomic batch: clear (if asked), then delete, then put; returns the new generation.

        ``mark`` is stored with the batch: the feeder's place in its source, see :attr:`mark`.
        Raises Overloaded ``store.projection-full`` when the limit is reached, Unavailable
        ``store.projection-unwritable`` when the disk refuses; nothing is stored then.
        """
        try:
            return self._write(put, delete, mark, clear=clear)
        except lmdb.MapFullError as error:
            limit = self._settings.max_bytes
            raise Overloaded(
                "store.projection-full", path=str(self.path), max_bytes=limit
            ) from error
        except lmdb.Error as error:
            if type(error) not in _DISK:
                raise
            raise self._unwritable(error) from error

    def _unwritable(self, error: lmdb.Error) -> Unavailable:
        fault = str(error).partition(": ")[2] or str(error)
        return Unavailable("store.projection-unwritable", path=str(self.path), fault=fault)

    def _write(
        self,
        put: Iterable[tuple[bytes, bytes]],
        delete: Iterable[bytes],
        mark: bytes | None,
        *,
        clear: bool,
    ) -> int:
        with self.env.begin(db=self.records, write=True) as txn:
            if clear:
                txn.drop(self.records, delete=False)
            for key in delete:
                txn.delete(key)
            with txn.cursor() as cursor:
                cursor.putmulti(put)
            generation = int.from_bytes(txn.get(_GENERATION, b"", db=self._meta)) + 1
            txn.put(_GENERATION, generation.to_bytes(8), db=self._meta)
            if mark is not None:
                txn.put(b"mark", mark, db=self._meta)
            return generation

    @property
    def generation(self) -> int:
        """How many batches were ever committed."""
        with self.reading() as txn:
            return int.from_bytes(txn.get(_GENERATION, b"", db=self._meta))

    @property
    def mark(self) -> bytes | None:
        """What the last batch with a mark said."""
        with self.reading() as txn:
            mark: bytes | None = txn.get(b"mark", db=self._meta)
            return mark

    def sync(self) -> None:
        """Force everything to the disk (for projections that are not ``durable``)."""
        self.env.sync(True)

    def copy(self, directory: Path) -> None:
        """Write a compact copy that can be opened as a projection; readers and writers go on."""
        directory.mkdir(parents=True, mode=0o700)
        self.env.copy(str(directory), compact=True)
