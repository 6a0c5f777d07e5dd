"""``mingwu demo``: the platform in a simulated scenario, from nothing, on this machine."""

import argparse
import shutil
from pathlib import Path

from mingwu.cli.language import language
from mingwu.cli.up import start
from mingwu.kernel.errors import Conflict
from mingwu.node.demo.scenario import Size
from mingwu.node.demo.scenarios import SCENARIOS, find, prepare


def configure(parser: argparse.ArgumentParser) -> None:
    known = ", ".join(SCENARIOS)
    parser.add_argument("--scenario", default="s1", help=f"what is simulated: {known}")
    parser.add_argument("--folder", type=Path, help="where it lives (.run/demo for s1)")
    parser.add_argument(
        "--scale", type=int, default=1, help="how many times the plant stands there"
    )
    parser.add_argument(
        "--identifiers", type=int, default=0,
        help="how many the second-level node of s3 holds when it is first written (5000)",
    )  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="forget an earlier demonstration")


def run(arguments: argparse.Namespace) -> int:
    """Write the demo's files if they are not there, then run them like any other node."""
    scenario = find(arguments.scenario)
    folder = arguments.folder or scenario.folder
    if arguments.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    size = Size(scale=arguments.scale, identifiers=arguments.identifiers)
    config = prepare(scenario, folder, size)
    try:
        return start(config, hints=scenario.hints(config, language() == "zh"))
    except Conflict as error:
        if error.code != "node.port-taken":
            raise
        # its ports stand in several of its files: another folder is the shorter way
        raise Conflict("demo.port-taken", **error.params, other=f"{folder}-2") from error
