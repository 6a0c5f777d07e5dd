"""Writing values: the node's own type decides how a value goes out.

The type is learnt from the node's present value (or its DataType while it has none) the first
time a tag is written. Only the value is sent, neither status nor times, which many servers
refuse. A value that does not fit the type is refused here, with the reason, and never clipped.
"""

import math
from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.common.ua_utils import data_type_to_variant_type
from asyncua.ua.attribute_ids import AttributeIds

from mingwu.field.base import WriteRequest, WriteResult
from mingwu.field.opcua import rawcall
from mingwu.field.opcua.browsing import node_id
from mingwu.field.opcua.session import Session
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.plant import TagSpec

_VT = ua.VariantType
_RANGES = {
    _VT.SByte: (-(2**7), 2**7 - 1), _VT.Byte: (0, 2**8 - 1),
    _VT.Int16: (-(2**15), 2**15 - 1), _VT.UInt16: (0, 2**16 - 1),
    _VT.Int32: (-(2**31), 2**31 - 1), _VT.UInt32: (0, 2**32 - 1),
    _VT.Int64: (-(2**63), 2**63 - 1), _VT.UInt64: (0, 2**64 - 1),
}  # fmt: skip
_MAX_FLOAT = 3.4028234663852886e38


class Writer:
    """Writes for one session; remembers the types of the nodes it has written."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._types: dict[str, ua.VariantType] = {}

    async def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """One result per request, in order. Raises Unavailable when the session is lost."""
        results: list[WriteResult | None] = [None] * len(requests)
        ready: list[tuple[int, ua.NodeId, ua.DataValue]] = []
        for place, request in enumerate(requests):
            try:
                ready.append((place, *await self._prepare(request)))
            except (InvalidInput, rawcall.ServiceFailed, ValueError) as error:
                results[place] = WriteResult(ok=False, reason=str(error))
        size = self._session.nodes_per_write
        for first in range(0, len(ready), size):
            part = ready[first : first + size]
            for (place, _, _), result in zip(part, await self._send(part), strict=True):
                results[place] = result
        return [result or WriteResult(ok=False, reason="not written") for result in results]

    async def _prepare(self, request: WriteRequest) -> tuple[ua.NodeId, ua.DataValue]:
        tag = request.tag
        if not tag.writable:
            raise ValueError("the tag is not writable")
        found = node_id(self._session, tag.address)
        kind = self._types.get(tag.address)
        if kind is None:
            kind = self._types[tag.address] = await self._type_of(found)
        return found, ua.DataValue(ua.Variant(to_wire(tag, request.value, kind), kind), None)

    async def _type_of(self, found: ua.NodeId) -> ua.VariantType:
        node = self._session.client.get_node(found)
        value = await self._session.service(
            self._session.client.uaclient.read_attributes([found], AttributeIds.Value)
        )
        code = value[0].StatusCode.value if value[0].StatusCode else 0
        if code >> 31:
            raise rawcall.ServiceFailed(code)
        variant = value[0].Value
        if variant is not None and variant.VariantType is not _VT.Null:
            if variant.is_array:
                raise ValueError("the node is an array")
            return _checked(variant.VariantType)
        data_type = await self._session.service(node.read_data_type())
        return _checked(
            await self._session.service(
                data_type_to_variant_type(self._session.client.get_node(data_type))
            )
        )

    async def _send(self, part: Sequence[tuple[int, ua.NodeId, ua.DataValue]]) -> list[WriteResult]:
        call = self._session.client.uaclient.write_attributes(
            [found for _, found, _ in part], [value for _, _, value in part]
        )
        try:
            codes = await self._session.service(call)
        except rawcall.ServiceFailed as error:
            return [WriteResult(ok=False, reason=str(error))] * len(part)
        return [_result(code.value) for code in codes]


def _result(code: int) -> WriteResult:
    return WriteResult(ok=not code >> 31, reason=rawcall.status_name(code) if code else "")


def _checked(kind: Any) -> ua.VariantType:
    if not isinstance(kind, _VT) or kind.value > _VT.String.value:
        raise ValueError(f"nodes of type {getattr(kind, 'name', kind)} cannot be written")
    return kind


def to_wire(tag: TagSpec, value: float | str | bool, kind: ua.VariantType) -> Any:
    """An engineering value as the node's type; raises ValueError when it does not fit."""
    if kind is _VT.String:
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str):
        raise ValueError(f"a text for a node of type {kind.name}")  # noqa: TRY004 — input, not a bug
    if kind is _VT.Boolean:
        return bool(value)
    if tag.scale == 0:
        raise ValueError("the tag's scale is 0")
    raw = (float(value) - tag.offset) / tag.scale
    if not math.isfinite(raw):
        raise ValueError("not a finite number")
    if kind in _RANGES:
        low, high = _RANGES[kind]
        exact = int(value) if tag.scale == 1 and tag.offset == 0 and raw == int(raw) else round(raw)
        if not low <= exact <= high:
            raise ValueError(f"{exact} does not fit {kind.name}")
        return exact
    if kind is _VT.Float and abs(raw) > _MAX_FLOAT:
        raise ValueError(f"{raw:g} does not fit Float")
    return raw
