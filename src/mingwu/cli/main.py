"""Entry point of the command line: finds the subcommand, turns errors into sentences.

A subcommand is a module of this package with ``configure(parser)`` and ``run(arguments) -> int``,
named in :data:`COMMANDS`. Only the chosen module is imported, so the first line appears at once.
Exit status: 0 done, 1 the request failed, 2 wrong usage.
"""

import argparse
import os
import sys
from importlib import import_module

from mingwu import __version__
from mingwu.kernel.catalogue import add
from mingwu.kernel.errors import ConfigError, MingwuError

add(
    "cli.file",
    en=("{file} cannot be used: {fault}", "Check the path, the rights and the disk."),
    zh=("无法使用文件 {file}：{fault}", "请检查路径、权限和磁盘空间。"),
)

COMMANDS = {
    "demo": "start the platform with a simulated plant and print where to look",
    "up": "start the platform described by a configuration file",
    "run": "run one role of the platform in this process (the supervisor calls this)",
    "check": "find every fault of a configuration or plant file",
    "status": "show the processes and counters of a running platform",
    "resolve": "ask a resolver what stands behind a name",
    "handle": "register and change names at any Handle server; make keys for it",
    "iiidap": "ask who stands behind a prefix, an enterprise or an identifier, by bootstrap",
    "secondlevel": "ask data of all enterprises of a second-level node at once; link their nodes",
    "names": "import names from a table or a database; list imports and mappings",
    "label": "print labels or one symbol for names: SVG, PDF, DXF, PNG",
    "scan": "read the symbols in a picture and tell which things they name",
    "epc": "what an RFID tag carries: keys, URIs, hexadecimal",
    "carrier": "personalise an active carrier, run the reference agent in it, look at it",
    "template": "list, show, compare, export and import data templates",
    "usage": "check an exported usage log and count it again",
    "plant": "import or export the plant: things, types, tags, devices",
    "lab": "inject faults into the simulated plant; write its plant file",
    "user": "list accounts, add one, set a password",
    "backup": "copy what a node keeps while it runs",
    "restore": "put a copy in the place of what a stopped node has",
    "sample-config": "print a configuration file with every setting explained",
    "reference": "write the reference pages that are made from code",
    "new-driver": "make the folder of a new field driver",
}


def language() -> str:
    """``zh`` where the terminal speaks Chinese, else ``en``."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "zh" if spoken.startswith("zh") else "en"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in {"--version", "-V"}:
        print(f"mingwu {__version__}")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        return _overview(arguments)
    name, *rest = arguments
    command = import_module(f"mingwu.cli.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"mingwu {name}", description=COMMANDS[name])
    command.configure(parser)
    try:
        return int(command.run(parser.parse_args(rest)))
    except MingwuError as error:
        return _told(error)
    except OSError as error:
        return _unusable(error)
    except KeyboardInterrupt:
        return 130


def _unusable(error: OSError) -> int:
    """A file that somebody named cannot be used; or `| head` has read enough."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    shown = str(error.filename or "-")[:200]
    return _told(ConfigError("cli.file", file=shown, fault=error.strerror or str(error)))


def _told(error: MingwuError) -> int:
    lang = language()
    print(f"mingwu: {error.text(lang)} [{error.code}]", file=sys.stderr)
    if step := error.next_step(lang):
        print(f"  → {step}", file=sys.stderr)
    return 1


def _overview(arguments: list[str]) -> int:
    wanted = not arguments or arguments[0] in {"help", "-h", "--help"}
    out = sys.stdout if wanted else sys.stderr
    if not wanted:
        print(f"mingwu: there is no command “{arguments[0]}”\n", file=out)
    print("Mingwu 名物 — every thing has a name, every name resolves to live data\n", file=out)
    for name, what in COMMANDS.items():
        print(f"  mingwu {name:<14} {what}", file=out)
    print("\nStart with `mingwu demo`. Each command answers to --help.", file=out)
    return 0 if wanted else 2
