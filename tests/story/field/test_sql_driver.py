"""The SQL driver on SQLite files."""

import asyncio
import sqlite3
import time
from math import isnan

import pytest

from mingwu.field.sql.driver import KIND
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, Reason, bad, uncertain
from mingwu.kernel.settings import build

pytestmark = pytest.mark.anyio

ENDLESS = (
    "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n) SELECT max(v) AS top FROM n"
)


@pytest.fixture
def mes(tmp_path):
    """A MES table: file path and a way to change it."""
    file = tmp_path / "mes.db"

    def change(*statements):
        database = sqlite3.connect(file)
        with database:
            for statement in statements:
                database.execute(statement)
        database.close()

    change(
        "CREATE TABLE work_order (no INTEGER, done REAL, state TEXT, note TEXT, updated TEXT)",
        "INSERT INTO work_order VALUES"
        " (7, 12, 'running', '合格', '2026-01-01 08:00:00'),"
        " (8, NULL, 'idle', 'x', 'soon'),"
        " (7, 99, 'old', '', '2025-01-01 08:00:00')",
    )
    change.url = f"sqlite:///{file}"
    return change


def tag(number, address, kind="float", **fields):
    return TagSpec(
        number=number, thing="x", name=f"t{number}", address=address, type=ValueType(kind), **fields
    )


def driver(mes, **settings):
    defaults = {"url": mes.url, "table": "work_order", "key_column": "no", "key_type": "int"}
    return KIND.create(build(KIND.settings, defaults | settings), False)


async def read_once(device, *tags):
    await device.open()
    columns = await device.read(device.compile(tags))
    await device.close()
    return columns


def points(columns):
    return [
        (columns.text.get(row, None if isnan(value) else value), quality)
        for row, (value, quality) in enumerate(
            zip(columns.value.tolist(), columns.quality.tolist(), strict=True)
        )
    ]


async def test_rows_columns_and_times(mes):
    device = driver(mes, time_column="updated", time_zone="Asia/Shanghai")
    columns = await read_once(
        device, tag(1, "done@7", scale=2), tag(2, "note@7", "text"), tag(3, "done@8")
    )
    assert points(columns) == [
        (24.0, GOOD),
        ("合格", GOOD),
        (None, bad(Reason.NOT_A_NUMBER)),
    ]
    assert columns.time_ns[0] == columns.time_ns[1] == 1_767_225_600_000_000_000


async def test_suspect_time(mes):
    columns = await read_once(driver(mes, time_column="updated"), tag(1, "state@8", "text"))
    assert points(columns) == [("idle", uncertain(Reason.TIME_SUSPECT))]
    assert abs(columns.time_ns[0] - time.time_ns()) < 60 * 10**9


async def test_missing_rows_and_columns_are_bad_alone(mes):
    columns = await read_once(
        driver(mes), tag(1, "done@9"), tag(2, "speed@8"), tag(3, "state@8", "text")
    )
    missing = (None, bad(Reason.BAD_ADDRESS))
    assert points(columns) == [missing, missing, ("idle", GOOD)]


async def test_wrong_kind_is_bad(mes):
    columns = await read_once(driver(mes), tag(1, "state@8"))
    assert points(columns) == [(None, bad(Reason.CONVERSION))]


async def test_changes_are_seen(mes):
    device = driver(mes)
    await device.open()
    plan = device.compile([tag(1, "done@8")])
    await device.read(plan)
    mes("UPDATE work_order SET done = 5 WHERE no = 8")
    assert (await device.read(plan)).value[0] == 5
    await device.close()


async def test_query_and_single_row(mes):
    query = "SELECT count(*) AS orders, max(done) AS most FROM work_order"
    device = driver(mes, table="", query=query, key_column="")
    columns = await read_once(device, tag(1, "orders"), tag(2, "most"), tag(3, "least"))
    assert points(columns) == [(3.0, GOOD), (99.0, GOOD), (None, bad(Reason.BAD_ADDRESS))]


async def test_query_with_keys(mes):
    query = "SELECT state, sum(done) AS total FROM work_order GROUP BY state"
    device = driver(mes, table="", query=query, key_column="state", key_type="text")
    assert points(await read_once(device, tag(1, "total@running"))) == [(12.0, GOOD)]


async def test_nothing_can_be_written(mes, tmp_path):
    query = "WITH gone AS (SELECT 1) DELETE FROM work_order RETURNING no"
    device = driver(mes, table="", query=query, key_column="")
    await device.open()
    with pytest.raises(Unavailable) as caught:
        await device.read(device.compile([tag(1, "no")]))
    assert caught.value.code == "sql.failed"
    await device.close()
    await read_once(driver(mes), tag(1, "done@8"))
    missing = driver(mes, url=f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(Unavailable) as caught:
        await missing.open()
    assert caught.value.code == "sql.unreachable"
    assert not (tmp_path / "new.db").exists()


async def test_slow_query_is_cut_off_and_disturbs_nobody(mes):
    slow = driver(mes, table="", query=ENDLESS, key_column="", timeout_ms=200)
    quick = driver(mes)
    await slow.open()
    await quick.open()
    start = time.monotonic()
    waiting = asyncio.ensure_future(slow.read(slow.compile([tag(1, "top")])))
    await asyncio.sleep(0)
    assert points(await quick.read(quick.compile([tag(1, "done@8")])))
    with pytest.raises(Unavailable) as caught:
        await waiting
    assert "200 ms" in caught.value.text("en")
    await slow.close()
    assert time.monotonic() - start < 5
    await quick.close()


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"table": ""}, "table"),
        ({"query": "SELECT 1"}, "table"),
        ({"table": "", "query": "DELETE FROM work_order"}, "query"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"url": "nonsense"}, "url"),
        ({"url": "nosuchdb://u:secret@h/d"}, "url"),
    ],
)
def test_settings_that_cannot_work(mes, settings, setting):
    with pytest.raises(ConfigError) as caught:
        driver(mes, **settings)
    assert caught.value.code == "sql.setting"
    assert caught.value.params["setting"] == setting
    assert "secret" not in caught.value.text()


def test_password_is_not_shown():
    settings = build(KIND.settings, {"url": "sqlite://u:secret@h/d", "table": "t"})
    assert "secret" not in KIND.line(settings)


def test_integer_keys_must_be_integers(mes):
    with pytest.raises(ConfigError) as caught:
        driver(mes).compile([tag(1, "done@A7")])
    assert "done@A7" in caught.value.text("zh")
