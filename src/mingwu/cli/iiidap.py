"""``mingwu iiidap``: ask who stands behind a prefix, an enterprise, an identifier.

``query NAME`` looks one up: an identifier with a slash, a prefix of dotted numbers, a credit code
of 18 characters. ``search KIND PATTERN`` finds many (one asterisk, at the end). ``help`` shows what
the service offers. The service is ``--server``, or the one that the bootstrap file (of the top node
or of a second-level node) names for the prefix asked about; ``--under`` says it where none is.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from mingwu.cli import iiidapwords as words
from mingwu.cli.language import language
from mingwu.identity.secondlevel import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.secondlevel.iiidap.client import (
    Bootstrap,
    address,
    authority,
    fetch,
    next_page,
    read_answer,
    read_bootstrap,
)
from mingwu.identity.secondlevel.iiidap.names import FIELDS, NAMES
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

_USCC_CHARS = 18
_LOOKUP = "query"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    query = actions.add_parser("query", help="one identifier, prefix or enterprise")
    query.add_argument("asked", help="88.101.1/PRT.1, 88.101.1 or a credit code of 18 characters")
    search = actions.add_parser("search", help="many, by the beginning of their names")
    search.add_argument("kind", choices=tuple(FIELDS), help="what is looked for")
    search.add_argument("asked", metavar="pattern", help="'88.101.1/A*', '88.101.*', '江南*'")
    search.add_argument("--by", default="", help="the field, where there are several: fn, handle")
    search.add_argument("--sort", default="", help="a property, with :d the other way round")
    search.add_argument("--count", action="store_true", help="ask how many there are in all")
    search.add_argument("--pages", type=int, default=1, help="pages to fetch, at most")
    offered = actions.add_parser("help", help="what the service answers, and to whom")
    for one in (query, search, offered):
        _common(one)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", default="", help="address of the service, ending in /iiidap")
    parser.add_argument("--bootstrap", default="", help="URL or file that names the services")
    parser.add_argument("--under", default="", help="prefix whose service is asked")
    parser.add_argument(
        "--token-file", type=Path, help="file with an access token: pages and contacts are for "
        "accounts",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the answers as they came")
    parser.add_argument("--lang", choices=("zh", "en"), default=language(), help="language")


def run(arguments: argparse.Namespace) -> int:
    """Print the answer; 1 when the service refuses or does not know."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    url = await _url(arguments)
    token = await asyncio.to_thread(_token, arguments.token_file)
    searching = arguments.action == "search"
    pages = max(1, arguments.pages) if searching else 1
    answers: list[dict[str, Any]] = []
    while url and len(answers) < pages:
        print(f"# {url}", file=sys.stderr)
        answer = read_answer(await fetch(url, token=token, lang=arguments.lang), url)
        answers.append(answer)
        url = next_page(answer, url) if searching else ""
    if arguments.json:
        for answer in answers:
            print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return 0
    for line in words.shown(arguments.action, answers, arguments.lang):
        print(line)
    for step in words.next_steps(arguments, answers, more=bool(url)):
        print(f"  → {step}")
    return 0


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("input.invalid", path=str(path), fault=told(error)) from error


async def _url(arguments: argparse.Namespace) -> str:
    if arguments.action == "help":
        return address(await _service(arguments, ""), NAMES["help"])
    asked = str(arguments.asked)
    if arguments.action == _LOOKUP:
        kind = _kind(asked)
        return address(await _service(arguments, _prefix(asked)), NAMES[kind], asked)
    fields = FIELDS[arguments.kind]
    field = arguments.by or fields[0]
    if field not in fields:
        raise InvalidInput(
            "input.invalid",
            path="--by",
            fault=Phrase(f"one of {', '.join(fields)}", f"可选 {'、'.join(fields)}"),
        )
    query = {field: asked}
    if arguments.sort:
        query["sort"] = arguments.sort
    if arguments.count:
        query["count"] = "true"
    return address(await _service(arguments, _prefix(asked)), arguments.kind, query=query)


def _kind(asked: str) -> str:
    if "/" in asked:
        return "identifier"
    if len(asked) == _USCC_CHARS and asked.isascii() and asked.isalnum():
        return "entity"
    return "prefix"


def _prefix(asked: str) -> str:
    """The prefix that a question is about, as far as it has one."""
    prefix = asked.partition("*")[0].partition("/")[0].rstrip(".")
    return prefix if prefix.replace(".", "").isdigit() and "." in prefix else ""


async def _service(arguments: argparse.Namespace, prefix: str) -> str:
    if arguments.server:
        return str(arguments.server)
    source = arguments.bootstrap
    if not source:
        raise InvalidInput(
            "input.invalid",
            path="--bootstrap",
            fault=Phrase("or --server is needed", "或 --server 必须给出"),
        )
    bootstrap = await _bootstrap(source)
    prefix = arguments.under or prefix
    if prefix:
        return authority(bootstrap, prefix, source)
    bases = bootstrap.bases()
    if len(bases) != 1:
        fault = Phrase(
            f"which prefix's service? {len(bases)} are named", f"有 {len(bases)} 个服务，请指明前缀"
        )
        raise InvalidInput("input.invalid", path="--under", fault=fault)
    return bases[0]


async def _bootstrap(source: str) -> Bootstrap:
    if "://" in source:
        return read_bootstrap(await fetch(source))
    try:
        return read_bootstrap(await asyncio.to_thread(Path(source).read_bytes))
    except OSError as error:
        raise InvalidInput("input.invalid", path=source, fault=told(error)) from error
