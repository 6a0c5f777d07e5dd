"""The history as every role asks it: ``await History.open(settings)``.

All questions are asynchronous and answered with numpy columns. Windows are half-open [start, end)
in nanoseconds since the epoch, UTC; outside 1970 to 2262, or with start not before end, they are
InvalidInput ``input.invalid``. Any question may raise Unavailable (history away or refusing),
Overloaded (too much at once) and InvalidInput ``history.limit`` (window too large).
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Self

import numpy as np

from mingwu.history import answers, completeness, inserts, migrations, native, queries, schema
from mingwu.history.answers import MS_NS
from mingwu.history.link import Link
from mingwu.history.queries import MINUTE_MS, Window
from mingwu.history.records import (
    AsOf,
    Completeness,
    Method,
    Schedule,
    Series,
    Statistics,
    TableSize,
    bucket_quality,
)
from mingwu.history.settings import HistorySettings
from mingwu.kernel.batch import F64, U32, Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Conflict, InvalidInput

_END_NS = 2**63 - 1
_MOST_BUCKETS = 20_000
_MOST_TAGS = 200_000
# From this bucket width on the one-minute rollup answers: it holds at most as many rows as
# a bucket needs, and its edges fall on whole minutes.
_ROLLUP_FROM_MS = 2 * MINUTE_MS
# LTTB over more raw points than this costs more than a screen is worth (0.1 s of CPU per million).
_LTTB_MOST_POINTS = 3_000_000
_SHORTEST_PERIOD_MS = 10  # of a tag (kernel.plant)
_NS_TAGS_FOR_S = 30.0
_BACKUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class History:
    """A client of the history. ``await History.open(settings)``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ns_tags: frozenset[int] = frozenset()
        self._ns_tags_until = 0.0

    @classmethod
    async def open(cls, settings: HistorySettings) -> Self:
        """Connect, waiting up to ``connect_wait_s``; raises Unavailable."""
        return cls(await Link.open(settings))

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def ping(self) -> bool:
        """Whether the history answers."""
        return await self._link.ping()

    @property
    def settings(self) -> HistorySettings:
        """What it was opened with."""
        return self._link.settings

    # ------------------------------------------------------------ schema

    async def ensure_schema(self) -> int:
        """Create or migrate the tables, give them their retention; the schema's number.

        Raises Conflict ``history.newer-schema`` if a newer program made the tables.
        """
        settings, database = self.settings.schema, self.settings.database
        for statement in migrations.prepare(settings, database):
            await self._link.command(statement, in_database=False)
        record = await self._link.select(migrations.recorded())
        found = int(native.numbers(record, "number", np.int64)[0])
        if found > migrations.NEWEST:
            raise Conflict("history.newer-schema", found=found, known=migrations.NEWEST)
        for step in migrations.after(found):
            for statement in step.statements(settings, database):
                await self._link.command(statement, in_database=False)
            await self._link.command(migrations.record(step))
        await self._ensure_retention()
        return migrations.NEWEST

    async def _ensure_retention(self) -> None:
        settings, database = self.settings.schema, self.settings.database
        suffix = "_local" if settings.cluster else ""
        answer = await self._link.select(queries.ENGINES.format(database=database))
        engines = dict(
            zip(native.texts(answer, "name"), native.texts(answer, "engine_full"), strict=True)
        )
        for table in schema.TABLES:
            if not table.days:
                continue
            has = re.search(r"toIntervalDay\((\d+)\)", engines.get(table.name + suffix, ""))
            if (int(has[1]) if has else 0) != getattr(settings, table.days):
                await self._link.command(schema.modify_retention(table, settings, database))

    # ------------------------------------------------------------ writing

    async def insert(self, columns: Columns, token: str) -> None:
        """Store points (rows with text go to ``texts``). The same token again changes nothing."""
        for table, names, body in inserts.of_columns(columns):
            await self.insert_block(table, names, body, token)

    async def insert_block(self, table: str, columns: list[str], body: bytes, token: str) -> None:
        """Insert a Native block into a table. The same token again changes nothing."""
        await self._link.insert(
            table, columns, body, {**inserts.SETTINGS, "insert_deduplication_token": token}
        )

    async def select(self, sql: str) -> dict[str, native.Column]:
        """The columns of any query in the history's database (operators and tests)."""
        return await self._link.select(sql)

    # ------------------------------------------------------------ values

    async def last(self, tags: Sequence[int] | U32) -> Columns:
        """The newest point of each tag that ever reported, in no order."""
        wanted = _tags(tags)
        if not wanted:
            return answers.no_points()
        values, texts = await asyncio.gather(
            self._link.select(queries.last_values(wanted)),
            self._link.select(queries.last_texts(wanted)),
        )
        points, more = answers.tagged(values), answers.tagged(texts, value=None)
        more.text = dict(enumerate(native.texts(texts, "text")))
        found = answers.newest(points, more) if len(more) else points
        chosen = np.isin(found.tag, np.array(wanted, np.uint32))
        return found if chosen.all() else found.take(chosen)

    async def raw(
        self, tag: int, start_ns: int, end_ns: int, limit: int = 10_000, *, texts: bool = False
    ) -> Columns:
        """The first ``limit`` points of the window in time order; texts of a text tag."""
        limit = min(max(1, limit), self.settings.max_rows)
        window = _window(tag, start_ns, end_ns)
        if texts:
            return answers.untagged(
                await self._link.select(queries.raw(window, limit, "texts")), tag
            )
        if tag in await self._tags_of_nanoseconds():
            sql = queries.raw_ns(tag, start_ns, end_ns, limit)
            return answers.untagged(await self._link.select(sql), tag, unit_ns=1)
        return answers.untagged(await self._link.select(queries.raw(window, limit)), tag)

    async def raw_pages(
        self,
        tag: int,
        start_ns: int,
        end_ns: int,
        *,
        limit: int,
        page: int = 50_000,
        texts: bool = False,
    ) -> AsyncIterator[Columns]:
        """All points of the window in time order, at most ``limit``, in pages."""
        left = limit
        while left > 0:
            size = min(page, left)
            columns = await self.raw(tag, start_ns, end_ns, size, texts=texts)
            if len(columns) == 0:
                return
            last = int(columns.time_ns[-1])
            if len(columns) < size or size == left:
                yield columns
                return
            # Points of the page's last instant may stand on the next page too: leave them to it,
            # unless the page is nothing else (then the page grows).
            whole = columns.time_ns < last
            if not whole.any():
                page *= 2
                continue
            columns = columns.take(whole)
            left -= len(columns)
            yield columns
            start_ns = last

    async def at(
        self, tags: Sequence[int] | U32, time_ns: int, *, lookback_s: float = 7 * 86_400.0
    ) -> Columns:
        """The newest point of each tag not after ``time_ns`` and not older than the lookback."""
        wanted = _tags(tags)
        if not wanted:
            return answers.no_points()
        since_ns = max(0, time_ns - round(lookback_s * 1e9))
        window = _window(wanted[0], since_ns, time_ns + 1)
        return answers.tagged(
            await self._link.select(queries.at(wanted, time_ns // MS_NS, window.start_ms))
        )

    async def asof(
        self,
        tag: int,
        other: int,
        start_ns: int,
        end_ns: int,
        *,
        limit: int = 100_000,
        lookback_s: float = 86_400.0,
    ) -> AsOf:
        """Each point of ``tag`` with the newest point of ``other`` not after it.

        ``other`` is looked for from ``lookback_s`` before the window on.
        """
        left = _window(tag, start_ns, end_ns)
        right = _window(other, max(0, start_ns - round(lookback_s * 1e9)), end_ns)
        limit = min(max(1, limit), self.settings.max_rows)
        answer = await self._link.select(queries.as_of(left, right, limit))
        return AsOf(
            native.numbers(answer, "time", np.int64) * MS_NS,
            native.numbers(answer, "value", np.float64),
            native.numbers(answer, "quality", np.uint8),
            native.numbers(answer, "other_time", np.int64) * MS_NS,
            native.numbers(answer, "other_value", np.float64),
            native.numbers(answer, "other_quality", np.uint8),
        )

    # ------------------------------------------------------------ series

    async def series(
        self,
        tag: int,
        start_ns: int,
        end_ns: int,
        buckets: int = 1000,
        method: Method | str = Method.MINMAX,
    ) -> Series:
        """The window thinned to at most ``buckets`` rows (one more at the edges).

        Long windows are answered from the one-minute rollup; ``source`` of the answer says so.
        """
        if not 1 <= buckets <= _MOST_BUCKETS:
            raise InvalidInput(
                "input.invalid",
                path="buckets",
                fault=Phrase(f"not in 1..{_MOST_BUCKETS}", f"应在 1 至 {_MOST_BUCKETS} 之间"),
            )
        if method not in set(Method):
            known = ", ".join(Method)
            raise InvalidInput(
                "input.invalid",
                path="method",
                fault=Phrase(f"not one of {known}", f"应为 {known} 之一"),
            )
        window = _window(tag, start_ns, end_ns)
        if method == Method.LTTB:
            return await self._largest_triangles(window, buckets)
        width = max(1, math.ceil((window.end_ms - window.start_ms) / buckets))
        if width < _ROLLUP_FROM_MS:
            answer = await self._link.select(queries.buckets(window, width))
            return answers.bucketed(answer, MS_NS, "points", width)
        width = math.ceil(width / MINUTE_MS) * MINUTE_MS
        # Whole minutes: the first one is taken entire.
        start = window.start_ms // MINUTE_MS * MINUTE_MS
        whole = Window(tag, start, window.end_ms)
        answer = await self._link.select(queries.buckets_of_minutes(whole, width))
        return answers.bucketed(answer, 1000 * MS_NS, "minute", width)

    async def _largest_triangles(self, window: Window, keep: int) -> Series:
        keep = max(3, keep)
        width = max(1, (window.end_ms - window.start_ms) // keep)
        totals: dict[str, native.Column] = {}
        points = 0
        if (window.end_ms - window.start_ms) // _SHORTEST_PERIOD_MS > _LTTB_MOST_POINTS:
            # What is at the edges of the window is not in the sum; it only decides who answers.
            totals = await self._link.select(queries.totals_of_minutes(window))
            points = int(native.numbers(totals, "points", np.int64).sum())
        if points <= _LTTB_MOST_POINTS:
            answer = await self._link.select(queries.largest_triangles(window, keep))
            quality = native.numbers(answer, "quality", np.uint8)
            kept = native.numbers(answer, "time", np.int64) * MS_NS
            source = "points"
        else:
            answer = await self._link.select(queries.largest_triangles_of_minutes(window, keep))
            kept = native.numbers(answer, "time", np.int64) * (1000 * MS_NS)
            one = bucket_quality(
                native.numbers(totals, "points", np.uint64),
                native.numbers(totals, "good", np.uint64),
                native.numbers(totals, "points", np.uint64),
                native.numbers(totals, "marks", np.uint8),
            )
            quality = np.repeat(one, len(kept))
            source = "minute"
        empty: F64 = np.empty(0)
        return Series(
            kept,
            native.numbers(answer, "value", np.float64),
            empty,
            empty,
            np.ones(len(kept), np.uint64),
            quality,
            max(points, len(kept)),
            source,
            width,
        )

    # ------------------------------------------------------------ completeness

    async def completeness(
        self, schedules: Sequence[Schedule], start_ns: int, end_ns: int
    ) -> list[Completeness]:
        """Received ÷ expected of each tag by its own schedule, in the order asked.

        Windows of up to six hours are exact; longer ones are counted from the one-minute rollup
        (texts always exactly).
        """
        if not schedules:
            return []
        if len(schedules) > _MOST_TAGS:
            raise InvalidInput(
                "input.invalid",
                path="tags",
                fault=Phrase(f"more than {_MOST_TAGS}", f"超过 {_MOST_TAGS} 个"),
            )
        window = _window(schedules[0].tag, start_ns, end_ns)
        return await completeness.measure(self._link, schedules, window.start_ms, window.end_ms)

    # ------------------------------------------------------------ care

    async def statistics(self) -> Statistics:
        """Rows and bytes per table, the disk, the first and last stored time."""
        sizes, disks, edges = await asyncio.gather(
            self._link.select(queries.SIZES.format(database=self.settings.database)),
            self._link.select(queries.DISKS),
            self._link.select(queries.EDGES),
        )
        tables = tuple(
            TableSize(table=name.removesuffix("_local"), rows=rows, bytes=size, parts=parts)
            for name, rows, size, parts in zip(
                native.texts(sizes, "table"),
                native.numbers(sizes, "rows", np.int64).tolist(),
                native.numbers(sizes, "bytes", np.int64).tolist(),
                native.numbers(sizes, "parts", np.int64).tolist(),
                strict=True,
            )
        )
        points = next((t for t in tables if t.table == "points"), None)
        rows, size = (points.rows, points.bytes) if points else (0, 0)
        return Statistics(
            points=rows,
            bytes=sum(t.bytes for t in tables),
            bytes_per_point=size / rows if rows else 0.0,
            first_ns=int(native.numbers(edges, "first", np.int64).sum()) * MS_NS,
            last_ns=int(native.numbers(edges, "last", np.int64).sum()) * MS_NS,
            free_bytes=int(native.numbers(disks, "free", np.int64).sum()),
            total_bytes=int(native.numbers(disks, "total", np.int64).sum()),
            tables=tables,
        )

    async def backup(self, name: str) -> None:
        """Write a consistent copy of the database while it works, as ``<name>`` where the server
        keeps backups (the historian: ``backups`` in its directory). Raises Conflict if taken.
        """
        database = self.settings.database
        await self._link.command(
            f"BACKUP DATABASE {database} TO File('{_backup_name(name)}')", in_database=False
        )

    async def restore(self, name: str) -> None:
        """Put a backup back into this client's database, which must not exist or be empty."""
        database = self.settings.database
        await self._link.command(
            f"RESTORE DATABASE {database} FROM File('{_backup_name(name)}')", in_database=False
        )

    async def _tags_of_nanoseconds(self) -> frozenset[int]:
        if time.monotonic() >= self._ns_tags_until:
            answer = await self._link.select(queries.NS_TAGS)
            self._ns_tags = frozenset(native.numbers(answer, "tag", np.int64).tolist())
            self._ns_tags_until = time.monotonic() + _NS_TAGS_FOR_S
        return self._ns_tags


def _backup_name(name: str) -> str:
    if not _BACKUP_NAME.fullmatch(name):
        raise InvalidInput(
            "input.invalid",
            path="name",
            fault=Phrase("only letters, digits, _ and -", "只能用字母、数字、_ 和 -"),
        )
    return name


def _window(tag: int, start_ns: int, end_ns: int) -> Window:
    _tags((tag,))
    if not 0 <= start_ns < end_ns <= _END_NS:
        raise InvalidInput(
            "input.invalid",
            path="window",
            fault=Phrase("start must be before end, from 1970", "起点须早于终点，且不早于 1970 年"),
        )
    # A window that begins within a millisecond begins with the next one.
    return Window(tag, -(-start_ns // MS_NS), max(-(-end_ns // MS_NS), -(-start_ns // MS_NS) + 1))


def _tags(tags: Sequence[int] | U32) -> list[int]:
    wanted = [int(tag) for tag in tags]
    if len(wanted) > _MOST_TAGS:
        raise InvalidInput(
            "input.invalid",
            path="tags",
            fault=Phrase(f"more than {_MOST_TAGS}", f"超过 {_MOST_TAGS} 个"),
        )
    if wanted and not (min(wanted) >= 0 and max(wanted) < 2**32):
        raise InvalidInput(
            "input.invalid", path="tags", fault=Phrase("not a tag's number", "不是点位编号")
        )
    return wanted
