"""The address space of a machining line: nodes from the tags of the plant file.

``MC01.Spindle.SpindleLoad`` is the component SpindleLoad of the folder Spindle of the object MC01,
which is of the type MachiningCentreType with the same components. Measured variables carry their
range and unit (OPC 10000-8, 5.3.2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds

from mingwu.kernel.plant import ValueType
from mingwu.kernel.units import display
from mingwu.lab.gate import Gate
from mingwu.lab.physics.laws import Readings, Value
from mingwu.lab.plant.milling import OBJECT_TYPE
from mingwu.registry.expand import ResolvedTag

FAST_MS = 1000
VARIANT = {
    ValueType.FLOAT: ua.VariantType.Double,
    ValueType.INT: ua.VariantType.Int32,
    ValueType.BOOL: ua.VariantType.Boolean,
    ValueType.TEXT: ua.VariantType.String,
}
_EMPTY: dict[ValueType, Value] = {
    ValueType.FLOAT: 0.0,
    ValueType.INT: 0,
    ValueType.BOOL: False,
    ValueType.TEXT: "",
}
# UNECE Rec 20 codes (OPC 10000-8, 5.6.3: the unit id is the code's characters as a number).
_UNECE = {
    "%": "P1", "{rpm}": "RPM", "kW": "KWT", "kW.h": "KWH", "N.m": "NU", "mm/s": "C16",
    "mm/min": "H81", "bar": "BAR", "L/min": "L2", "A": "AMP", "um": "4H", "mm": "MMT",
    "deg": "DD", "s": "SEC", "Cel": "CEL",
}  # fmt: skip
_UNITS_URI = "http://www.opcfoundation.org/UA/units/un/cefact"
# asyncua annotates these with its own wire types and takes plain Python values.
_NodeId: Any = ua.NodeId
_QualifiedName: Any = ua.QualifiedName


@dataclass
class Point:
    """One variable of one machine and what it shows."""

    name: str
    node: Any
    type: ValueType
    digits: int
    last: Value | None = None
    skew_s: float = 0.0


@dataclass
class Machine:
    """A machining centre on the server: its readings, its own gate, its variables."""

    node: str
    readings: Readings
    gate: Gate
    tags: Sequence[ResolvedTag]
    fast: list[Point] = field(default_factory=list)
    slow: list[Point] = field(default_factory=list)


def digits_of(band: float) -> int:
    """Decimals a value is shown with: the first that a change must reach to be reported."""
    return 3 if band <= 0 else max(0, math.ceil(-math.log10(band)))


def _name(text: str, index: int) -> Any:
    return _QualifiedName(text, index)


def _split(address: str) -> tuple[str, str, str]:
    """(machine, folder, name) of ``nsu=…;s=MC01.Spindle.SpindleLoad``."""
    machine, folder, name = address.partition(";s=")[2].split(".")
    return machine, folder, name


async def build(server: Server, index: int, machines: Sequence[Machine]) -> None:
    """The type, then every machine as an object of it with the same components."""
    types = server.nodes.base_object_type
    kind = await types.add_object_type(_NodeId(OBJECT_TYPE, index), _name(OBJECT_TYPE, index))
    await _components(kind, OBJECT_TYPE, index, machines[0].tags, mandatory=True)
    hall = await server.nodes.objects.add_object(index, "MachiningLine")
    base, defined_by = ObjectIds.BaseObjectType, ObjectIds.HasTypeDefinition
    for machine in machines:
        label = _name(machine.node, index)
        made = await hall.add_object(_NodeId(machine.node, index), label)
        await made.delete_reference(base, defined_by)
        await made.add_reference(kind, defined_by)
        points = await _components(made, machine.node, index, machine.tags)
        for tag, point in zip(machine.tags, points, strict=True):
            (machine.fast if tag.period_ms < FAST_MS else machine.slow).append(point)


async def _components(
    parent: Any, prefix: str, index: int, tags: Sequence[ResolvedTag],
    *, mandatory: bool = False,
) -> list[Point]:  # fmt: skip
    """Folders and variables under a machine or the type, with identifiers below ``prefix``."""
    folders: dict[str, Any] = {}
    points: list[Point] = []
    for tag in tags:
        _, folder, name = _split(tag.address)
        made: list[Any] = []
        if folder not in folders:
            place = _NodeId(f"{prefix}.{folder}", index)
            folders[folder] = await parent.add_object(place, _name(folder, index))
            made.append(folders[folder])
        node = _NodeId(f"{prefix}.{folder}.{name}", index)
        empty = ua.Variant(_EMPTY[tag.type], VARIANT[tag.type])
        variable = await folders[folder].add_variable(node, _name(name, index), empty)
        made += [variable, *await _describe(variable, node.Identifier, index, tag)]
        if mandatory:
            for component in made:
                await component.set_modelling_rule(True)
        digits = digits_of(tag.deadband.absolute)
        points.append(Point(tag.property, node, tag.type, digits))
    return points


async def _describe(variable: Any, prefix: str, index: int, tag: ResolvedTag) -> list[Any]:
    """Range and unit of a measured variable as its properties (OPC 10000-8, 5.3.2)."""
    if tag.type is not ValueType.FLOAT or tag.low is None or tag.high is None:
        return []
    text = ua.LocalizedText(display(tag.unit))
    unit = ua.EUInformation(
        NamespaceUri=_UNITS_URI,
        UnitId=int.from_bytes(_UNECE.get(tag.unit, "C62").encode(), "big"),
        DisplayName=text,
        Description=text,
    )
    span = ua.Range(Low=tag.low, High=tag.high)
    return [
        await variable.add_property(_NodeId(f"{prefix}.{name}", index), _name(name, 0), value)
        for name, value in (("EURange", span), ("EngineeringUnits", unit))
    ]
