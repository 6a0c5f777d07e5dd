"""Things and tags as tables for spreadsheets (CSV), out and in.

Out: UTF-8 with BOM, so that spreadsheet programs read Chinese; comma, CRLF, header in the first
line. In: UTF-8 or GB 18030 (what Excel writes on a Chinese Windows); the columns may come in any
order and be a part of those known; what a table does not name stays as it is. Rows are found by
``id``, or by ``thing`` and ``name``; an unknown one is added. Nothing is removed by a table.

Cells that a spreadsheet would take for a formula (``=``, ``+``, ``-``, ``@`` first) get an
apostrophe in front on the way out, which is taken off on the way in.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mingwu.kernel.names import fold
from mingwu.registry.check import judge
from mingwu.registry.errors import Fault, PlantFaults
from mingwu.registry.expand import ResolvedTag
from mingwu.registry.model import PlantFile, TagDef, ThingDef
from mingwu.registry.rows import TagRow, ThingRow

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_YES, _NO = frozenset({"true", "yes", "1", "是"}), frozenset({"false", "no", "0", "否", ""})

THING_COLUMNS = ("id", "kind", "type", "en", "zh", "place", "documentation", "simulated")
_TAG_TEXT = ("en", "zh", "address", "type", "unit")
_TAG_NUMBERS = ("low", "high", "scale", "offset")
_TAG_FLAGS = ("writable", "exposed")
_DEADBAND = ("absolute", "percent", "heartbeat_s")
_FIXED = ("number", "gateway", "device", "property")
TAG_COLUMNS = (
    *("number", "thing", "name", "en", "zh", "type", "unit", "low", "high", "period_ms"),
    *("gateway", "device", "address", "scale", "offset", *_DEADBAND, *_TAG_FLAGS),
)

Cells = dict[str, str]


def things_csv(rows: Iterable[ThingRow]) -> bytes:
    """The things as a table."""
    return _write(THING_COLUMNS, (msgspec.to_builtins(row) for row in rows))


def tags_csv(rows: Iterable[TagRow]) -> bytes:
    """The tags as a table; ``number``, ``gateway`` and ``device`` are there to be read only."""
    data = (msgspec.to_builtins(row) for row in rows)
    return _write(TAG_COLUMNS, ({**row, **row["deadband"]} for row in data))


def edit_things(file: PlantFile, data: bytes) -> PlantFile:
    """The plant with the things of the table changed or added; raises PlantFaults."""
    faults: list[Fault] = []
    rows = _read(data, THING_COLUMNS, ("id",), faults)
    things = {fold(file.full_id(thing.id)): thing for thing in file.thing}
    kinds = {kind.name: kind.kind.value for kind in file.type}
    for line, row in rows:
        key = fold(file.full_id(row["id"]))
        known = things.get(key)
        fields = msgspec.to_builtins(known) if known else {"id": row["id"]}
        for column in row.keys() - {"id", "simulated", "kind"}:
            fields[column] = row[column]
        if row.get("kind") and not (known and row["kind"] == kinds.get(fields.get("type", ""))):
            fields["kind"] = row["kind"]  # unless it only repeats what the type says
        if "simulated" in row:
            _cell(fields, "simulated", row, _flag, line, faults)
        thing = _struct(ThingDef, fields, line, faults)
        if thing is not None:
            things[key] = thing
    if faults:
        raise PlantFaults(faults)
    return msgspec.structs.replace(file, thing=tuple(things.values()))


def edit_tags(file: PlantFile, data: bytes) -> PlantFile:
    """The plant with the tags of the table changed or added; raises PlantFaults."""
    faults: list[Fault] = []
    rows = _read(data, TAG_COLUMNS, ("thing", "name"), faults)
    plant, _ = judge(file)
    index = {fold(file.full_id(thing.id)): at for at, thing in enumerate(file.thing)}
    resolved = [{tag.name: tag for tag in tags} for tags in plant.tags]
    edited: dict[int, dict[str, TagDef]] = {}
    for line, row in rows:
        at = index.get(fold(file.full_id(row["thing"])))
        if at is None:
            params = {"name": row["thing"]}
            faults.append(Fault(f"line {line}, thing", "registry.no-target", params))
            continue
        own = edited.setdefault(
            at, {tag.property or tag.name or "": tag for tag in file.thing[at].tag}
        )
        known = resolved[at].get(row["name"])
        tag = _edit_tag(own.get(row["name"]), known, row, line, faults)
        if tag is not None:
            own[row["name"]] = tag
    if faults:
        raise PlantFaults(faults)
    things = list(file.thing)
    for at, tags in edited.items():
        things[at] = msgspec.structs.replace(things[at], tag=tuple(tags.values()))
    return msgspec.structs.replace(file, thing=tuple(things))


def _edit_tag(
    own: TagDef | None, known: ResolvedTag | None, row: Cells, line: int, faults: list[Fault]
) -> TagDef | None:
    """The tag's declaration with what the row changes; None when nothing is changed."""
    is_own = known is None or not known.property
    fields = (
        msgspec.to_builtins(own)
        if own
        else {"name": row["name"]}
        if is_own
        else {"property": row["name"]}
    )
    before = msgspec.to_builtins(known) if known else {}
    told: dict[str, Any] = {column: row[column] for column in _TAG_TEXT if column in row}
    for columns, read in ((_TAG_NUMBERS, _number), (("period_ms",), _whole), (_TAG_FLAGS, _flag)):
        for column in columns:
            if column in row:
                _cell(told, column, row, read, line, faults)
    deadband: dict[str, Any] = {}
    for column in _DEADBAND:
        if row.get(column):
            _cell(deadband, column, row, _number, line, faults)
    if deadband:
        told["deadband"] = {**before.get("deadband", {}), **deadband}
    # An empty cell means "as declared", not "empty": a table cannot clear a range.
    changed = {
        column: value
        for column, value in told.items()
        if value not in ("", None) and value != before.get(column)
    }
    if known is not None and not changed:
        return None
    tag: TagDef | None = _struct(TagDef, fields | changed, line, faults)
    return tag


