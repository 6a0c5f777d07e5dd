"""kill -9 in the middle of batches: what was acknowledged is there, and nothing half."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import RecordStore, encode_record
from mingwu.store.settings import StoreSettings

PREFIX = "88.888.101"
ITEMS = 300

REGISTRAR = f"""
import sys
from pathlib import Path
from mingwu.identity.enterprise.model import *
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.records import RecordStore
from mingwu.store.settings import StoreSettings

root, stall = Path(sys.argv[1]), sys.argv[2] == "stall"
store = RecordStore(root / "names", map_bytes=2**30)
url = f"sqlite:///{{root / 'enterprise.db'}}"
node = EnterpriseNode.open(EnterpriseSettings(store=StoreSettings(url=url, durable=True)), store)
industry = Industry(category="C", division="36")
items = (Item(type="name", required=True), Item(type="batch", restricted=True))
node.templates.create(TemplateDef(prefix="{PREFIX}", version="1", industry=industry, items=items),
                      actor="a", publish=True)
actor, ref = Actor(name="a", may_all=True), TemplateRef("{PREFIX}", "1")
if stall:  # between the relational commit and the record store
    def wait(entries):
        print("committed", flush=True)
        sys.stdin.read()
    node.projector.catch_up = wait
batch = 0
while True:
    names = [f"{PREFIX}/K{{batch:05d}}.{{n:03d}}" for n in range({ITEMS})]
    results = node.registrations.register(
        [Registration(name=name, template=ref, values={{"name": name, "batch": str(batch)}})
         for name in names], actor=actor)
    assert all(result.ok for result in results)
    print(batch, flush=True)
    batch += 1
"""


@pytest.fixture
def registrar(tmp_path):
    started = []

    def start(mode):
        process = subprocess.Popen(
            [sys.executable, "-c", REGISTRAR, str(tmp_path), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def kill(process):
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait(10)
    return rest


def reopened(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**30)
    url = f"sqlite:///{tmp_path / 'enterprise.db'}"
    return store, EnterpriseNode.open(EnterpriseSettings(store=StoreSettings(url=url)), store)


def check(tmp_path, acknowledged):
    """All of the acknowledged batches, and only whole batches, in both stores alike."""
    store, node = reopened(tmp_path)
    try:
        total = sum(node.register.counts()["state"].values())
        assert total % ITEMS == 0
        assert total // ITEMS in {acknowledged + 1, acknowledged + 2}
        names = store.names(PREFIX, limit=10**6)
        assert len([name for name in names if "/K" in name]) == total
        for batch in range(total // ITEMS):
            for number in (0, ITEMS // 2, ITEMS - 1):
                name = f"{PREFIX}/K{batch:05d}.{number:03d}"
                record = store.get(name)
                assert record.value(2000).text() == name
                assert record.value(2001).text() == str(batch)
                assert store.projection.get(key_of(name)) == encode_record(record)
                assert node.register.get(name).row.version == 1
        assert node.recover() == 0
    finally:
        node.close()
        store.close()


def test_acknowledged_registrations_survive_kill_9(tmp_path, registrar):
    process = registrar("run")
    acknowledged, deadline = -1, time.monotonic() + 60
    while acknowledged < 6 and time.monotonic() < deadline:
        acknowledged = int(process.stdout.readline())
    # A line may be cut by the kill; whole numbers were acknowledged.
    rest = kill(process)
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    assert acknowledged >= 6
    check(tmp_path, max([acknowledged, *(int(line) for line in rest[-1:])]))


def test_a_kill_between_the_commits_is_repaired_at_the_next_start(tmp_path, registrar):
    process = registrar("stall")
    assert process.stdout.readline().strip() == "committed"
    kill(process)
    check(tmp_path, -1)
