"""Importing identifiers from tables and databases, batch by batch.

Rows of the same name count once (rows that contradict each other are faults); names that are
registered already with the same values are left alone, others are skipped, changed or reported, as
the mapping says. So an import may be run again at any time. A dry run judges everything and stores
nothing. Each batch is one call of registration: durable when the import goes on to the next.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingOf
from enum import StrEnum
from itertools import islice

import msgspec

from mingwu.identity.enterprise.errors import Fault
from mingwu.identity.enterprise.lifecycle import State
from mingwu.identity.enterprise.mappings import Existing, Mapping, check_mapping, renderer
from mingwu.identity.enterprise.model import Actor, ItemResult, Registration, Template
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.settings import ImportSource
from mingwu.identity.enterprise.tables import Line, Table
from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold

_FAULTS_SHOWN = 500
_VALUE_SHOWN = 200

ValuesOf = MappingOf[str, str]
Changes = dict[str, tuple[str, str]]
"""Item type → value before and after."""


class Outcome(StrEnum):
    """What became of a row, or in a dry run would."""

    REGISTERED = "registered"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class RowResult(msgspec.Struct, frozen=True, gc=False):
    """One row: where it stands in the table, its name, what became of it and why not.

    ``given``: the values of the items that its faults are about.
    """

    row: int
    name: str
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    changes: Changes = {}
    given: dict[str, str] = {}


class RowFault(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused, in words."""

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

    def count(self, results: Iterable[RowResult]) -> None:
        """Count results in."""
        for one in results:
            field = _COUNTED[one.outcome]
            setattr(self, field, getattr(self, field) + 1)
            if one.faults and len(self.faults) < _FAULTS_SHOWN:
                self.faults.append(in_words(one.row, one.name, one.faults[0]))


_COUNTED = {one: one.value for one in Outcome} | {Outcome.DUPLICATE: "duplicates"}

Watch = Callable[[ImportReport, list[RowResult]], bool]
"""Told after each batch; false ends the import."""


def in_words(row: int, name: str, fault: Fault) -> RowFault:
    """A refused row in both languages."""
    return RowFault(row=row, name=name, code=fault.code, zh=fault.text("zh"), en=fault.text("en"))


def configured_source(node: EnterpriseNode, name: str) -> ImportSource:
    """A configured source; NotFound ``enterprise.source-unknown``."""
    found = next((one for one in node.settings.sources if one.name == name), None)
    if found is None:
        raise NotFound("enterprise.source-unknown", source=name)
    return found


