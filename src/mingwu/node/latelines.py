"""Lines of the journal that a kill or a full disk cut off from the step that they tell.

An application's history is written with its step; the journal's line follows in a database of its
own. At the start the latest thousand steps are compared with the journal, then now and then all
since the last look; what is missing is written down late, saying so. Steps of the last seconds are
left alone: their line may be on its way.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from mingwu.identity.secondlevel.handover import TOP_NODE
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import MingwuError
from mingwu.node.live import pause
from mingwu.trust.journal import Journal

log = logging.getLogger(__name__)
ON_ITS_WAY_S = 5.0
_LOOK_S = 5.0
_STEPS = 1000  # more than can be in flight when a process is killed
_AGAIN_MS = 60_000  # clocks are set back, too
_VERBS = {"submitted": "submit", "accepted": "accept", "returned": "return", "rejected": "reject"}

Append = Callable[[str, str, str, dict[str, Any], str], None]


async def keep_journal(
    node: SecondLevel, journal: Journal, append: Append, stop: asyncio.Event
) -> None:
    """Write late lines now and then, until ``stop``."""
    since_ms = 0
    while not stop.is_set():
        await pause(stop, _LOOK_S)
        began_ms = _long_ago_ms()
        try:
            written = await asyncio.to_thread(write_late, node, journal, append, since_ms)
        except MingwuError as error:
            log.warning("journal not compared code=%s", error.code)
        else:
            since_ms = began_ms - _AGAIN_MS
            if written:
                log.warning("journal lines written late=%d", written)


def _long_ago_ms() -> int:
    """Up to when lines are no longer on their way."""
    return int((time.time() - ON_ITS_WAY_S) * 1000)


def write_late(node: SecondLevel, journal: Journal, append: Append, since_ms: int = 0) -> int:
    """Compare and write; returns how many lines were missing. Blocks.

    All steps from ``since_ms`` on are looked at, without it the latest thousand.
    """
    before_ms = _long_ago_ms()
    latest = node.applications.latest_steps(
        None if since_ms else _STEPS, since_ms=since_ms, before_ms=before_ms
    )
    written = 0
    for application in dict.fromkeys(str(step["application"]) for step in latest):
        told = Counter(entry.action for entry in journal.entries(object=application, limit=1000))
        for step in node.applications.steps(application):
            action = _action(step)
            if int(str(step["at_ms"])) > before_ms:
                break
            if told[action]:
                told[action] -= 1
                continue
            detail = {"late": True, "at_ms": step["at_ms"], "step": step["sequence"]}
            append(str(step["actor"]), action, application, detail, "")
            written += 1
    return written


def _action(step: dict[str, object]) -> str:
    if step["actor"] == TOP_NODE:
        return "identity.prefix-hand-back"
    return f"identity.prefix-{_VERBS[str(step['state'])]}"
