"""From declarations to resolved tags: templates filled in, defaults and overrides merged.

Address template: ``{name}`` is a variable of the thing (or its type's default), ``{i}`` the
running number of a repeated property, and ``{base+10+i*2}`` a sum of products of integers and
integer variables. ``{{`` and ``}}`` stand for the braces themselves.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from mingwu.kernel.plant import Deadband, ValueType
from mingwu.kernel.units import is_ucum
from mingwu.registry.errors import Fault
from mingwu.registry.model import PlantFile, PropertyDef, TagDef, ThingDef, TypeDef

Variables = Mapping[str, int | str]

_BRACES = re.compile(r"\{\{|\}\}|\{(?P<inner>[^{}]*)\}|(?P<stray>[{}])")
_TERM = re.compile(r"\s*(?P<sign>[+-]?)\s*(?P<product>\w+(?:\s*\*\s*\w+)*)\s*")


class ResolvedTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag with everything known but its number. ``property`` is empty for an own tag."""

    name: str
    property: str
    en: str
    zh: str
    address: str
    type: ValueType
    unit: str
    low: float | None
    high: float | None
    period_ms: int
    deadband: Deadband
    scale: float
    offset: float
    writable: bool
    exposed: bool
    nanoseconds: bool


def fill(template: str, variables: Variables) -> str:
    """Fill a template; raises ValueError with the fault in words."""

    def replace(match: re.Match[str]) -> str:
        if match["stray"]:
            raise ValueError(f"stray “{match['stray']}”")
        if match["inner"] is None:
            return match[0][0]
        return str(_evaluate(match["inner"].strip(), variables))

    return _BRACES.sub(replace, template)


def _evaluate(expression: str, variables: Variables) -> int | str:
    if expression in variables:
        return variables[expression]
    total, position = 0, 0
    while position < len(expression):
        match = _TERM.match(expression, position)
        if match is None or (position and not match["sign"]):
            raise ValueError(f"“{expression}” is not a sum of numbers and variables")
        product = 1
        for factor in match["product"].split("*"):
            product *= _factor(factor.strip(), variables)
        total += -product if match["sign"] == "-" else product
        position = match.end()
    if not position:
        raise ValueError("empty braces")
    return total


def _factor(word: str, variables: Variables) -> int:
    if word.isascii() and word.isdigit():
        return int(word)
    value = variables.get(word)
    if value is None:
        raise ValueError(f"no variable “{word}”")
    if isinstance(value, str):
        raise ValueError(f"variable “{word}” is a text and cannot be reckoned with")  # noqa: TRY004 — a fault of the file, reported as such
    return value


def properties(kind: TypeDef) -> Iterator[tuple[int, PropertyDef, int | None]]:
    """The properties of a type with repeats unrolled: (index in the file, property, i)."""
    for index, item in enumerate(kind.property):
        if item.repeat is None:
            yield index, item, None
            continue
        for number in range(item.repeat.first, item.repeat.last + 1):
            filled = {
                field: getattr(item, field).replace("{i}", str(number))
                for field in ("name", "en", "zh")
            }
            yield index, msgspec.structs.replace(item, repeat=None, **filled), number


def tags(plant: PlantFile, at: int, kind: TypeDef | None, faults: list[Fault]) -> list[ResolvedTag]:
    """The tags of ``plant.thing[at]``; faults found on the way are appended.

    A thing without a connection has no tags (and is at fault if it lists some).
    """
    thing, path = plant.thing[at], f"$.thing[{at}]"
    overrides = _overrides(thing, path, faults)
    if thing.connection is None:
        if thing.tag:
            faults.append(Fault(f"{path}.tag", "registry.no-connection"))
        return []
    variables = {**(kind.variables if kind else {}), **thing.variables}
    resolved: list[ResolvedTag] = []
    for _, item, number in properties(kind) if kind else ():
        place, override = overrides.pop(("property", item.name), None) or (path, None)
        if override is None and not item.address:
            continue
        if override is not None and override.skip:
            continue
        known = variables if number is None else {**variables, "i": number}
        tag = _merge(item, override, known, place, faults)
        if tag is not None:
            resolved.append(tag)
    for (key, name), (place, override) in overrides.items():
        if key == "property" and kind is not None:
            faults.append(Fault(f"{place}.property", "registry.no-property", {"name": name}))
            continue
        own = PropertyDef(name=name)
        tag = _merge(own, override, variables, place, faults, is_own=key == "name")
        if tag is not None:
            resolved.append(tag)
    return _once(resolved, path, faults)


def _overrides(
    thing: ThingDef, path: str, faults: list[Fault]
) -> dict[tuple[str, str], tuple[str, TagDef]]:
    found: dict[tuple[str, str], tuple[str, TagDef]] = {}
    for index, tag in enumerate(thing.tag):
        place = f"{path}.tag[{index}]"
        if bool(tag.property) == bool(tag.name):
            faults.append(Fault(place, "registry.tag-key"))
            continue
        key = ("property", tag.property) if tag.property else ("name", tag.name or "")
        if key in found:
            faults.append(Fault(place, "registry.duplicate", {"name": key[1]}))
            continue
        found[key] = place, tag
    return found


def _merge(
    item: PropertyDef,
    override: TagDef | None,
    variables: Variables,
    place: str,
    faults: list[Fault],
    *,
    is_own: bool = False,
) -> ResolvedTag | None:
    own = override or TagDef()

    def pick(field: str) -> object:
        value = getattr(own, field)
        return getattr(item, field) if value is None else value

    merged = {field: pick(field) for field in _MERGED}
    template = str(merged["address"])
    where = f"{place}.address" if override is not None else place
    if not template:
        faults.append(Fault(where, "registry.no-address"))
        return None
    try:
        merged["address"] = fill(template, variables)
    except ValueError as error:
        params = {"address": template, "fault": str(error)}
        faults.append(Fault(where, "registry.bad-template", params))
        return None
    tag = msgspec.convert(
        {**merged, "name": item.name, "property": "" if is_own else item.name},
        ResolvedTag,
    )
    if override is not None:
        check_range(tag, place, faults)
    return tag


_MERGED = (
    "en",
    "zh",
    "address",
    "type",
    "unit",
    "low",
    "high",
    "period_ms",
    "deadband",
    "scale",
    "offset",
    "writable",
    "exposed",
    "nanoseconds",
)


def check_range(item: ResolvedTag | PropertyDef, place: str, faults: list[Fault]) -> None:
    """Unit, range and percent deadband of a property or tag."""
    if not is_ucum(item.unit):
        faults.append(Fault(f"{place}.unit", "registry.bad-unit", {"unit": item.unit}))
    if item.low is not None and item.high is not None and not item.low < item.high:
        params = {"low": item.low, "high": item.high}
        faults.append(Fault(f"{place}.low", "registry.bad-range", params))
    if item.deadband.percent and (item.low is None or item.high is None):
        faults.append(Fault(f"{place}.deadband", "registry.no-range"))


def _once(resolved: list[ResolvedTag], path: str, faults: list[Fault]) -> list[ResolvedTag]:
    seen: dict[str, ResolvedTag] = {}
    for tag in resolved:
        if tag.name in seen:
            faults.append(Fault(f"{path}.tag", "registry.duplicate", {"name": tag.name}))
        seen.setdefault(tag.name, tag)
    return list(seen.values())
