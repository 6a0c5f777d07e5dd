"""``mingwu resolve NAME``: what stands behind a name, from any Handle server.

With ``--trust`` the answer's signatures are verified against anchors: those of ``--anchor``, else
those of the node whose configuration ``--config`` names (default: the demonstration).
"""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mingwu.cli.main import language
from mingwu.identity.client import Resolution, check, format_resolution, resolve
from mingwu.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from mingwu.identity.trusted.verifying import Anchor

DEFAULT_CONFIG = Path(".run/demo/mingwu.toml")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="identifier, e.g. 88.888.101/DEV.DCM2500.01")
    parser.add_argument("--server", default="127.0.0.1:2641", help="HOST[:PORT] to ask first")
    parser.add_argument("--type", action="append", default=[], help="only values of this type")
    parser.add_argument("--index", action="append", default=[], type=int, help="only this index")
    parser.add_argument("--tcp", action="store_true", help="ask by TCP instead of UDP")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")
    parser.add_argument("--trust", action="store_true", help="verify signatures; 1 if not trusted")
    parser.add_argument(
        "--anchor", action="append", default=[], help="INDEX:HANDLE=PEMFILE that is believed"
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help="node whose anchors are believed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Resolve, following referrals; an unknown name is an error with a next step."""
    result = asyncio.run(
        resolve(
            arguments.name,
            arguments.server,
            indexes=tuple(arguments.index),
            types=tuple(arguments.type),
            transport="tcp" if arguments.tcp else "",
        )
    )
    check(result, arguments.server)
    print(format_resolution(result, "json" if arguments.json else "text"))
    return _verify(result, arguments) if arguments.trust else 0


def _verify(result: Resolution, arguments: argparse.Namespace) -> int:
    """Print verdict and reason; 0 only for trusted."""
    from mingwu.identity.trusted.client import verify_resolution
    from mingwu.identity.trusted.verdict import format_report

    anchors = _anchors(arguments)
    report = asyncio.run(verify_resolution(result, arguments.server, anchors))
    print(format_report(report, language()))
    return 0 if report.is_trusted else 1


def _anchors(arguments: argparse.Namespace) -> "tuple[Anchor, ...]":
    from mingwu.identity.trusted.verifying import Anchor
    from mingwu.trust.keys import load_public

    if not arguments.anchor:
        from mingwu.node.config import load
        from mingwu.node.signing import anchors

        return anchors(load(arguments.config))
    found = []
    for word in arguments.anchor:
        name, sign, file = word.partition("=")
        if not sign or not Path(file).is_file():
            raise InvalidInput("input.invalid", path=word, fault="write INDEX:HANDLE=PEMFILE")
        found.append(Anchor(name, load_public(Path(file).read_bytes())))
    return tuple(found)
