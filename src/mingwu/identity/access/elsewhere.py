"""Identities whose keys live at other nodes: what the gate asks, and how its work goes on.

The gate runs in the worker thread and must not wait for a network. When a proof names a key of
another node it raises :class:`Elsewhere`; that becomes a :class:`Deferred`, the loop finds out
(``server.foreign``) and the gate resumes with the verdict. Nothing is held meanwhile but the
request itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mingwu.wire.handle.values import Reference

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Question:
    """Whether ``proof`` over nonce and digest was made with the key ``who``.

    ``kind`` is HS_PUBKEY or HS_SECKEY.
    """

    who: Reference
    kind: str
    proof: bytes
    nonce: bytes
    digest: bytes

    @property
    def signed(self) -> bytes:
        """What the proof is over."""
        return self.nonce + self.digest


class Elsewhere(Exception):  # noqa: N818 - control flow between gate and worker
    """The answer is not known here."""

    def __init__(self, question: Question) -> None:
        super().__init__(str(question.who))
        self.question = question


@dataclass(frozen=True, slots=True)
class Deferred(Generic[T]):
    """Work that waits for a verdict; ``resume`` goes on in the worker thread."""

    question: Question
    resume: Callable[[bool], T]

    def then(self, follow: Callable[[T], U]) -> "Deferred[U]":
        """The same, whose result ``follow`` takes further."""
        resume = self.resume
        return Deferred(self.question, lambda valid: follow(resume(valid)))


class Verdicts(Protocol):
    """Finds out about identities of other nodes; bounded in time, never raises."""

    async def holds(self, question: Question) -> bool:
        """Whether the proof is good."""
        ...
