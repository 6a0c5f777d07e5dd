"""Every database: SQLite always, PostgreSQL where a server and driver are.

The PostgreSQL server is a throw-away one on a Unix socket; no TCP port is opened.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from mingwu.store.engine import open_engine, sqlite_url
from mingwu.store.settings import StoreSettings


@pytest.fixture(scope="session")
def postgres():
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if find_spec("pg8000") is None or initdb is None or pg_ctl is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl and the package pg8000")
    directory = Path(tempfile.mkdtemp(prefix="mingwu-pg-"))
    rights = {}
    if os.getuid() == 0:  # the server refuses to run as root
        user = pwd.getpwnam("nobody")
        os.chown(directory, user.pw_uid, user.pw_gid)
        rights = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def control(*argv):
        subprocess.run(argv, check=True, capture_output=True, timeout=90, cwd=directory, **rights)

    data = directory / "data"
    try:
        control(initdb, "-D", data, "-U", "mingwu", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -k {directory} -c fsync=off"
        control(pg_ctl, "-D", data, "-w", "-l", directory / "log", "-o", options, "start")
        try:
            yield f"postgresql+pg8000://mingwu@/{{}}?unix_sock={directory}/.s.PGSQL.5432"
        finally:
            control(pg_ctl, "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "node.db")
    server = request.getfixturevalue("postgres")
    name = f"e{abs(hash(request.node.nodeid)):x}"[:40]
    admin = open_engine(StoreSettings(url=server.format("postgres")))
    with admin.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return server.format(name)
