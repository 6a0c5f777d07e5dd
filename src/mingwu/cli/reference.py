"""``mingwu reference FOLDER``: the reference pages that are made from code."""

import argparse
from pathlib import Path

from mingwu.node.reference import write


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)


def run(arguments: argparse.Namespace) -> int:
    for path in write(arguments.folder):
        print(f"  wrote {path}")
    return 0
