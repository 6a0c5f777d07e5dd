"""``mingwu check FILE``: the dry run."""

import argparse
from pathlib import Path

from mingwu.cli.main import language
from mingwu.node.checking import check_file


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="configuration or plant file (TOML)")


def run(arguments: argparse.Namespace) -> int:
    """Print every fault with its path; 0 when there is none."""
    kind, findings = check_file(arguments.file)
    for finding in findings:
        text = finding.zh if language() == "zh" else finding.en
        print(text if text.startswith(finding.path) else f"{finding.path}: {text}")
    if findings:
        print(f"\n{arguments.file}: {len(findings)} fault(s) in this {kind} file")
        return 1
    print(f"{arguments.file}: no fault in this {kind} file")
    if kind == "configuration":
        print(f"Next: mingwu up {arguments.file}")
    return 0
