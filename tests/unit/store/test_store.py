"""The relational store: transactions, migrations, and what is refused."""

import importlib
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

import mingwu
from mingwu.kernel.errors import ConfigError, Conflict, Unavailable
from mingwu.store.engine import open_engine, reading, sqlite_url, writing
from mingwu.store.migrate import Migration, load, run
from mingwu.store.settings import StoreSettings

ONE = Migration(1, "m0001_one", ("CREATE TABLE one (n INTEGER PRIMARY KEY)",))
SOURCE = Path(mingwu.__file__).parent
TWO = Migration(2, "m0002_two", ("CREATE TABLE two (n INTEGER PRIMARY KEY)",))


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(StoreSettings(url=sqlite_url(tmp_path / "a.db")))
    yield engine
    engine.dispose()


def test_migrations_run_once_and_in_order(engine):
    assert run(engine, "c", [ONE]) == 1
    assert run(engine, "c", [ONE, TWO]) == 1
    assert run(engine, "c", [ONE, TWO]) == 0
    assert {"one", "two"} <= set(inspect(engine).get_table_names())


PACKAGES = sorted(
    ".".join(path.relative_to(SOURCE.parent).parts) for path in SOURCE.rglob("migrations")
)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_steps_of_every_part_are_numbered_without_gap_or_double(engine, package):
    steps = load(importlib.import_module(package))
    assert run(engine, package, steps) == len(steps) > 0


def test_a_newer_schema_is_refused_untouched(engine):
    run(engine, "c", [ONE, TWO])
    with pytest.raises(Conflict) as caught:
        run(engine, "c", [ONE])
    assert caught.value.code == "store.newer-schema"
    assert "较新" in caught.value.next_step("zh")


def test_a_changed_migration_is_refused_but_white_space_is_not_a_change(engine):
    run(engine, "c", [ONE])
    spaced = Migration(1, "m0001_one", ("CREATE TABLE one\n  (n INTEGER PRIMARY KEY)",))
    assert run(engine, "c", [spaced]) == 0
    other = Migration(1, "m0001_one", ("CREATE TABLE one (n TEXT PRIMARY KEY)",))
    with pytest.raises(Conflict) as caught:
        run(engine, "c", [other, TWO])
    assert caught.value.code == "store.changed-migration"
    assert "two" not in inspect(engine).get_table_names()


def test_a_failing_step_leaves_nothing(engine):
    broken = Migration(2, "m0002_broken", (*TWO.statements, "CREATE TABLE one (x INTEGER)"))
    with pytest.raises(Unavailable):
        run(engine, "c", [ONE, broken])
    assert inspect(engine).get_table_names() == []


def test_writers_wait_for_each_other_and_read_what_they_locked(engine):
    run(engine, "c", [Migration(1, "m", ("CREATE TABLE counter (n INTEGER)",))])
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    def work():
        for _ in range(25):
            with writing(engine) as connection:
                (n,) = connection.execute(text("SELECT n FROM counter")).one()
                connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 100


def test_a_reader_keeps_its_snapshot(engine):
    run(engine, "c", [ONE])
    with reading(engine) as before:
        assert before.execute(text("SELECT count(*) FROM one")).scalar_one() == 0
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO one VALUES (1)"))
        assert before.execute(text("SELECT count(*) FROM one")).scalar_one() == 0


def test_an_exception_rolls_back(engine):
    run(engine, "c", [ONE])

    def work():
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO one VALUES (1)"))
            raise KeyError("x")

    with pytest.raises(KeyError):
        work()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM one")).scalar_one() == 0


def test_bad_addresses_are_told_without_the_password():
    with pytest.raises(ConfigError) as caught:
        open_engine(StoreSettings(url="nosuch://user:secret@host/db"))
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError):
        open_engine(StoreSettings(url="what is this"))


def test_a_directory_that_is_not_there_is_unavailable(tmp_path):
    engine = open_engine(StoreSettings(url=sqlite_url(tmp_path / "no" / "a.db")))
    with pytest.raises(Unavailable) as caught, reading(engine):
        pass
    assert caught.value.code == "store.unavailable"
