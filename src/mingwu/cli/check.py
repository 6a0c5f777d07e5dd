"""``mingwu check FILE``: the dry run."""

import argparse
from pathlib import Path

from mingwu.cli.language import either
from mingwu.node.checking import check_file


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="configuration or plant file (TOML)")


def run(arguments: argparse.Namespace) -> int:
    """Print every fault with its path; 0 when there is none."""
    kind, findings = check_file(arguments.file)
    for finding in findings:
        text = either(finding.en, finding.zh)
        print(text if text.startswith(finding.path) else f"{finding.path}: {text}")
    of = either(kind, {"plant": "工厂文件", "configuration": "配置文件"}[kind])
    if findings:
        count = len(findings)
        said = either(f"{count} fault(s) in this {of} file", f"该{of}有 {count} 处错误")
        print(f"\n{arguments.file}: {said}")
        return 1
    print(f"{arguments.file}: {either(f'no fault in this {of} file', f'该{of}没有错误')}")
    if kind == "configuration":
        print(either(f"Next: mingwu up {arguments.file}", f"下一步：mingwu up {arguments.file}"))
    return 0
