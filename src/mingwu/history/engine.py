"""The embedded engine: chDB sessions, one per worker thread, over one directory.

Invariants, each measured (facts: engines §3.4): one process owns the directory (a lock file says
which); a session belongs to one thread, for a session serialises its queries; chdb is imported
here and nowhere else, in a process that was started fresh and never forks afterwards; inserts are
streamed with ``send_insert``. Readers and writers have their own lanes, so a heavy query never
holds up an insert. A lane with too many waiting refuses at once (back-pressure).
"""

import fcntl
import logging
import os
import queue
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import escape

from mingwu.history import errors as codes
from mingwu.history.recovery import forget_unwritten
from mingwu.history.settings import MIB, HistorianSettings
from mingwu.history.statement import Statement
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, Conflict, Overloaded


class _Session(Protocol):
    """The part of chdb's untyped Session that is used here."""

    def query(self, sql: str, fmt: str = ..., *, params: dict[str, str] = ...) -> Any: ...
    def send_insert(self, query: str, fmt: str) -> Any: ...
    def close(self) -> None: ...


log = logging.getLogger(__name__)

_CODE = re.compile(r"Code: (\d+)\.")
_JOIN_S = 30.0


class EngineFault(Exception):
    """What the engine says is wrong with a statement: its number and its text."""

    def __init__(self, text: str) -> None:
        found = _CODE.search(text)
        self.number = int(found[1]) if found else 0
        self.text = text[found.start() :] if found else text
        super().__init__(self.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_s: float = 0.0


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Seat:
    """A session with the settings that are in force in it."""

    def __init__(self, session: _Session, base: dict[str, str], most_bytes: int) -> None:
        self._session = session
        self._most_bytes = most_bytes
        self._base = base
        self._applied: dict[str, str] = {}
        self._database = "default"
        self._apply(base)

    def _apply(self, wanted: dict[str, str]) -> None:
        for name, value in wanted.items():
            if self._applied.get(name) != value:
                self._session.query(f"SET {name} = {_quote(value)}")
                self._applied[name] = value
        for name in [n for n in self._applied if n not in wanted]:
            self._session.query(f"SET {name} = DEFAULT")
            del self._applied[name]

    def run(self, statement: Statement) -> Answer:
        try:
            database = statement.database or "default"
            if database != self._database:
                self._session.query(f"USE `{database.replace('`', '')}`")
                self._database = database
            if statement.data is not None:
                return self._insert(statement, statement.data)
            self._apply({**self._base, **statement.settings})
            result = self._session.query(
                statement.sql, statement.format, params=statement.parameters
            )
        except RuntimeError as error:  # ChdbError is one
            raise EngineFault(str(error)) from error
        if (
            result.size() > self._most_bytes
        ):  # max_result_bytes does not work in the embedded engine
            raise EngineFault(
                f"Code: {codes.TOO_MANY_ROWS_OR_BYTES}. DB::Exception: Limit for result exceeded: "
                f"{result.size()} bytes, maximum: {self._most_bytes}. (TOO_MANY_ROWS_OR_BYTES)"
            )
        return Answer(
            result.bytes(), result.rows_read(), result.bytes_read(), elapsed_s=result.elapsed()
        )

    def _insert(self, statement: Statement, data: list[bytes]) -> Answer:
        """Settings of an insert change with each one (its token): they ride in the statement."""
        sql = statement.sql
        if statement.settings:
            clause = ", ".join(f"{k} = {_quote(v)}" for k, v in statement.settings.items())
            sql += (", " if " SETTINGS " in sql else " SETTINGS ") + clause
        self._apply(self._base)
        with self._session.send_insert(sql, statement.format) as insert:
            for chunk in data:
                insert.append(chunk)
            result = insert.finish()
        return Answer(
            written_rows=result.rows_written,
            written_bytes=result.bytes_written,
            elapsed_s=result.elapsed,
        )


@dataclass(slots=True)
class _Job:
    statement: Statement
    future: "Future[Answer]"


class Lane:
    """Worker threads with one session each, and the statements that wait for them."""

    def __init__(self, name: str, threads: int, max_waiting: int) -> None:
        self.name = name
        self.threads = threads
        self.max_waiting = max_waiting
        self.active = 0
        self.done = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._count = threading.Lock()

    @property
    def waiting(self) -> int:
        """Statements that no thread has taken yet."""
        return self._jobs.qsize()

    def start(self, seat: Callable[[], _Seat], close: Callable[[], None]) -> None:
        """Start the threads; returns when every one has its session. Raises what opening raises."""
        ready: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        for number in range(self.threads):
            worker = threading.Thread(
                target=self._work, args=(seat, close, ready), name=f"{self.name}-{number}"
            )
            worker.start()
            self._workers.append(worker)
        faults = [ready.get() for _ in self._workers]
        for fault in faults:
            if fault is not None:
                raise fault

    def submit(self, statement: Statement) -> "Future[Answer]":
        """Queue a statement. Raises Overloaded ``history.busy``."""
        if self.waiting >= self.max_waiting:
            fault = Phrase(
                f"{self.waiting} requests wait for a {self.name}",
                f"{self.waiting} 个请求在等待 {self.name}",
            )
            raise Overloaded("history.busy", fault=fault)
        future: Future[Answer] = Future()
        self._jobs.put(_Job(statement, future))
        return future

    def stop(self) -> None:
        """End the threads when what waits is done."""
        for _ in self._workers:
            self._jobs.put(None)
        for worker in self._workers:
            worker.join(_JOIN_S)

    def _work(
        self,
        open_seat: Callable[[], _Seat],
        close: Callable[[], None],
        ready: "queue.SimpleQueue[BaseException | None]",
    ) -> None:
        try:
            seat = open_seat()
        except BaseException as fault:  # noqa: BLE001 — a thread's edge: handed to the starter
            ready.put(fault)
            return
        ready.put(None)
        while (job := self._jobs.get()) is not None:
            self._run(seat, job)
        del seat
        close()

    def _run(self, seat: _Seat, job: _Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return  # the client has gone
        with self._count:
            self.active += 1
        try:
            job.future.set_result(seat.run(job.statement))
        except BaseException as fault:  # noqa: BLE001 — a thread's edge: handed to the asker
            job.future.set_exception(fault)
        finally:
            with self._count:
                self.active -= 1
                self.done += 1


class Engine:
    """The engine over ``settings.directory``. ``open`` blocks for about half a second."""

    def __init__(self, settings: HistorianSettings) -> None:
        self._settings = settings
        self._directory = Path(settings.directory).resolve()
        self._lock: int | None = None
        self._sessions: list[_Session] = []
        self.version = ""
        self.readers = Lane("reader", settings.readers, settings.max_waiting)
        self.writers = Lane("writer", settings.writers, settings.max_waiting)

    def open(self) -> None:
        """Take the directory and start the lanes. Raises ConfigError, Conflict."""
        self._lock = _take(self._directory)
        from chdb.session import Session

        data = self._directory / "data"
        data.mkdir(exist_ok=True)
        if struck := forget_unwritten(data):
            log.warning("name=historian event=unwritten-inserts-forgotten count=%d", struck)
        address = f"{data}?config-file={self._write_config()}"

        def seat(base: dict[str, str]) -> _Seat:
            session: _Session = Session(address)  # type: ignore[no-untyped-call]
            self._sessions.append(session)
            return _Seat(session, base, self._settings.max_result_mib * MIB)

        limits = {
            "max_memory_usage": str(self._settings.max_query_mib * MIB),
            "async_insert": "0",
        }
        reading = {
            **limits,
            "max_execution_time": str(self._settings.max_query_s),
        }
        self.readers.start(lambda: seat(reading), lambda: None)
        self.writers.start(lambda: seat(limits), lambda: None)
        answer = self.readers.submit(Statement("SELECT version()")).result()
        self.version = answer.body.decode().strip()

    def close(self) -> None:
        """Finish what waits, close the sessions, free the directory."""
        self.readers.stop()
        self.writers.stop()
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write_config(self) -> Path:
        settings = self._settings
        backups = self._directory / "backups"
        backups.mkdir(exist_ok=True)
        cache = settings.mark_cache_mib * MIB
        memory = settings.max_memory_mib * MIB
        path = self._directory / "engine.xml"
        path.write_text(
            "<clickhouse>\n"
            f"  <backups><allowed_path>{escape(str(backups))}</allowed_path></backups>\n"
            f"  <mark_cache_size>{cache}</mark_cache_size>\n"
            f"  <index_mark_cache_size>{cache}</index_mark_cache_size>\n"
            f"  <max_server_memory_usage>{memory}</max_server_memory_usage>\n"
            f"  <background_pool_size>{settings.merge_threads}</background_pool_size>\n"
            "  <timezone>UTC</timezone>\n"
            "</clickhouse>\n",
            "utf-8",
        )
        return path


def _take(directory: Path) -> int:
    """Lock the directory for this process; the descriptor holds the lock as long as we live."""
    if "?" in str(directory):
        raise ConfigError(
            "history.directory-unusable",
            directory=str(directory),
            fault=Phrase("“?” in its name", "路径中含有“?”"),
        )
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            "history.directory-unusable", directory=str(directory), fault=told(error)
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "?"
        os.close(lock)
        raise Conflict("history.directory-in-use", directory=str(directory), owner=owner) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


HTTP_STATUS = {
    codes.AUTHENTICATION_FAILED: 403,
    codes.UNKNOWN_TABLE: 404,
    codes.UNKNOWN_DATABASE: 404,
    codes.SYNTAX_ERROR: 400,
    codes.TIMEOUT_EXCEEDED: 408,
    codes.TOO_MANY_QUERIES: 503,
}
