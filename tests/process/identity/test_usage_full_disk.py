"""A usage log on a full disk: whoever answers goes on, what found no room is counted and told."""

import resource
import subprocess
import sys
import time
from pathlib import Path

from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.reaggregate import reaggregate
from mingwu.identity.usage.segment import files
from mingwu.identity.usage.settings import UsageSettings

WRITER = """
import json, sys
from mingwu.identity.usage.log import UsageLog
from mingwu.identity.usage.settings import UsageSettings

settings = UsageSettings(directory=sys.argv[1], flush_s=0.02, segment_s=3600, buffer_notes=4096)
log = UsageLog.open(settings)
noted = 0
for order in sys.stdin:
    if order == "end\\n":
        break
    for at in range(int(order)):
        log.note_named(1, 1, f"88.888.101/{noted + at}", f"198.51.100.{noted % 250}", 0)
    noted += int(order)
    print(noted, flush=True)
log.close()
"""


def test_answering_goes_on_and_the_loss_is_counted(tmp_path):
    directory = tmp_path / "usage"
    command = [sys.executable, "-c", WRITER, str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:

        def note(count):
            child.stdin.write(f"{count}\n")
            child.stdin.flush()
            return int(child.stdout.readline())

        note(1000)
        (segment,) = files(directory)
        until = time.monotonic() + 60
        while segment.stat().st_size < 500 and time.monotonic() < until:
            time.sleep(0.02)
        size = segment.stat().st_size
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size + 2000, resource.RLIM_INFINITY))
        began = time.monotonic()
        for _ in range(30):
            noted = note(1000)
        assert time.monotonic() - began < 20, "nobody who answers waits for the disk"
        assert segment.stat().st_size <= size + 2000
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        time.sleep(0.3)
        noted = note(500)
        child.stdin.write("end\n")
        child.stdin.close()
        assert child.wait(20) == 0
        told = child.stderr.read()
    assert "Traceback" not in told
    log = UsageLog.open(UsageSettings(directory=str(directory)))
    log.close()
    result = reaggregate(files(Path(directory)), log.public_key)
    assert result.sound, result.findings
    assert result.report.lost > 0
    assert result.report.entries + result.report.lost == noted
