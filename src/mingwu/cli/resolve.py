"""``mingwu resolve NAME``: what stands behind a name, from any Handle server or from a root.

Referrals and aliases (HS_ALIAS) are followed. With ``--trust`` the answer's signatures are verified
against anchors: those of ``--anchor``, else those of the node whose configuration ``--config``
names (default: the demonstration).
"""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mingwu.cli import roots
from mingwu.cli.language import language
from mingwu.identity.carriers import errors as _texts  # noqa: F401 — reasons of carriers
from mingwu.identity.client.handleclient import Resolution, resolve
from mingwu.identity.client.root import Root, resolve_from
from mingwu.identity.client.showing import check, format_resolution, why_untold
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from mingwu.identity.trusted.verifying import Anchor


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="identifier, e.g. 88.888.101/DEV.DCM2500.01")
    roots.configure(parser)
    parser.add_argument("--no-alias", action="store_true", help="show HS_ALIAS, do not follow it")
    parser.add_argument("--type", action="append", default=[], help="only values of this type")
    parser.add_argument("--index", action="append", default=[], type=int, help="only this index")
    parser.add_argument("--tcp", action="store_true", help="ask by TCP instead of UDP")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")
    parser.add_argument("--trust", action="store_true", help="verify signatures; 1 if not trusted")
    parser.add_argument(
        "--anchor", action="append", default=[], help="INDEX:HANDLE=PEMFILE that is believed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Resolve, following referrals and aliases; an unknown name is an error with a next step."""
    server, root = roots.begin(arguments)
    result = asyncio.run(_ask(arguments, server, root))
    check(result, result.path[-1] if result.path else server)
    print(format_resolution(result, "json" if arguments.json else "text"))
    if not arguments.json:
        print(*why_untold(result, language()), sep="\n", end="")
    return _verify(result, arguments, server, root) if arguments.trust else 0


async def _ask(arguments: argparse.Namespace, server: str, root: Root | None) -> Resolution:
    indexes, types = tuple(arguments.index), tuple(arguments.type)
    transport, aliases = "tcp" if arguments.tcp else "", not arguments.no_alias
    if root is not None:
        return await resolve_from(
            root, arguments.name,
            indexes=indexes, types=types, transport=transport, aliases=aliases,
        )  # fmt: skip
    return await resolve(
        arguments.name, server,
        indexes=indexes, types=types, transport=transport, aliases=aliases,
    )  # fmt: skip


def _verify(
    result: Resolution, arguments: argparse.Namespace, server: str, root: Root | None
) -> int:
    """Print verdict and reason; 0 only for trusted."""
    from mingwu.identity.trusted.client import verify_resolution
    from mingwu.identity.trusted.verdict import format_report

    anchors = _anchors(arguments)
    report = asyncio.run(verify_resolution(result, server, anchors, root=root))
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
            raise InvalidInput(
                "input.invalid",
                path=word,
                fault=Phrase("write INDEX:HANDLE=PEMFILE", "请写成 索引:标识=PEM文件"),
            )
        found.append(Anchor(name, load_public(Path(file).read_bytes())))
    return tuple(found)
