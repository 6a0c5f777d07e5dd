"""The statistics of a running node, from its own log, for pages and interfaces.

Segments that are sealed never change, so their columns are read once and remembered up to a limit
of rows; the open segment is read anew. Everything here blocks: call it in a thread.
"""

import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import msgspec
import numpy as np

import mingwu.identity.usage.errors  # noqa: F401 — registers the texts
from mingwu.identity.usage import report as reporting
from mingwu.identity.usage.causes import Cause, name_id
from mingwu.identity.usage.columns import UsageColumns, columns_of
from mingwu.identity.usage.reaggregate import Reaggregation, reaggregate
from mingwu.identity.usage.report import (
    ClientUse,
    Day,
    DayUse,
    Figures,
    PrefixUse,
    UsageReport,
    Window,
)
from mingwu.identity.usage.segment import (
    PUBLIC_KEY_FILE,
    SALT_FILE,
    Broken,
    Segment,
    begun,
    path_of,
    read_head,
    read_segment,
)
from mingwu.identity.usage.settings import UsageSettings
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.trust import secrets
from mingwu.wire.handle.codes import Op, Rc

_MOST_ENTRIES = 4_000_000
_SPOOL_BYTES = 8 * 2**20
_DAY_S = 86_400


class SegmentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A segment for a list: ``sha256`` is the head to write down elsewhere."""

    number: int
    start_ms: int
    end_ms: int
    entries: int
    sealed: bool
    recovered: bool
    lost: int
    sha256: str


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Whole days up to now with their figures, and what was counted for them.

    ``unsealed``: the running segment is among them; ``key_id``: whose signatures the seals carry.
    """

    first: str
    last: str
    day_offset_s: int
    total: Figures
    days: tuple[Day, ...]
    entries: int
    first_segment: int
    last_segment: int
    unsealed: bool
    lost: int
    recovered: int
    key_id: str


class NameUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one name: its figures, its days, its busiest clients; ``last_ms`` 0: never.

    ``since``: the day the oldest segment within the window begins, empty without a log;
    ``last``: today.
    """

    name: str
    days_asked: int
    since: str
    last: str
    last_ms: int
    total: Figures
    days: tuple[Day, ...]
    clients: tuple[ClientUse, ...]


class AskedByOthers(msgspec.Struct, frozen=True):
    """How often others resolved a name, when last, and from which network."""

    times: int
    last_ms: int
    network: str


class UsageStatistics:
    """Reads the log in ``settings.directory``; ``flush`` makes the running log write first."""

    def __init__(
        self,
        settings: UsageSettings,
        *,
        public_key: bytes,
        registered: Callable[[], Mapping[str, int]],
        flush: Callable[[], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._public_key = public_key
        self.day_offset_s = settings.day_offset_s
        self._directory = Path(settings.directory)
        self._registered = registered
        self._flush = flush
        self._now = now
        self._known: OrderedDict[int, Segment] = OrderedDict()
        self._starts: dict[int, int] = {}
        self._held = 0
        self._reading = threading.Lock()

    @classmethod
    def beside(
        cls, settings: UsageSettings, registered: Callable[[], Mapping[str, int]]
    ) -> "UsageStatistics":
        """For a process that reads the log another one writes (a note appears in ``flush_s``).

        Raises NotFound ``usage.no-log`` before the first log was opened there.
        """
        path = Path(settings.directory) / PUBLIC_KEY_FILE
        if not path.exists():
            raise NotFound("usage.no-log", path=settings.directory)
        return cls(settings, public_key=path.read_bytes(), registered=registered)

    @property
    def public_key(self) -> bytes:
        """PEM of the node's key, then of those it replaced, as they are now."""
        path = self._directory / PUBLIC_KEY_FILE
        return path.read_bytes() if path.exists() else self._public_key

    def report(self, start_s: float, end_s: float) -> UsageReport:
        """The statistics of answers between two moments (epoch seconds), whole report."""
        segments = self._between(start_s, end_s)
        return reporting.report(
            segments, day_offset_s=self.day_offset_s, registered=self._registered()
        )

    def days(self, first: str, last: str) -> tuple[Day, ...]:
        """Figures of the days ``first`` to ``last`` (2026-11-23); raises InvalidInput."""
        start_s, end_s = self._day_start(first), self._day_start(last) + _DAY_S
        if end_s <= start_s:
            raise InvalidInput(
                "input.invalid",
                path="$.last",
                fault=Phrase("lies before the first day", "早于起始日"),
            )
        found = self.report(start_s, end_s).days
        return tuple(day for day in found if first <= day.day <= last)

    def span(self, days: int) -> Span:
        """The last ``days`` days, today among them."""
        until = self._now()
        last = self._day(until)
        start_s = self._day_start(last) - (days - 1) * _DAY_S
        segments = self._between(start_s, until)
        columns = columns_of(segments)
        columns = columns.where((columns.at_ms >= start_s * 1000) & (columns.at_ms < until * 1000))
        seals = [segment.seal for segment in segments if segment.seal]
        return Span(
            first=self._day(start_s),
            last=last,
            day_offset_s=self.day_offset_s,
            total=reporting.figures(columns),
            days=reporting.by_day(columns, self.day_offset_s),
            entries=len(columns),
            first_segment=segments[0].head.number if segments else 0,
            last_segment=segments[-1].head.number if segments else 0,
            unsealed=len(seals) < len(segments),
            lost=sum(seal.lost for seal in seals),
            recovered=sum(seal.recovered for seal in seals),
            key_id=segments[-1].head.key_id if segments else "",
        )

    def check(self) -> Reaggregation:
        """Check all sealed segments and count them, as an outsider would with an export."""
        sealed = [one for one in begun(self._directory) if self._read_locked(one).seal is not None]
        return reaggregate(sealed, self.public_key, day_offset_s=self.day_offset_s)

    def month(self, month: str) -> tuple[Day, ...]:
        """Figures of each day of a month (2026-11); raises InvalidInput."""
        start_s = self._day_start(month + "-01")
        days = self.report(start_s, start_s + 31 * _DAY_S).days
        return tuple(day for day in days if day.day.startswith(month))

    def window(self, days: int = reporting.WINDOW_DAYS) -> Window:
        """Identifiers resolved by others in the last ``days`` days, over all and per prefix."""
        until = self._now()
        return reporting.window(
            self._columns(until - days * _DAY_S, until),
            self._registered(),
            int(until * 1000),
            days,
        )

    def today(self) -> tuple[PrefixUse, ...]:
        """What was asked of each prefix since the day began."""
        until = self._now()
        start_s = self._day_start(self._day(until))
        columns = self._columns(start_s, until)
        return reporting.window(columns, {}, int(until * 1000), 1).prefixes

    def of_day(self, day: str) -> tuple[DayUse, ...]:
        """What each network asked of each prefix on a day; raises InvalidInput."""
        start_s = self._day_start(day)
        return reporting.by_network(self._columns(start_s, start_s + _DAY_S))

    def peak_of(self, day: str) -> tuple[int, int] | None:
        """The largest rate of counted resolutions of a day and its second (ms), None for none."""
        start_s = self._day_start(day)
        return reporting.peak(self._columns(start_s, start_s + _DAY_S))

    def prefix(self, prefix: str, days: int = reporting.WINDOW_DAYS) -> PrefixUse:
        """What was asked of one prefix; raises NotFound ``name.unknown`` for one never seen."""
        for use in self.window(days).prefixes:
            if use.prefix.upper() == prefix.upper():
                return use
        raise NotFound("name.unknown", name=prefix)

    def name(self, name: str, days: int = reporting.WINDOW_DAYS, limit: int = 20) -> NameUse:
        """What was asked of ``name`` in the last ``days`` days, today among them.

        The log holds keyed hashes of names, so only who knows a name (and the node's salt) finds
        its rows.
        """
        until = self._now()
        start_s = self._day_start(self._day(until)) - (days - 1) * _DAY_S
        segments = self._between(start_s, until)
        salt = secrets.load_or_create(self._directory, SALT_FILE)
        columns = columns_of(segments)
        columns = columns.where(
            (columns.name == name_id(fold(name).encode(errors="surrogatepass"), salt))
            & (columns.at_ms >= start_s * 1000)
        )
        return NameUse(
            name=name,
            days_asked=days,
            since=self._day(segments[0].head.start_ms / 1000) if segments else "",
            last=self._day(until),
            last_ms=int(columns.at_ms.max()) if len(columns) else 0,
            total=reporting.figures(columns),
            days=reporting.by_day(columns, self.day_offset_s),
            clients=reporting.top_clients(columns, limit),
        )

    def asked_by_others(
        self, names: Mapping[str, int], earliest_ms: int
    ) -> dict[str, AskedByOthers]:
        """What others resolved of ``names``, each after its own moment (ms since the epoch).

        Looks no further back than ``earliest_ms``; names that nobody asked for are left out.
        """
        salt = secrets.load_or_create(self._directory, SALT_FILE)
        ids = {name_id(fold(name).encode(errors="surrogatepass"), salt): name for name in names}
        columns = columns_of(self._between(earliest_ms / 1000, self._now()))
        columns = columns.where(
            np.isin(columns.name, np.fromiter(ids, np.uint64, len(ids)))
            & (columns.at_ms >= earliest_ms)
            & (columns.op == Op.RESOLVE)
            & (columns.rc == Rc.SUCCESS)
            & (columns.cause == Cause.CLIENT)
        )
        columns = columns.where(np.lexsort((columns.at_ms, columns.name)))
        marks, starts, counts = np.unique(columns.name, return_index=True, return_counts=True)
        found = {}
        for mark, start, count in zip(marks, starts, counts, strict=True):
            end = start + count
            name = ids[int(mark)]
            new = start + int(np.searchsorted(columns.at_ms[start:end], names[name], "right"))
            if new < end:
                network = columns.networks[int(columns.client[end - 1])]
                last_ms = int(columns.at_ms[end - 1])
                found[name] = AskedByOthers(int(end - new), last_ms, network)
        return found

    def clients(self, days: int = reporting.WINDOW_DAYS, limit: int = 20) -> tuple[ClientUse, ...]:
        """The busiest clients of the last ``days`` days."""
        until = self._now()
        return reporting.top_clients(self._columns(until - days * _DAY_S, until), limit)

    def segments(self) -> list[SegmentInfo]:
        """All segments, the oldest first."""
        with self._reading:
            return [_info(self._read(path)) for path in begun(self._directory)]

    def segment(self, number: int) -> Path:
        """The file of a sealed segment; raises NotFound ``usage.no-segment``."""
        path = path_of(self._directory, number)
        if path not in begun(self._directory) or self._read_locked(path).seal is None:
            raise NotFound("usage.no-segment", number=number)
        return path

    def export(self) -> IO[bytes]:
        """A ZIP of all sealed segments and the public key, to be read from its beginning."""
        spool: IO[bytes] = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 — the caller closes it
        with zipfile.ZipFile(spool, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(PUBLIC_KEY_FILE, self.public_key)
            for path in begun(self._directory):
                if self._read_locked(path).seal is not None:
                    archive.write(path, path.name)
        spool.seek(0)
        return spool

    def _columns(self, start_s: float, end_s: float) -> UsageColumns:
        columns = columns_of(self._between(start_s, end_s))
        return columns.where((columns.at_ms >= start_s * 1000) & (columns.at_ms < end_s * 1000))

    def _between(self, start_s: float, end_s: float) -> list[Segment]:
        if self._flush:
            self._flush()
        chosen = []
        with self._reading:
            paths = begun(self._directory)
            starts = [self._start_ms(path) for path in paths]
            # A segment ends where the next begins.
            for path, start_ms, end_ms in zip(paths, starts, [*starts[1:], None], strict=True):
                if start_ms < end_s * 1000 and (end_ms is None or end_ms >= start_s * 1000):
                    chosen.append(self._read(path))
        return chosen

    def _start_ms(self, path: Path) -> int:
        number = int(path.stem)
        if number not in self._starts:
            try:
                self._starts[number] = read_head(path).start_ms
            except Broken as error:
                raise InvalidInput("usage.broken", file=path.name, fault=told(error)) from error
        return self._starts[number]

    def _read_locked(self, path: Path) -> Segment:
        with self._reading:
            return self._read(path)

    def _read(self, path: Path) -> Segment:
        number = int(path.stem)
        known = self._known.get(number)
        if known is not None:
            self._known.move_to_end(number)
            return known
        try:
            segment = read_segment(path.read_bytes(), torn=True)
        except Broken as error:
            raise InvalidInput("usage.broken", file=path.name, fault=told(error)) from error
        if segment.seal is not None:
            self._known[number] = segment
            self._held += len(segment.entries)
            while self._held > _MOST_ENTRIES and len(self._known) > 1:
                _, gone = self._known.popitem(last=False)
                self._held -= len(gone.entries)
        return segment

    def _day(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s + self.day_offset_s, UTC).strftime("%Y-%m-%d")

    def _day_start(self, day: str) -> float:
        try:
            start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError as error:
            fault = Phrase(
                f"“{day[:20]}” is not a day like 2026-11-23",
                f"“{day[:20]}”不是形如 2026-11-23 的日期",
            )
            raise InvalidInput("input.invalid", path="$.day", fault=fault) from error
        return start.timestamp() - self.day_offset_s


def _info(segment: Segment) -> SegmentInfo:
    seal = segment.seal
    return SegmentInfo(
        number=segment.head.number,
        start_ms=segment.head.start_ms,
        end_ms=seal.end_ms if seal else 0,
        entries=len(segment.entries),
        sealed=seal is not None,
        recovered=seal.recovered if seal else False,
        lost=seal.lost if seal else 0,
        sha256=segment.digest if seal else "",
    )
