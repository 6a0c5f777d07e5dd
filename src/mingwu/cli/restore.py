"""``mingwu restore``: put a copy that ``mingwu backup`` took in the place of what a node has."""

import argparse
from pathlib import Path

from mingwu.cli.language import either
from mingwu.kernel.catalogue import zh_of
from mingwu.node.config import load
from mingwu.node.restore import restore


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("copy", type=Path, help="folder that `mingwu backup` wrote")
    parser.add_argument("--config", type=Path, required=True, help="configuration file")


def run(arguments: argparse.Namespace) -> int:
    """Print where each part went; 1 when one was not restored."""
    lines = restore(load(arguments.config), arguments.copy)
    print("\n".join(either(line, zh_of(line)) for line in lines))
    return 1 if any("NOT restored" in line for line in lines) else 0
