"""The usage log: notes in, signed segments out, nothing lost silently.

``note`` only puts references into a queue; a thread writes them every ``flush_s`` seconds and seals
the segment when its time is over. When the queue is full, whoever answers writes it down before
going on, so no note is dropped. If the disk refuses, notes wait in the queue; what finds no room
there is counted in the seal, because names must resolve even when nobody can count it. A killed
process loses at most the notes of the last ``flush_s``; its open segment is sealed at the next
start and marked ``recovered``.
"""

import fcntl
import hashlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Self

import msgspec
import numpy as np

import mingwu.identity.usage.errors  # noqa: F401 — registers the texts
from mingwu.identity.server.usagenote import Via
from mingwu.identity.usage.causes import Classifier
from mingwu.identity.usage.dayquota import DayQuota, asked_of
from mingwu.identity.usage.packing import Note, Packer
from mingwu.identity.usage.segment import (
    ENTRY,
    FIRST_PREVIOUS,
    HEAD,
    MAGIC,
    PUBLIC_KEY_FILE,
    SALT_FILE,
    SEAL,
    Broken,
    Head,
    Seal,
    block,
    files,
    is_stub,
    path_of,
    pem_blocks,
    read_head,
    read_segment,
)
from mingwu.identity.usage.settings import UsageSettings
from mingwu.kernel.causes import told
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import InvalidInput, Unavailable
from mingwu.trust import keys, secrets
from mingwu.trust.keys import Algorithm, PrivateKey

log = logging.getLogger(__name__)

_CONSOLE_VIA = 0x100
_KEY_FILE = "log-key.pem"
_LOCK_FILE = "lock"
_encode = msgspec.json.Encoder(order="sorted").encode

Registered = Callable[[], Mapping[str, int]]


# Operation and name stand in front; the rest of a long message is not kept waiting here.
_NOTED_BYTES = 4096


def _nothing_registered() -> Mapping[str, int]:
    return {}


