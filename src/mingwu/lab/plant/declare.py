"""Shorthand for properties: plain ones, and Modbus maps that give every property its registers.

A :class:`RegisterMap` hands out addresses in the order of declaration, one run per area and
encoding, so that a poll coalesces into few blocks. Word order of 32-bit values is the thing's
variable ``order``.
"""

from dataclasses import dataclass, field

from mingwu.kernel.plant import Deadband, ValueType
from mingwu.registry.model import PropertyDef, Repeat

HEARTBEAT_S = 300.0
FAST_MS = 100


@dataclass(frozen=True, slots=True)
class Analog:
    """Unit (UCUM), range and report band (absolute, in the unit) of a measured quantity."""

    unit: str
    low: float
    high: float
    band: float = 0.0


def analog(
    name: str,
    labels: tuple[str, str],
    quantity: Analog,
    address: str,
    *,
    repeat: int = 0,
    **more: bool | float,
) -> PropertyDef:
    """A float property; ``labels`` are zh and en; ``repeat`` > 0 makes it a series 1..repeat."""
    return PropertyDef(
        name=name,
        zh=labels[0],
        en=labels[1],
        unit=quantity.unit,
        low=quantity.low,
        high=quantity.high,
        address=address,
        deadband=Deadband(absolute=quantity.band, heartbeat_s=HEARTBEAT_S),
        repeat=Repeat(last=repeat) if repeat else None,
        period_ms=int(more.get("period_ms", 1000)),
        scale=float(more.get("scale", 1.0)),
        writable=bool(more.get("writable", False)),
        exposed=bool(more.get("exposed", False)),
    )


def discrete(
    name: str,
    labels: tuple[str, str],
    kind: ValueType,
    address: str,
    *,
    unit: str = "1",
    exposed: bool = False,
) -> PropertyDef:
    """An integer, boolean or text property: every change counts."""
    return PropertyDef(
        name=name,
        zh=labels[0],
        en=labels[1],
        type=kind,
        unit=unit,
        address=address,
        deadband=Deadband(heartbeat_s=HEARTBEAT_S),
        exposed=exposed,
    )


@dataclass(slots=True)
class RegisterMap:
    """Properties of a Modbus device, with addresses given out run by run."""

    properties: list[PropertyDef] = field(default_factory=list)
    _next: dict[str, int] = field(default_factory=dict)

    def start(self, area: str, address: int) -> None:
        """The next property of ``area`` stands at ``address``."""
        self._next[area] = address

    def _place(self, area: str, width: int, repeat: int) -> str:
        """Address template for the next ``repeat`` values of ``width`` registers each."""
        first = self._next.get(area, 0)
        self._next[area] = first + width * max(1, repeat)
        if not repeat:
            return f"{area}:{first}"
        base = first - width
        return f"{area}:{{i*{width}{base:+d}}}" if base else f"{area}:{{i*{width}}}"

    def float32(
        self,
        name: str,
        labels: tuple[str, str],
        quantity: Analog,
        *,
        area: str = "input",
        repeat: int = 0,
        **more: bool | float,
    ) -> None:
        """A 32-bit float in the device's word order."""
        address = self._place(area, 2, repeat) + ":float32:{order}"
        self.properties.append(analog(name, labels, quantity, address, repeat=repeat, **more))

    def scaled(
        self,
        name: str,
        labels: tuple[str, str],
        quantity: Analog,
        scale: float,
        *,
        area: str = "input",
        repeat: int = 0,
        **more: bool | float,
    ) -> None:
        """A 16-bit integer in steps of ``scale``."""
        address = self._place(area, 1, repeat) + ":int16"
        self.properties.append(
            analog(name, labels, quantity, address, repeat=repeat, scale=scale, **more)
        )

    def counter(self, name: str, labels: tuple[str, str], *, exposed: bool = False) -> None:
        """A 32-bit unsigned counter."""
        address = self._place("input", 2, 0) + ":uint32:{order}"
        self.properties.append(
            discrete(name, labels, ValueType.INT, address, unit="{count}", exposed=exposed)
        )

    def word(self, name: str, labels: tuple[str, str], *, exposed: bool = False) -> None:
        """A 16-bit unsigned number: a state, a code, a revision."""
        address = self._place("input", 1, 0) + ":uint16"
        self.properties.append(discrete(name, labels, ValueType.INT, address, exposed=exposed))

    def flag(self, name: str, labels: tuple[str, str], *, area: str = "coil") -> None:
        """One bit."""
        address = self._place(area, 1, 0)
        self.properties.append(discrete(name, labels, ValueType.BOOL, address))
