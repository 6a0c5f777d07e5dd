"""Entry point of the command line: picks the subcommand and turns errors into sentences."""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    print(f"mingwu: no commands yet ({arguments})")
    return 2
