"""Queries of the history over a small plant whose answers are known."""

import asyncio

import numpy as np
import pytest

from mingwu.history import schema
from mingwu.history.client import History
from mingwu.history.records import Method, Schedule
from mingwu.history.settings import SchemaSettings
from mingwu.kernel.batch import Columns
from mingwu.kernel.errors import Conflict, InvalidInput, Unavailable
from mingwu.kernel.quality import BAD, GOOD, SIMULATED, UNCERTAIN, Reason, bad

pytestmark = pytest.mark.anyio

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_790_000_040 * SECOND  # a whole minute
T = np.dtype(np.uint8).type


def columns(tag, seconds, values, quality=GOOD, text=None) -> Columns:
    rows = len(seconds)
    return Columns(
        np.full(rows, tag, np.uint32),
        START + (np.asarray(seconds, float) * SECOND).astype(np.int64),
        np.asarray(values, float),
        np.broadcast_to(np.asarray(quality, np.uint8), rows).copy(),
        text or {},
    )


async def test_last_values_of_numbers_and_texts(history):
    await history.insert(columns(1, [0, 1, 2], [10, 11, 12]), "a")
    await history.insert(columns(2, [5], [np.nan], bad(Reason.TIMEOUT)), "b")
    await history.insert(columns(3, [0, 1], [np.nan] * 2, text={0: "停机", 1: "运行"}), "c")
    found = await history.last([1, 2, 3, 99])
    rows = {
        int(tag): (int(time), float(value), int(quality), found.text.get(row))
        for row, (tag, time, value, quality) in enumerate(
            zip(found.tag, found.time_ns, found.value, found.quality, strict=True)
        )
    }
    assert rows[1] == (START + 2 * SECOND, 12.0, GOOD, None)
    assert rows[2][2] == bad(Reason.TIMEOUT)
    assert rows[3][0] == START + SECOND
    assert rows[3][3] == "运行"
    assert 99 not in rows
    assert len(await history.last([])) == 0


async def test_late_data_does_not_replace_newer_last_values(history):
    await history.insert(columns(1, [100], [1]), "new")
    await history.insert(columns(1, [50], [2]), "late")
    assert (await history.last([1])).value.tolist() == [1]


async def test_a_repeated_insert_changes_nothing_anywhere(history):
    data = columns(1, range(120), range(120))
    for _ in range(3):
        await history.insert(data, "same")
    assert len(await history.raw(1, START, START + MINUTE * 2)) == 120
    sums = await history.select(
        "SELECT sum(points) AS n, sum(total) AS s FROM minute WHERE tag = 1"
    )
    assert (int(sums["n"][0]), float(sums["s"][0])) == (120, 7140.0)


async def test_raw_is_half_open_ordered_and_limited(history):
    await history.insert(columns(1, [3, 1, 2, 0], [3, 1, 2, 0]), "a")
    found = await history.raw(1, START + SECOND, START + 3 * SECOND)
    assert found.value.tolist() == [1, 2]
    assert (await history.raw(1, START, START + MINUTE, 3)).value.tolist() == [0, 1, 2]


async def test_pages_hold_every_point_once(history):
    seconds = np.repeat(np.arange(50), 7) * 0.5  # seven points at every instant
    await history.insert(columns(1, seconds, np.arange(350)), "a")
    pages = [
        page async for page in history.raw_pages(1, START, START + MINUTE, limit=1000, page=10)
    ]
    assert sorted(v for page in pages for v in page.value.tolist()) == list(range(350))
    some = [page async for page in history.raw_pages(1, START, START + MINUTE, limit=40, page=16)]
    assert sum(map(len, some)) == 40


async def test_buckets_carry_extremes_counts_and_quality(history):
    values = np.arange(100.0)
    quality = np.full(100, GOOD | SIMULATED)
    quality[15] = bad(Reason.DEVICE_FAILURE) | SIMULATED
    quality[20:30] = BAD | SIMULATED
    values[35] = np.nan
    await history.insert(columns(1, range(100), values, quality), "a")
    series = await history.series(1, START, START + 100 * SECOND, 10)
    assert series.source == "points"
    assert series.count.tolist() == [10] * 10
    assert series.points == 100
    assert series.low.tolist()[0:2] == [0, 10]
    assert series.high.tolist()[0:2] == [9, 19]
    assert series.value[0] == 4.5
    assert np.isnan(series.value[2])
    marks = [q & SIMULATED for q in series.quality.tolist()]
    assert marks == [SIMULATED] * 10, "simulated stays simulated"
    status = [q & 0xC0 for q in series.quality.tolist()]
    assert status[:4] == [GOOD, UNCERTAIN, BAD, GOOD]


