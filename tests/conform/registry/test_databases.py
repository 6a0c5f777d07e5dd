"""The same promises on every database: SQLite always, PostgreSQL where a server and driver are.

The PostgreSQL server is a throw-away one on a Unix socket; no TCP port is opened.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from mingwu.kernel.clock import SystemClock
from mingwu.kernel.errors import Conflict, InvalidInput, NotAuthenticated, Unavailable
from mingwu.kernel.plant import Kind
from mingwu.registry import migrations
from mingwu.registry.plantfile import parse
from mingwu.registry.rows import Filter, Page
from mingwu.registry.service import Registry
from mingwu.registry.settings import RegistrySettings
from mingwu.store.engine import open_engine, sqlite_url, writing
from mingwu.store.migrate import Migration, migrate, run
from mingwu.store.settings import StoreSettings
from mingwu.trust.roles import Role
from mingwu.trust.service import Trust
from mingwu.trust.settings import PasswordSettings, TrustSettings

TINY = Path(__file__).parents[2] / "unit" / "registry" / "tiny.toml"
CASTER = "88.888.101/DEV.DCM2500.01"
GOOD = "correct horse battery"


def _server_user():
    """The unprivileged user PostgreSQL insists on; None when we are one ourselves."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


@pytest.fixture(scope="module")
def postgres():
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if find_spec("pg8000") is None or initdb is None or pg_ctl is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl and the package pg8000")
    directory = Path(tempfile.mkdtemp(prefix="mingwu-pg-"))
    user = _server_user()
    rights = {}
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)
        rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def control(*argv):
        subprocess.run(argv, check=True, capture_output=True, timeout=90, cwd=directory, **rights)

    data = directory / "data"
    try:
        control(initdb, "-D", data, "-U", "mingwu", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -k {directory} -c fsync=off"
        log = directory / "log"
        control(pg_ctl, "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql+pg8000://mingwu@/{{}}?unix_sock={directory}/.s.PGSQL.5432"
        finally:
            control(pg_ctl, "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    if request.param == "sqlite":
        yield StoreSettings(url=sqlite_url(tmp_path / "a.db"))
        return
    server = request.getfixturevalue("postgres")
    name = f"t{abs(hash(request.node.name)):x}"[:40]
    admin = open_engine(StoreSettings(url=server.format("postgres")))
    with admin.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    yield StoreSettings(url=server.format(name), pool=3)


@pytest.fixture
def registry(store):
    registry = Registry.open(RegistrySettings(store=store))
    registry.import_plant(parse(TINY.read_text("utf-8")).file)
    yield registry
    registry.close()


def test_import_export_retire_and_return(registry):
    file = parse(TINY.read_text("utf-8")).file
    assert not registry.import_plant(file)
    assert registry.export_plant("s1") == file
    before = {tag.name: tag.number for tag in registry.all_tags()}
    registry.import_plant(msgspec.structs.replace(file, thing=()))
    assert registry.all_tags() == []
    registry.import_plant(file)
    assert {tag.name: tag.number for tag in registry.all_tags()} == before
    assert registry.generation() == 3


def test_questions(registry):
    rows, total = registry.tags(
        Filter(text="ZONE", place="JZ/DC", exposed=False), Page(sort="high", descending=True)
    )
    assert (total, [row.name for row in rows]) == (3, ["zone_1", "zone_2", "zone_3"])
    assert registry.tags(Filter(text="模具"))[1] == 1
    assert registry.tags(Filter(text="%"))[1] == 0
    page = Page(sort="high", descending=True, limit=2)
    assert [row.name for row in registry.tags(page=page)[0]] == ["die_temperature", "set_point"]
    assert registry.things(Filter(kind=Kind.MACHINE, simulated=True))[0][0].tags == 7
    assert registry.places()[0].all_tags == 8
    assert registry.gateway("gw1").devices[0].simulated
    assert registry.card(CASTER).tags[0].name == "die_temperature"
    assert len(registry.all_relations()) == 2
    assert len(registry.relations("88.888.101/MLD.M0187")) == 2
    assert registry.thing_description(CASTER)["properties"]["zone_1"]["unit"] == "Cel"
    assert registry.history("dcm2500")[0].change == "added"
    assert not registry.import_tags_csv("s1", registry.export_tags_csv())


def test_a_newer_schema_is_refused(registry, store):
    engine = open_engine(store)
    assert migrate(engine, "registry", migrations) == 0
    with pytest.raises(Conflict):
        run(engine, "registry", [])
    broken = Migration(1, "m0001", ("CREATE TABLE x (n INTEGER)", "CREATE TABLE x (n INTEGER)"))
    with pytest.raises((Unavailable, DBAPIError), match="x"):
        run(engine, "other", [broken])
    assert run(engine, "other", [Migration(1, "m0001", ("CREATE TABLE x (n INTEGER)",))]) == 1
    engine.dispose()


def test_first_starts_at_once_migrate_once(store):
    failures = []

    def work():
        try:
            Registry.open(RegistrySettings(store=store)).close()
        except Exception as error:  # noqa: BLE001 — shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []


def test_trust(store):
    settings = TrustSettings(store=store, password=PasswordSettings(scrypt_log2_n=10))
    trust = Trust.open(settings)
    password = trust.accounts.ensure_admin()
    account = trust.accounts.authenticate("admin", password, address="::1")
    token, principal = trust.sessions.open(account, address="::1")
    assert trust.sessions.check(token) == principal
    with pytest.raises(Conflict):
        trust.accounts.create("admin", GOOD, Role.VIEWER)
    with pytest.raises(InvalidInput):
        trust.accounts.create("bob", "short", Role.VIEWER)
    with pytest.raises(NotAuthenticated):
        trust.accounts.authenticate("admin", "wrong", address="::1")
    with pytest.raises(Conflict):
        trust.accounts.set_role("admin", Role.VIEWER)
    trust.sessions.close(token)
    with pytest.raises(NotAuthenticated):
        trust.sessions.check(token)
    trust.close()


def test_journal_writers_at_once_make_one_chain(store):
    trust = Trust.open(TrustSettings(store=store))

    def work():
        for _ in range(5):
            trust.journal.append("t", "a.b", "对象", detail={"n": 1})

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    verdict = trust.journal.verify()
    assert (verdict.sound, verdict.entries) == (True, 15)
    assert trust.journal.head().at_ns <= SystemClock().time_ns()
    trust.close()


def test_counters_do_not_lose_steps(registry, store):
    from mingwu.registry.importing import count
    from mingwu.store.engine import lock

    engine = open_engine(store)

    def work():
        for _ in range(10):
            with writing(engine) as connection:
                lock(connection, "registry")
                count(connection, "tag", 1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with writing(engine) as connection:
        assert count(connection, "tag", 0) == 9 + 30
    engine.dispose()
