"""The demonstration's 60 enterprises come to the second-level node; then it does its duties.

Done by the leading web process. The duties begin behind the filling, so that the first escrow
deposit holds all names, not a part of them.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.service import SecondLevel, run_duties
from mingwu.kernel.errors import MingwuError
from mingwu.lab.enterprises.filling import Filling
from mingwu.lab.enterprises.ownnodes import site
from mingwu.node.config import Config

log = logging.getLogger(__name__)

Journal = Callable[[str, str, str, dict[str, Any], str], None]


async def fill_and_serve(
    node: SecondLevel, config: Config, store: RecordStore, journal: Journal, stop: asyncio.Event
) -> None:
    """Fill the node unless that was done at an earlier start; duties until ``stop``."""
    settings = config.lab_enterprises

    def note(actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        journal(actor, action, subject, dict(detail), "")

    filling = Filling(
        node, settings, site_of=lambda one: site(one, settings), book=AliasBook(store), note=note,
        stopped=stop.is_set,
    )  # fmt: skip
    try:
        await asyncio.to_thread(filling.run)
    except MingwuError as error:
        log.warning("filling failed code=%s %s", error.code, error)
    await run_duties(node, stop)
