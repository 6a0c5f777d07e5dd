"""A look at a table before it is imported: its columns, its first rows, a mapping proposed.

A column is proposed for an item that has its type, code or name (units in brackets, spaces and
case set aside), then for one whose name contains it. Names are proposed from a column that says so,
else from one that tells the first rows apart; a column of numbers with a few gaps or repetitions is
still taken, so that the trial names the rows at fault. Items without a column begin with their
template's default. A proposal is a beginning, never a decision.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import islice

import msgspec

from mingwu.identity.enterprise.imports.importing import configured_source
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.imports.uploads import Upload, spooled, upload_of
from mingwu.identity.enterprise.mappings import Existing, Mapping
from mingwu.identity.enterprise.model import Item, Template
from mingwu.identity.enterprise.queries import Search
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.tables import Row, Table, TableForm, source_table

SHOWN_ROWS = 10
_SAMPLE = 200
_LATEST = 50
_LEAST_CONTAINED = 2
_MOSTLY = 0.8  # so many of the rows have a number of their own
_BRACKETS = re.compile(r"[(（\[【].*?[)）\]】]")
_NAMES = frozenset({"标识", "标识编码", "标识码", "标识符", "identifier", "handle"})
_SERIALS = (
    "序列号", "编号", "流水号", "序号", "编码",
    "serial", "serialno", "serialnumber", "sn", "no", "number", "code", "id",
)  # fmt: skip


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the preview: where it stands, and its cells in the order of the columns."""

    row: int
    cells: list[str]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a table looks like, and how it might be imported. ``rows``: how many, 0 if unknown."""

    upload: Upload | None
    source: str
    form: TableForm
    sheet: str
    head: int
    columns: list[str]
    first: list[ShownRow]
    rows: int
    proposal: Mapping | None
    fitting: list[str]


def preview_upload(
    node: EnterpriseNode, number: str, *, sheet: str = "", head: int = 0, template: Template | None
) -> Preview:
    """A look at an uploaded table; ``head`` 0 finds the row that names the columns."""
    upload = upload_of(node, number)
    with spooled(node, number) as file:
        look = TableFile(file, node.settings)
        sheet = sheet or look.form.sheet
        head = head or look.guess_head(sheet)
        shown = msgspec.structs.replace(look.form, sheet=sheet)
        return _preview(node, look.table(sheet=sheet, head=head), shown, upload, "", head, template)


def preview_source(node: EnterpriseNode, name: str, *, template: Template | None) -> Preview:
    """A look at what a configured query gives."""
    table = source_table(configured_source(node, name), most=node.settings.import_rows)
    return _preview(node, table, TableForm(kind="sql"), None, name, 1, template)


def _preview(
    node: EnterpriseNode,
    opened: AbstractContextManager[Table],
    form: TableForm,
    upload: Upload | None,
    source: str,
    head: int,
    template: Template | None,
) -> Preview:
    with opened as table:
        sample = list(islice(table.lines, _SAMPLE))
        columns, expected = list(table.columns), table.expected
    rows = [row for _, row, _ in sample]
    return Preview(
        upload=upload,
        source=source,
        form=form,
        sheet=form.sheet,
        head=head,
        columns=columns,
        first=[
            ShownRow(row=number, cells=[row[name] for name in columns])
            for number, row, _ in sample[:SHOWN_ROWS]
        ],
        rows=expected if len(sample) == _SAMPLE else len(sample),
        proposal=proposal(node, template, columns, rows, form.sheet, head) if template else None,
        fitting=[
            one.name
            for one in node.mappings.list()
            if set(one.columns()) <= set(columns)
            and (template is None or one.version == template.definition.version)
        ],
    )


def proposal(
    node: EnterpriseNode,
    template: Template,
    columns: Sequence[str],
    rows: Sequence[Row],
    sheet: str,
    head: int,
) -> Mapping:
    """A mapping to begin with."""
    definition = template.definition
    name = name_column(columns, rows)
    free = [column for column in columns if column != name or not _is_name(column)]
    items = [item for item in definition.items if item.enabled]
    values = {kind: f"{{{column}}}" for kind, column in item_columns(items, free).items()}
    for item in items:
        if item.default and "{" not in item.default and "}" not in item.default:
            values.setdefault(item.type, item.default)
    begin = _beginning(node, template)
    texts = [row[name] for row in rows if row[name]] if name else []
    whole = bool(texts) and all("/" in text for text in texts)
    usual = begin.partition("/")[2]
    if texts and sum(text.startswith(usual) for text in texts) >= _MOSTLY * len(texts):
        begin = f"{definition.prefix}/"  # the column brings the usual beginning itself
    return Mapping(
        name=re.sub(r"[^\w.-]+", "-", definition.version)[:64],
        prefix=definition.prefix,
        version=definition.version,
        identifier=f"{{{name}}}" if whole else begin + (f"{{{name}}}" if name else ""),
        values=values,
        existing=Existing.SKIP,
        sheet=sheet,
        head=head,
    )


def item_columns(items: Sequence[Item], columns: Sequence[str]) -> dict[str, str]:
    """The column proposed for each item type that has one."""
    words = {column: _word(column) for column in columns}
    found: dict[str, str] = {}
    for item in items:
        names = {_word(text) for text in (item.type, item.code, item.name_zh, item.name_en) if text}
        exact = [column for column in columns if words[column] in names]
        if exact and exact[0] not in found.values():
            found[item.type] = exact[0]
    for item in items:
        names = {_word(text) for text in (item.type, item.name_zh, item.name_en) if text}
        near = [
            column
            for column in columns
            if column not in found.values()
            and any(len(name) >= _LEAST_CONTAINED and name in words[column] for name in names)
        ]
        if item.type not in found and len(near) == 1:
            found[item.type] = near[0]
    return found


def name_column(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column names may be made from, or nothing."""
    shares = {
        column: len({row[column] for row in rows} - {""}) / len(rows) if rows else 0.0
        for column in columns
    }
    for column in columns:
        if _is_name(column):
            return column
    for word in _SERIALS:
        for column in columns:
            if shares[column] >= _MOSTLY and _word(column).endswith(word):
                return column
    return next((column for column in columns if shares[column] == 1.0), "")


def _is_name(column: str) -> bool:
    return _word(column) in _NAMES


def _beginning(node: EnterpriseNode, template: Template) -> str:
    """What most of the latest names of this template begin with."""
    rows, _ = node.register.search(Search(template=template.number, limit=_LATEST))
    parts = [row.name.partition("/")[2].partition(".") for row in rows]
    begins = Counter(first + dot if dot else "" for first, dot, _ in parts)
    usual = begins.most_common(1)[0][0] if begins else ""
    return f"{template.definition.prefix}/{usual}"


def _word(text: str) -> str:
    plain = unicodedata.normalize("NFKC", _BRACKETS.sub("", text)).casefold()
    return re.sub(r"[\s_\-./:：]+", "", plain)
