"""Importing identifiers from tables and databases, by a mapping that is data.

A :class:`Mapping` says how a row becomes a registration: patterns such as
``88.888.101/PRT.{model}.{serial}`` put columns into the name and the items. Rows of the same name
count once (rows that contradict each other are faults); names that are registered already with the
same values are left alone, others are skipped, changed or reported, as the mapping says. A dry run
judges everything and stores nothing.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import delete, insert, select

from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.model import Actor, ItemResult, Registration, TemplateRef
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import ImportSource
from mingwu.identity.enterprise.tables import Row
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind
from mingwu.store.engine import reading, writing

_PLACE = re.compile(r"\{([^{}]*)\}")
_FAULTS_SHOWN = 500


class Existing(StrEnum):
    """What to do with a name that is registered with other values."""

    SKIP = "skip"
    CHANGE = "change"
    FAULT = "fault"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rows become registrations.

    ``values``: item type → pattern; what comes out empty is left out.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    prefix: str
    version: str
    identifier: Annotated[str, Meta(min_length=3, max_length=255)]
    values: dict[str, str]
    kind: Kind | None = None
    existing: Existing = Existing.SKIP
    sheet: str = ""


class RowFault(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused. ``row`` counts from 1 behind the head."""

    row: int
    name: str
    code: str
    zh: str
    en: str


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import did, or in a dry run would do; ``faults`` lists the first 500."""

    dry: bool
    rows: int = 0
    registered: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    duplicates: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: list[RowFault] = []


class Importer:
    """Imports into one node; ``mappings`` are kept in its store."""

    def __init__(self, node: EnterpriseNode) -> None:
        self._node = node

    # -- mappings -----------------------------------------------------------------------------

    def put(self, mapping: Mapping, *, actor: str) -> None:
        """Store a mapping under its name."""
        table = schema.mapping
        with writing(self._node.engine) as connection:
            connection.execute(delete(table).where(table.c.name == mapping.name))
            connection.execute(
                insert(table).values(
                    name=mapping.name,
                    definition=msgspec.json.encode(mapping).decode(),
                    changed_by=actor,
                    changed_at_ms=self._node.now_ms(),
                )
            )

    def mappings(self) -> list[Mapping]:
        """All mappings by name."""
        table = schema.mapping
        with reading(self._node.engine) as connection:
            rows = connection.execute(select(table.c.definition).order_by(table.c.name)).scalars()
            return [msgspec.json.decode(row, type=Mapping) for row in rows]

    def mapping(self, name: str) -> Mapping:
        """One mapping; NotFound ``enterprise.mapping-unknown``."""
        found = next((one for one in self.mappings() if one.name == name), None)
        if found is None:
            raise NotFound("enterprise.mapping-unknown", mapping=name)
        return found

    def source(self, name: str) -> ImportSource:
        """A configured source; NotFound ``enterprise.source-unknown``."""
        found = next((one for one in self._node.settings.sources if one.name == name), None)
        if found is None:
            raise NotFound("enterprise.source-unknown", source=name)
        return found

    # -- importing ----------------------------------------------------------------------------

    def run(
        self, mapping: Mapping, rows: Iterable[Row], *, actor: Actor, dry: bool = False
    ) -> ImportReport:
        """Import ``rows``, a batch at a time; what was stored before a broken source stays."""
        started = time.monotonic()
        report = ImportReport(dry=dry, faults=[])
        self._node.templates.get(TemplateRef(mapping.prefix, mapping.version))
        seen: dict[str, int] = {}
        numbered = enumerate(rows, start=1)
        render = _renderer(mapping)
        while batch := list(islice(numbered, self._node.settings.batch_items)):
            report.rows += len(batch)
            fresh = list(self._distinct(batch, render, seen, report))
            self._import(mapping, fresh, actor, report)
        report.seconds = round(time.monotonic() - started, 3)
        return report

    @staticmethod
    def _distinct(
        batch: list[tuple[int, Row]],
        render: Callable[[Row], Registration],
        seen: dict[str, int],
        report: ImportReport,
    ) -> Iterator[tuple[int, Registration]]:
        for number, row in batch:
            item = render(row)
            key, content = fold(item.name), hash(tuple(sorted(item.values.items())))
            known = seen.get(key)
            if known is None:
                seen[key] = content
                yield number, item
            elif known == content:
                report.duplicates += 1
            else:
                fault = Fault("enterprise.name-twice", {"name": item.name})
                _refuse(report, number, item.name, fault)

    def _import(
        self,
        mapping: Mapping,
        fresh: list[tuple[int, Registration]],
        actor: Actor,
        report: ImportReport,
    ) -> None:
        known = self._node.register.values_of([item.name for _, item in fresh])
        new: list[tuple[int, Registration]] = []
        other: list[tuple[int, Registration]] = []
        for number, item in fresh:
            state, values = known.get(fold(item.name), (State.DEREGISTERED, {}))
            if state is State.DEREGISTERED:
                new.append((number, item))
            elif values == item.values:
                report.unchanged += 1
            elif mapping.existing is Existing.SKIP:
                report.skipped += 1
            elif mapping.existing is Existing.FAULT:
                fault = Fault("enterprise.name-taken", {"name": item.name})
                _refuse(report, number, item.name, fault)
            else:
                other.append((number, item))
        do, note = self._node.registrations, f"import {mapping.name}"
        results = do.register([item for _, item in new], actor=actor, note=note, dry=report.dry)
        report.registered += _count(report, new, results)
        results = do.change([item for _, item in other], actor=actor, note=note, dry=report.dry)
        report.changed += _count(report, other, results)


def _count(
    report: ImportReport, items: list[tuple[int, Registration]], results: list[ItemResult]
) -> int:
    good = 0
    for (number, item), result in zip(items, results, strict=True):
        if result.fault is None:
            good += 1
        else:
            _refuse(report, number, item.name, result.fault)
    return good


def _refuse(report: ImportReport, number: int, name: str, fault: Fault) -> None:
    report.refused += 1
    if len(report.faults) < _FAULTS_SHOWN:
        report.faults.append(
            RowFault(
                row=number, name=name[:255], code=fault.code, zh=fault.text("zh"),
                en=fault.text("en"),
            )
        )  # fmt: skip


def _renderer(mapping: Mapping) -> Callable[[Row], Registration]:
    name = _pattern(mapping.identifier)
    values = {kind: _pattern(pattern) for kind, pattern in mapping.values.items()}
    template = TemplateRef(mapping.prefix, mapping.version)

    def render(row: Row) -> Registration:
        texts = {kind: pattern(row) for kind, pattern in values.items()}
        return Registration(
            name=name(row),
            template=template,
            values={kind: text for kind, text in texts.items() if text},
            kind=mapping.kind,
        )

    return render


def _pattern(pattern: str) -> Callable[[Row], str]:
    """A pattern with ``{column}`` places; a column that is not there is a fault of the mapping."""
    parts = _PLACE.split(pattern)

    def fill(row: Row) -> str:
        try:
            return "".join(row[part] if at % 2 else part for at, part in enumerate(parts))
        except KeyError as error:
            raise InvalidInput(
                "enterprise.import-bad", fault=f"no column {error.args[0]!r}"
            ) from error

    return fill
