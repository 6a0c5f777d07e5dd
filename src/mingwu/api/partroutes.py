"""Routes of the platform's parts: status documents of gateways and roles, and of names."""

import msgspec
from starlette.responses import Response

from mingwu.api.records import StatusReply
from mingwu.api.routing import Call, Endpoint
from mingwu.kernel.errors import NotFound


async def status(call: Call) -> StatusReply:
    """All parts: role, name, age, whether lost, and their own document."""
    return StatusReply(parts=[msgspec.to_builtins(part) for part in call.services.status.parts()])


async def gateways(call: Call) -> StatusReply:
    """The gateways' status documents."""
    parts = call.services.status.parts("gateway")
    return StatusReply(parts=[msgspec.to_builtins(part) for part in parts])


async def gateway(call: Call) -> dict[str, object]:
    """One gateway's status document."""
    part = call.services.status.get("gateway", call.path("name"))
    if part is None:
        raise NotFound("api.no-part", role="gateway", name=call.path("name"))
    document: dict[str, object] = msgspec.to_builtins(part)
    return document


async def statistics(call: Call) -> dict[str, object]:
    """Counters of this process and of the history."""
    out: dict[str, object] = {"live": call.services.hub.statistics()}
    if call.services.history is not None:
        out["history"] = await call.services.history.statistics()
    return out


async def resolve(call: Call) -> Response:
    """The record of a name, as the resolver answers it (public, like the resolver itself)."""
    params = call.request.query_params
    query = {name: params.getlist(name) for name in params}
    answer = await call.services.need_resolve()(call.path("handle"), query)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type)


class ResolveQuery(msgspec.Struct, kw_only=True):
    """As of the Handle HTTP API; further parameters go to the resolver unchanged."""

    index: tuple[str, ...] = ()
    type: tuple[str, ...] = ()


ENDPOINTS = (
    Endpoint(method="GET", path="/api/status", handler=status, tag="parts",
             summary="Status of all parts", reply=StatusReply),
    Endpoint(method="GET", path="/api/gateways", handler=gateways, tag="parts",
             summary="Status of the gateways", reply=StatusReply),
    Endpoint(method="GET", path="/api/gateways/{name}", handler=gateway, tag="parts",
             summary="Status of one gateway", reply=dict, errors=(404,)),
    Endpoint(method="GET", path="/api/statistics", handler=statistics, tag="parts",
             summary="Counters of this process and the history", reply=dict),
    Endpoint(method="GET", path="/api/handles/{handle:path}", handler=resolve, role=None,
             tag="names", summary="Resolve a name (Handle HTTP JSON)", query=ResolveQuery,
             reply=dict, errors=(404, 503)),
)  # fmt: skip
