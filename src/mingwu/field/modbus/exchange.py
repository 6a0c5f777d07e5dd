"""Requests out, replies in: the bookkeeping of one read, without I/O.

``Exchange`` holds the PDUs of one read of one unit and says what to send next; ``line`` carries the
bytes and keeps the time. The framers differ in what ties a reply to its request: on TCP the
transaction id, on a serial line only the order, so there one request is out at a time and a late
reply must be waited out (``line`` does).

Rules: a unit that is silent from the start is not asked again in this read, and after two silences
in a row the rest is given up, so that a dead unit costs one timeout and not one per request.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from mingwu.kernel.quality import Reason
from mingwu.wire.modbus import mbap, rtu
from mingwu.wire.modbus.mbap import Adu

Reply = bytes | Reason
GIVE_UP_AFTER = 2
_MOST_LATE = 256


class Framer(Protocol):
    """Frames of one connection."""

    serial: bool

    def frame(self, unit: int, pdu: bytes) -> tuple[int, bytes]:
        """(key of the reply to come, bytes to send)."""

    def feed(self, data: bytes) -> list[Adu]:
        """Replies completed by ``data``. Raises ProtocolError when the stream is beyond hope."""

    def search(self) -> list[Adu]:
        """Whole replies behind what only looked like the beginning of one."""


class TcpFramer:
    """MBAP frames with a running transaction id."""

    serial = False

    def __init__(self) -> None:
        self._decoder = mbap.MbapDecoder()
        self._transaction = 0

    def frame(self, unit: int, pdu: bytes) -> tuple[int, bytes]:
        self._transaction = transaction = (self._transaction + 1) & 0xFFFF
        return transaction, mbap.encode(transaction, unit, pdu)

    def feed(self, data: bytes) -> list[Adu]:
        return self._decoder.feed(data)

    def search(self) -> list[Adu]:
        return []


class RtuFramer:
    """RTU frames; only what can be the reply to the last request counts."""

    serial = True

    def __init__(self) -> None:
        self._decoder = rtu.RtuDecoder()

    def frame(self, unit: int, pdu: bytes) -> tuple[int, bytes]:
        self._decoder.reset()
        self._decoder.expect(unit, pdu[0])
        return 0, rtu.encode(unit, pdu)

    def feed(self, data: bytes) -> list[Adu]:
        return self._decoder.feed(data)

    def search(self) -> list[Adu]:
        return self._decoder.search()


class Exchange:
    """One read or write of a unit. ``replies`` is complete when ``done``."""

    def __init__(
        self,
        framer: Framer,
        unit: int,
        pdus: Sequence[bytes],
        *,
        window: int = 1,
        retries: int = 0,
        late: set[int] | None = None,
    ) -> None:
        self._framer = framer
        self._unit = unit
        self._pdus = pdus
        self._window = 1 if framer.serial else window
        self._retries = [retries] * len(pdus)
        self._next = 0
        self._again: list[int] = []
        self._out: dict[int, int] = {}
        self._silences = 0
        self._answered = 0
        self._late = set() if late is None else late
        self.replies: list[Reply] = [Reason.TIMEOUT] * len(pdus)

    @property
    def done(self) -> bool:
        """Nothing out and nothing to send."""
        return not self._out and not self._again and self._next >= len(self._pdus)

    @property
    def waiting(self) -> bool:
        """Whether a reply is due."""
        return bool(self._out)

    def frames(self) -> bytes:
        """What to send now (nothing while the window is full)."""
        ready = b""
        while len(self._out) < self._window:
            if self._again:
                index = self._again.pop()
            elif self._next < len(self._pdus):
                index = self._next
                self._next += 1
            else:
                break
            key, frame = self._framer.frame(self._unit, self._pdus[index])
            self._out[key] = index
            ready += frame
        return ready

    def received(self, adu: Adu) -> None:
        """Book a reply; one nobody asked for spoils the oldest request, unless merely late."""
        index = self._out.pop(adu.transaction, None)
        if index is None:
            if adu.transaction in self._late:
                self._late.discard(adu.transaction)
            elif self._out:
                self._fail_oldest(Reason.MALFORMED)
            return
        self._answered += 1
        self._silences = 0
        self.replies[index] = adu.pdu if adu.unit == self._unit else Reason.MALFORMED

    def expired(self) -> None:
        """The oldest request has waited its time."""
        key, index = next(iter(self._out.items()))
        if self._retries[index]:
            self._retries[index] -= 1
            del self._out[key]
            self._is_late(key)
            self._again.append(index)
            return
        self._fail_oldest(Reason.TIMEOUT)
        self._silences += 1
        if not self._answered or self._silences >= GIVE_UP_AFTER:
            self.abandon()

    def abandon(self) -> None:
        """Ask no more; what is out counts as late."""
        for key in self._out:
            self._is_late(key)
        self._out.clear()
        self._again.clear()
        self._next = len(self._pdus)

    def _fail_oldest(self, reason: Reason) -> None:
        key, index = next(iter(self._out.items()))
        del self._out[key]
        self._is_late(key)
        self.replies[index] = reason

    def _is_late(self, key: int) -> None:
        if self._framer.serial:
            return
        if len(self._late) >= _MOST_LATE:
            for old in list(islice(self._late, _MOST_LATE // 2)):
                self._late.discard(old)
        self._late.add(key)
