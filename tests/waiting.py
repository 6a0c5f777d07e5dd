"""Waiting for what will come, on a machine that may be busy with other tests."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0


async def until(condition: Callable[[], T], what: str = "", within_s: float = PATIENCE_S) -> T:
    """The first true value of ``condition``; AssertionError says what did not come."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within_s} s: {what or condition}"
        await asyncio.sleep(0.02)
    return found


def wait_until(
    condition: Callable[[], T],
    what: str = "",
    within_s: float = PATIENCE_S,
    not_yet: tuple[type[Exception], ...] = (),
) -> T:
    """The same where nothing is asynchronous; errors of the kinds ``not_yet`` count as false."""
    end = time.monotonic() + within_s
    while True:
        try:
            if found := condition():
                return found
        except not_yet as error:
            what = f"{what} (last: {error!r})" if time.monotonic() >= end else what
        assert time.monotonic() < end, f"not within {within_s} s: {what or condition}"
        time.sleep(0.05)