class UsageLog:
    """One node's log. Open with :meth:`open`, feed with ``note``, end with ``close``."""

    def __init__(
        self,
        settings: UsageSettings,
        key: PrivateKey,
        salt: bytes,
        *,
        node: str = "",
        registered: Registered = _nothing_registered,
        clock: Clock | None = None,
        ticks: Callable[[], int] = perf_counter_ns,
        quota: DayQuota | None = None,
    ) -> None:
        self._settings = settings
        self._directory = Path(settings.directory)
        self._key = key
        self._node = node
        self._registered = registered
        self._clock = clock or SystemClock()
        self._ticks = ticks
        self._notes: deque[Note] = deque()
        self._put = self._notes.append
        self._limit = self._flush_at = settings.buffer_notes
        self._quota = quota
        self._classifier = Classifier(settings, salt)
        self._packer = Packer(self._classifier)
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._handle = -1
        self._lock_handle = -1
        self._waiting = b""
        self._failing = False
        self._lost = 0
        self._entries = 0

    @classmethod
    def open(
        cls,
        settings: UsageSettings,
        *,
        node: str = "",
        registered: Registered = _nothing_registered,
        clock: Clock | None = None,
        quota: DayQuota | None = None,
    ) -> Self:
        """Open the log in ``settings.directory`` and start writing.

        Key and salt are made at the first start (0600). ``registered`` gives the number of
        identifiers per prefix when a segment is sealed. ``quota`` is told what is written.
        """
        directory = Path(settings.directory)
        made = Algorithm(settings.algorithm)
        pem = secrets.load_or_make(directory, _KEY_FILE, lambda: keys.generate(made).pem())
        salt = secrets.load_or_create(directory, SALT_FILE)
        usage = cls(
            settings, keys.load_private(pem), salt, node=node, registered=registered, clock=clock,
            quota=quota,
        )  # fmt: skip
        usage.start()
        return usage

    @property
    def number(self) -> int:
        """The segment that is being written."""
        return self._head.number

    @property
    def public_key(self) -> bytes:
        """PEM of the key that the log is signed with."""
        return self._key.public().pem()

    def note(self, request: bytes, reply: bytes, source: str, via: int, started_ns: int) -> None:
        """Take a note of an answered message; see ``identity.server.usagenote``."""
        if len(request) > _NOTED_BYTES:
            request = request[:_NOTED_BYTES]
        self._put((request, reply[24:28], source, via, started_ns, self._ticks()))
        if len(self._notes) >= self._flush_at:
            self.flush()

    def note_named(
        self, op: int, rc: int, name: str, source: str, started_ns: int, *, console: bool = False
    ) -> None:
        """Take a note of an answer given otherwise; see ``identity.server.usagenote``."""
        via = Via.HTTP | _CONSOLE_VIA if console else int(Via.HTTP)
        self._put((name, op << 16 | rc, source, via, started_ns, self._ticks()))
        if len(self._notes) >= self._flush_at:
            self.flush()

    def follow_owners(self, networks: Mapping[str, tuple[str, ...]]) -> None:
        """From which networks owners of prefixes ask, for what is noted from now on."""
        self._classifier.follow(networks)

    def start(self) -> None:
        """Recover what an earlier process left open, begin a segment, start the thread.

        Raises Unavailable ``usage.in-use`` while another process writes this log.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock()
        self._publish_key()
        number, previous = self._recover()
        self._begin(number + 1, previous, self._create(number + 1))
        self.flush()
        self._thread = threading.Thread(target=self._run, name="usage-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write everything, seal the segment, stop."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        with self._writing:
            if self._handle >= 0:
                self._drain()
                self._seal()
                os.close(self._handle)
                self._handle = -1
            if self._lock_handle >= 0:
                os.close(self._lock_handle)
                self._lock_handle = -1

    def _lock(self) -> None:
        """One writer per directory: another would take our open segment for one left behind."""
        handle = os.open(self._directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise Unavailable("usage.in-use", path=str(self._directory)) from error
        self._lock_handle = handle

    def _publish_key(self) -> None:
        """The public key beside the segments, behind it those of the keys that it replaced."""
        known = self._directory / PUBLIC_KEY_FILE
        before = pem_blocks(known.read_bytes()) if known.exists() else []
        (own,) = pem_blocks(self.public_key)
        kept = [own, *(block for block in before if block != own)]
        draft = self._directory / f".{PUBLIC_KEY_FILE}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"".join(kept))
        draft.replace(self._directory / PUBLIC_KEY_FILE)

    def flush(self) -> None:
        """Write down all notes taken so far."""
        with self._writing:
            if self._handle >= 0:
                self._drain()

    def seal(self) -> None:
        """End the segment now and begin the next."""
        with self._writing:
            self._drain()
            self._turn()

    def _run(self) -> None:
        failed = False
        while not self._stop.wait(self._settings.flush_s):
            try:
                with self._writing:
                    self._drain()
                    if self._clock.time_ns() // 1_000_000 >= self._ends_ms:
                        self._turn()
                failed = False
            except Exception:  # noqa: BLE001 — the thread must live on; tried again next time
                if not failed:
                    log.exception("usage log failed segment=%d", self._head.number)
                failed = True

    def _drain(self) -> None:
        """Write the queue down; while the disk refuses, keep it, and count what finds no room."""
        if not self._waiting or self._write(b""):
            self._write(self._packed())
        if not self._waiting:
            self._flush_at = self._limit
            if self._quota is not None:
                self._flush_at = min(self._limit, self._quota.room)
            return
        self._flush_at = self._limit  # trying again for every few notes would help nobody
        excess = len(self._notes) - self._limit // 2
        if len(self._notes) >= self._limit:
            for _ in range(excess):
                self._notes.popleft()
            self._lost += excess

    def _packed(self) -> bytes:
        """Blocks of all notes in the queue."""
        notes, count = self._notes, len(self._notes)
        if not count:
            return b""
        # Both clocks now: notes carry the monotonic one, which costs half on the hot path.
        offset_ns = self._clock.time_ns() - self._ticks()
        batch = [notes.popleft() for _ in range(count)]
        self._entries += count
        packed = self._packer.pack(batch, offset_ns, self._head.start_ms)
        if self._quota is not None:
            asked = asked_of(np.frombuffer(self._packer.entries, ENTRY), self._packer.prefixes)
            self._quota.counted(asked)
        return packed

    def _write(self, data: bytes) -> bool:
        """Append to the segment; what the disk refuses waits for the next time (False)."""
        data = self._waiting + data
        if not data:
            return True
        self._waiting = b""
        try:
            done = 0
            while done < len(data):
                done += os.write(self._handle, data[done:] if done else data)
        except OSError as error:
            # Half a block must not stay: the next attempt writes it whole.
            os.ftruncate(self._handle, self._size)
            os.lseek(self._handle, self._size, os.SEEK_SET)
            self._waiting = data
            self._complain(error)
            return False
        self._size += len(data)
        self._hash.update(data)
        if self._failing:
            log.info("usage log writes again segment=%d lost=%d", self._head.number, self._lost)
            self._failing = False
        return True

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            log.error("usage log cannot write error=%s", error.strerror)
            self._failing = True

    def _turn(self) -> None:
        """Seal, close, begin the next segment, forget old ones; later, if the disk refuses."""
        number = self._head.number + 1
        try:
            handle = self._create(number)
        except OSError as error:
            self._complain(error)
            return
        digest = ""
        try:
            digest = self._seal()
        finally:
            if not digest:
                os.close(handle)
                path_of(self._directory, number).unlink()
        if not digest:
            return
        os.close(self._handle)
        self._begin(number, digest, handle)
        self._forget_old()

    def _create(self, number: int) -> int:
        path = path_of(self._directory, number)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _begin(self, number: int, previous: str, handle: int) -> None:
        now_ms = self._clock.time_ns() // 1_000_000
        length_ms = self._settings.segment_s * 1000
        self._ends_ms = (now_ms // length_ms + 1) * length_ms
        self._head = Head(
            number=number,
            node=self._node,
            start_ms=now_ms,
            previous=previous,
            key_id=self._key.public().key_id,
        )
        self._handle = handle
        self._size, self._entries, self._lost = 0, 0, 0
        self._hash = hashlib.sha256()
        self._packer.reset()
        self._write(MAGIC + block(HEAD, _encode(self._head)))

    def _seal(self) -> str:
        """Sign and close the segment; its SHA-256, or an empty text if the disk refuses."""
        if not self._write(b""):
            return ""
        seal = self._signed(
            self._head.number, self._entries, self._hash.hexdigest(), lost=self._lost
        )
        if not self._write(block(SEAL, _encode(seal))):
            self._waiting = b""  # made again with what comes until then
            return ""
        os.fsync(self._handle)
        return self._hash.hexdigest()

    def _signed(
        self, number: int, entries: int, sha256: str, *, lost: int = 0, recovered: bool = False
    ) -> Seal:
        seal = Seal(
            number=number,
            end_ms=self._clock.time_ns() // 1_000_000,
            entries=entries,
            sha256=sha256,
            registered=dict(self._registered()),
            recovered=recovered,
            lost=lost,
            key_id=self._key.public().key_id,
        )
        signature = self._key.sign(seal.message())
        return msgspec.structs.replace(seal, signature=signature.hex())

    def _recover(self) -> tuple[int, str]:
        """(number, SHA-256) of the last segment, sealed now if it was not."""
        for path in reversed(files(self._directory)):
            data = path.read_bytes()
            try:
                segment = read_segment(data, torn=True)
            except Broken as error:
                if not is_stub(data):
                    raise InvalidInput("usage.broken", file=path.name, fault=told(error)) from error
                path.unlink()  # killed while beginning it: nothing stood in it yet
                continue
            if segment.seal is not None:
                return segment.head.number, segment.digest
            return segment.head.number, self._seal_left(path, data[: segment.whole_bytes])
        return 0, FIRST_PREVIOUS

    def _seal_left(self, path: Path, data: bytes) -> str:
        segment = read_segment(data, torn=True)
        seal = self._signed(
            segment.head.number, len(segment.entries), segment.sha256, recovered=True
        )
        data += block(SEAL, _encode(seal))
        draft = path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        log.warning("usage log recovered segment=%d entries=%d", seal.number, seal.entries)
        return hashlib.sha256(data).hexdigest()

    def _forget_old(self) -> None:
        oldest_ms = self._head.start_ms - self._settings.keep_days * 86_400_000
        for path in files(self._directory):
            if read_head(path).start_ms >= oldest_ms:
                break
            path.unlink()
