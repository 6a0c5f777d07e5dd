"""``mingwu demo``: the whole platform and a simulated plant, from nothing, on this machine."""

import argparse
import shutil
from pathlib import Path

from mingwu.cli.main import language
from mingwu.cli.up import start
from mingwu.node import demo
from mingwu.node.config import load


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=Path(".run/demo"), help="where it lives")
    parser.add_argument(
        "--scale", type=int, default=1, help="how many times the plant stands there"
    )
    parser.add_argument("--fresh", action="store_true", help="forget an earlier demonstration")


def run(arguments: argparse.Namespace) -> int:
    """Write the demo's files if they are not there, then run them like any other node."""
    if arguments.fresh:
        shutil.rmtree(arguments.folder, ignore_errors=True)
    file = demo.write(arguments.folder, scale=arguments.scale)
    config = load(file)
    zh = language() == "zh"
    server = f"127.0.0.1:{config.resolver.port}"
    ask = "试着解析" if zh else "Try"
    fault = "试着制造故障" if zh else "Break it"
    hints = [f"\n  {ask}"]
    hints += [f"    ./dev run resolve {name} --server {server}" for name in demo.NAMES]
    hints.append(f"    ./dev run resolve {demo.NAMES[1]} --server {server} --trust --config {file}")
    hints += [f"  {fault}", f"    ./dev run lab fault list --config {file}"]
    return start(config, hints=tuple(hints))
