"""``mingwu status``: what the parts of a running platform say of themselves."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import msgspec

from mingwu.bus.client import Bus
from mingwu.bus.subjects import ALL_STATUS
from mingwu.cli.language import either
from mingwu.node.config import Config, load

LISTEN_S = 2.5
WIDTH = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--json", action="store_true", help="print the whole documents")


def run(arguments: argparse.Namespace) -> int:
    """Listen for two status periods and print what was heard; 1 when nobody speaks."""
    parts = asyncio.run(_listen(load(arguments.config)))
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(parts)).decode())
    for subject, document in () if arguments.json else sorted(parts.items()):
        plain = {k: v for k, v in document.items() if isinstance(v, str | int | float | bool)}
        text = "  ".join(f"{key}={value}" for key, value in plain.items())
        print(f"{subject.removeprefix('mw.status.'):<20} {text[:WIDTH]}")
    if not parts:
        print(
            either(
                "Nobody speaks on the bus. Next: look at the logs, or `mingwu up FILE`.",
                "总线上没有任何进程。下一步：查看日志，或运行 `mingwu up 文件`。",
            )
        )
    return 0 if parts else 1


async def _listen(config: Config) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = {}
    bus = await Bus.open(config.bus, name="mingwu-status")
    try:
        await bus.subscribe_json(ALL_STATUS, parts.__setitem__, dict[str, Any])
        await asyncio.sleep(LISTEN_S)
    finally:
        await bus.close()
    return parts
