"""The SELECT texts of the history. Pure: numbers in, SQL out; the same for chDB and ClickHouse.

Times are milliseconds since the epoch, windows half-open [start, end). All arguments are integers
(or checked names), written into the text: nothing from outside enters it as text, which is why the
rule against SQL made of text is off here.
"""
# ruff: noqa: S608

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mingwu.history.schema import IS_GOOD, MARKS, USABLE

MINUTE_MS = 60_000
_FEW_TAGS = 64
_SHORT_MS = 12 * 3_600_000


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of one tag in [start_ms, end_ms)."""

    tag: int
    start_ms: int
    end_ms: int

    def where(self, extra: str = "") -> str:
        return (
            f"WHERE tag = {self.tag} AND time >= fromUnixTimestamp64Milli({self.start_ms}) "
            f"AND time < fromUnixTimestamp64Milli({self.end_ms})"
            + (f" AND {extra}" if extra else "")
        )

    def threads(self) -> str:
        """One thread for windows that one thread reads in no time: more only get in each other's
        way when the machine is busy.
        """
        return " SETTINGS max_threads = 1" if self.end_ms - self.start_ms <= _SHORT_MS else ""

    def where_minute(self) -> str:
        """Minutes that begin in the window."""
        first, end = minutes(self.start_ms, self.end_ms)
        return (
            f"WHERE tag = {self.tag} AND minute >= toDateTime({first}) "
            f"AND minute < toDateTime({end})"
        )


def minutes(start_ms: int, end_ms: int) -> tuple[int, int]:
    """[first, end) of the minutes that begin in the window, seconds."""
    return -(-start_ms // MINUTE_MS) * 60, -(-end_ms // MINUTE_MS) * 60


def numbers(values: Iterable[int]) -> str:
    """``1, 2, 3``."""
    return ", ".join(map(str, values))


def among(tags: Sequence[int]) -> str:
    """What ``tag`` must fulfil to be one of the tags.

    Two thousand literals in an IN list cost 10 ms of analysis; one array literal costs 2.
    """
    if len(tags) <= _FEW_TAGS:
        return f"tag IN ({numbers(tags)})"
    return f"tag IN (SELECT arrayJoin(CAST([{numbers(tags)}] AS Array(UInt32))))"


def _near(tags: Sequence[int]) -> str:
    """A cheap condition that holds for the tags, and perhaps for more."""
    if len(tags) <= _FEW_TAGS:
        return f"tag IN ({numbers(tags)})"
    return f"tag BETWEEN {min(tags)} AND {max(tags)}"


def last_values(tags: Sequence[int]) -> str:
    """Columns tag, time (ms), value, quality: the newest point of each tag, and of others perhaps.

    The tables of last values hold a row per tag: reading a range costs less than naming its tags.
    """
    return (
        f"SELECT tag, time, value, quality FROM last FINAL WHERE {_near(tags)} "
        "SETTINGS max_threads = 1"
    )


def last_texts(tags: Sequence[int]) -> str:
    """Columns tag, time (ms), text, quality, likewise."""
    return (
        f"SELECT tag, time, text, quality FROM last_texts FINAL WHERE {_near(tags)} "
        "SETTINGS max_threads = 1"
    )


def raw(window: Window, limit: int, table: str = "points") -> str:
    """Columns time (unit of the table), value or text, quality, in time order."""
    value = "text" if table == "texts" else "value"
    rows = f"SELECT time, {value}, quality FROM {table} {window.where()}"
    return f"{rows} ORDER BY time LIMIT {limit}{window.threads()}"


def raw_ns(tag: int, start_ns: int, end_ns: int, limit: int) -> str:
    """The same from the table of nanosecond tags."""
    return (
        f"SELECT time, value, quality FROM points_ns WHERE tag = {tag} "
        f"AND time >= fromUnixTimestamp64Nano({start_ns}) "
        f"AND time < fromUnixTimestamp64Nano({end_ns}) ORDER BY time LIMIT {limit}"
    )


def buckets(window: Window, width_ms: int) -> str:
    """Per bucket of ``width_ms`` from the window's start: first time, figures, counts, marks."""
    bucket = f"intDiv(toUnixTimestamp64Milli(p.time) - {window.start_ms}, {width_ms})"
    return (
        f"SELECT min(p.time) AS start, avgIf(value, {USABLE}) AS mean, "
        f"minIf(value, {USABLE}) AS low, maxIf(value, {USABLE}) AS high, "
        f"count() AS points, countIf({IS_GOOD}) AS good, countIf({USABLE}) AS used, "
        f"{MARKS} AS marks FROM points AS p {window.where()} GROUP BY {bucket} ORDER BY start"
        f"{window.threads()}"
    )


