"""The plant file: TOML text in, checked :class:`PlantFile` out, and back.

``parse`` refuses a file with any fault and names them all (:class:`PlantFaults`). ``check`` does
the semantic half for declarations that did not come from text. ``dump`` writes TOML that parses
to the same declarations. The format by example::

    name = "s1"
    prefix = "88.888.101"

    [[place]]
    path = "JZ"
    level = "enterprise"
    zh = "江洲精密"

    [[gateway]]
    name = "gw1"

    [[type]]
    name = "DCM2500"
    kind = "machine"
    variables = { base = 0 }
    property = [
      { name = "die_temperature", unit = "Cel", low = 0.0, high = 400.0, address = "hr:{base+10}" },
      { name = "zone_{i}", unit = "Cel", address = "hr:{base+20+i*2}", repeat = { last = 8 } },
    ]

    [[thing]]
    id = "DEV.DCM2500.01"
    type = "DCM2500"
    place = "JZ"
    simulated = true
    variables = { base = 100 }
    connection = { gateway = "gw1", device = "dcm1", driver = "modbus", settings = { port = 5020 } }
    relation = [{ kind = "part_of", target = "LIN.DC.1" }]
    tag = [{ property = "die_temperature", period_ms = 100 }]
"""

import re
import tomllib
from typing import Any

import msgspec

from mingwu.kernel.names import fold
from mingwu.registry import toml
from mingwu.registry.check import Plant, judge
from mingwu.registry.errors import Fault, PlantFaults
from mingwu.registry.model import PlantFile
from mingwu.registry.shape import Mended, mend

_ENTRY = re.compile(r"\$\.(?P<section>\w+)\[(?P<index>\d+)\]")
_STAND_INS = {"name": "unnamed", "prefix": "0"}


def parse(text: str, *, known: frozenset[str] = frozenset()) -> Plant:
    """Read a plant file; raises :class:`PlantFaults` with every fault.

    ``known`` holds folded identifiers of things elsewhere that relations may point at.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlantFaults([Fault("$", "registry.not-toml", {"fault": str(error)})]) from error
    mended = mend(PlantFile, data, stand_ins=_STAND_INS)
    if mended.value is None:
        raise PlantFaults(mended.faults)
    plant, faults = judge(mended.value, known=known)
    if mended.faults:
        faults = [*mended.faults, *_not_caused(faults, mended, data)]
    if faults:
        raise PlantFaults(faults)
    return plant


def validated(file: PlantFile) -> PlantFile:
    """Declarations made in code, with the checks of shape that only reading does.

    Raises :class:`PlantFaults`; the semantic half is ``check.check``.
    """
    mended = mend(PlantFile, msgspec.to_builtins(file), stand_ins=_STAND_INS)
    if mended.value is None or mended.faults:
        raise PlantFaults(mended.faults)
    return mended.value


def dump(file: PlantFile) -> str:
    """TOML text that parses to ``file``."""
    data = msgspec.to_builtins(file)
    _prune_deadbands(data)
    return toml.dumps(data)


def _prune_deadbands(data: Any) -> None:
    """The kernel's Deadband writes its defaults; a file reads better without them."""
    if isinstance(data, list):
        for item in data:
            _prune_deadbands(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "deadband" and isinstance(value, dict):
                plain = {"absolute": 0.0, "percent": 0.0, "heartbeat_s": 1800.0}
                data[key] = {k: v for k, v in value.items() if v != plain.get(k)}
            elif key != "settings":
                _prune_deadbands(value)


def _not_caused(
    faults: list[Fault], mended: Mended[PlantFile], data: dict[str, Any]
) -> list[Fault]:
    """The semantic faults that the faults of shape did not cause, with the file's own indexes.

    Entries with a fault of shape were mended by leaving parts out, so what the semantic half says
    of them (and of things of a mended type, and of references to left-out names) may be an echo.
    """
    mended_entries = {_entry(fault.path) for fault in mended.faults} - {None}
    declared = _declared(data)
    kept = []
    for fault in faults:
        moved = Fault(mended.where(fault.path), fault.code, fault.params)
        entry = _entry(moved.path)
        if entry in mended_entries or moved.path.removeprefix("$.") in _STAND_INS:
            continue
        if entry is not None and entry[0] == "thing":
            kind = data["thing"][entry[1]].get("type")
            if ("type", declared["type"].get(kind, -1)) in mended_entries:
                continue
        section = _REFERENCES.get(fault.code)
        name = str(fault.params.get("name", ""))
        if section is not None and _fold(section, name, data) in declared[section]:
            continue
        if fault.code == "registry.no-driver" and mended_entries:
            continue
        kept.append(moved)
    return kept


_REFERENCES = {
    "registry.no-place": "place",
    "registry.no-type": "type",
    "registry.no-gateway": "gateway",
    "registry.no-target": "thing",
}
_NAME_KEYS = {"place": "path", "type": "name", "gateway": "name", "thing": "id"}


def _entry(path: str) -> tuple[str, int] | None:
    match = _ENTRY.match(path)
    return (match["section"], int(match["index"])) if match else None


def _declared(data: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Names the user wrote per section, with their index, whether or not the entry is sound."""
    found: dict[str, dict[str, int]] = {}
    for section, key in _NAME_KEYS.items():
        rows = data.get(section)
        rows = rows if isinstance(rows, list) else []
        found[section] = {
            _fold(section, str(row[key]), data): index
            for index, row in enumerate(rows)
            if isinstance(row, dict) and key in row
        }
    return found


def _fold(section: str, name: str, data: dict[str, Any]) -> str:
    if section != "thing":
        return name
    return fold(name if "/" in name else f"{data.get('prefix', '')}/{name}")
