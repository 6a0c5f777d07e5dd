"""Copies of what a node keeps, taken while it runs.

The history copies itself (see ``History.backup``); SQLite databases are copied through SQLite's
own online backup, so a writer is never in the way. The resolver's records are a projection of the
databases plus what was registered by the Handle protocol, copied by LMDB, and first: what a
database decided meanwhile is written again when the copy is restored (``restore``). Secrets are
copied only when asked for: without them a copy can be restored only by somebody who holds them.
"""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy.engine import make_url

from mingwu import __version__
from mingwu.history.client import History
from mingwu.identity.server.process import open_store
from mingwu.identity.usage.segment import PUBLIC_KEY_FILE, SALT_FILE
from mingwu.identity.usage.segment import files as segments
from mingwu.kernel.catalogue import Phrase, zh_of
from mingwu.kernel.errors import Unavailable
from mingwu.node.config import Config, IdentityPart

RECORDS, USAGE, SECRETS = "identity", "usage", "secrets"
MANIFEST = "copy.json"
_NOTHING = Phrase("nothing there yet", "尚无数据")
_OTHER_SECRETS = (("usage", "log-key.pem"), ("usage", SALT_FILE), ("identity", "server-key.pem"))


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy says of itself: of which node, and from when on the databases may be newer."""

    node: str
    version: str
    began_ms: int


def default_name() -> str:
    """Name of a copy taken now."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def databases(config: Config) -> Iterator[tuple[str, str]]:
    """(name, address) of the node's databases, in the order they are copied.

    Carriers come before the nodes that register their names: what a carrier was given stands there
    when its registration is known, and one that is not known yet gets the same name again.
    """
    for part, url in (
        (IdentityPart.CARRIERS, config.carriers.store.url),
        (IdentityPart.ENTERPRISE, config.enterprise.store.url),
        (IdentityPart.SECONDLEVEL, config.secondlevel.store.url),
    ):
        if config.runs(part):
            yield part.value, url
    yield "registry", config.registry.store.url
    yield "trust", config.trust.store.url


def take(config: Config, folder: Path, name: str, *, with_secrets: bool = False) -> list[str]:
    """Take copies under ``folder/name``; one line per part, telling where it is."""
    target = folder / name
    target.mkdir(parents=True, mode=0o700)
    began_ms = time.time_ns() // 1_000_000
    store = open_store(config.resolver)
    try:
        store.projection.copy(target / RECORDS)
    finally:
        store.close()
    lines = [line(RECORDS, target / RECORDS)]
    lines += [_sqlite(url, target / f"{name}.db") for name, url in databases(config)]
    if config.runs(IdentityPart.USAGE):
        lines.append(_usage(Path(config.usage.directory), target / USAGE))
    if with_secrets:
        lines.append(_secrets(config, target / SECRETS))
    lines.append(_history_line(config, name))
    told = Manifest(node=config.node.name, version=__version__, began_ms=began_ms)
    (target / MANIFEST).write_bytes(msgspec.json.encode(told))
    return lines


def secret_files(config: Config) -> Iterator[tuple[str, Path]]:
    """(where in a copy, where in the node) of every secret that restoring needs."""
    kept = config.data / SECRETS
    if kept.is_dir():
        for file in sorted(kept.iterdir()):
            if file.is_file():
                yield f"{SECRETS}/{file.name}", file
    where = {"usage": Path(config.usage.directory), "identity": Path(config.resolver.directory)}
    for folder, file_name in _OTHER_SECRETS:
        file = where[folder] / file_name
        if file.exists():
            yield f"{folder}/{file_name}", file


def line(part: str, told: object) -> str:
    """What became of a part, in both languages."""
    chinese = zh_of(told) if isinstance(told, str) else told
    return Phrase(f"{part:<11} {told}", f"{part:<11} {chinese}")


def _usage(directory: Path, target: Path) -> str:
    """The signed log as it stands; the open segment is closed as after a crash when restored."""
    found = segments(directory) if directory.is_dir() else []
    if not found:
        return line(USAGE, _NOTHING)
    target.mkdir(mode=0o700)
    for file in (*found, directory / PUBLIC_KEY_FILE):
        with suppress(FileNotFoundError):  # its time was over just now
            shutil.copy2(file, target / file.name)
    return line(USAGE, target)


def _secrets(config: Config, target: Path) -> str:
    for place, file in secret_files(config):
        kept = target / place
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy2(file, kept)
        kept.chmod(0o600)
    return line(
        SECRETS,
        Phrase(
            f"{target} — whoever has them can act as this node",
            f"{target} — 持有者可冒充本节点，请妥善保管",
        ),
    )


def _history_line(config: Config, name: str) -> str:
    if not config.history.url:
        return line("history", Phrase("none: this node has no historian", "无：本节点没有历史库"))
    try:
        asyncio.run(_history(config, name))
    except Unavailable as error:
        return line("history", Phrase(f"NOT copied: {error}", f"未备份：{error.text('zh')}"))
    return line(
        "history",
        Phrase(
            f"in the historian's own backup folder, as {name}",
            f"在历史库自己的备份目录中，名为 {name}",
        ),
    )


async def _history(config: Config, name: str) -> None:
    history = await History.open(config.history)
    try:
        await history.backup(name)
    finally:
        await history.close()


def _elsewhere(url: str) -> Phrase:
    engine = make_url(url).get_backend_name()
    return Phrase(f"is on {engine}: use its own tools", f"位于 {engine}：请使用其自带工具")


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; None for another engine."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def _sqlite(url: str, target: Path) -> str:
    file = file_of(url)
    if file is None:
        return line(target.stem, _elsewhere(url))
    if not file.exists():
        return line(target.stem, _NOTHING)
    source, copy = sqlite3.connect(file), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    target.chmod(0o600)
    return line(target.stem, target)
