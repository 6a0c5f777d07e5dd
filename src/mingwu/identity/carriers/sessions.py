"""Open challenges of the platform, in memory: each is answered once, in turn, and soon.

Nothing here needs to survive a restart: a carrier whose conversation broke greets again.
"""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from mingwu.identity.carriers.frames import SESSION_BYTES, Kind
from mingwu.kernel.errors import Overloaded
from mingwu.trust.keys import PublicKey


@dataclass(slots=True)
class OpenSession:
    """One conversation: whose, under which key, what may come next and which digest it repeats."""

    id: bytes
    serial: str
    key: PublicKey
    certificate: bytes
    expected: frozenset[Kind]
    until_ns: int
    previous: bytes = b""


class Sessions:
    """Thread-safe; at most ``limit`` conversations."""

    def __init__(self, limit: int, wait_ns: int) -> None:
        self._limit, self._wait_ns = limit, wait_ns
        self._open: OrderedDict[bytes, OpenSession] = OrderedDict()
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def open(
        self, serial: str, key: PublicKey, certificate: bytes, expected: frozenset[Kind], now: int
    ) -> OpenSession:
        """A new conversation; raises Overloaded ``carriers.busy``."""
        with self._lock:
            while self._open and next(iter(self._open.values())).until_ns <= now:
                self._open.popitem(last=False)
            if len(self._open) >= self._limit:
                raise Overloaded("carriers.busy")
            id_ = os.urandom(SESSION_BYTES)
            made = OpenSession(id_, serial, key, certificate, expected, now + self._wait_ns)
            self._open[id_] = made
            return made

    def get(self, id_: bytes, now: int) -> OpenSession | None:
        """The conversation, if it still waits."""
        with self._lock:
            found = self._open.get(id_)
            return found if found is not None and found.until_ns > now else None

    def take(self, id_: bytes) -> bool:
        """End the waiting; False when somebody was faster."""
        with self._lock:
            return self._open.pop(id_, None) is not None

    def again(self, session: OpenSession, expected: frozenset[Kind], now: int) -> None:
        """Let the conversation wait for its next frame."""
        with self._lock:
            session.expected, session.until_ns = expected, now + self._wait_ns
            self._open[session.id] = session

    def is_new(self, digest: bytes, now: int, keep_ns: int) -> bool:
        """Whether a signed content comes for the first time within ``keep_ns``; remembers it."""
        with self._lock:
            while self._seen and (
                next(iter(self._seen.values())) <= now - keep_ns or len(self._seen) >= _MOST_SEEN
            ):
                self._seen.popitem(last=False)
            if digest in self._seen:
                return False
            self._seen[digest] = now
            return True


_MOST_SEEN = 200_000
