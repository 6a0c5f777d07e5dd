"""What the guard sees in log and disk, and what it does."""

import os
import signal
import subprocess
import sys

import pytest

from mingwu.bus.diskguard import DiskGuard
from mingwu.bus.settings import ServerSettings

LINE = (
    "[7] 2026/10/09 10:00:00 [ERR] JetStream stream '$G > TELEMETRY' critical write error: "
    "write 1.blk: no space left on device\n"
)


@pytest.fixture
def disk(tmp_path):
    class Disk:
        free = 10_000.0
        log = tmp_path / "nats.log"

        def guard(self):
            settings = ServerSettings(directory=str(tmp_path), password="p")
            return DiskGuard(settings, free_mib=lambda _: self.free)

        def say(self, text):
            with self.log.open("a") as file:
                file.write(text)

    return Disk()


def test_a_low_disk_is_told_once_and_forgotten_when_it_is_over(disk, caplog):
    guard = disk.guard()
    guard.look()
    assert guard.fault is None
    disk.free = 100.0
    guard.look()
    guard.look()
    assert guard.fault.code == "bus.disk-low"
    assert len(caplog.records) == 1
    disk.free = 10_000.0
    guard.look()
    assert guard.fault is None


def test_write_errors_of_former_lives_do_not_count(disk):
    disk.say(LINE)
    guard = disk.guard()
    guard.look()
    assert guard.fault is None


def test_a_full_disk_is_told_and_the_server_ended_when_there_is_room(disk, tmp_path):
    guard = disk.guard()
    disk.free = 0.0
    disk.say("[INF] fine\n" + LINE)
    guard.look()
    guard.look()
    assert guard.fault.code == "bus.disk-failed"
    assert "no space left" in str(guard.fault)
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "nats.pid").write_text(str(server.pid))
    guard.look()
    assert server.poll() is None
    disk.free = 10_000.0
    guard.look()
    assert server.wait(10) == -signal.SIGTERM
    assert guard.fault is None


def test_a_disk_so_full_that_the_log_is_silent_counts_too(disk):
    guard = disk.guard()
    disk.free = 0.5
    guard.look()
    assert guard.fault.code == "bus.disk-failed"
    disk.free = 10.0  # not enough room to go on
    guard.look()
    assert guard.fault.code == "bus.disk-failed"


def test_a_rotated_log_is_read_from_its_beginning(disk):
    disk.say("x" * 1000 + "\n")
    guard = disk.guard()
    disk.free = 0.0
    os.truncate(disk.log, 0)
    disk.say(LINE)
    guard.look()
    assert guard.fault.code == "bus.disk-failed"
