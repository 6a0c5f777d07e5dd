"""Messages of a stream in order, each once per process. Pure.

After a crash the server hands out again what the dead writer had fetched; until that is through,
later messages are held back, for acknowledging one acknowledges all before it. What arrives again
within this process (its acknowledgement was late) is dropped here. A message below the expected
number that was never handed out before means that the stream or the reader's position began anew
(its store was lost): it is passed on, and the repetition filter decides.
"""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    """What is needed of a delivery."""

    @property
    def stream_sequence(self) -> int: ...
    @property
    def delivered(self) -> int: ...


D = TypeVar("D", bound=Numbered)


class Sequence(Generic[D]):
    """``unread`` is the span (first, last) that a dead reader left, None for none."""

    def __init__(self, unread: tuple[int, int] | None = None) -> None:
        self.expected = unread[0] if unread else 0
        self.missed = 0
        self.restarts = 0
        self._last_unread = unread[1] if unread else 0
        self._held: dict[int, D] = {}

    @property
    def patient(self) -> bool:
        """Whether what a dead reader left is still awaited."""
        return self.expected <= self._last_unread

    def feed(self, deliveries: Iterable[D]) -> list[D]:
        """What can be taken now, in order."""
        ready: list[D] = []
        for delivery in deliveries:
            number = delivery.stream_sequence
            if number < self.expected:
                if delivery.delivered > 1:
                    continue
                self.restarts += 1
            elif number > self.expected and self.expected:
                if self.patient:
                    self._held[number] = delivery
                    continue
                self.missed += number - self.expected
            self.expected = number + 1
            ready.append(delivery)
            self._release(ready)
        return ready

    def give_up(self) -> list[D]:
        """What was held back, without what did not come in time."""
        self._last_unread = 0
        ready: list[D] = []
        self._release(ready)
        return ready

    def _release(self, ready: list[D]) -> None:
        """Add what is held and due."""
        while self._held:
            number = min(self._held)
            if number > self.expected:
                if self.patient:
                    return
                self.missed += number - self.expected
            delivery = self._held.pop(number)
            if number >= self.expected:
                self.expected = number + 1
                ready.append(delivery)
