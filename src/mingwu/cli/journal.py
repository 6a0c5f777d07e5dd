"""``mingwu journal list|export|verify``: who did what, from the machine the node runs on.

``list`` prints the latest entries that match, ``export`` all of them, oldest first, as CSV for an
auditor; ``verify`` walks the chain of hashes and prints its head, which is to be written down where
the owner of the database cannot reach it. Days are those of Beijing. The node may run meanwhile.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

from mingwu.cli.language import either
from mingwu.cli.tables import plain
from mingwu.node.config import load
from mingwu.trust.journal import Entry, Journal
from mingwu.trust.service import Trust

_BEIJING = timezone(timedelta(hours=8))
_PAGE = 1000
_COLUMNS = ("number", "time", "actor", "action", "object", "outcome", "address", "detail", "hash")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["list", "export", "verify"])
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--actor", default="", help="account; an enterprise's code: all its keys")
    parser.add_argument("--action", default="", help="e.g. session.login, or an area: session")
    parser.add_argument("--object", default="", help="what it was done to")
    parser.add_argument("--since", type=date.fromisoformat, help="first day, YYYY-MM-DD")
    parser.add_argument("--until", type=date.fromisoformat, help="last day, YYYY-MM-DD")
    parser.add_argument("--limit", type=int, default=50, help="of list: how many")


def run(arguments: argparse.Namespace) -> int:
    """1 when ``verify`` finds the chain broken."""
    trust = Trust.open(load(arguments.config).trust)
    try:
        if arguments.what == "verify":
            return _verify(trust.journal)
        if arguments.what == "export":
            _export(trust.journal, arguments)
            return 0
        for entry in reversed(_found(trust.journal, arguments, limit=max(1, arguments.limit))):
            told = (_time(entry), entry.actor, entry.action, entry.object, entry.detail)
            print("  ".join(plain(one) for one in told))
    finally:
        trust.close()
    return 0


def _verify(journal: Journal) -> int:
    found = journal.verify()
    if found.sound:
        print(either(f"sound: {found.entries} entries", f"完好：共 {found.entries} 条"))
        print(found.head)
        return 0
    print(
        either(
            f"BROKEN at entry {found.first_bad}: {found.reason}",
            f"第 {found.first_bad} 条起被破坏：{found.reason}",
        )
    )
    return 1


def _export(journal: Journal, arguments: argparse.Namespace) -> None:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for entry in _oldest_first(journal, arguments):
        texts = (entry.actor, entry.action, entry.object, entry.outcome, entry.address,
                 entry.detail, entry.hash)  # fmt: skip
        rows.writerow((entry.number, _time(entry), *map(_inert, texts)))


def _inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _oldest_first(journal: Journal, arguments: argparse.Namespace) -> Iterator[Entry]:
    pages = []
    before = 0
    while page := _found(journal, arguments, limit=_PAGE, before=before):
        before = page[-1].number
        pages.append(page)
    for page in reversed(pages):
        yield from reversed(page)


def _found(
    journal: Journal, arguments: argparse.Namespace, *, limit: int, before: int = 0
) -> list[Entry]:
    last = arguments.until + timedelta(days=1) if arguments.until else None
    return journal.entries(
        actor=arguments.actor, action=arguments.action, object=arguments.object, before=before,
        limit=limit, since_ns=_start_ns(arguments.since), until_ns=_start_ns(last),
    )  # fmt: skip


def _start_ns(day: date | None) -> int:
    if day is None:
        return 0
    start = datetime(day.year, day.month, day.day, tzinfo=_BEIJING)
    return int(start.timestamp()) * 1_000_000_000


def _time(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
