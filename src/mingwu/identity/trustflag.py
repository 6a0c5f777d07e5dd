"""What the resolver asks of trusted resolution, and what writers ask of it.

A request with flag 0x2 (``IDIS_TRUST_ASKED``) wants to know whether the answer is vouched for; the
reply says so with 0x1 (``IDIS_TRUST_VERIFIED``). The flag speaks for the whole reply: it is set
only when every value in it stands under a good signature, so an answer with live or restricted
values does not get it. ``identity.trusted`` fulfils both contracts.
"""

from collections.abc import Collection
from typing import Protocol

from mingwu.identity.records import Record


class AnswerVerifier(Protocol):
    """Decides about the flag. Called in the thread that answers; must not block on a network."""

    def answer_verified(self, record: Record, indexes: Collection[int]) -> bool:
        """Whether all values of ``record`` at ``indexes`` (those in the reply) are vouched for."""
        ...


class Presigner(Protocol):
    """Signs records before they are stored."""

    def presign(self, record: Record) -> Record:
        """The record with a fresh signature over its public stored values."""
        ...
