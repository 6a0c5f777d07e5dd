"""A compiled read: few large requests, and replies decoded a column at a time.

``compile_plan`` sorts the tags of each table, joins neighbours into blocks (limits and gaps from
the settings), encodes the requests once and lays the replies' bytes side by side in one buffer.
Tags of one type and byte order are then one numpy gather over that buffer: no tag costs a line of
Python per read (strings do).

Byte orders need no swapping: the gather picks the registers in straight or reversed order and the
result is viewed as big- or little-endian (``abcd`` straight/big, ``cdab`` reversed/big, ``badc``
reversed/little, ``dcba`` straight/little).

A device that refuses a block because one address in it does not exist would spoil its neighbours;
``split`` halves such a block for the reads to come until only the culprit is bad.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mingwu.field.modbus.address import BIT, STRING, Address, parse
from mingwu.field.modbus.settings import ModbusSettings, WordOrder
from mingwu.kernel.batch import F64, U8, U32, Columns
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import BAD, GOOD, SIMULATED, Reason, bad
from mingwu.wire.modbus.pdu import (
    BIT_READS,
    ExceptionCode,
    ExceptionReply,
    ProtocolError,
    read_reply,
    read_request,
)

Rows = npt.NDArray[np.intp]
Place = slice | Rows
REFUSALS = {
    ExceptionCode.ILLEGAL_FUNCTION: Reason.BAD_ADDRESS,
    ExceptionCode.ILLEGAL_DATA_ADDRESS: Reason.BAD_ADDRESS,
    ExceptionCode.ILLEGAL_DATA_VALUE: Reason.BAD_ADDRESS,
    ExceptionCode.SERVER_DEVICE_FAILURE: Reason.DEVICE_FAILURE,
    ExceptionCode.ACKNOWLEDGE: Reason.BUSY,
    ExceptionCode.SERVER_DEVICE_BUSY: Reason.BUSY,
    ExceptionCode.MEMORY_PARITY_ERROR: Reason.DEVICE_FAILURE,
    ExceptionCode.GATEWAY_PATH_UNAVAILABLE: Reason.NOT_CONNECTED,
    ExceptionCode.GATEWAY_TARGET_FAILED: Reason.TIMEOUT,
}
_SPLITTING = {ExceptionCode.ILLEGAL_DATA_ADDRESS, ExceptionCode.ILLEGAL_DATA_VALUE}
_REVERSED = {WordOrder.CDAB, WordOrder.BADC}
_LITTLE = {WordOrder.BADC, WordOrder.DCBA}


@dataclass(frozen=True, slots=True)
class Item:
    """A tag in a block: its row in the columns and where it lies."""

    row: int
    address: Address


@dataclass(slots=True)
class Block:
    """One request.

    ``place`` is where its data go: a byte of the plan's register buffer, or a place among its bits.
    """

    function: int
    start: int
    count: int
    items: list[Item]
    place: int = 0
    size: int = 0
    pdu: bytes = b""
    rows: Rows = field(default_factory=lambda: np.empty(0, np.intp))

    def __post_init__(self) -> None:
        self.size = self.count if self.of_bits else 2 * self.count
        self.pdu = read_request(self.function, self.start, self.count)
        self.rows = np.array([item.row for item in self.items], np.intp)

    @property
    def of_bits(self) -> bool:
        """Whether it reads coils or discrete inputs."""
        return self.function in BIT_READS


@dataclass(frozen=True, slots=True)
class Group:
    """Rows ``first`` to ``last`` have one type and order.

    ``place`` picks [n, width] registers (or [n] bits) of the buffer; ``bits`` are shifts when the
    rows are bits of registers.
    """

    first: int
    last: int
    code: str
    place: Place
    bits: npt.NDArray[np.uint16] | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string row; ``place`` is its first register in the buffer, ``size`` counts bytes."""

    row: int
    place: int
    size: int
    swapped: bool


