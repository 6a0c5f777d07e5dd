"""Copies of what a node keeps, taken while it runs.

The history copies itself (see ``History.backup``); SQLite databases are copied through SQLite's
own online backup, so a writer is never in the way; the resolver's records are a projection of the
registry plus what was registered, copied by LMDB. Secrets are not copied: without them a copy can
be restored only by somebody who holds them.
"""

import asyncio
import sqlite3
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from mingwu.history.client import History
from mingwu.identity.server.process import open_store
from mingwu.kernel.errors import Unavailable
from mingwu.node.config import Config, IdentityPart


def default_name() -> str:
    """Name of a copy taken now."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def take(config: Config, folder: Path, name: str) -> list[str]:
    """Take copies under ``folder/name``; one line per part, telling where it is."""
    target = folder / name
    target.mkdir(parents=True, mode=0o700)
    lines = [_sqlite(config.registry.store.url, target / "registry.db")]
    lines.append(_sqlite(config.trust.store.url, target / "trust.db"))
    for part, url in (
        (IdentityPart.ENTERPRISE, config.enterprise.store.url),
        (IdentityPart.SECONDLEVEL, config.secondlevel.store.url),
        (IdentityPart.CARRIERS, config.carriers.store.url),
    ):
        if config.runs(part):
            lines.append(_sqlite(url, target / f"{part.value}.db"))
    store = open_store(config.resolver)
    try:
        store.projection.copy(target / "identity")
    finally:
        store.close()
    lines.append(f"identity  {target / 'identity'}")
    try:
        asyncio.run(_history(config, name))
        lines.append(f"history   in the historian's own backup folder, as {name}")
    except Unavailable as error:
        lines.append(f"history   NOT copied: {error}")
    return lines


async def _history(config: Config, name: str) -> None:
    history = await History.open(config.history)
    try:
        await history.backup(name)
    finally:
        await history.close()


def _sqlite(url: str, target: Path) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return f"{target.stem:<9} is on {parsed.get_backend_name()}: use its own tools"
    if not Path(parsed.database).exists():
        return f"{target.stem:<9} nothing there yet"
    source, copy = sqlite3.connect(parsed.database), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    target.chmod(0o600)
    return f"{target.stem:<9} {target}"
