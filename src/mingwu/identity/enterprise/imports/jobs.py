"""Import jobs as they are stored: what was asked, how far it is, what became of its rows.

Every process of a node reads them, so progress outlives a page and a process. A job is alive while
its owner beats; one whose owner is silent is *interrupted* and may be run again, because an import
counts nothing twice. Progress, counts and refused rows are written together.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.imports.importing import ImportReport, Outcome, RowResult
from mingwu.identity.enterprise.mappings import Mapping
from mingwu.identity.enterprise.model import Actor
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import NotFound
from mingwu.store.engine import lock, reading, writing

SILENT_MS = 20_000  # a busy machine may be late with its beat of every second
MAX_PAGE = 1000
_LOCK = "enterprise-import"
_JOBS_WITH_ROWS = 100
_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode


class JobState(StrEnum):
    """``interrupted`` is read from the owner's silence as well as written."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


ALIVE = (JobState.WAITING, JobState.RUNNING)


class ImportOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What an import is asked to do: a mapping, and an upload or a configured source."""

    mapping: Mapping
    dry: bool
    upload: str = ""
    source: str = ""
    file: str = ""
    sha256: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands. ``total``: rows expected, 0 if nobody knows. Times in ms, 0: not yet."""

    id: int
    state: JobState
    wanted: ImportOrder
    actor: Actor
    address: str
    owner: str
    cancel: bool
    fault: Fault | None
    total: int
    report: ImportReport
    created_at_ms: int
    started_at_ms: int
    ended_at_ms: int

    @property
    def alive(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ALIVE


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row of the table."""

    row: int
    name: str
    outcome: Outcome
    faults: tuple[Fault, ...]
    changes: dict[str, tuple[str, str]]
    given: dict[str, str]


_Kept = tuple[str, dict[str, str | tuple[str, str]]]
"""A fault as it is stored: words that have two languages keep both."""


class _Detail(msgspec.Struct, omit_defaults=True):
    faults: list[_Kept] = []
    changes: dict[str, tuple[str, str]] = {}
    given: dict[str, str] = {}


class ImportJobs:
    """The jobs of one node. Blocks; any thread."""

    def __init__(self, node: EnterpriseNode) -> None:
        self._node = node

    # -- asking -------------------------------------------------------------------------------

    def get(self, number: int) -> Job:
        """One job; NotFound ``enterprise.import-unknown``."""
        table = schema.import_job
        with reading(self._node.engine) as connection:
            row = connection.execute(select(table).where(table.c.id == number)).mappings().first()
        if row is None:
            raise NotFound("enterprise.import-unknown", job=number)
        return self._job(row)

    def latest(self, *, offset: int = 0, limit: int = 50) -> tuple[list[Job], int]:
        """A page of jobs, latest first, and how many there are."""
        table = schema.import_job
        query = select(table).order_by(table.c.id.desc()).offset(offset).limit(limit)
        with reading(self._node.engine) as connection:
            rows = connection.execute(query).mappings().all()
            total = connection.execute(select(func.count()).select_from(table)).scalar_one()
        return [self._job(row) for row in rows], total

    def rows(
        self, number: int, outcome: Outcome, *, after: int = 0, offset: int = 0, limit: int = 100
    ) -> list[JobRow]:
        """Rows of one outcome by their place, behind row ``after``."""
        table = schema.import_row
        query = select(table).where(
            table.c.job == number, table.c.outcome == outcome.value, table.c.number > after
        )
        query = query.order_by(table.c.number).offset(offset).limit(limit)
        with reading(self._node.engine) as connection:
            return [_row(row) for row in connection.execute(query).mappings()]

    def counted(self, number: int, outcome: Outcome) -> int:
        """How many rows of an outcome are kept."""
        table = schema.import_row
        query = select(func.count()).select_from(table)
        query = query.where(table.c.job == number, table.c.outcome == outcome.value)
        with reading(self._node.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def every_row(self, number: int, outcome: Outcome) -> Iterator[JobRow]:
        """All kept rows of one outcome, read in pages."""
        after = 0
        while page := self.rows(number, outcome, after=after, limit=MAX_PAGE):
            yield from page
            after = page[-1].row

    # -- changing -----------------------------------------------------------------------------

    def add(
        self, wanted: ImportOrder, *, actor: Actor, address: str, owner: str, total: int
    ) -> Job:
        """A new job that waits."""
        now = self._node.now_ms()
        row = {
            "state": JobState.WAITING.value,
            "dry": wanted.dry,
            "mapping": _encode(wanted.mapping).decode(),
            "upload": wanted.upload,
            "source": wanted.source,
            "file": wanted.file,
            "sha256": wanted.sha256,
            "actor": _encode(actor).decode(),
            "address": address,
            "owner": owner,
            "cancel": False,
            "fault": "",
            "total": total,
            "report": _encode(ImportReport(dry=wanted.dry)).decode(),
            "created_at_ms": now,
            "started_at_ms": 0,
            "beat_at_ms": now,
            "ended_at_ms": 0,
        }
        table = schema.import_job
        with writing(self._node.engine) as connection:
            lock(connection, _LOCK)
            self._sweep(connection, now)
            highest = select(func.coalesce(func.max(table.c.id), 0))
            row["id"] = connection.execute(highest).scalar_one() + 1
            connection.execute(insert(table).values(row))
        return self._job(row)

    def cancel(self, number: int) -> None:
        """Ask a job to stop at its next batch; one whose owner is silent is over anyway."""
        table = schema.import_job
        alive = table.c.state.in_([state.value for state in ALIVE])
        with writing(self._node.engine) as connection:
            statement = update(table).where(table.c.id == number, alive).values(cancel=True)
            connection.execute(statement)

    def beat(self, owner: str) -> None:
        """Say that the owner of its waiting and running jobs is there."""
        table = schema.import_job
        alive = table.c.state.in_([state.value for state in ALIVE])
        with writing(self._node.engine) as connection:
            statement = update(table).where(table.c.owner == owner, alive)
            connection.execute(statement.values(beat_at_ms=self._node.now_ms()))

    def begin(self, job: Job) -> bool:
        """Mark a job as running; false when it was cancelled meanwhile."""
        return self._move(job, {"state": JobState.RUNNING, "started_at_ms": self._node.now_ms()})

    def save(self, job: Job, report: ImportReport, rows: Sequence[RowResult]) -> bool:
        """Write progress and rows together; false when the job shall stop."""
        return self._move(job, {"report": _counts(report)}, rows)

    def end(
        self,
        job: Job,
        state: JobState,
        report: ImportReport,
        rows: Sequence[RowResult] = (),
        fault: Fault | None = None,
    ) -> None:
        """Write how a job ended."""
        values = {
            "state": state,
            "report": _counts(report),
            "fault": _encode(_kept(fault)).decode() if fault else "",
            "ended_at_ms": self._node.now_ms(),
        }
        self._move(job, values, rows)

    def _move(self, job: Job, values: dict[str, Any], rows: Sequence[RowResult] = ()) -> bool:
        table = schema.import_job
        mine = (table.c.id == job.id) & (table.c.owner == job.owner)
        with writing(self._node.engine) as connection:
            statement = update(table).where(mine).values(beat_at_ms=self._node.now_ms(), **values)
            connection.execute(statement)
            if rows:
                connection.execute(insert(schema.import_row), list(_stored(job.id, rows)))
            asked = select(table.c.cancel).where(mine)
            return connection.execute(asked).scalar_one_or_none() is False

    def _sweep(self, connection: Connection, now: int) -> None:
        """Forget the rows of old jobs, and of all but the last hundred; their counts stay."""
        jobs, rows = schema.import_job, schema.import_row
        before = now - round(self._node.settings.upload_days * _DAY_MS)
        highest = select(func.coalesce(func.max(jobs.c.id), 0)).scalar_subquery()
        surplus = jobs.c.id <= highest + 1 - _JOBS_WITH_ROWS
        old = select(jobs.c.id).where((jobs.c.created_at_ms < before) | surplus)
        connection.execute(delete(rows).where(rows.c.job.in_(old)))

    def _job(self, row: Any) -> Job:
        state = JobState(row["state"])
        if state in ALIVE and self._node.now_ms() - row["beat_at_ms"] > SILENT_MS:
            state = JobState.INTERRUPTED
        fields = {name: row[name] for name in ("upload", "source", "file", "sha256")}
        mapping = msgspec.json.decode(row["mapping"], type=Mapping)
        return Job(
            id=row["id"],
            state=state,
            wanted=ImportOrder(mapping=mapping, dry=bool(row["dry"]), **fields),
            actor=msgspec.json.decode(row["actor"], type=Actor),
            address=row["address"],
            owner=row["owner"],
            cancel=bool(row["cancel"]),
            fault=_fault(msgspec.json.decode(row["fault"], type=_Kept)) if row["fault"] else None,
            total=row["total"],
            report=msgspec.json.decode(row["report"], type=ImportReport),
            created_at_ms=row["created_at_ms"],
            started_at_ms=row["started_at_ms"],
            ended_at_ms=row["ended_at_ms"],
        )


def _counts(report: ImportReport) -> str:
    return _encode(msgspec.structs.replace(report, faults=[])).decode()


def _stored(job: int, rows: Iterable[RowResult]) -> Iterator[dict[str, Any]]:
    for one in rows:
        yield {
            "job": job,
            "number": one.row,
            "outcome": one.outcome.value,
            "name": one.name,
            "code": one.faults[0].code if one.faults else "",
            "detail": _encode(
                _Detail([_kept(fault) for fault in one.faults], one.changes, one.given)
            ).decode(),
        }


def _row(row: Any) -> JobRow:
    detail = msgspec.json.decode(row["detail"], type=_Detail)
    return JobRow(
        row=row["number"],
        name=row["name"],
        outcome=Outcome(row["outcome"]),
        faults=tuple(_fault(kept) for kept in detail.faults),
        changes=detail.changes,
        given=detail.given,
    )


def _kept(fault: Fault) -> _Kept:
    params: dict[str, str | tuple[str, str]] = {}
    for name, value in fault.params.items():
        params[name] = (value.en, value.zh) if isinstance(value, Phrase) else str(value)
    return fault.code, params


def _fault(kept: _Kept) -> Fault:
    code, params = kept
    return Fault(
        code,
        {name: one if isinstance(one, str) else Phrase(*one) for name, one in params.items()},
    )
