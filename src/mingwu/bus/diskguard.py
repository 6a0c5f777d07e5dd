"""Watches the disk of the bus server: says when it runs low, revives the server when it was full.

nats-server 2.15 that meets a failing write (disk full, quota) stops storing in that stream, answers
publishers with silence, and does not begin again when there is room (measured; its log says
"critical write error" if it has room itself). Publishers keep their messages and report
``bus.no-ack``. The guard sees that line or a full disk, reports ``bus.disk-failed``, waits for
room and ends the server, so that whoever supervises it starts it anew. Nothing acknowledged is
lost by that.
"""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from mingwu.bus import errors as _errors  # noqa: F401 — registers the texts
from mingwu.bus.settings import MIB, ServerSettings
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)

LOW_MIB = 512
ROOM_MIB = 64
FULL_MIB = 2
_LOOK_S = 1.0
_MARK = re.compile(r"critical write error: (?P<fault>.+)")


def _free_mib(directory: Path) -> float:
    return shutil.disk_usage(directory).free / MIB


class DiskGuard:
    """One server's guard. ``fault`` is what to show, None while all is well."""

    def __init__(
        self, settings: ServerSettings, *, free_mib: Callable[[Path], float] = _free_mib
    ) -> None:
        self.fault: MingwuError | None = None
        self._directory = Path(settings.directory)
        self._free_mib = free_mib
        self._log = self._directory / "nats.log"
        self._read = self._log.stat().st_size if self._log.exists() else 0
        self._failed = ""
        self._low = False

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``."""
        while not stop.is_set():
            self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_S)

    def look(self) -> None:
        """One look at log and disk; acts on what it sees."""
        self._failed = self._new_fault() or self._failed
        free = self._free_mib(self._directory)
        if free < FULL_MIB:  # the log may have had no room for the line
            self._failed = self._failed or "no space left on device"
        if self._failed:
            self._fail(free)
        elif free < LOW_MIB:
            self._warn(free)
        else:
            self._low = False
            self.fault = None

    def _fail(self, free: float) -> None:
        if self.fault is None or self.fault.code != "bus.disk-failed":
            self.fault = Unavailable(
                "bus.disk-failed", fault=self._failed, directory=str(self._directory)
            )
            log.error("%s — %s", self.fault, self.fault.next_step())
        if free >= ROOM_MIB and self._end_server():
            log.warning("bus directory=%s free_mib=%.0f restarting", self._directory, free)
            self._failed = ""
            self.fault = None

    def _warn(self, free: float) -> None:
        self.fault = Unavailable(
            "bus.disk-low", free_mib=round(free), directory=str(self._directory)
        )
        if not self._low:
            self._low = True
            log.warning("%s — %s", self.fault, self.fault.next_step())

    def _new_fault(self) -> str:
        """The last write error in what was logged since the last look."""
        try:
            size = self._log.stat().st_size
            if size < self._read:  # a new file after rotation
                self._read = 0
            if size == self._read:
                return ""
            with self._log.open("rb") as file:
                file.seek(self._read)
                text = file.read(min(size - self._read, MIB)).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        self._read = size
        found = ""
        for line in text.splitlines():
            match = _MARK.search(line)
            found = match["fault"] if match else found
        return found

    def _end_server(self) -> bool:
        """Ask the running server to end; whether there was one."""
        try:
            pid = int((self._directory / "nats.pid").read_text("ascii"))
            os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError):
            return False
        return True
