"""Tables of hosted names for ``mingwu secondlevel register|change|remove``.

CSV in UTF-8 with a head row: ``name``, ``template`` (not needed to remove), and one column per
item; an empty cell gives no value. A table is judged whole before anything is sent.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

ACTIONS = {
    "register": "register the names of a table under a hosted prefix",
    "change": "replace template and values of the names of a table",
    "remove": "deregister the names of a table",
}
MOST = 2000


def calls(table: Path, action: str) -> Iterator[list[Any]]:
    """The bodies to send, 2,000 names each; raises InvalidInput ``input.invalid``."""
    rows = list(_rows(table))
    items = [row["name"] if action == "remove" else _item(row) for row in rows]
    return (items[at : at + MOST] for at in range(0, len(items), MOST))


def _rows(table: Path) -> Iterator[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            read = csv.DictReader(file)
            if "name" not in (read.fieldnames or ()):
                raise _bad(table, 1, Phrase("no column “name”", "没有“name”列"))
            for row in read:
                if None in row or None in row.values():
                    words = Phrase("cells and columns differ in number", "单元格数与列数不符")
                    raise _bad(table, read.line_num, words)
                if not row["name"].strip():
                    raise _bad(table, read.line_num, Phrase("no name", "缺少标识"))
                yield {key: cell.strip() for key, cell in row.items()}
    except UnicodeDecodeError as error:
        raise InvalidInput("input.invalid", path=str(table), fault=told(error)) from error


def _item(row: dict[str, str]) -> dict[str, Any]:
    values = {key: cell for key, cell in row.items() if key not in {"name", "template"} and cell}
    return {"name": row["name"], "template": row.get("template", ""), "values": values}


def _bad(table: Path, line: int, fault: Phrase) -> InvalidInput:
    return InvalidInput("input.invalid", path=f"{table}:{line}", fault=fault)
