"""Protocols through which sibling packages meet; ``node`` passes the implementations in."""

from typing import Protocol

from mingwu.kernel.batch import F64, I64, U8, U32


class LiveValues(Protocol):
    """Last value of every tag, as the bus has seen it (``bus.lastvalue`` implements it)."""

    def get(self, number: int) -> tuple[float | str, int, int] | None:
        """(value, time_ns, quality) of a tag, or None if it never reported."""

    def columns(self, numbers: U32) -> tuple[F64, I64, U8]:
        """Values, times and qualities of many tags; time 0 where nothing was ever reported."""
