"""``mingwu resolve NAME``: what stands behind a name, from any Handle server."""

import argparse
import asyncio

from mingwu.identity.client import check, format_resolution, resolve


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="identifier, e.g. 88.888.101/DEV.DCM2500.01")
    parser.add_argument("--server", default="127.0.0.1:2641", help="HOST[:PORT] to ask first")
    parser.add_argument("--type", action="append", default=[], help="only values of this type")
    parser.add_argument("--index", action="append", default=[], type=int, help="only this index")
    parser.add_argument("--tcp", action="store_true", help="ask by TCP instead of UDP")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


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
    return 0