def buckets_of_minutes(window: Window, width_ms: int) -> str:
    """The same from the one-minute rollup; ``width_ms`` is a multiple of a minute."""
    bucket = f"intDiv(toInt64(toUnixTimestamp(m.minute)) * 1000 - {window.start_ms}, {width_ms})"
    return (
        "SELECT min(m.minute) AS start, sum(m.total) / sum(m.used) AS mean, "
        "minIf(m.low, m.used > 0) AS low, maxIf(m.high, m.used > 0) AS high, "
        "sum(m.points) AS points, sum(m.good) AS good, sum(m.used) AS used, "
        f"groupBitOr(m.marks) AS marks FROM minute AS m {window.where_minute()} "
        f"GROUP BY {bucket} ORDER BY start"
    )


def largest_triangles(window: Window, keep: int) -> str:
    """Largest-Triangle-Three-Buckets over usable points: the rows that draw the same line."""
    where = window.where(USABLE)
    chosen = (
        f"SELECT arrayJoin(lttb({keep})(toUnixTimestamp64Milli(p.time), p.value)).1 "
        f"FROM points AS p {where}"
    )
    return (
        f"SELECT time, value, quality FROM points {where} "
        f"AND toUnixTimestamp64Milli(time) IN ({chosen}) ORDER BY time{window.threads()}"
    )


def largest_triangles_of_minutes(window: Window, keep: int) -> str:
    """The same over the means of minutes, for windows with too many points."""
    return (
        "SELECT tupleElement(p, 1) AS time, tupleElement(p, 2) AS value FROM ("
        f"SELECT arrayJoin(lttb({keep})(toInt64(toUnixTimestamp(minute)), mean)) AS p FROM ("
        f"SELECT minute, sum(total) / sum(used) AS mean FROM minute {window.where_minute()} "
        "GROUP BY minute HAVING sum(used) > 0)) ORDER BY time"
    )


def totals_of_minutes(window: Window) -> str:
    """Columns points, good, marks of the whole window."""
    return (
        "SELECT toUInt64(sum(points)) AS points, toUInt64(sum(good)) AS good, "
        f"groupBitOr(marks) AS marks FROM minute {window.where_minute()}"
    )


def as_of(left: Window, right: Window, limit: int) -> str:
    """Each point of ``left`` with the newest point of ``right`` not after it.

    time, value, quality; other_time (0 where there is none), other_value, other_quality.
    """
    columns = "SELECT 1 AS one, time, value, quality FROM points"
    return (
        "SELECT l.time AS time, l.value AS value, l.quality AS quality, r.time AS other_time, "
        "r.value AS other_value, r.quality AS other_quality "
        f"FROM ({columns} {left.where()} ORDER BY time LIMIT {limit}) AS l "
        f"ASOF LEFT JOIN ({columns} {right.where()}) AS r ON l.one = r.one AND l.time >= r.time "
        f"ORDER BY time{right.threads()}"
    )


def at(tags: Sequence[int], time_ms: int, since_ms: int) -> str:
    """Columns tag, time, value, quality: the newest point of each tag in [since_ms, time_ms]."""
    return (
        "SELECT tag, max(p.time) AS time, argMax(p.value, p.time) AS value, "
        f"argMax(p.quality, p.time) AS quality FROM points AS p WHERE {among(tags)} "
        f"AND p.time >= fromUnixTimestamp64Milli({since_ms}) "
        f"AND p.time <= fromUnixTimestamp64Milli({time_ms}) GROUP BY tag"
    )