class Plan:
    """Blocks to request and the layout to decode; made by :func:`compile_plan`."""

    def __init__(self, tags: Sequence[TagSpec], blocks: list[Block], *, simulated: bool) -> None:
        self.tag: U32 = np.array([tag.number for tag in tags], np.uint32)
        self.tag.flags.writeable = False
        self.compiled = blocks
        self.blocks = blocks
        self.requests = [block.pdu for block in blocks]
        self.epoch = 0
        self.mark = SIMULATED if simulated else 0
        self.groups: list[Group] = []
        self.texts: list[Text] = []
        self.charset = "utf-8"
        registers, bits = _lay_out(blocks)
        self._buffer = bytearray(registers)
        self._words = np.frombuffer(self._buffer, np.uint16)
        self._bits = np.zeros(bits, np.uint8)
        self._quality: U8 = np.full(len(tags), GOOD | self.mark, np.uint8)
        self._scale, self._offset = _scaling(tags)
        self._booleans = np.array(
            [row for row, tag in enumerate(tags) if tag.type is ValueType.BOOL], np.intp
        )
        self._floats = slice(0, 0)

    def __len__(self) -> int:
        return len(self.tag)

    def finish(self, groups: list[Group], texts: list[Text], charset: str) -> None:
        """Second half of construction: the decode layout (float groups stand side by side)."""
        self.groups, self.texts, self.charset = groups, texts, charset
        floats = [group for group in groups if "f" in group.code]
        if floats:
            self._floats = slice(floats[0].first, floats[-1].last)
        plain = {row for g in groups if g.code == BIT for row in range(g.first, g.last)}
        self._booleans = np.array([r for r in self._booleans if r not in plain], np.intp)

    def restore(self) -> None:
        """Forget splits (after the device was reopened: it may have been restarting)."""
        self.blocks = self.compiled
        self.requests = [block.pdu for block in self.blocks]

    def split(self, refused: Sequence[Block]) -> bool:
        """Halve refused blocks for the reads to come; False if none can be halved."""
        blocks: list[Block] = []
        for block in self.blocks:
            halves = _halve(block) if block in refused else None
            blocks.extend(halves or [block])
        changed = len(blocks) != len(self.blocks)
        self.blocks = blocks
        self.requests = [block.pdu for block in blocks]
        return changed

    def decode(
        self, blocks: Sequence[Block], replies: Sequence[bytes | Reason], time_ns: int
    ) -> Columns:
        """Columns from one reply (PDU, or why there is none) per block that was requested."""
        quality = self._quality.copy()
        lost: list[tuple[Rows, Reason]] = []
        refused: list[Block] = []
        for block, reply in zip(blocks, replies, strict=True):
            reason = self._take(block, reply, refused)
            if reason:
                lost.append((block.rows, reason))
        value = np.empty(len(quality), np.float64)
        self._gather(value, quality)
        text = self._read_texts(value, quality) if self.texts else {}
        for rows, reason in lost:
            value[rows] = np.nan
            quality[rows] = bad(reason) | self.mark
            for row in rows.tolist() if text else ():
                text.pop(row, None)
        if refused:
            self.split(refused)
        return Columns(self.tag, np.full(len(quality), time_ns, np.int64), value, quality, text)

    def _take(self, block: Block, reply: bytes | Reason, refused: list[Block]) -> Reason:
        """Put a reply's data in their place; Reason.NONE when all is well."""
        if not isinstance(reply, bytes):
            return reply
        try:
            data = read_reply(reply, block.function, block.count)
        except ProtocolError:
            return Reason.MALFORMED
        if isinstance(data, ExceptionReply):
            if data.code in _SPLITTING and len(block.items) > 1:
                refused.append(block)
            return refusal(data.code)
        if block.of_bits:
            packed = np.frombuffer(data, np.uint8)
            bits = np.unpackbits(packed, count=block.count, bitorder="little")
            self._bits[block.place : block.place + block.count] = bits
        else:
            self._buffer[block.place : block.place + block.size] = data
        return Reason.NONE

    def _gather(self, value: F64, quality: U8) -> None:
        words = self._words
        for group in self.groups:
            picked: npt.NDArray[np.generic]
            if group.code != BIT:
                picked = words[group.place].view(group.code).reshape(-1)
            elif group.bits is not None:
                picked = (words[group.place].view(">u2").reshape(-1) >> group.bits) & 1
            else:
                picked = self._bits[group.place]
            value[group.first : group.last] = picked
        if self._scale is not None:
            value *= self._scale
            value += self._offset
        if len(self._booleans):
            value[self._booleans] = value[self._booleans] != 0
        floats = value[self._floats]
        if len(floats):
            finite = np.isfinite(floats)
            if not finite.all():
                floats[~finite] = np.nan
                quality[self._floats][~finite] = bad(Reason.NOT_A_NUMBER) | self.mark

    def _read_texts(self, value: F64, quality: U8) -> dict[int, str]:
        found: dict[int, str] = {}
        for text in self.texts:
            words = self._words[text.place : text.place + (text.size + 1) // 2]
            raw = words.byteswap().tobytes() if text.swapped else words.tobytes()
            value[text.row] = np.nan
            try:
                whole = raw[: text.size].partition(b"\0")[0]
                found[text.row] = whole.decode(self.charset).rstrip()
            except UnicodeDecodeError:
                quality[text.row] = bad(Reason.CONVERSION) | self.mark
        return found


def refusal(code: int) -> Reason:
    """Reason of an exception code."""
    known = code in ExceptionCode.__members__.values()
    return REFUSALS[ExceptionCode(code)] if known else Reason.DEVICE_FAILURE


def all_bad(plan: Plan, reason: Reason, time_ns: int) -> Columns:
    """Every row bad for one reason."""
    count = len(plan)
    quality = np.full(count, BAD | reason | plan.mark, np.uint8)
    return Columns(plan.tag, np.full(count, time_ns, np.int64), np.full(count, np.nan), quality)


# ------------------------------------------------------------------ compiling


def compile_plan(tags: Sequence[TagSpec], settings: ModbusSettings, *, simulated: bool) -> Plan:
    """Compile; raises ConfigError ``modbus.address`` for an address that cannot be read."""
    located = [(tag, parse(tag, settings.word_order)) for tag in tags]
    located.sort(key=lambda pair: (_rank(pair[1]), pair[1].start, pair[1].bit))
    ordered = [tag for tag, _ in located]
    items = [Item(row, address) for row, (_, address) in enumerate(located)]
    tables: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        tables[item.address.function].append(item)
    blocks = [
        block
        for function in sorted(tables)
        for block in coalesce(function, tables[function], settings)
    ]
    plan = Plan(ordered, blocks, simulated=simulated)
    plan.finish(*_layout(items, blocks), settings.charset)
    return plan


def coalesce(function: int, items: list[Item], settings: ModbusSettings) -> list[Block]:
    """Blocks for the items of one table; a value is never cut in two."""
    bits = function in BIT_READS
    limit = settings.max_bits if bits else settings.max_registers
    gap = settings.max_gap * (16 if bits else 1)
    blocks: list[Block] = []
    run: list[Item] = []
    start = end = 0
    for item in sorted(items, key=lambda i: (i.address.start, i.address.width)):
        first, last = item.address.start, item.address.start + item.address.width
        if run and first - end <= gap and max(end, last) - start <= limit:
            end = max(end, last)
            run.append(item)
            continue
        if run:
            blocks.append(Block(function, start, end - start, run))
        run, start, end = [item], first, last
    if run:
        blocks.append(Block(function, start, end - start, run))
    return blocks


def _halve(block: Block) -> list[Block] | None:
    """Two blocks reading the same tags into the same bytes; None if it is one value."""
    if len(block.items) < 2:  # noqa: PLR2004
        return None
    step = 1 if block.of_bits else 2
    middle = len(block.items) // 2
    halves = []
    for items in (block.items[:middle], block.items[middle:]):
        start = min(item.address.start for item in items)
        end = max(item.address.start + item.address.width for item in items)
        half = Block(block.function, start, end - start, items)
        half.place = block.place + step * (start - block.start)
        halves.append(half)
    return halves


def _rank(address: Address) -> tuple[int, str, str]:
    """Sort key that makes rows of one group neighbours, floats last but for texts."""
    kind = {"f": 2, STRING: 3}.get(address.code[0], 1)
    if address.code == BIT:
        kind = 0 if address.in_registers else -1
    return kind, address.code, "" if address.code == BIT else address.order


def _scaling(tags: Sequence[TagSpec]) -> tuple[F64 | None, F64 | float]:
    if all(tag.scale == 1 and tag.offset == 0 for tag in tags):
        return None, 0.0
    return np.array([tag.scale for tag in tags]), np.array([tag.offset for tag in tags])


def _lay_out(blocks: list[Block]) -> tuple[int, int]:
    """Give each block its place; returns the bytes of registers and the number of bits."""
    ends = [0, 0]
    for block in blocks:
        block.place = ends[block.of_bits]
        ends[block.of_bits] += block.size
    return ends[0], ends[1]


def _layout(items: list[Item], blocks: list[Block]) -> tuple[list[Group], list[Text]]:
    """Decode groups and texts from where each item's bytes lie."""
    where = {item.row: block for block in blocks for item in block.items}
    groups: dict[tuple[int, str, str], list[Item]] = defaultdict(list)
    for item in items:
        groups[_rank(item.address)].append(item)
    made: list[Group] = []
    texts: list[Text] = []
    for members in groups.values():
        if members[0].address.code == STRING:
            texts.extend(_text(item, where[item.row]) for item in members)
        else:
            made.append(_group(members, where))
    return made, texts


def _text(item: Item, block: Block) -> Text:
    address = item.address
    place = block.place // 2 + address.start - block.start
    return Text(item.row, place, address.text_bytes, address.order in _LITTLE)


def _group(members: list[Item], where: dict[int, Block]) -> Group:
    first, last = members[0].row, members[-1].row + 1
    address = members[0].address
    step = 2 if address.in_registers else 1
    starts = [
        where[item.row].place // step + item.address.start - where[item.row].start
        for item in members
    ]
    origin = np.array(starts, np.intp)
    if address.code == BIT:
        shifts = [item.address.bit for item in members] if address.in_registers else None
        bits = None if shifts is None else np.array(shifts, np.uint16)
        return Group(first, last, BIT, _place(origin), bits)
    within = np.arange(address.width)
    index = origin[:, None] + (within[::-1] if address.order in _REVERSED else within)
    code = ("<" if address.order in _LITTLE else ">") + address.code
    return Group(first, last, code, _place(index.reshape(-1)))


def _place(index: Rows) -> Place:
    """A slice when the index counts upwards by one (a slice needs no copy)."""
    if (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index