class Import:
    """One import at work: one mapping, one actor; every row seen so far is known by name."""

    def __init__(
        self, node: EnterpriseNode, mapping: Mapping, *, actor: Actor, dry: bool = False
    ) -> None:
        self._node = node
        self._mapping = mapping
        self._actor = actor
        self._template: Template = node.templates.get(mapping.template)
        self._render = renderer(mapping, self._template)
        self._name_columns = mapping.name_columns()
        self._seen: dict[str, int] = {}
        items = self._template.definition.items
        # a dry run stores no unique values, so it keeps those of the rows it let pass
        self._unique = tuple(item.type for item in items if item.unique) if dry else ()
        self._taken: dict[tuple[str, str], str] = {}
        self.report = ImportReport(dry=dry, faults=[])

    def run(self, table: Table, watch: Watch = lambda _report, _results: True) -> ImportReport:
        """Import the rows of ``table``; what was stored before it breaks off stays.

        Raises InvalidInput when the mapping does not fit the template or the table.
        """
        check_mapping(self._mapping, self._template, table.columns)
        started = time.monotonic()
        while batch := list(islice(table.lines, self._node.settings.batch_items)):
            results: list[RowResult] = []
            fresh = list(self._distinct(batch, results))
            self._judge(fresh, results)
            self.report.rows += len(batch)
            self.report.count(results)
            self.report.seconds = round(time.monotonic() - started, 3)
            if not watch(self.report, results):
                break
        return self.report

    def _distinct(
        self, batch: list[Line], results: list[RowResult]
    ) -> Iterator[tuple[int, Registration]]:
        render, seen = self._render, self._seen
        for number, row, broken in batch:
            item = render(row)
            if broken is not None:
                results.append(_refused(number, item.name, broken))
                continue
            hollow = next((one for one in self._name_columns if not row[one].strip()), "")
            if hollow:  # what is left would be the name of something else
                fault = Fault("enterprise.name-cell", {"column": hollow})
                results.append(_refused(number, item.name, fault))
                continue
            key, content = fold(item.name), hash(tuple(item.values.values()))
            known = seen.get(key)
            if known is None:
                seen[key] = content
                yield number, item
            elif known == content:
                results.append(RowResult(number, item.name, Outcome.DUPLICATE))
            else:
                fault = Fault("enterprise.name-twice", {"name": item.name})
                results.append(_refused(number, item.name, fault))

    def _judge(self, fresh: list[tuple[int, Registration]], results: list[RowResult]) -> None:
        known = self._node.register.values_of([item.name for _, item in fresh])
        new: list[tuple[int, Registration]] = []
        other: list[tuple[int, Registration]] = []
        changes: dict[int, Changes] = {}
        for number, item in fresh:
            state, values = known.get(fold(item.name), (None, {}))
            if state is None:
                new.append((number, item))
                continue
            differing = _differing(values, item.values)
            if not differing and state is not State.DEREGISTERED:
                results.append(RowResult(number, item.name, Outcome.UNCHANGED))
            elif self._mapping.existing is Existing.SKIP:
                results.append(RowResult(number, item.name, Outcome.SKIPPED, (), differing))
            elif self._mapping.existing is Existing.FAULT:
                fault = Fault("enterprise.name-taken", {"name": item.name})
                results.append(_refused(number, item.name, fault))
            elif state is State.DEREGISTERED:
                new.append((number, item))
            else:
                changes[number] = differing
                other.append((number, item))
        self._store(new, other, changes, results)

    def _store(
        self,
        new: list[tuple[int, Registration]],
        other: list[tuple[int, Registration]],
        changes: dict[int, Changes],
        results: list[RowResult],
    ) -> None:
        do, note, dry = self._node.registrations, f"import {self._mapping.name}", self.report.dry
        if new:
            items = [item for _, item in new]
            done = do.register(items, actor=self._actor, note=note, dry=dry)
            results += self._told(new, done, Outcome.REGISTERED, changes)
        if other:
            items = [item for _, item in other]
            done = do.change(items, actor=self._actor, merge=True, note=note, dry=dry)
            results += self._told(other, done, Outcome.CHANGED, changes)

    def _told(
        self,
        items: list[tuple[int, Registration]],
        done: list[ItemResult],
        good: Outcome,
        changes: dict[int, Changes],
    ) -> Iterator[RowResult]:
        for (number, item), result in zip(items, done, strict=True):
            faults = result.faults
            if not faults and self._unique:
                taken = self._taken_fault(item)
                faults = (taken,) if taken else ()
            if faults:
                yield _refused(number, item.name, *faults, given=_given(item, faults))
            else:
                yield RowResult(number, item.name, good, (), changes.get(number, {}))

    def _taken_fault(self, item: Registration) -> Fault | None:
        """In a dry run: whether a row before took a value that must be unique."""
        key = fold(item.name)
        for kind in self._unique:
            value = item.values.get(kind, "")
            if value and self._taken.setdefault((kind, value), key) != key:
                holder = self._taken[kind, value]
                return Fault(
                    "enterprise.value-taken", {"item": kind, "value": value, "name": holder}
                )
        return None


def _differing(old: ValuesOf, new: ValuesOf) -> Changes:
    return {
        kind: (old.get(kind, ""), text) for kind, text in new.items() if old.get(kind, "") != text
    }


def _given(item: Registration, faults: tuple[Fault, ...]) -> dict[str, str]:
    """The values that faults are about, as far as a person needs to see them."""
    kinds = {str(fault.params.get("item", "")) for fault in faults}
    return {kind: item.values[kind][:_VALUE_SHOWN] for kind in kinds if item.values.get(kind)}


def _refused(row: int, name: str, *faults: Fault, given: dict[str, str] | None = None) -> RowResult:
    return RowResult(row, name[:255], Outcome.REFUSED, faults, {}, given or {})