def silences(
    tags: Sequence[int], intervals_ms: Sequence[int], start_ms: int, end_ms: int, table: str
) -> str:
    """Per tag: points, good, usable ones, first and last usable time, longest gap, missed reports.

    A gap of about k intervals between two usable points misses k - 1 reports (rounded, so that
    jitter of less than half an interval misses none).
    """
    usable = USABLE if table == "points" else "bitAnd(quality, 192) != 0"
    interval = f"transform(tag, [{numbers(tags)}], [{numbers(intervals_ms)}], 1)"
    inner = (
        f"SELECT tag, quality, ms, {usable} AS ok, "
        "ms - lagInFrame(ms, 1, ms) OVER (PARTITION BY tag, ok ORDER BY ms "
        "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap "
        f"FROM (SELECT tag, quality, {'value, ' if table == 'points' else ''}"
        f"toUnixTimestamp64Milli(time) AS ms FROM {table} WHERE {among(tags)} "
        f"AND time >= fromUnixTimestamp64Milli({start_ms}) "
        f"AND time < fromUnixTimestamp64Milli({end_ms}))"
    )
    return (
        f"SELECT tag, count() AS points, countIf({IS_GOOD}) AS good, countIf(ok) AS used, "
        "minIf(ms, ok) AS first_ms, maxIf(ms, ok) AS last_ms, maxIf(gap, ok) AS longest_ms, "
        f"toInt64(sumIf(greatest(0, round(gap / {interval}) - 1), ok)) AS missed "
        f"FROM ({inner}) GROUP BY tag"
    )


def silences_of_minutes(
    tags: Sequence[int], intervals_ms: Sequence[int], start_ms: int, end_ms: int
) -> str:
    """The same from the rollup: for intervals under a minute, ``received`` is the sum over minutes
    of at most what a minute can hold; for longer ones gaps are counted between minutes.
    """
    interval = f"transform(tag, [{numbers(tags)}], [{numbers(intervals_ms)}], 1)"
    first, end = minutes(start_ms, end_ms)
    inner = (
        "SELECT tag, points, good, used, ms, "
        "ms - lagInFrame(ms, 1, ms) OVER (PARTITION BY tag, used > 0 ORDER BY ms "
        "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap "
        "FROM (SELECT tag, toInt64(toUnixTimestamp(minute)) * 1000 AS ms, "
        "sum(m.points) AS points, sum(m.good) AS good, sum(m.used) AS used FROM minute AS m "
        f"WHERE {among(tags)} AND minute >= toDateTime({first}) "
        f"AND minute < toDateTime({end}) GROUP BY tag, minute)"
    )
    return (
        "SELECT tag, toUInt64(sum(i.points)) AS points, toUInt64(sum(i.good)) AS good, "
        "toUInt64(sum(i.used)) AS used, "
        "minIf(ms, i.used > 0) AS first_ms, maxIf(ms, i.used > 0) AS last_ms, "
        "maxIf(gap, i.used > 0) AS longest_ms, "
        f"toInt64(sumIf(greatest(0, round(gap / {interval}) - 1), i.used > 0)) AS missed, "
        f"toInt64(sum(least(i.used, toUInt64(ceil({MINUTE_MS} / {interval}))))) AS received "
        f"FROM ({inner}) AS i GROUP BY tag"
    )


SIZES = (
    "SELECT table, toUInt64(sum(rows)) AS rows, toUInt64(sum(bytes_on_disk)) AS bytes, "
    "count() AS parts FROM system.parts WHERE active AND database = '{database}' GROUP BY table"
)
ENGINES = "SELECT name, engine_full FROM system.tables WHERE database = '{database}'"
DISKS = (
    "SELECT name, toUInt64(free_space) AS free, toUInt64(total_space) AS total FROM system.disks"
)
EDGES = "SELECT min(time) AS first, max(time) AS last FROM points"
NS_TAGS = "SELECT DISTINCT tag FROM points_ns"
