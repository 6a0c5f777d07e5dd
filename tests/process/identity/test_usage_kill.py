"""A process killed while logging: what it had written is counted, sealed by the next start."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.identity.usage.segment import files
from mingwu.identity.usage.settings import UsageSettings

WRITER = """
import sys
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import UsageSettings

log = UsageLog.open(UsageSettings(directory=sys.argv[1], flush_s=0.01, segment_s=1))
written = 0
while True:
    for _ in range(1000):
        log.note_named(1, 1, "88.888.101/A", "198.51.100.7", 0)
    log.flush()
    written += 1000
    print(written, flush=True)
"""


def test_written_notes_survive_kill_9(tmp_path):
    directory = tmp_path / "usage"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True
    ) as child:
        lines = []
        until = time.monotonic() + 60
        while len(lines) < 20 and time.monotonic() < until:
            lines.append(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    acknowledged = int(next(line for line in reversed(lines) if line.endswith("\n")))
    log = UsageLog.open(UsageSettings(directory=str(directory)))
    log.close()
    result = reaggregate(files(Path(directory)), log.public_key)
    assert result.sound, result.findings
    assert result.report.entries >= acknowledged
    assert result.report.recovered == 1
