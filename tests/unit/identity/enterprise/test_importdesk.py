"""Jobs: progress, cancelling, the queue, what a stopped or silent process leaves."""

import threading
import time

import msgspec
import pytest

from mingwu.identity.enterprise.imports import desk as importdesk
from mingwu.identity.enterprise.imports import jobs as importjobs
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.imports.importing import Outcome
from mingwu.identity.enterprise.imports.jobs import ImportOrder, JobState
from mingwu.identity.enterprise.imports.uploads import Uploading, sweep, upload_of
from mingwu.identity.enterprise.mappings import Mapping
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded

PREFIX = "88.888.101"
MAPPING = Mapping(
    name="parts", prefix=PREFIX, version="PART-1", identifier=PREFIX + "/P.{n}",
    values={"name": "{t}"},
)  # fmt: skip


@pytest.fixture
def lines():
    return []


@pytest.fixture
def desk(node, lines, monkeypatch):
    monkeypatch.setattr(importdesk, "_SAVE_S", 0.0)
    desk = ImportDesk(node, lambda *line: lines.append(line))
    yield desk
    desk.close()


def upload(node, rows):
    uploading = Uploading(node, r"C:\files\parts.csv", actor="boss")
    uploading.add(b"n,t\n")
    uploading.add("".join(f"{n},件{n}\n" for n in range(rows)).encode())
    return uploading.close()


def wanted(node, rows=200, *, dry=False):
    return ImportOrder(mapping=MAPPING, dry=dry, upload=upload(node, rows).id)


def ended(desk, job):
    deadline = time.monotonic() + 20
    while (job := desk.jobs.get(job.id)).alive and time.monotonic() < deadline:
        time.sleep(0.01)
    return job


class Gate:
    """Holds registration at its n-th call until opened."""

    def __init__(self, node, at):
        self.reached, self.open = threading.Event(), threading.Event()
        self._register, self._left = node.registrations.register, at
        node.registrations.register = self

    def __call__(self, *arguments, **more):
        self._left -= 1
        if self._left == 0:
            self.reached.set()
            assert self.open.wait(20)
        return self._register(*arguments, **more)


def test_progress_is_seen_while_it_runs(node, boss, desk):
    gate = Gate(node, at=3)
    job = desk.start(wanted(node), actor=boss)
    assert (job.state, job.total, job.wanted.file) == (JobState.WAITING, 200, "parts.csv")
    assert gate.reached.wait(20)
    seen = desk.jobs.get(job.id)
    assert (seen.state, seen.report.rows, seen.report.registered) == (JobState.RUNNING, 100, 100)
    with pytest.raises(Conflict):
        desk.again(job.id, actor=boss)
    gate.open.set()
    job = ended(desk, job)
    assert (job.state, job.report.rows, job.report.registered) == (JobState.DONE, 200, 200)
    assert len(desk.jobs.rows(job.id, Outcome.REGISTERED)) == 50
    with pytest.raises(Conflict):
        desk.cancel(job.id)


def test_cancelling_stops_at_the_next_batch(node, boss, desk, lines):
    gate = Gate(node, at=2)
    job = desk.start(wanted(node), actor=boss)
    waiting = desk.start(wanted(node, 10), actor=boss)
    assert gate.reached.wait(20)
    assert desk.cancel(job.id).cancel
    desk.cancel(waiting.id)
    gate.open.set()
    job = ended(desk, job)
    assert (job.state, job.report.registered) == (JobState.CANCELLED, 100)
    assert node.register.counts()["state"]["registered"] == 100
    assert ended(desk, waiting).state is JobState.CANCELLED
    assert [line[4]["state"] for line in lines if line[1] == "import.end"] == ["cancelled"] * 2
    again = ended(desk, desk.again(job.id, actor=boss))
    assert (again.report.registered, again.report.unchanged) == (100, 100)


def test_stopping_the_process_leaves_the_job_interrupted(node, boss, desk):
    gate = Gate(node, at=2)
    job = desk.start(wanted(node), actor=boss)
    assert gate.reached.wait(20)
    closing = threading.Thread(target=desk.close)
    closing.start()
    time.sleep(0.05)
    gate.open.set()
    closing.join(20)
    assert desk.jobs.get(job.id).state is JobState.INTERRUPTED
    other = ImportDesk(node)
    again = ended(other, other.again(job.id, actor=boss))
    other.close()
    assert (again.state, again.report.registered + again.report.unchanged) == (JobState.DONE, 200)


