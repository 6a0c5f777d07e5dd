"""Where a command begins to ask: ``--server``, ``--root``, or the root that a node's file names."""

import argparse
from pathlib import Path

from mingwu.identity.client.root import Root
from mingwu.node.roots import root_of

LOCAL = "127.0.0.1:2641"
DEFAULT_CONFIG = Path(".run/demo/mingwu.toml")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of every command that asks servers."""
    parser.add_argument("--server", help=f"HOST[:PORT] to ask first (default {LOCAL})")
    parser.add_argument(
        "--root", help="begin at a root: HOST:PORT, or a JSON file with the root's site record"
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG,
        help="node whose root and anchors are taken where none are given",
    )  # fmt: skip


def begin(arguments: argparse.Namespace) -> tuple[str, Root | None]:
    """The server to ask first, or the root; ``--server`` goes before everything else."""
    if arguments.server:
        return arguments.server, None
    if arguments.root:
        return LOCAL, root_of(arguments.root)
    word = _configured(arguments.config)
    return LOCAL, root_of(word, arguments.config.parent) if word else None


def _configured(config: Path) -> str:
    if not config.is_file():
        return ""
    from mingwu.node.config import read

    table = read(config).get("resolver")
    return str(table.get("root", "")) if isinstance(table, dict) else ""
