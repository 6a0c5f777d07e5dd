"""What the resolver tells the usage log, one call per answer.

The contract is small because it stands in the hot path: the caller passes what it has in hand, and
nothing is parsed, hashed or written before a background thread does it. ``identity.usage`` fulfils
the contract; :class:`NoUsage` stands in where nothing is to be logged.
"""

from enum import IntEnum
from typing import Protocol


class Via(IntEnum):
    """How the question came."""

    UDP = 1
    TCP = 2
    HTTP = 3


class UsageNotes(Protocol):
    """Takes notes of answers. May be called from several threads; never raises."""

    def note(self, request: bytes, reply: bytes, source: str, via: int, started_ns: int) -> None:
        """An answered message of the binary protocol, both with envelope.

        ``source``: the peer's address without its port; ``started_ns``: ``time.perf_counter_ns``
        when the question was taken up.
        """
        ...

    def note_named(
        self, op: int, rc: int, name: str, source: str, started_ns: int, *, console: bool = False
    ) -> None:
        """An answer given otherwise (HTTP); ``console``: asked by a page of our own console."""
        ...


class NoUsage:
    """Logs nothing."""

    def note(self, request: bytes, reply: bytes, source: str, via: int, started_ns: int) -> None:
        """Nothing."""

    def note_named(
        self, op: int, rc: int, name: str, source: str, started_ns: int, *, console: bool = False
    ) -> None:
        """Nothing."""
