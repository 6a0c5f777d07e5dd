"""Messages of the subscription services as bytes (OPC 10000-4, 5.13 and 5.14): pure codec.

Only the four services the driver uses, in the binary mapping of OPC 10000-6. Parsers raise
nothing but Malformed, whatever the bytes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from mingwu.field.opcua import scan
from mingwu.field.opcua.plan import VALUE_ATTRIBUTE

DATA_CHANGE, STATUS_CHANGE = 811, 820

_SUBSCRIPTION = struct.Struct("<dIII?B")
_REVISED = struct.Struct("<IdII")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
# ReadValueId after the NodeId, MonitoringMode reporting
_ITEM_NODE_TAIL = struct.pack("<IiHii", VALUE_ATTRIBUTE, -1, 0, -1, 2)
# client handle, sampling interval, no filter, queue size, discard the oldest
_ITEM_PARAMETERS = struct.Struct("<Id3sI?")
_ITEM_RESULT = struct.Struct("<IIdI")
_NO_OBJECT = b"\0\0\0"
_SOURCE_TIME = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A node to monitor: what the server calls back with is ``handle``."""

    node_id: bytes
    handle: int
    sampling_ms: float
    queue: int


@dataclass(frozen=True, slots=True)
class Revised:
    """What the server made of our wishes for a subscription."""

    subscription: int
    interval_ms: float
    lifetime_count: int
    keepalive_count: int


@dataclass(slots=True)
class Published:
    """A PublishResponse. ``changes`` are (position, count) of data changes in the message."""

    subscription: int
    sequence: int
    keepalive: bool
    changes: list[tuple[int, int]] = field(default_factory=list)
    status: int | None = None


def create_subscription(interval_ms: float, lifetime_count: int, keepalive_count: int) -> bytes:
    """CreateSubscription: publishing enabled, no limit of notifications per message."""
    return _SUBSCRIPTION.pack(interval_ms, lifetime_count, keepalive_count, 0, True, 0)


def created_subscription(body: bytes, pos: int) -> Revised:
    return Revised(*_unpack(_REVISED, body, pos))


def delete_subscription(subscription: int) -> bytes:
    return struct.pack("<iI", 1, subscription)


def create_items(subscription: int, items: Sequence[Item]) -> bytes:
    parts = [struct.pack("<Iii", subscription, _SOURCE_TIME, len(items))]
    for item in items:
        parameters = _ITEM_PARAMETERS.pack(
            item.handle, item.sampling_ms, _NO_OBJECT, item.queue, True
        )
        parts += (item.node_id, _ITEM_NODE_TAIL, parameters)
    return b"".join(parts)


def created_items(body: bytes, pos: int, expected: int) -> list[int]:
    """Status code per item."""
    if (count := _unpack(_I32, body, pos)[0]) != expected:
        raise scan.Malformed(f"{count} results for {expected} items")
    pos += 4
    codes = []
    for _ in range(expected):
        codes.append(_unpack(_ITEM_RESULT, body, pos)[0])
        pos = scan.extension_object(body, pos + _ITEM_RESULT.size)[2]
    return codes


def publish(acknowledged: Sequence[tuple[int, int]]) -> bytes:
    """PublishRequest acknowledging (subscription, sequence number) pairs."""
    flat = [number for pair in acknowledged for number in pair]
    return struct.pack(f"<i{len(flat)}I", len(acknowledged), *flat)


def republish(subscription: int, sequence: int) -> bytes:
    return struct.pack("<II", subscription, sequence)


def published(body: bytes, pos: int) -> Published:
    """Parse a PublishResponse after its header."""
    subscription, available = _unpack(struct.Struct("<Ii"), body, pos)
    if available > (len(body) - pos) // 4:
        raise scan.Malformed(f"{available} sequence numbers")
    return message(body, pos + 8 + 4 * max(available, 0) + 1, subscription)


def message(body: bytes, pos: int, subscription: int) -> Published:
    """Parse a NotificationMessage (also the answer to Republish)."""
    sequence, _, count = _unpack(struct.Struct("<Iqi"), body, pos)
    if count > len(body) - pos:
        raise scan.Malformed(f"{count} notifications")
    found = Published(subscription, sequence, keepalive=count <= 0)
    pos += 16
    for _ in range(count):
        kind, start, pos = scan.extension_object(body, pos)
        if kind == DATA_CHANGE:
            found.changes.append((start + 4, _unpack(_I32, body, start)[0]))
        elif kind == STATUS_CHANGE:
            found.status = _unpack(_U32, body, start)[0]
    return found


def _unpack(shape: struct.Struct, body: bytes, pos: int) -> tuple[int, ...]:
    try:
        return shape.unpack_from(body, pos)
    except struct.error as error:
        raise scan.Malformed("message cut short") from error
