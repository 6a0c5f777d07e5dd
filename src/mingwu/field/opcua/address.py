"""Node ids as users write them (OPC 10000-6, 5.1.12) and as they stand on the wire (5.2.2.9).

``ns=2;s=Machine01.Spindle.Load`` names the namespace by its index, ``nsu=urn:maker:cell;s=…`` by
its URI, which survives a server that numbers its namespaces anew; URIs become indexes only when
the server's NamespaceArray is known. No I/O, no asyncua.
"""

import base64
import re
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

MAX_IDENTIFIER_BYTES = 4096
MAX_NAMESPACE = 0xFFFF
MAX_NUMERIC = 0xFFFFFFFF

_FORM = re.compile(r"(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb])=(.+)", re.DOTALL)
_BYTE, _SHORT = 0xFF, 0xFFFF


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A parsed node id. ``namespace`` is an index or a URI; ``identifier`` by its kind."""

    namespace: int | str
    identifier: int | str | uuid.UUID | bytes

    def index(self, namespaces: Sequence[str]) -> int | None:
        """Namespace index at a server with this NamespaceArray; None when it has no such URI."""
        if isinstance(self.namespace, int):
            return self.namespace
        return namespaces.index(self.namespace) if self.namespace in namespaces else None


def parse(text: str) -> NodeAddress:
    """Parse an address; raises ValueError with the fault."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("no i=, s=, g= or b= part")
    index, uri, kind, raw = found.groups()
    namespace: int | str = int(index or 0)
    if uri is not None:
        namespace = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
    elif int(index or 0) > MAX_NAMESPACE:
        raise ValueError(f"namespace above {MAX_NAMESPACE}")
    return NodeAddress(namespace, _identifier(kind, raw))


def _identifier(kind: str, raw: str) -> int | str | uuid.UUID | bytes:
    if kind == "i":
        if not raw.isdecimal() or int(raw) > MAX_NUMERIC:
            raise ValueError(f"{raw[:20]} is not a number up to {MAX_NUMERIC}")
        return int(raw)
    if kind == "g":
        return uuid.UUID(raw)
    if kind == "b":
        return base64.b64decode(raw, validate=True)
    if len(raw.encode()) > MAX_IDENTIFIER_BYTES:
        raise ValueError(f"identifier longer than {MAX_IDENTIFIER_BYTES} bytes")
    return raw


def encode(address: NodeAddress, index: int) -> bytes:
    """The NodeId on the wire, in its shortest form."""
    identifier = address.identifier
    if isinstance(identifier, int):
        if index == 0 and identifier <= _BYTE:
            return struct.pack("<BB", 0, identifier)
        if index <= _BYTE and identifier <= _SHORT:
            return struct.pack("<BBH", 1, index, identifier)
        return struct.pack("<BHI", 2, index, identifier)
    if isinstance(identifier, uuid.UUID):
        return struct.pack("<BH", 4, index) + identifier.bytes_le
    kind, raw = (3, identifier.encode()) if isinstance(identifier, str) else (5, identifier)
    return struct.pack("<BHi", kind, index, len(raw)) + raw