async def test_a_bucket_of_one_point_has_its_time(history):
    await history.insert(columns(1, [0.25, 7.125], [1, 2]), "a")
    series = await history.series(1, START, START + 10 * SECOND, 10)
    assert (series.time_ns - START).tolist() == [SECOND // 4, 7 * SECOND + SECOND // 8]


async def test_long_windows_come_from_the_rollup_and_agree_with_the_points(history):
    seconds = np.arange(0, 6 * 3600, 2)
    values = np.sin(seconds / 600)
    await history.insert(columns(1, seconds, values), "a")
    end = START + 6 * 3600 * SECOND
    rollup = await history.series(1, START, end, 100)
    assert rollup.source == "minute"
    assert rollup.bucket_ms == 4 * 60_000
    assert rollup.points == len(seconds)
    exact = values.reshape(-1, 120)
    np.testing.assert_allclose(rollup.value, exact.mean(axis=1))
    np.testing.assert_allclose(rollup.low, exact.min(axis=1))
    np.testing.assert_allclose(rollup.high, exact.max(axis=1))


async def test_lttb_keeps_the_spike(history):
    values = np.zeros(5000)
    values[3210] = 50
    await history.insert(columns(1, np.arange(5000) * 0.1, values, GOOD | SIMULATED), "a")
    series = await history.series(1, START, START + 500 * SECOND, 50, Method.LTTB)
    assert 50 <= len(series.value) <= 52
    assert series.value.max() == 50
    assert set(series.quality.tolist()) == {GOOD | SIMULATED}
    assert (np.diff(series.time_ns) > 0).all()


async def test_empty_windows(history):
    for method in Method:
        series = await history.series(77, START, START + MINUTE, 10, method)
        assert len(series.time_ns) == len(series.quality) == series.points == 0
    assert len(await history.raw(77, START, START + MINUTE)) == 0
    assert len((await history.asof(77, 78, START, START + MINUTE)).value) == 0


async def test_asof_and_at(history):
    await history.insert(columns(1, [1, 2, 3], [1, 2, 3]), "a")
    await history.insert(columns(2, [1.5, 2.9], [15, 29]), "b")
    found = await history.asof(1, 2, START, START + MINUTE)
    assert found.value.tolist() == [1, 2, 3]
    assert found.other_time_ns[0] == 0, "nothing before"
    assert found.other_value.tolist()[1:] == [15, 29]
    at = await history.at([1, 2, 3], START + 2_600_000_000)
    assert dict(zip(at.tag.tolist(), at.value.tolist(), strict=True)) == {1: 2, 2: 15}


async def test_completeness_measures_silence_not_count(history):
    seconds = np.array([s for s in range(600) if not 100 <= s < 160], float)
    jitter = np.random.default_rng(1).uniform(-0.2, 0.2, len(seconds))
    await history.insert(columns(1, seconds + 0.5 + jitter, seconds), "gap of a minute")
    burst = np.concatenate([np.linspace(0, 10, 590), [599.0]])
    await history.insert(columns(2, burst, burst), "as many points in a burst")
    await history.insert(columns(3, [0.5, 299, 599], [1, 1, 1]), "by exception, heartbeat 300 s")
    await history.insert(columns(4, range(600), range(600), bad(Reason.TIMEOUT)), "all bad")
    await history.insert(
        columns(5, range(0, 600, 10), [np.nan] * 60, text=dict.fromkeys(range(60), "x")), "t"
    )
    schedules = [
        Schedule(tag=1, period_ms=1000, heartbeat_s=1),
        Schedule(tag=2, period_ms=1000, heartbeat_s=1),
        Schedule(tag=3, period_ms=1000, heartbeat_s=300),
        Schedule(tag=4, period_ms=1000, heartbeat_s=1),
        Schedule(tag=5, period_ms=10_000, heartbeat_s=1, text=True),
        Schedule(tag=6, period_ms=1000, heartbeat_s=1),
    ]
    rows = await history.completeness(schedules, START, START + 600 * SECOND)
    assert [r.tag for r in rows] == [1, 2, 3, 4, 5, 6]
    assert [r.expected for r in rows] == [600, 600, 2, 600, 60, 600]
    assert [r.received for r in rows] == [540, 12, 2, 0, 60, 0]
    assert rows[0].longest_gap_s == pytest.approx(61, abs=0.5)
    assert (rows[3].points, rows[3].good) == (600, 0)
    assert rows[5].longest_gap_s == 600


async def test_completeness_of_long_windows(history):
    seconds = np.array([s for s in range(8 * 3600) if not 3600 <= s < 7200], float)
    await history.insert(columns(1, seconds, seconds), "an hour is missing")
    schedules = [
        Schedule(tag=1, period_ms=1000, heartbeat_s=1),
        Schedule(tag=1, period_ms=1000, heartbeat_s=600),
    ]
    for schedule, expected in zip(schedules, [8 * 3600, 48], strict=True):
        (row,) = await history.completeness([schedule], START, START + 8 * 3600 * SECOND)
        assert row.expected == expected
        assert row.ratio == pytest.approx(7 / 8, abs=0.03)
        assert row.longest_gap_s == pytest.approx(3600, abs=120)


@pytest.mark.parametrize(
    ("start", "end"), [(START, START), (START + 1, START), (-1, START), (START, 2**63)]
)
async def test_windows_are_checked(history, start, end):
    with pytest.raises(InvalidInput):
        await history.raw(1, start, end)


async def test_arguments_are_checked(history):
    for call in (
        history.series(1, START, START + 1, 0),
        history.series(1, START, START + 1, 10, "mean"),
        history.series(-1, START, START + 1),
        history.last([2**32]),
        history.backup("../x"),
    ):
        with pytest.raises(InvalidInput):
            await call


async def test_statistics(history):
    await history.insert(columns(1, range(1000), range(1000)), "a")
    found = await history.statistics()
    assert found.points == 1000
    assert 0 < found.bytes_per_point < 30
    assert (found.first_ns, found.last_ns) == (START, START + 999 * SECOND)
    assert found.free_bytes > 0
    assert {t.table for t in found.tables} >= {"points", "minute", "last"}


async def test_backup_and_restore(history, historian):
    await history.insert(columns(1, range(100), range(100)), "a")
    name = history.settings.database
    await history.backup(name)
    await history.select("SELECT 1")
    await history.insert(columns(1, [200], [1]), "after the backup")
    for table in ("points", "minute", "last"):
        before = await history.select(f"SELECT count() AS n FROM {table}")
        assert int(before["n"][0]) > 0
    await history._link.command(f"DROP DATABASE {name}", in_database=False)
    await history.restore(name)
    assert len(await history.raw(1, START, START + 300 * SECOND)) == 100
    await history.insert(columns(1, [300], [5]), "b")
    assert (await history.last([1])).value.tolist() == [5], "the views were restored too"
    assert await history.ensure_schema() == 1


async def test_retention_is_brought_up_to_date(historian):
    settings = historian.client()
    client = await History.open(settings)
    await client.ensure_schema()
    await client.close()
    import msgspec

    for days in (30, 0):
        changed = msgspec.structs.replace(settings, schema=SchemaSettings(points_days=days))
        client = await History.open(changed)
        await client.ensure_schema()
        engine = await client.select(
            "SELECT engine_full FROM system.tables WHERE name = 'points' "
            f"AND database = '{settings.database}'"
        )
        assert (f"toIntervalDay({days})" in engine["engine_full"][0]) == bool(days)
        await client.close()


async def test_a_newer_schema_is_refused(history):
    await history._link.command("INSERT INTO migrations VALUES (999, now64(3), 'future')")
    with pytest.raises(Conflict):
        await history.ensure_schema()


async def test_the_tables_of_a_cluster_are_understood_by_the_engine(history):
    """No cluster can be started here; its statements at least parse."""
    settings = SchemaSettings(cluster="plant", points_days=30, minute_days=400, power_safe=True)
    for statement in schema.create_all(settings, "mingwu"):
        assert await history._link.command(f"EXPLAIN AST {statement}")
    for table in schema.TABLES:
        if table.days:
            statement = schema.modify_retention(table, settings, "mingwu")
            assert await history._link.command(f"EXPLAIN AST {statement}")


async def test_points_of_nanoseconds(history):
    from mingwu.history import inserts

    times = START + np.array([1, 2, 3], np.int64)
    table, names, body = inserts.points_ns(
        np.full(3, 8, np.uint32), times, np.arange(3.0), np.full(3, GOOD, np.uint8)
    )
    await history.insert_block(table, names, body, "ns")
    found = await history.raw(8, START + 2, START + 4)
    assert found.time_ns.tolist() == [START + 2, START + 3]


async def test_many_questions_at_once(history):
    await history.insert(columns(1, range(1000), range(1000)), "a")
    answers = await asyncio.gather(
        *(history.series(1, START, START + (n + 1) * 10 * SECOND, 10) for n in range(16))
    )
    assert [a.points for a in answers] == [(n + 1) * 10 for n in range(16)]


async def test_a_history_that_is_away(historian):
    import msgspec

    settings = msgspec.structs.replace(
        historian.client(), url="http://127.0.0.1:1", connect_wait_s=0.3
    )
    with pytest.raises(Unavailable) as caught:
        await History.open(settings)
    assert caught.value.code == "history.unreachable"
