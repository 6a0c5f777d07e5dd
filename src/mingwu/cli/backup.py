"""``mingwu backup``: copy registry, accounts, records and history while they run."""

import argparse
from pathlib import Path

from mingwu.node.backup import default_name, take
from mingwu.node.config import load


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--to", type=Path, help="folder; default: `backup` in the data directory")
    parser.add_argument("--name", default="", help="name of the copy; default: the time")


def run(arguments: argparse.Namespace) -> int:
    """Print where each part went; 1 when one was not copied."""
    config = load(arguments.config)
    lines = take(config, arguments.to or config.data / "backup", arguments.name or default_name())
    print("\n".join(lines))
    print("Secrets were not copied. Restore: docs/operations.md")
    return 1 if any("NOT copied" in line for line in lines) else 0
