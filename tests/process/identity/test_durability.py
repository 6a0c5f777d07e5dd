"""What was acknowledged before kill -9 is there afterwards, whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mingwu.identity.records import Record, RecordStore
from mingwu.wire.handle.values import HandleValue

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
    deadline = time.monotonic() + 30
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
