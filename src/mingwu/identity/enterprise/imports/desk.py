"""Running imports: one after the other on a thread of this process, watched through the store.

Twice a second a running job writes how far it is; once a second its process says that it is there,
also while a database keeps the job waiting. Stopping the process ends the job at its next batch as
interrupted; after a kill it is found interrupted by its silence. What the journal gets: each real
import with file, digest, mapping and counts, at its beginning and its end.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import msgspec

from mingwu.identity.enterprise import tables
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.imports.importing import (
    Import,
    ImportReport,
    Outcome,
    RowResult,
    configured_source,
)
from mingwu.identity.enterprise.imports.jobs import ImportJobs, ImportOrder, Job, JobState
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.imports.uploads import spooled, upload_of
from mingwu.identity.enterprise.mappings import check_mapping
from mingwu.identity.enterprise.model import Actor
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.tables import Table
from mingwu.kernel.errors import Conflict, MingwuError, Overloaded

log = logging.getLogger(__name__)

Note = Callable[[Actor, str, str, str, dict[str, Any]], None]
"""Writes (actor, action, subject, address, detail) into the journal."""

_MOST_WAITING = 8
_SAVE_S, _BEAT_S, _STOP_S = 0.5, 1.0, 20.0
_SHOWN, _REFUSED = 50, 200_000  # rows kept of each outcome, and of refused ones


class ImportDesk:
    """Takes imports and runs them. ``close`` before the node is closed."""

    def __init__(self, node: EnterpriseNode, note: Note | None = None) -> None:
        self.node = node
        self.jobs = ImportJobs(node)
        self._note = note
        self._owner = uuid4().hex
        self._queue: deque[Job] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- asking -------------------------------------------------------------------------------

    def start(self, wanted: ImportOrder, *, actor: Actor, address: str = "") -> Job:
        """Check what is asked and put it into the queue.

        Raises InvalidInput or NotFound when it cannot be done, Overloaded
        ``enterprise.imports-busy``.
        """
        total = 0
        if wanted.upload:
            upload = upload_of(self.node, wanted.upload)
            names = {"file": upload.name, "sha256": upload.sha256, "source": ""}
        else:
            configured_source(self.node, wanted.source)
            names = {"file": "", "sha256": ""}
        wanted = msgspec.structs.replace(wanted, **names)
        template = self.node.templates.get(wanted.mapping.template)
        if wanted.upload:
            with self._table(wanted) as table:
                check_mapping(wanted.mapping, template, table.columns)
                total = table.expected
        with self._lock:
            if len(self._queue) >= _MOST_WAITING:
                raise Overloaded("enterprise.imports-busy", count=len(self._queue))
            job = self.jobs.add(
                wanted, actor=actor, address=address, owner=self._owner, total=total
            )
            self._queue.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="imports", daemon=True)
                self._thread.start()
        return job

    def again(
        self, number: int, *, actor: Actor, address: str = "", dry: bool | None = None
    ) -> Job:
        """Run what a job was asked once more; Conflict while it still runs."""
        job = self.jobs.get(number)
        if job.alive:
            raise Conflict("enterprise.import-alive", job=number)
        wanted = job.wanted if dry is None else msgspec.structs.replace(job.wanted, dry=dry)
        return self.start(wanted, actor=actor, address=address)

    def cancel(self, number: int) -> Job:
        """Ask a job to stop; Conflict ``enterprise.import-over`` when it has ended."""
        job = self.jobs.get(number)
        if not job.alive:
            raise Conflict("enterprise.import-over", job=number)
        self.jobs.cancel(number)
        return self.jobs.get(number)

    def close(self) -> None:
        """End what runs at its next batch, marked as interrupted."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    # -- working ------------------------------------------------------------------------------

    def _work(self) -> None:
        beating = threading.Event()
        beat = threading.Thread(target=self._beat, args=(beating,), name="import-beat", daemon=True)
        beat.start()
        try:
            while True:
                with self._lock:
                    if not self._queue:
                        self._thread = None
                        return
                    job = self._queue[0]
                self._run(job)
                with self._lock:
                    self._queue.popleft()
        finally:
            beating.set()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(_BEAT_S):
            try:
                self.jobs.beat(self._owner)
            except MingwuError as error:  # the store is busy or away; the next beat says it
                log.warning("import beat failed code=%s", error.code)

    def _run(self, job: Job) -> None:
        course = _Course(self.jobs, job, self._stop)
        state, fault = JobState.INTERRUPTED, None
        try:
            if self._stop.is_set():
                pass
            elif not self.jobs.begin(job):
                state = JobState.CANCELLED
            else:
                self._say(job, "import.begin", {})
                state = self._import(job, course)
        except MingwuError as error:
            state, fault = JobState.FAILED, Fault(error.code, error.params)
        except Exception:  # the edge of a thread: the job must not stay running
            log.exception("import %d broke", job.id)
            state, fault = JobState.FAILED, Fault("enterprise.import-failed")
        try:
            self.jobs.end(job, state, course.report, course.take(), fault)
            self._say(job, "import.end", _numbers(state, course.report, fault))
        except MingwuError as error:  # it will be found interrupted
            log.warning("import %d could not be closed code=%s", job.id, error.code)

    def _import(self, job: Job, course: "_Course") -> JobState:
        wanted = job.wanted
        work = Import(self.node, wanted.mapping, actor=job.actor, dry=wanted.dry)
        course.report = work.report
        with self._table(wanted) as table:
            work.run(table, course.watch)
        if not course.stopped:
            return JobState.DONE
        return JobState.INTERRUPTED if self._stop.is_set() else JobState.CANCELLED

    @contextmanager
    def _table(self, wanted: ImportOrder) -> Iterator[Table]:
        mapping, settings = wanted.mapping, self.node.settings
        if not wanted.upload:
            source = configured_source(self.node, wanted.source)
            with tables.source_table(source, most=settings.import_rows) as table:
                yield table
            return
        with (
            spooled(self.node, wanted.upload) as file,
            TableFile(file, settings).table(sheet=mapping.sheet, head=mapping.head) as table,
        ):
            yield table

    def _say(self, job: Job, action: str, detail: dict[str, Any]) -> None:
        """A line of the journal; dry runs change nothing and are not in it."""
        wanted = job.wanted
        if self._note is None or wanted.dry:
            return
        told = {"job": job.id, "sha256": wanted.sha256, "mapping": wanted.mapping.name}
        told["template"] = str(wanted.mapping.template)
        self._note(job.actor, action, wanted.file or wanted.source, job.address, told | detail)