def test_a_silent_owner_means_interrupted(node, boss, desk, monkeypatch):
    job = desk.jobs.add(wanted(node), actor=boss, address="", owner="gone", total=0)
    assert desk.jobs.get(job.id).state is JobState.WAITING
    monkeypatch.setattr(importjobs, "SILENT_MS", -1)
    assert desk.jobs.get(job.id).state is JobState.INTERRUPTED
    assert not desk.jobs.save(msgspec.structs.replace(job, owner="other"), job.report, [])


def test_an_internal_error_fails_the_job_not_the_desk(node, boss, desk, caplog):
    def broken(*_arguments, **_more):
        raise ZeroDivisionError

    register = node.registrations.register
    node.registrations.register = broken
    job = ended(desk, desk.start(wanted(node, 5), actor=boss))
    assert (job.state, job.fault.code) == (JobState.FAILED, "enterprise.import-failed")
    assert "ZeroDivisionError" in caplog.text
    node.registrations.register = register
    assert ended(desk, desk.start(wanted(node, 5), actor=boss)).state is JobState.DONE


def test_a_table_that_breaks_off_keeps_what_came_before(node, boss, desk):
    uploading = Uploading(node, "t.csv", actor="boss")
    uploading.add(b"n,t\n" + "".join(f"{n},件\n" for n in range(60)).encode())
    uploading.add(b'60,"' + b"x" * 200_000)
    want = ImportOrder(mapping=msgspec.structs.replace(MAPPING, values={"name": "件{n}"}),
                  dry=False, upload=uploading.close().id)  # fmt: skip
    job = ended(desk, desk.start(want, actor=boss))
    assert (job.state, job.fault.code) == (JobState.FAILED, "enterprise.table-broken")
    assert job.fault.params["row"] == "62"
    assert job.report.registered == node.register.counts()["state"]["registered"] == 50


def test_the_queue_has_a_bound(node, boss, desk, monkeypatch):
    monkeypatch.setattr(importdesk, "_MOST_WAITING", 2)
    gate = Gate(node, at=1)
    want = wanted(node, 5)
    jobs = [desk.start(want, actor=boss) for _ in range(2)]
    with pytest.raises(Overloaded):
        desk.start(want, actor=boss)
    gate.open.set()
    assert [ended(desk, job).state for job in jobs] == [JobState.DONE] * 2


def test_the_oldest_uploads_make_room(node, boss, desk):
    first, second = upload(node, 30), upload(node, 30)
    node.settings = msgspec.structs.replace(node.settings, uploads_bytes=second.size + 1)
    third = upload(node, 3)
    assert upload_of(node, second.id) == second
    with pytest.raises(NotFound):
        desk.start(ImportOrder(mapping=MAPPING, dry=True, upload=first.id), actor=boss)
    assert upload_of(node, third.id)


def test_rows_are_kept_of_the_last_jobs_only_and_not_without_bound(node, boss, desk, monkeypatch):
    monkeypatch.setattr(importjobs, "_JOBS_WITH_ROWS", 1)
    monkeypatch.setattr(importdesk, "_REFUSED", 20)
    bad = msgspec.structs.replace(MAPPING, values={"mass": "{t}", "name": "{t}"})
    want = ImportOrder(mapping=bad, dry=True, upload=upload(node, 60).id)
    first = ended(desk, desk.start(want, actor=boss))
    assert first.report.refused == 60
    assert desk.jobs.counted(first.id, Outcome.REFUSED) == 20
    second = ended(desk, desk.start(want, actor=boss))
    assert desk.jobs.counted(first.id, Outcome.REFUSED) == 0
    assert desk.jobs.counted(second.id, Outcome.REFUSED) == 20
    assert desk.jobs.get(first.id).report.refused == 60


def test_uploads_are_whole_or_not_there_and_go_after_their_time(node, monkeypatch):
    limited = msgspec.structs.replace(node.settings, upload_bytes=100)
    node.settings = limited
    uploading = Uploading(node, "t.csv", actor="boss")
    with pytest.raises(NotFound):
        upload_of(node, uploading._id)
    with pytest.raises(InvalidInput) as caught:
        uploading.add(b"x" * 101)
    assert caught.value.code == "enterprise.table-large"
    whole = upload(node, 3)
    assert upload_of(node, whole.id) == whole
    assert sweep(node) == 0
    now = node.now_ms()
    monkeypatch.setattr(node, "now_ms", lambda: now + 8 * 86_400_000)
    assert sweep(node) == 1
    with pytest.raises(NotFound):
        upload_of(node, whole.id)
