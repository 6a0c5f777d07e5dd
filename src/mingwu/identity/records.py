"""The record store: names and their values, laid out so that resolving is one copy.

Invariants: spellings of one name meet in one record (``recordkeys``); the spelling first
registered is kept and shown. Stored bytes are ready replies (``recordbytes``), read through a
``snapshot``. Any process may write, under one lock; a batch is one durable transaction.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mingwu.identity import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.carrierlive import (
    CARRIER_INDEXES,
    SERIAL_TYPES,
    carrier_values,
    unpublished,
)
from mingwu.identity.carriertable import CarrierTable
from mingwu.identity.codes.recognition import recognise
from mingwu.identity.live import LiveSource
from mingwu.identity.recordbytes import HAS_CARRIER, IS_OPEN, StoredRecord, answer_bytes, packed
from mingwu.identity.recordkeys import (
    CARD,
    LIMIT,
    OWNERS,
    PREFIX,
    RECORD,
    REFUSED,
    alias_key,
    key_of,
)
from mingwu.identity.snapshot import Snapshot
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.store.projection import Projection, ProjectionSettings
from mingwu.store.writelock import WriteLock
from mingwu.wire.handle.codes import MAX_HANDLE_BYTES, MAX_VALUES
from mingwu.wire.handle.primitives import Reader
from mingwu.wire.handle.values import MAX_INDEX, HandleValue, read_value

# Says that everybody may read all of a name, readings that are else unpublished, too.
OPEN_INDEX, OPEN_TYPE = 1012, "MW.ACCESS"
ALIAS_TYPE = "ALIAS."
RELATION_TYPE = "REL."
# Values at these indexes (aliases, relations, links) outlive a thing card's renewal.
LINK_INDEXES = range(500, 700)
# So do those of registration by data templates (``identity.enterprise`` writes them).
TEMPLATE_INDEXES = range(1000, 100_000)
_FIRST_BEHIND_CARD = 100  # below stand a card's own texts
_MOST_BYTES = 16_000_000  # with live values and envelope it still fits into a message
_LOCK_FILE = "writers.lock"
_CARRIERS = "carriers"
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """A name with all that stands behind it."""

    name: str
    values: tuple[HandleValue, ...]
    live: tuple[LiveSource, ...] = ()

    def value(self, index: int) -> HandleValue | None:
        """The stored value at ``index``."""
        return next((item for item in self.values if item.index == index), None)


def alias_codes(record: Record) -> list[str]:
    """``Code.key`` of each public alias value (type ``ALIAS.<system>``) that is a sound code."""
    read = [
        recognise(value.text())
        for value in record.values
        if value.type.startswith(ALIAS_TYPE) and value.is_public
    ]
    return [code.key for code in read if code is not None and code.ok]


def _rows(record: Record) -> list[tuple[bytes, bytes]]:
    """The record's row and those of its aliases.

    An alias row is a hint that readers check against the record, so a row left behind when a
    record is replaced does no harm.
    """
    row = (key_of(record.name), encode_record(record))  # first: it refuses what cannot be stored
    name = record.name.encode()
    return [*((alias_key(code, record.name), name) for code in alias_codes(record)), row]


def _sorted_rows(records: Iterable[Record]) -> list[tuple[bytes, bytes]]:
    """Rows with neighbours together: close to append speed in the tree."""
    return sorted((row for record in records for row in _rows(record)), key=_first)


def encode_record(record: Record) -> bytes:
    """The stored bytes; raises InvalidInput ``identity.record-invalid``."""
    _check(record)
    flags = (HAS_CARRIER if is_carrier(record) else 0) | (IS_OPEN if is_open(record) else 0)
    data = packed(record.name, record.values, record.live, flags)
    if answer_bytes(data) > _MOST_BYTES:
        fault = Phrase(f"more than {_MOST_BYTES} bytes", f"超过 {_MOST_BYTES} 字节")
        raise InvalidInput("identity.record-invalid", name=record.name[:255], fault=fault)
    return data


def read_record(data: memoryview | bytes) -> Record:
    """The whole record of stored bytes."""
    stored = StoredRecord(data)
    encoded = stored.public_values() + stored.restricted_values()
    values = sorted((read_value(Reader(item[2])) for item in encoded), key=_index)
    return Record(stored.name, tuple(values), stored.live_sources())


def is_carrier(record: Record) -> bool:
    """Whether what a carrier reports belongs to this name."""
    return any(item.type in SERIAL_TYPES and item.is_public for item in record.values)


def is_open(record: Record) -> bool:
    """Whether everybody may read all of this name."""
    found = record.value(OPEN_INDEX)
    return found is not None and found.type == OPEN_TYPE and found.is_public


def _check(record: Record) -> None:
    indexes = {item.index for item in record.values}
    indexes.update(item.index for item in record.live)
    count = len(record.values) + len(record.live)
    fault = ""
    name = record.name.encode(errors="surrogatepass")
    if name.decode(errors="replace") != record.name:
        fault = Phrase("the name is not Unicode text", "名称不是 Unicode 文本")
    elif not 0 < len(name) <= MAX_HANDLE_BYTES:
        fault = Phrase(
            f"the name must have 1 to {MAX_HANDLE_BYTES} bytes",
            f"名称须为 1 至 {MAX_HANDLE_BYTES} 字节",
        )
    elif count > MAX_VALUES:
        fault = Phrase(f"more than {MAX_VALUES} values", f"超过 {MAX_VALUES} 个值")
    elif len(indexes) != count:
        fault = Phrase("an index stands twice", "索引重复")
    elif indexes and (min(indexes) < 1 or max(indexes) > MAX_INDEX):
        fault = Phrase(f"an index is outside 1..{MAX_INDEX}", f"索引不在 1 至 {MAX_INDEX} 之间")
    elif is_carrier(record) and not indexes.isdisjoint(CARRIER_INDEXES):
        first, last = CARRIER_INDEXES[0], CARRIER_INDEXES[-1]
        fault = Phrase(
            f"indexes {first} to {last} are the carrier's readings",
            f"索引 {first} 至 {last} 保留给载体上报的数据",
        )
    if fault:
        raise InvalidInput("identity.record-invalid", name=record.name[:255], fault=fault)


def _first(row: tuple[bytes, bytes]) -> bytes:
    return row[0]


def _index(value: HandleValue) -> int:
    return value.index


class RecordStore:
    """Records, homed prefixes and card fingerprints in one directory.

    ``refused`` holds the folded prefixes that are answered with code 603 here, brought up to date
    by ``follow_refused``: those told by ``refuse`` and those that this process itself holds back
    (``held``).
    """

    def __init__(
        self,
        directory: Path,
        *,
        map_bytes: int = 2**30,
        durable: bool = True,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.refused: set[str] = set()
        self.held: Callable[[], Collection[str]] = frozenset
        self._now_ns = now_ns
        limits = ProjectionSettings(max_bytes=map_bytes, durable=durable)
        self.projection = Projection(directory, limits)
        self._writing = WriteLock(directory / _LOCK_FILE)
        self._directory, self._map_bytes = directory, map_bytes
        self._carriers: CarrierTable | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Release the directory."""
        self.projection.close()
        self._writing.close()
        if self._carriers is not None:
            self._carriers.close()

    def carriers(self) -> CarrierTable:
        """What active carriers told last; opened when the first of them is asked for."""
        with self._opening:
            if self._carriers is None:
                self._carriers = CarrierTable(
                    self._directory / _CARRIERS, map_bytes=self._map_bytes
                )
            return self._carriers

    def carrier_values(self, name: str, ttl_s: int = 1) -> list[HandleValue]:
        """What the carrier of a name tells now; none for other names."""
        return self._told(key_of(name), ttl_s)

    def _told(self, key: bytes, ttl_s: int) -> list[HandleValue]:
        row = self.carriers().get(key)
        return carrier_values(row, self._now_ns() // _NS_PER_MS, ttl_s) if row is not None else []

    def unpublished(self, name: str) -> dict[str, int]:
        """Types and indexes of a carrier's readings that need a grant; none for other names."""
        key = key_of(name)
        data = self.projection.get(key)
        if data is None or not StoredRecord(data).flags & HAS_CARRIER:
            return {}
        row = self.carriers().get(key)
        return unpublished(row) if row is not None else {}

    @property
    def writing(self) -> "WriteLock":
        """Held while something is read, decided about and written; not to be taken twice."""
        return self._writing

    def snapshot(self) -> Snapshot:
        """A reader for one thread."""
        return Snapshot(self.projection, self.refused, self._told)

    @property
    def generation(self) -> int:
        """Counts committed batches."""
        return self.projection.generation

    def get(self, name: str) -> Record | None:
        """The record of ``name``, decoded, or None."""
        data = self.projection.get(key_of(name))
        return read_record(data) if data is not None else None

    def put_many(self, records: Iterable[Record], *, keep_links: bool = False) -> int:
        """Store records, replacing those of the same names; returns how many. One transaction.

        With ``keep_links`` the values at LINK_INDEXES of the records replaced are carried over.
        """
        given = list(records)
        if not keep_links:
            rows = _sorted_rows(given)
            with self._writing:
                self.projection.write(rows)
        else:
            with self._writing:
                self.projection.write(_sorted_rows(map(self._with_links, given)))
        return len(given)

    def put_encoded(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Store (name, bytes of ``encode_record``) without aliases in one durable batch."""
        rows = sorted(((key_of(name), data) for name, data in records), key=_first)
        with self._writing:
            self.projection.write(rows)

    def put(self, record: Record) -> None:
        """Store one record, replacing an earlier one."""
        self.put_many((record,))

    def create(self, record: Record, *, overwrite: bool = False) -> None:
        """Store a new record; raises Conflict ``identity.name-exists``."""
        rows = _rows(record)
        with self._writing:
            if not overwrite and self.projection.get(rows[-1][0]) is not None:
                raise Conflict("identity.name-exists", name=record.name)
            self.projection.write(rows)

    def change(self, name: str, edit: Callable[[Record], Record]) -> Record:
        """Read, edit and store one record as one step; raises NotFound ``name.unknown``."""
        with self._writing:
            data = self.projection.get(key_of(name))
            if data is None:
                raise NotFound("name.unknown", name=name)
            before = read_record(data)
            record = edit(before)
            gone = [alias_key(code, before.name) for code in alias_codes(before)]
            self.projection.write(_rows(record), gone)
            return record

    def replace_many(self, pairs: Iterable[tuple[Record, Record]]) -> int:
        """Store the second of each pair where the first still stands; how many. One transaction."""
        given = list(pairs)  # may cost its maker time, which nobody should wait for
        with self._writing:
            fresh = [made for seen, made in given if self.get(seen.name) == seen]
            self.projection.write(_sorted_rows(fresh))
        return len(fresh)

    def named(self, code_key: str) -> list[str]:
        """Names whose records carry this alias (``Code.key``), in no particular order."""
        found = [data.decode() for _, data in self.projection.scan(alias_key(code_key))]
        records = [self.get(name) for name in found]
        return [one.name for one in records if one is not None and code_key in alias_codes(one)]

    def delete_many(self, names: Iterable[str]) -> int:
        """Forget names; returns how many were there."""
        keys = [key_of(name) for name in names]
        with self._writing:
            there = [key for key in keys if self.projection.get(key) is not None]
            self.projection.write(delete=there)
        return len(there)

    def names(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        """Registered names under ``prefix/`` in key order, behind ``after``, at most ``limit``."""
        start = key_of(prefix + "/")
        found: list[str] = []
        for _, data in self.projection.scan(start, after=key_of(after) if after else b""):
            if len(found) >= limit:
                break
            found.append(StoredRecord(data).name)
        return found

    def count_names(self, prefix: str) -> int:
        """How many names are registered under ``prefix/``; walks their keys (0.2 µs each)."""
        start, found = key_of(prefix + "/"), 0
        with self.projection.reading(buffers=True) as txn:
            cursor = txn.cursor()
            if cursor.set_range(start):
                size = len(start)
                for key in cursor.iternext(keys=True, values=False):
                    if key[:size] != start:
                        break
                    found += 1
        return found

    def count(self) -> int:
        """Keys of all spaces; records are nearly all of them."""
        return len(self.projection)

    def home(self, prefix: str) -> None:
        """Take responsibility for a prefix."""
        with self._writing:
            self.projection.write([(key_of(prefix, PREFIX), prefix.encode())])

    def unhome(self, prefix: str) -> None:
        """Give responsibility for a prefix up; its records stay."""
        with self._writing:
            self.projection.write(delete=[key_of(prefix, PREFIX)])

    def is_homed(self, prefix: str) -> bool:
        """Whether this node answers for ``prefix``."""
        return self.projection.get(key_of(prefix, PREFIX)) is not None

    def prefixes(self) -> list[str]:
        """Homed prefixes, as they were given."""
        return [data.decode() for _, data in self.projection.scan(PREFIX)]

    def refuse(self, prefixes: Iterable[str]) -> None:
        """Let exactly these prefixes be refused (code 603) by whoever follows the store."""
        wanted = {REFUSED + fold(prefix).encode() for prefix in prefixes}
        with self._writing:
            known = {key for key, _ in self.projection.scan(REFUSED)}
            if wanted != known:
                fresh = [(key, b"") for key in sorted(wanted - known)]
                self.projection.write(fresh, sorted(known - wanted))

    def follow_refused(self) -> None:
        """Bring ``refused`` up to date; a process that answers calls it now and then."""
        told = {key[1:].decode() for key, _ in self.projection.scan(REFUSED)}
        told.update(self.held())
        self.refused -= self.refused - told
        self.refused |= told

    def limit(self, limits: Mapping[str, tuple[str, int]]) -> None:
        """Tell whoever answers the daily limits by prefix: (tenant, requests of all it holds)."""
        wanted = {
            LIMIT + fold(prefix).encode(): number.to_bytes(8) + tenant.encode()
            for prefix, (tenant, number) in limits.items()
        }
        with self._writing:
            known = dict(self.projection.scan(LIMIT))
            if wanted != known:
                fresh = sorted(wanted.items() - known.items())
                self.projection.write(fresh, sorted(known.keys() - wanted.keys()))

    def limits(self) -> dict[str, tuple[str, int]]:
        """The limits told last, by folded prefix."""
        return {
            key[1:].decode(): (data[8:].decode(), int.from_bytes(data[:8]))
            for key, data in self.projection.scan(LIMIT)
        }

    def tell_owners(self, networks: Mapping[str, Iterable[str]]) -> None:
        """Say from which networks (CIDR) the owner of each prefix asks; exactly these hold."""
        wanted = {
            OWNERS + fold(prefix).encode(): " ".join(some).encode()
            for prefix, some in networks.items()
        }
        with self._writing:
            known = dict(self.projection.scan(OWNERS))
            if wanted != known:
                fresh = [(key, data) for key, data in wanted.items() if known.get(key) != data]
                self.projection.write(sorted(fresh), sorted(known.keys() - wanted))

    def owners(self) -> dict[str, tuple[str, ...]]:
        """Folded prefix → networks of its owner, as told."""
        return {
            key[1:].decode(): tuple(data.decode().split())
            for key, data in self.projection.scan(OWNERS)
        }

    def cards(self) -> dict[bytes, bytes]:
        """Fingerprints of the records made from thing cards: key of the name -> fingerprint."""
        return {key[1:]: data for key, data in self.projection.scan(CARD)}

    def put_cards(
        self, records: Iterable[tuple[Record, bytes]], gone: Iterable[bytes] = ()
    ) -> None:
        """Store records with their fingerprints and drop those of ``gone`` (keys of ``cards``)."""
        dropped = [space + key for key in gone for space in (RECORD, CARD)]
        with self._writing:
            rows = self._registered_rows(key for key in dropped if key.startswith(RECORD))
            for made, fingerprint in records:
                rows += _rows(self._with_links(made, registered=True))
                rows.append((key_of(made.name, CARD), fingerprint))
            self.projection.write(sorted(rows, key=_first), dropped)

    def _registered_rows(self, keys: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """What stays of names whose cards go: they may be registered by a template, too."""
        rows: list[tuple[bytes, bytes]] = []
        for key in keys:
            data = self.projection.get(key)
            old = read_record(data) if data is not None else None
            if old is not None and any(value.index in TEMPLATE_INDEXES for value in old.values):
                kept = (value for value in old.values if value.index >= _FIRST_BEHIND_CARD)
                rows += _rows(Record(old.name, tuple(kept)))
        return rows

    def _with_links(self, made: Record, *, registered: bool = False) -> Record:
        """A record made anew, with the aliases and relations that people gave the old one.

        ``registered``: with what it was registered with by a data template, too.
        """
        old = self.get(made.name)
        taken = {value.index for value in made.values}
        kept = [
            value
            for value in (old.values if old is not None else ())
            if (value.index in LINK_INDEXES or (registered and value.index in TEMPLATE_INDEXES))
            and value.index not in taken
        ]
        return Record(made.name, (*made.values, *kept), made.live) if kept else made
