"""The demonstration's 60 enterprises come to the second-level node; then it does its duties.

Done by the leading web process. The duties begin behind the filling, so that the first escrow
deposit holds all names, not a part of them; when the resolver has signed them all, another one is
made, so that names are trusted in a takeover drill, too.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.recordkeys import key_of
from mingwu.identity.records import RecordStore, read_record
from mingwu.identity.secondlevel.service import SecondLevel, run_duties
from mingwu.identity.trusted.signing import is_covered
from mingwu.kernel.errors import MingwuError
from mingwu.lab.enterprises.filling import Filling, note_file
from mingwu.lab.enterprises.ownnodes import site
from mingwu.node.config import Config
from mingwu.node.live import pause

log = logging.getLogger(__name__)
_LOOK_S = 5.0

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
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_duties(node, stop))
        done = note_file(settings).with_name("signed")
        if config.trusted.issuer and not await asyncio.to_thread(done.exists):
            tasks.create_task(_deposit_signed(node, store, done, stop))


async def _deposit_signed(
    node: SecondLevel, store: RecordStore, done: Path, stop: asyncio.Event
) -> None:
    """Want a deposit once every name is signed, and note that down in ``done``."""
    for prefix in await asyncio.to_thread(store.prefixes):
        after = b""
        while (found := await asyncio.to_thread(_first_unsigned, store, prefix, after)) is not None:
            after = found
            await pause(stop, _LOOK_S)
            if stop.is_set():
                return
    node.want_deposit()
    await asyncio.to_thread(done.touch)


def _first_unsigned(store: RecordStore, prefix: str, after: bytes) -> bytes | None:
    """The key before the first name behind ``after`` not signed as it stands; None: all are.

    A name may have got an alias since it was signed.
    """
    for key, data in store.projection.scan(key_of(f"{prefix}/"), after=after):
        if not is_covered(read_record(data)):
            return after
        after = key
    return None