class _Course:
    """A running job: gathers rows, saves them now and then, hears of a wish to stop."""

    def __init__(self, jobs: ImportJobs, job: Job, stop: threading.Event) -> None:
        self._jobs, self._job, self._stop = jobs, job, stop
        self._rows: list[RowResult] = []
        self._shown = dict.fromkeys(Outcome, 0)
        self._saved = time.monotonic()
        self.report = ImportReport(dry=job.wanted.dry)
        self.stopped = False

    def watch(self, report: ImportReport, results: list[RowResult]) -> bool:
        """See :data:`importing.Watch`."""
        for one in results:
            most = _REFUSED if one.outcome is Outcome.REFUSED else _SHOWN
            if self._shown[one.outcome] < most:
                self._shown[one.outcome] += 1
                self._rows.append(one)
        if time.monotonic() - self._saved >= _SAVE_S:
            self.stopped = not self._jobs.save(self._job, report, self.take())
            self._saved = time.monotonic()
        self.stopped = self.stopped or self._stop.is_set()
        return not self.stopped

    def take(self) -> list[RowResult]:
        """The rows not saved yet."""
        taken, self._rows = self._rows, []
        return taken


def _numbers(state: JobState, report: ImportReport, fault: Fault | None) -> dict[str, Any]:
    names = ("rows", "registered", "changed", "unchanged", "skipped", "duplicates", "refused")
    found: dict[str, Any] = {name: getattr(report, name) for name in (*names, "seconds")}
    return {"state": state.value} | found | ({"code": fault.code} if fault else {})
