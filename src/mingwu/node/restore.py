"""Bringing a node back to a copy that ``backup`` took: nothing is deleted, what was there is moved.

Order matters. The copy is judged whole before anything is moved; the databases are put in place
before the records that are made from them; and a second-level node is told last that it was
restored, so that it writes again what its records may lack and the top node gets nothing under a
number that it knows already (``secondlevel.restored``).
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mingwu.identity.carriers import restored as carriers
from mingwu.identity.secondlevel import restored
from mingwu.kernel.catalogue import Phrase, add
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.node.backup import (
    MANIFEST,
    RECORDS,
    SECRETS,
    USAGE,
    Manifest,
    databases,
    file_of,
    line,
)
from mingwu.node.config import Config, IdentityPart
from mingwu.node.ports import require_free

add(
    "node.copy-bad",
    en=(
        "{path} cannot be restored: {fault}",
        "Name a folder that `mingwu backup` wrote; nothing was changed.",
    ),
    zh=(
        "无法从 {path} 恢复：{fault}",
        "请指定由 `mingwu backup` 写出的文件夹；现有数据未作任何改动。",
    ),
)

_BESIDE = ("-wal", "-shm")
_MISSING = Phrase("it is missing", "缺失")


def restore(config: Config, copy: Path, now_ms: int | None = None) -> list[str]:
    """Put a copy in the place of what the stopped node has; one line per part.

    Raises Conflict ``node.port-taken`` while the node runs, InvalidInput ``node.copy-bad`` for
    what is no whole copy of this node.
    """
    require_free(config)
    found = judge(config, copy)
    now_ms = now_ms or time.time_ns() // 1_000_000
    aside = config.data / time.strftime("before-restore-%Y%m%d-%H%M%S", time.gmtime(now_ms / 1000))
    lines = [*_databases(config, copy, aside), *_folders(config, copy, aside)]
    lines += _secrets(config, copy, aside)
    if config.runs(IdentityPart.CARRIERS):
        count = carriers.note(config.carriers.store)
        added = Phrase(
            f"{count} begin their chains of reports anew", f"{count} 个载体的上报链重新开始"
        )
        lines.append(line("carriers", added))
    if config.runs(IdentityPart.SECONDLEVEL):
        count = restored.note(config.secondlevel.store, found.began_ms, now_ms)
        added = Phrase(
            f"goes on behind number {now_ms}; {count} records to write again",
            f"报送编号从 {now_ms} 之后继续；需重写 {count} 条记录",
        )
        lines.append(line("secondlevel", added))
    if aside.exists():
        lines.append(Phrase(f"what was there before is in {aside}", f"原有数据已移至 {aside}"))
    return lines


def judge(config: Config, copy: Path) -> Manifest:
    """What a copy says of itself, when it is whole and of this node."""
    try:
        found = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidInput("node.copy-bad", path=str(copy), fault=told(error)) from error
    if found.node != config.node.name:
        fault = Phrase(
            f"it is of “{found.node}”, this is “{config.node.name}”",
            f"它属于“{found.node}”，本节点为“{config.node.name}”",
        )
        raise InvalidInput("node.copy-bad", path=str(copy), fault=fault)
    for name, url in databases(config):
        kept, there = copy / f"{name}.db", file_of(url)
        if there is not None and there.exists() and not kept.exists():
            raise InvalidInput("node.copy-bad", path=str(kept), fault=_MISSING)
        if kept.exists() and (broken := _fault(kept)):
            raise InvalidInput("node.copy-bad", path=str(kept), fault=broken)
    if not (copy / RECORDS / "data.mdb").exists():
        raise InvalidInput("node.copy-bad", path=str(copy / RECORDS), fault=_MISSING)
    return found


def _fault(database: Path) -> str:
    """What SQLite finds wrong with a file, empty for nothing."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return "" if found == "ok" else found


def _databases(config: Config, copy: Path, aside: Path) -> Iterator[str]:
    for name, url in databases(config):
        there, kept = file_of(url), copy / f"{name}.db"
        if there is None:
            yield line(name, Phrase("NOT restored: use its engine's own tools",
                              "未恢复：请使用数据库自带工具"))  # fmt: skip
            continue
        for ending in ("", *_BESIDE):
            _move(there.with_name(there.name + ending), aside)
        if kept.exists():
            _put(kept, there)
            yield line(name, there)


def _folders(config: Config, copy: Path, aside: Path) -> Iterator[str]:
    records = Path(config.resolver.directory)
    _move(records / "data.mdb", aside / RECORDS)
    _move(records / "lock.mdb", aside / RECORDS)
    _put(copy / RECORDS / "data.mdb", records / "data.mdb")
    yield line(RECORDS, records)
    if config.runs(IdentityPart.USAGE) and (copy / USAGE).is_dir():
        usage = Path(config.usage.directory)
        for file in sorted(usage.glob("*.mwu")) if usage.is_dir() else ():
            _move(file, aside / USAGE)
        for file in sorted((copy / USAGE).iterdir()):
            _put(file, usage / file.name)
        yield line(USAGE, usage)


def _secrets(config: Config, copy: Path, aside: Path) -> Iterator[str]:
    """Secrets of the copy belong to its databases: they take the place of those that are there."""
    kept = copy / SECRETS
    if not kept.is_dir():
        return
    where = {SECRETS: config.data / SECRETS, USAGE: Path(config.usage.directory),
             RECORDS: Path(config.resolver.directory)}  # fmt: skip
    put = 0
    for file in sorted(one for one in kept.rglob("*") if one.is_file()):
        folder, _, name = file.relative_to(kept).as_posix().partition("/")
        _move(where[folder] / name, aside / SECRETS / folder)
        _put(file, where[folder] / name)
        put += 1
    yield line(SECRETS, put)


def _move(file: Path, aside: Path) -> None:
    if file.exists():
        aside.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.move(file, aside / file.name)


def _put(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copy2(file, to)
    to.chmod(0o600)
