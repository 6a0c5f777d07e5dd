"""``mingwu sample-config``: every setting, explained, at its default."""

import argparse
import sys

from mingwu.node.reference import sample


def configure(_parser: argparse.ArgumentParser) -> None:
    """No arguments: the sample goes to standard output."""


def run(_arguments: argparse.Namespace) -> int:
    sys.stdout.write(sample())
    return 0
