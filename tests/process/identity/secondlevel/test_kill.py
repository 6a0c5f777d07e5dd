"""kill -9 in the middle of registrations: what was acknowledged resolves after the restart."""

import os
import signal
import subprocess
import sys

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings

CHILD = """
import sys
from pathlib import Path
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.model import HostedItem, Mode
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.lab.enterprises.trade import stranger
from mingwu.store.engine import sqlite_url
from mingwu.store.settings import StoreSettings
home = Path(sys.argv[1])
settings = SecondLevelSettings(
    store=StoreSettings(url=sqlite_url(home / "node.db"), durable=True),
    escrow_directory=str(home / "escrow"), secrets_directory=str(home / "keys"))
records = RecordStore(home / "records", map_bytes=2**27)
node = SecondLevel.open(settings, records, site_at("127.0.0.1", 2641))
form = stranger("88.101", 2, Mode.HOSTED)
node.applications.accept(node.applications.submit(form, "a").id, "r")
for batch in range(10**6):
    names = [f"{form.prefix}/EDU.{batch:06d}-{n}" for n in range(20)]
    done = node.hosted.register(form.prefix, [HostedItem(name=name) for name in names])
    assert all(one.code == 1 for one in done), done[0]
    print(batch, flush=True)
"""


def test_nothing_acknowledged_is_lost(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE)
    acknowledged = -1
    while acknowledged < 25:
        acknowledged = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    acknowledged = int(([str(acknowledged), *child.stdout.read().decode().split()])[-1])
    child.wait(30)
    child.stdout.close()
    settings = SecondLevelSettings(
        store=StoreSettings(url=sqlite_url(tmp_path / "node.db")),
        escrow_directory=str(tmp_path / "escrow"), secrets_directory=str(tmp_path / "keys"),
    )  # fmt: skip
    records = RecordStore(tmp_path / "records", map_bytes=2**27, durable=False)
    node = SecondLevel.open(settings, records, site_at("127.0.0.1", 2641))
    try:
        names = set(records.names("88.101.1002", limit=10**6))
        for batch in range(acknowledged + 1):
            assert {f"88.101.1002/EDU.{batch:06d}-{n}" for n in range(20)} <= names
        assert len(names) == node.lookup.counts()["88.101.1002"], "rows and records agree"
    finally:
        node.close()
        records.close()
