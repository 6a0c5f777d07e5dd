"""Browsing the server's address space, one level at a time (OPC 10000-4, 5.9).

Addresses are given with the namespace's URI, so that they survive a server that numbers its
namespaces anew.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds

from mingwu.field.base import BrowseNode
from mingwu.field.opcua import rawcall
from mingwu.field.opcua.address import parse
from mingwu.field.opcua.session import Session
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput

_PAGE = 100
_WRITABLE = 0x02  # AccessLevel, bit CurrentWrite
_CLASSES = ua.NodeClass.Object | ua.NodeClass.Variable


async def children(session: Session, address: str) -> AsyncIterator[BrowseNode]:
    """Objects and variables below a node, in the server's order.

    Raises Unavailable when the session is lost, InvalidInput for a node the server lacks.
    """
    parent = node_id(session, address) if address else ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
    parameters = ua.BrowseParameters()
    parameters.RequestedMaxReferencesPerNode = ua.UInt32(_PAGE)
    parameters.NodesToBrowse = [_description(parent)]
    result = (await _service(session, address, session.client.uaclient.browse(parameters)))[0]
    while True:
        if result.StatusCode.value >> 31:
            fault = rawcall.status_name(result.StatusCode.value)
            raise InvalidInput("opcua.node", address=address, fault=fault)
        for node in await _nodes(session, address, result.References):
            yield node
        if not result.ContinuationPoint:
            return
        more = ua.BrowseNextParameters()
        more.ContinuationPoints = [result.ContinuationPoint]
        more.ReleaseContinuationPoints = False
        result = (await _service(session, address, session.client.uaclient.browse_next(more)))[0]


def node_id(session: Session, address: str) -> ua.NodeId:
    """Asyncua's NodeId of an address. Raises ConfigError or InvalidInput."""
    parsed = parse(address)
    index = parsed.index(session.namespaces)
    if index is None:
        fault = Phrase(
            f"the server has no namespace {parsed.namespace}",
            f"服务器没有命名空间 {parsed.namespace}",
        )
        raise InvalidInput("opcua.node", address=address, fault=fault)
    identifier: Any = parsed.identifier
    return ua.NodeId(identifier, ua.Int16(index))


def address_of(session: Session, found: ua.NodeId) -> str:
    """The address of a node: namespace 0 by itself, others by URI."""
    index = int(found.NamespaceIndex)
    plain = ua.NodeId(found.Identifier, ua.Int16(0), found.NodeIdType).to_string()
    if index == 0:
        return plain
    if index >= len(session.namespaces):
        return f"ns={index};{plain}"
    uri = session.namespaces[index].replace("%", "%25").replace(";", "%3B")
    return f"nsu={uri};{plain}"


async def _nodes(
    session: Session, address: str, references: Sequence[ua.ReferenceDescription]
) -> list[BrowseNode]:
    ids = [_local(reference.NodeId) for reference in references]
    variables = [
        found
        for found, reference in zip(ids, references, strict=True)
        if reference.NodeClass == ua.NodeClass.Variable
    ]
    types = await _attribute(session, address, variables, AttributeIds.DataType)
    levels = await _attribute(session, address, variables, AttributeIds.UserAccessLevel)
    parents = await _have_children(session, address, ids)
    return [
        BrowseNode(
            address=address_of(session, found),
            name=str(reference.DisplayName.Text or reference.BrowseName.Name),
            type=_type_name(types.get(found)),
            has_children=parent,
            writable=bool(int(levels.get(found) or 0) & _WRITABLE),
        )
        for found, reference, parent in zip(ids, references, parents, strict=True)
    ]


def _local(found: ua.NodeId) -> ua.NodeId:
    """The plain NodeId of an ExpandedNodeId."""
    return ua.NodeId(found.Identifier, found.NamespaceIndex, found.NodeIdType)


async def _attribute(
    session: Session, address: str, ids: Sequence[ua.NodeId], attribute: AttributeIds
) -> dict[ua.NodeId, Any]:
    if not ids:
        return {}
    values = await _service(
        session, address, session.client.uaclient.read_attributes(list(ids), attribute)
    )
    return {
        found: value.Value.Value for found, value in zip(ids, values, strict=True) if value.Value
    }


async def _have_children(session: Session, address: str, ids: Sequence[ua.NodeId]) -> list[bool]:
    if not ids:
        return []
    parameters = ua.BrowseParameters()
    parameters.NodesToBrowse = [_description(found) for found in ids]
    results = await _service(session, address, session.client.uaclient.browse(parameters))
    return [bool(result.References) for result in results]


def _description(found: ua.NodeId) -> ua.BrowseDescription:
    description = ua.BrowseDescription()
    description.NodeId = found
    description.BrowseDirection = ua.BrowseDirection.Forward
    description.ReferenceTypeId = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))
    description.IncludeSubtypes = True
    description.NodeClassMask = ua.UInt32(_CLASSES)
    description.ResultMask = ua.UInt32(ua.BrowseResultMask.All)
    return description


def _type_name(found: Any) -> str:
    """Name of a data type: the built-in ones by name, others by node id."""
    if not isinstance(found, ua.NodeId):
        return ""
    number = found.Identifier
    if found.NamespaceIndex == 0 and isinstance(number, int):
        return str(ObjectIdNames.get(number, found.to_string()))
    return found.to_string()


async def _service(session: Session, address: str, call: Any) -> Any:
    try:
        return await session.service(call)
    except rawcall.ServiceFailed as error:
        raise InvalidInput("opcua.node", address=address, fault=told(error)) from error
