"""Register image of one Modbus unit: readings in, the four tables of the protocol out.

Compiled once from the device's tags: values of one type and word order are converted as one
column and scattered into the tables. Writes by a client are found by comparing the holding
registers with what was put there last.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mingwu.field.modbus.address import BIT, Address, parse
from mingwu.field.modbus.settings import WordOrder
from mingwu.kernel.plant import TagSpec
from mingwu.lab.physics.laws import Readings
from mingwu.registry.expand import ResolvedTag
from mingwu.wire.modbus.pdu import Function
from mingwu.wire.modbus.server import Bank

FAST_MS = 1000  # tags polled faster than this are refreshed every step

Bytes = npt.NDArray[np.uint8]


def word_permutation(order: WordOrder, width: int) -> list[int]:
    """Where the bytes of a big-endian number of ``width`` bytes go on the wire."""
    places = list(range(width))
    if order in (WordOrder.CDAB, WordOrder.DCBA):
        places = [byte for word in range(width - 2, -1, -2) for byte in (word, word + 1)]
    if order in (WordOrder.BADC, WordOrder.DCBA):
        places = [places[index ^ 1] for index in range(width)]
    return places


@dataclass
class _Column:
    """Values of one table, type and order that are refreshed together."""

    table: Bytes
    names: list[str]
    places: npt.NDArray[np.intp]
    scale: npt.NDArray[np.float64]
    code: str
    order: list[int]

    def put(self, readings: Readings) -> None:
        raw = np.array([readings[name] for name in self.names], np.float64)
        if self.code == BIT:
            self.table[self.places] = raw != 0
            return
        raw /= self.scale
        kind = np.dtype(f">{self.code}")
        if kind.kind != "f":
            limits = np.iinfo(kind)
            raw = np.clip(np.rint(raw), limits.min, limits.max)
        coded = raw.astype(kind).view(np.uint8).reshape(len(raw), kind.itemsize)
        self.table[self.places] = coded[:, self.order]


@dataclass(frozen=True)
class _Writable:
    name: str
    start: int
    code: str
    order: list[int]
    scale: float

    def value(self, table: bytearray) -> float:
        width = len(self.order)
        wire = np.frombuffer(table, np.uint8, width, self.start)
        straight = np.empty(width, np.uint8)
        straight[:] = wire[np.argsort(self.order)]
        return float(straight.view(f">{self.code}")[0]) * self.scale


class RegisterImage:
    """The tables of one unit, refreshed from readings. ``bank`` answers requests."""

    def __init__(self, tags: Iterable[ResolvedTag], identification: Sequence[str] = ()) -> None:
        parsed = {}
        for tag in tags:
            spec = TagSpec(number=0, thing="", name=tag.name, address=tag.address, type=tag.type)
            parsed[parse(spec)] = tag
        sizes = dict.fromkeys(Function, 0)
        for at in parsed:
            sizes[at.function] = max(sizes[at.function], at.start + at.width)
        self.bank = Bank(
            holding=bytearray(2 * sizes[Function.READ_HOLDING_REGISTERS]),
            input=bytearray(2 * sizes[Function.READ_INPUT_REGISTERS]),
            coils=bytearray(sizes[Function.READ_COILS]),
            discrete=bytearray(sizes[Function.READ_DISCRETE_INPUTS]),
            identification={key: text.encode() for key, text in enumerate(identification)},
        )
        self._fast = self._columns({a: t for a, t in parsed.items() if t.period_ms < FAST_MS})
        self._slow = self._columns({a: t for a, t in parsed.items() if t.period_ms >= FAST_MS})
        self._writable = [
            _Writable(tag.property, 2 * at.start, at.code, self._order(at), tag.scale)
            for at, tag in parsed.items()
            if tag.writable and at.function == Function.READ_HOLDING_REGISTERS
        ]
        self._put_last = bytes(self.bank.holding)

    @staticmethod
    def _order(at: Address) -> list[int]:
        return word_permutation(at.order, 2 * at.width)

    def _columns(self, tags: dict[Address, ResolvedTag]) -> list[_Column]:
        tables = {
            Function.READ_COILS: self.bank.coils,
            Function.READ_DISCRETE_INPUTS: self.bank.discrete,
            Function.READ_HOLDING_REGISTERS: self.bank.holding,
            Function.READ_INPUT_REGISTERS: self.bank.input,
        }
        groups: dict[tuple[Function, str, WordOrder], list[Address]] = {}
        for at in tags:
            groups.setdefault((at.function, at.code, at.order), []).append(at)
        found = []
        for (function, code, _), group in groups.items():
            starts = np.array([at.start for at in group], np.intp)
            order = [0]
            if code != BIT:
                order = self._order(group[0])
                starts = 2 * starts[:, None] + np.arange(len(order))
            found.append(
                _Column(
                    table=np.frombuffer(tables[function], np.uint8),
                    names=[tags[at].property for at in group],
                    places=starts,
                    scale=np.array([tags[at].scale for at in group]),
                    code=code,
                    order=order,
                )
            )
        return found

    def take_writes(self, apply: Callable[[str, float], bool]) -> None:
        """Hand what a client wrote since the last refresh to ``apply``."""
        if self.bank.holding == self._put_last:
            return
        for item in self._writable:
            span = slice(item.start, item.start + len(item.order))
            if self.bank.holding[span] != self._put_last[span]:
                apply(item.name, item.value(self.bank.holding))

    def put_fast(self, readings: Readings) -> None:
        """Refresh what is polled faster than once a second."""
        for column in self._fast:
            column.put(readings)

    def put(self, readings: Readings) -> None:
        """Refresh the rest."""
        for column in self._slow:
            column.put(readings)
        self._put_last = bytes(self.bank.holding)
