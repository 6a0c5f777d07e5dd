"""Where a command begins to ask: ``--server``, ``--root``, or the root that a node's file names."""

import argparse
from pathlib import Path

from mingwu.identity.root import Root, parse_root, root_at
from mingwu.kernel.errors import InvalidInput

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
    word = arguments.root or _configured(arguments.config)
    return (LOCAL, root_of(word)) if word else (LOCAL, None)


def root_of(word: str) -> Root:
    """The root in a file, or at an address."""
    if not Path(word).is_file():
        if "/" in word or word.endswith(".json"):
            raise InvalidInput("identity.root", fault=f"no file {word}")
        return root_at(word)
    return parse_root(Path(word).read_bytes())


def _configured(config: Path) -> str:
    if not config.is_file():
        return ""
    from mingwu.node.config import read

    table = read(config).get("resolver")
    root = table.get("root", "") if isinstance(table, dict) else ""
    beside = config.parent / str(root)  # as every path of a configuration file
    return str(beside) if root and beside.is_file() else str(root)
