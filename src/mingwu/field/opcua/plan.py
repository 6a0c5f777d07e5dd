"""A compiled tag list: everything about it that does not change from read to read.

Compiling parses addresses and needs no server. Namespace indexes and the size of a request are
the server's to say, so requests are encoded when a session first uses the plan and kept until a
session with other namespaces or limits does. Requests and replies keep the order of ``rows``.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mingwu.field.opcua import errors as _errors  # noqa: F401 — registers the texts
from mingwu.field.opcua.address import NodeAddress, encode, parse
from mingwu.field.opcua.layout import Layout
from mingwu.kernel.batch import F64, U32
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec, ValueType

Rows = npt.NDArray[np.intp]

VALUE_ATTRIBUTE = 13
_SHOWN_CHARS = 200  # of an address in an error text
# ReadValueId after the NodeId: attribute, no index range, default encoding (OPC 10000-4, 7.29)
_READ_VALUE_TAIL = struct.pack("<IiHi", VALUE_ATTRIBUTE, -1, 0, -1)
_SOURCE_TIME = 0  # TimestampsToReturn
# ReadParameters: maximum age 0 (from the device), source times, number of nodes
_READ_HEAD = struct.Struct("<dii")


@dataclass(slots=True)
class ReadRequest:
    """One Read request of a plan and the layout its last reply had."""

    rows: Rows
    body: bytes
    layout: Layout | None = None


@dataclass(slots=True)
class Prepared:
    """A plan for one kind of session: requests, and rows whose namespace the server lacks."""

    key: tuple[tuple[str, ...], int]
    requests: list[ReadRequest]
    unknown: Rows


@dataclass(slots=True)
class Plan:
    """Tags read or watched together; row ``i`` is tag ``i``."""

    tags: tuple[TagSpec, ...]
    addresses: tuple[NodeAddress, ...]
    numbers: U32
    is_text: npt.NDArray[np.bool_]
    is_bool: npt.NDArray[np.bool_]
    scale: F64
    offset: F64
    scaled: bool
    plain: bool  # neither text nor boolean tags
    prepared: Prepared | None = field(default=None, repr=False)

    def node_ids(self, namespaces: Sequence[str]) -> list[bytes | None]:
        """Each tag's NodeId on the wire, None where the server lacks the namespace."""
        found = [address.index(namespaces) for address in self.addresses]
        return [
            None if index is None else encode(address, index)
            for address, index in zip(self.addresses, found, strict=True)
        ]

    def requests(self, namespaces: tuple[str, ...], nodes_per_read: int) -> Prepared:
        """The requests for a session; made once, then the same objects again."""
        key = (namespaces, nodes_per_read)
        if self.prepared is None or self.prepared.key != key:
            self.prepared = self._prepare(key)
        return self.prepared

    def _prepare(self, key: tuple[tuple[str, ...], int]) -> Prepared:
        namespaces, size = key
        node_ids = self.node_ids(namespaces)
        known = [row for row, node_id in enumerate(node_ids) if node_id is not None]
        requests = []
        for first in range(0, len(known), size):
            rows = known[first : first + size]
            parts = [_READ_HEAD.pack(0.0, _SOURCE_TIME, len(rows))]
            for row in rows:
                parts += (node_ids[row] or b"", _READ_VALUE_TAIL)
            requests.append(ReadRequest(np.array(rows, np.intp), b"".join(parts)))
        unknown = [row for row, node_id in enumerate(node_ids) if node_id is None]
        return Prepared(key, requests, np.array(unknown, np.intp))


def compile_tags(tags: Sequence[TagSpec]) -> Plan:
    """Compile; raises ConfigError ``opcua.address`` for the first address that is not one."""
    scale = np.array([tag.scale for tag in tags], np.float64)
    offset = np.array([tag.offset for tag in tags], np.float64)
    is_text = np.array([tag.type is ValueType.TEXT for tag in tags], np.bool_)
    is_bool = np.array([tag.type is ValueType.BOOL for tag in tags], np.bool_)
    return Plan(
        tags=tuple(tags),
        addresses=tuple(_address(tag) for tag in tags),
        numbers=np.array([tag.number for tag in tags], np.uint32),
        is_text=is_text,
        is_bool=is_bool,
        scale=scale,
        offset=offset,
        scaled=bool((scale != 1.0).any() or (offset != 0.0).any()),
        plain=not (is_text.any() or is_bool.any()),
    )


def _address(tag: TagSpec) -> NodeAddress:
    try:
        return parse(tag.address)
    except ValueError as error:
        raise ConfigError(
            "opcua.address", address=tag.address[:_SHOWN_CHARS], tag=tag.name, fault=told(error)
        ) from error
