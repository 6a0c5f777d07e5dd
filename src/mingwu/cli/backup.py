"""``mingwu backup``: copy databases, records, usage log and history while they run."""

import argparse
from pathlib import Path

from mingwu.cli.language import either
from mingwu.kernel.catalogue import zh_of
from mingwu.node.backup import default_name, take
from mingwu.node.config import load


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--to", type=Path, help="folder; default: `backup` in the data directory")
    parser.add_argument("--name", default="", help="name of the copy; default: the time")
    parser.add_argument(
        "--with-secrets", action="store_true", help="keys and passwords, too: keep the copy locked"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print where each part went; 1 when one was not copied."""
    config = load(arguments.config)
    folder, name = arguments.to or config.data / "backup", arguments.name or default_name()
    lines = take(config, folder, name, with_secrets=arguments.with_secrets)
    print("\n".join(either(line, zh_of(line)) for line in lines))
    if not arguments.with_secrets:
        print(
            either(
                "Secrets were not copied: --with-secrets, or keep them apart (docs/operations.md)",
                "未复制密钥：可加 --with-secrets，或另行保管（docs/operations.md）",
            )
        )
    command = f"mingwu restore {folder / name} --config {arguments.config}"
    print(either(f"Restore: {command}", f"恢复：{command}"))
    return 1 if any("NOT copied" in line for line in lines) else 0
