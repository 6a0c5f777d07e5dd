"""The journal: what is tampered with is found, and where."""

import threading

import pytest
from sqlalchemy import delete, text, update

from mingwu.kernel.clock import SystemClock
from mingwu.store.engine import open_engine, sqlite_url, writing
from mingwu.store.migrate import migrate
from mingwu.store.settings import StoreSettings
from mingwu.trust import migrations, schema
from mingwu.trust.journal import Journal
from mingwu.trust.keys import Algorithm, generate


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(StoreSettings(url=sqlite_url(tmp_path / "j.db")))
    migrate(engine, "trust", migrations)
    yield engine
    engine.dispose()


@pytest.fixture
def journal(engine):
    journal = Journal(engine, SystemClock())
    for n in range(5):
        detail = {"n": n, "zh": "压铸机"}
        journal.append("ann", "registry.import", f"plant{n % 2}", address="::1", detail=detail)
    return journal


def test_entries_follow_each_other(journal):
    journal.append("bob", "session.login", "bob", outcome="trust.bad-credentials")
    verdict = journal.verify()
    assert (verdict.sound, verdict.entries, verdict.head) == (True, 6, journal.head().hash)
    latest = journal.entries(limit=2)
    assert [entry.number for entry in latest] == [6, 5]
    assert latest[0].previous == latest[1].hash
    assert latest[1].detail == '{"n":4,"zh":"压铸机"}'
    assert [entry.number for entry in journal.entries(object="plant1", before=4)] == [2]
    assert [entry.number for entry in journal.entries(action="session")] == [6]
    assert journal.entries(actor="carol") == []
    journal.append("91330000MA00000016/k1", "identity.hosted-change", "88.1")
    journal.append("91330000MA000000167", "session.login", "x")
    assert [entry.number for entry in journal.entries(actor="91330000MA00000016")] == [7]
    at = journal.head().at_ns
    assert [entry.number for entry in journal.entries(since_ns=at)] == [8]
    assert next(entry.number for entry in journal.entries(until_ns=at)) == 7


@pytest.mark.parametrize("column", ["actor", "action", "object", "outcome", "address", "detail"])
def test_a_changed_entry_is_found(journal, engine, column):
    table = schema.journal
    with writing(engine) as connection:
        connection.execute(update(table).where(table.c.number == 3).values({column: "{}x"}))
    verdict = journal.verify()
    assert (verdict.sound, verdict.first_bad) == (False, 3)
    assert "3" in verdict.reason


def test_a_removed_entry_is_found(journal, engine):
    with writing(engine) as connection:
        connection.execute(delete(schema.journal).where(schema.journal.c.number == 2))
    assert journal.verify().first_bad == 2


def test_a_rewritten_entry_with_a_fresh_hash_breaks_the_chain(journal, engine):
    from mingwu.trust.journal import _entry, entry_hash

    table = schema.journal
    with writing(engine) as connection:
        connection.execute(update(table).where(table.c.number == 2).values(actor="eve"))
        row = connection.execute(table.select().where(table.c.number == 2)).mappings().one()
        fresh = entry_hash(_entry(row))
        connection.execute(update(table).where(table.c.number == 2).values(hash=fresh))
    assert journal.verify().first_bad == 3


def test_entries_cut_off_are_found_against_a_seal(journal, engine):
    key = generate(Algorithm.ED25519)
    seal = journal.seal(key)
    assert journal.verify(seal=seal, key=key.public()).sound
    journal.append("ann", "x.y", "z")
    assert journal.verify(seal=seal, key=key.public()).sound
    with writing(engine) as connection:
        connection.execute(delete(schema.journal).where(schema.journal.c.number >= 5))
    assert journal.verify().sound
    assert "sealed up to entry 5" in journal.verify(seal=seal).reason
    journal.append("eve", "a.b", "c")
    assert not journal.verify(seal=seal, key=key.public()).sound
    stranger = generate(Algorithm.ED25519).public()
    assert "signature" in journal.verify(seal=seal, key=stranger).reason


def test_digests_may_change_on_the_way(journal, engine):
    Journal(engine, SystemClock(), digest="sm3").append("ann", "x.y", "z")
    journal.append("ann", "x.y", "z")
    assert [entry.digest for entry in journal.entries(limit=3)] == ["sha256", "sm3", "sha256"]
    assert journal.verify().sound


def test_writers_at_once_make_one_chain(engine):
    def work():
        journal = Journal(engine, SystemClock())
        for _ in range(10):
            journal.append("t", "a.b", "c")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    verdict = Journal(engine, SystemClock()).verify()
    assert (verdict.sound, verdict.entries) == (True, 40)


def test_an_empty_journal_is_sound(engine):
    journal = Journal(engine, SystemClock())
    assert journal.verify().sound
    assert journal.verify(seal=journal.seal(generate(Algorithm.P256))).sound
    with writing(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM journal")).scalar_one() == 0