def _write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(_out(row.get(column)) for column in columns)
    return text.getvalue().encode("utf-8-sig")


def _out(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _read(
    data: bytes, known: Sequence[str], keys: Sequence[str], faults: list[Fault]
) -> list[tuple[int, Cells]]:
    """(line number, cells) of the rows; a table without header or keys is a fault on its own."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    faults += [
        Fault("line 1", "registry.unknown-key", {"key": name})
        for name in header
        if name not in known and name not in _FIXED
    ]
    faults += [
        Fault("line 1", "registry.missing-key", {"key": key}) for key in keys if key not in header
    ]
    if faults:
        raise PlantFaults(faults)
    rows: list[tuple[int, Cells]] = []
    for cells in reader:
        row = {
            name: _in(cell) for name, cell in zip(header, cells, strict=False) if name not in _FIXED
        }
        if not any(row.values()):
            continue
        missing = [key for key in keys if not row.get(key)]
        faults += [
            Fault(f"line {reader.line_num}", "registry.missing-key", {"key": key})
            for key in missing
        ]
        if not missing:
            rows.append((reader.line_num, row))
    return rows


def _in(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _cell(
    into: dict[str, Any],
    column: str,
    row: Cells,
    read: Callable[[str], Any],
    line: int,
    faults: list[Fault],
) -> None:
    try:
        into[column] = read(row[column])
    except ValueError:
        fault = {"fault": f"“{row[column]}” cannot be read"}
        faults.append(Fault(f"line {line}, {column}", "registry.shape", fault))


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None


def _flag(cell: str) -> bool:
    word = cell.lower()
    if word not in _YES | _NO:
        raise ValueError(cell)
    return word in _YES


def _struct(cls: type[Any], fields: Mapping[str, Any], line: int, faults: list[Fault]) -> Any:
    try:
        return msgspec.convert(fields, cls)
    except msgspec.ValidationError as error:
        fault = {"fault": str(error).replace("`$.", "`")}
        faults.append(Fault(f"line {line}", "registry.shape", fault))
        return None
