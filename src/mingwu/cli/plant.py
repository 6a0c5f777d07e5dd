"""``mingwu plant import|export|list``: the plant as files, in and out of the registry."""

import argparse
import sys
from pathlib import Path

from mingwu.node.config import load
from mingwu.node.platform import import_plant
from mingwu.registry import plantfile
from mingwu.registry.importing import SECTIONS
from mingwu.registry.service import Registry


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["import", "export", "list"])
    parser.add_argument("file", type=Path, nargs="?", help="plant file (TOML)")
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--plant", default="", help="which plant to export, if there are several")


def run(arguments: argparse.Namespace) -> int:
    """Import prints what changed; export prints TOML or writes the file."""
    config = load(arguments.config)
    if arguments.action == "import":
        if arguments.file is None:
            print("mingwu plant import needs a FILE", file=sys.stderr)
            return 2
        summary = import_plant(config, arguments.file)
        for section in SECTIONS:
            delta = getattr(summary, section)
            counts = [len(delta.added), len(delta.changed), len(delta.removed)]
            if any(counts):
                print("  {:<10} +{} ~{} -{}".format(section, *counts))
        print("nothing changed" if not summary else f"plant {summary.plant} is up to date")
        return 0
    registry = Registry.open(config.registry)
    try:
        plants = registry.plants()
        if arguments.action == "list" or not plants:
            for plant in plants:
                print(f"{plant.name:<20} {plant.prefix:<16} {plant.zh} {plant.en}")
            if not plants:
                print("The registry is empty. Next: mingwu plant import FILE --config …")
            return 0
        text = plantfile.dump(registry.export_plant(arguments.plant or plants[0].name))
    finally:
        registry.close()
    if arguments.file is None:
        sys.stdout.write(text)
    else:
        arguments.file.write_text(text, "utf-8")
        print(f"wrote {arguments.file}. Next: mingwu check {arguments.file}")
    return 0
