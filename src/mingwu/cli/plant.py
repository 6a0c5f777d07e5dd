"""``mingwu plant import|export|list``: the plant as files, in and out of the registry.

A file that ends in ``.csv`` is a table for spreadsheets, of tags or (``--table things``) of things;
everything else is a whole plant file (TOML).
"""

import argparse
import sys
from pathlib import Path

from mingwu.cli.language import either
from mingwu.node.config import Config, load
from mingwu.node.platform import import_plant
from mingwu.registry import plantfile
from mingwu.registry.importing import SECTIONS, ImportSummary
from mingwu.registry.rows import Filter
from mingwu.registry.service import Registry


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["import", "export", "list"])
    parser.add_argument("file", type=Path, nargs="?", help="plant file (TOML) or table (.csv)")
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--plant", default="", help="which plant, if there are several")
    parser.add_argument(
        "--table", choices=["tags", "things"], default="tags", help="what a .csv is"
    )


def run(arguments: argparse.Namespace) -> int:
    """Import prints what changed; export writes the file, or TOML to standard output."""
    config = load(arguments.config)
    file: Path | None = arguments.file
    if arguments.action == "import" and file is None:
        words = either("mingwu plant import needs a FILE", "mingwu plant import 需要给出文件")
        print(words, file=sys.stderr)
        return 2
    if arguments.action == "import" and file is not None and not _is_table(file):
        _changes(import_plant(config, file))
        return 0
    return _with_registry(arguments, config, file)


def _with_registry(arguments: argparse.Namespace, config: Config, file: Path | None) -> int:
    registry = Registry.open(config.registry)
    try:
        plants = registry.plants()
        if arguments.action == "list" or not plants:
            for plant in plants:
                print(f"{plant.name:<20} {plant.prefix:<16} {plant.zh} {plant.en}")
            if not plants:
                print(
                    either(
                        "The registry is empty. Next: mingwu plant import FILE --config …",
                        "尚无任何工厂。下一步：mingwu plant import 文件 --config …",
                    )
                )
            return 0
        name = arguments.plant or plants[0].name
        things = arguments.table == "things"
        if arguments.action == "import" and file is not None:
            take = registry.import_things_csv if things else registry.import_tags_csv
            _changes(take(name, file.read_bytes(), actor=f"file {file.name}"))
            return 0
        if file is not None and _is_table(file):
            give = registry.export_things_csv if things else registry.export_tags_csv
            data = give(Filter(plant=name))
        else:
            data = plantfile.dump(registry.export_plant(name)).encode()
    finally:
        registry.close()
    if file is None:
        sys.stdout.write(data.decode())
        return 0
    file.write_bytes(data)
    again = f"mingwu plant import {file} …" if _is_table(file) else f"mingwu check {file}"
    print(either(f"wrote {file}. Next: {again}", f"已写出 {file}。下一步：{again}"))
    return 0


def _is_table(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def _changes(summary: ImportSummary) -> None:
    for section in SECTIONS:
        delta = getattr(summary, section)
        counts = [len(delta.added), len(delta.changed), len(delta.removed)]
        if any(counts):
            print("  {:<10} +{} ~{} -{}".format(section, *counts))
    done = either(f"plant {summary.plant} is up to date", f"工厂 {summary.plant} 已更新")
    print(done if summary else either("nothing changed", "没有变化"))
