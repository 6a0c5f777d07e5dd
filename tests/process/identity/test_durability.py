"""What was acknowledged before kill -9 is there afterwards, whole."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mingwu.identity.client.adminclient import create, login
from mingwu.identity.client.credentials import SecretCredentials
from mingwu.identity.client.handleclient import connected
from mingwu.identity.records import Record, RecordStore
from mingwu.wire.handle.values import HandleValue, Reference

WRITER = """
import sys
from pathlib import Path
from mingwu.identity.records import Record, RecordStore
from mingwu.wire.handle.values import HandleValue

store = RecordStore(Path(sys.argv[1]), map_bytes=2**30)
batch = 0
while True:
    names = [f"88.888.101/K{batch:06d}.{n:03d}" for n in range(200)]
    store.put_many(Record(name, (HandleValue(1, "URL", name.encode()),)) for name in names)
    print(batch, flush=True)
    batch += 1
"""


def test_acknowledged_batches_survive_kill_9(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "names")],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    acknowledged = -1
    deadline = time.monotonic() + 60
    while acknowledged < 5 and time.monotonic() < deadline:
        acknowledged = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait(10)
    writer.stdout.close()
    # A line may be cut by the kill; every whole number printed was acknowledged.
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    assert acknowledged >= 5
    store = RecordStore(Path(tmp_path / "names"), map_bytes=2**30)
    try:
        for batch in range(acknowledged + 1):
            for number in (0, 99, 199):
                name = f"88.888.101/K{batch:06d}.{number:03d}"
                assert store.get(name).value(1).text() == name
        assert store.count() % 200 == 0
    finally:
        store.close()


COUNTER = """
import sys
from dataclasses import replace
from pathlib import Path
from mingwu.identity.records import Record, RecordStore

store = RecordStore(Path(sys.argv[1]), map_bytes=2**26, durable=False)

def more(record):
    value = record.values[0]
    return Record(record.name, (replace(value, data=b"%d" % (int(value.data) + 1)),))

for _ in range(int(sys.argv[2])):
    store.change("88.888.101/COUNT", more)
"""


def test_changes_of_two_processes_do_not_undo_each_other(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    store.put(Record("88.888.101/COUNT", (HandleValue(1, "N", b"0"),)))
    changers = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(tmp_path / "names"), "500"], env=environment
        )
        for _ in range(2)
    ]
    assert [changer.wait(60) for changer in changers] == [0, 0]
    counted = store.get("88.888.101/COUNT")
    store.close()
    assert counted.values[0].data == b"1000"


SERVER = """
import asyncio, sys
from mingwu.identity.records import Record
from mingwu.identity.server.process import ResolverServer, open_store
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.values import HandleValue

async def run():
    settings = ResolverSettings(
        directory=sys.argv[1], port=0, http_port=0, map_bytes=2**28, prefixes=("88.888.101",)
    )
    store = open_store(settings)
    async with ResolverServer(settings, store) as server:
        secret = HandleValue(300, "HS_SECKEY", b"secret", permissions=0x0C)
        store.change("0.NA/88.888.101", lambda r: Record(r.name, (*r.values, secret)))
        print(server.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(run())
"""


async def _register_until_killed(port, kill_after):
    """Registers names over the protocol in several connections; returns those acknowledged."""
    who = SecretCredentials(Reference("0.NA/88.888.101", 300), b"secret")
    done = []

    async def work(line):
        async with connected("127.0.0.1", port) as client:
            client.session_id = await login(client, who)
            for number in range(100_000):
                name = f"88.888.101/P{line}.{number}"
                await create(client, who, name, [HandleValue(1, "URL", name.encode())])
                done.append(name)
                if len(done) == kill_after[0]:
                    kill_after[1]()

    await asyncio.gather(*(work(line) for line in range(4)), return_exceptions=True)
    return done


def test_what_the_protocol_acknowledged_survives_kill_9(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "names")],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    port = int(server.stdout.readline())
    done = asyncio.run(_register_until_killed(port, (150, server.kill)))
    server.wait(10)
    server.stdout.close()
    assert len(done) >= 150
    store = RecordStore(tmp_path / "names", map_bytes=2**28)
    try:
        missing = [name for name in done if store.get(name).value(1).text() != name]
        assert not missing
        # At most one request per connection was stored without its answer arriving.
        assert len(done) <= store.count_names("88.888.101") <= len(done) + 4
    finally:
        store.close()
