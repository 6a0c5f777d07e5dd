"""Routes of the plant: places, things, their descriptions and properties, tags, import, export."""

import time
from collections import Counter

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mingwu.api.livetag import live_tags
from mingwu.api.ports import PlaceRow, TagRow, ThingRow
from mingwu.api.records import (
    HealthReply,
    ImportBody,
    ImportReply,
    LiveTag,
    OverviewMachine,
    OverviewQuery,
    OverviewReply,
    PlacesReply,
    TagsQuery,
    TagsReply,
    ThingReply,
    ThingsQuery,
    ThingsReply,
    WriteBody,
)
from mingwu.api.routing import Call, Endpoint, encode_reply
from mingwu.api.runstate import StateRule, state_rule
from mingwu.api.services import Services
from mingwu.api.tagindex import PlantIndex, TagQuery, within
from mingwu.kernel.errors import Conflict, Denied, Unavailable
from mingwu.kernel.names import fold
from mingwu.kernel.plant import Kind, ValueType
from mingwu.kernel.shapes import Nothing

CARD_TAGS = 5


async def health(call: Call) -> Response:
    """Whether the parts this process needs are there."""
    index = await call.services.index.get()
    lost = any(part.lost for part in call.services.status.parts())
    body = HealthReply(
        status="degraded" if lost else "ok",
        product=call.services.product,
        things=len(index.things),
        tags=len(index.tags),
    )
    return encode_reply(body)


async def overview(call: Call) -> OverviewReply:
    """Counts and machine cards. Values of the cards then come over the live socket."""
    query: OverviewQuery = call.query
    services = call.services
    index = await services.index.get()
    now_ns = time.time_ns()
    rows = [
        row
        for key, row in index.things.items()
        if row.kind == Kind.MACHINE
        and index.tags_of.get(key)
        and (not query.place or within(row.place, query.place))
    ]
    return OverviewReply(
        name_en=index.state.name_en,
        name_zh=index.state.name_zh,
        kinds=dict(Counter(str(row.kind) for row in index.things.values())),
        tags=index.plant_counts(services.live, now_ns),
        simulated=index.simulated,
        total=len(rows),
        machines=[_machine(row, index, services, now_ns) for row in rows[: query.limit]],
    )


def _machine(row: ThingRow, index: PlantIndex, services: Services, now_ns: int) -> OverviewMachine:
    tags = index.tags_of[fold(row.id)]
    states = Counter(index.states_of(tags, services.live, now_ns))
    rule = state_rule(tags)
    return OverviewMachine(
        thing=row,
        tags=live_tags(_telling(tags, rule), index, services, now_ns),
        states=dict(states),
        rule=rule,
    )


def _telling(tags: list[TagRow], rule: StateRule | None) -> list[TagRow]:
    """What says most of a machine beside its state: exposed figures first, in declared order."""
    said = (rule.code, rule.word) if rule else ()
    figures = [row for row in tags if row.type is not ValueType.BOOL and row.number not in said]
    return sorted(figures, key=_telling_rank)[:CARD_TAGS]


def _telling_rank(row: TagRow) -> tuple[bool, bool, int]:
    return not row.exposed, row.type is not ValueType.FLOAT, row.number


async def places(call: Call) -> PlacesReply:
    """The hierarchy with the number of things in and below each place."""
    index = await call.services.index.get()
    counts: Counter[str] = Counter()
    for thing in index.things.values():
        parts = thing.place.split("/") if thing.place else []
        for depth in range(1, len(parts) + 1):
            counts["/".join(parts[:depth])] += 1
    return PlacesReply(places=list(index.state.places), counts=dict(counts))


async def things(call: Call) -> ThingsReply:
    """A page of things."""
    query: ThingsQuery = call.query
    index = await call.services.index.get()
    rows, total = index.find_things(query.q, query.kind, query.place, query.offset, query.limit)
    return ThingsReply(total=total, things=rows)


async def thing(call: Call) -> ThingReply:
    """One thing with place, relations and live tags."""
    index = await call.services.index.get()
    row = index.thing(call.path("id"))
    tags = index.tags_of.get(fold(row.id), [])
    return ThingReply(
        thing=row,
        places=_place_chain(index, row),
        relations=await run_in_threadpool(call.services.plant.relations, row.id),
        tags=live_tags(tags, index, call.services, time.time_ns()),
        rule=state_rule(tags),
    )


def _place_chain(index: PlantIndex, row: ThingRow) -> list[PlaceRow]:
    by_path = {place.path: place for place in index.state.places}
    parts = row.place.split("/") if row.place else []
    paths = ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return [by_path[path] for path in paths if path in by_path]


async def thing_description(call: Call) -> Response:
    """The W3C Thing Description (REC 1.1)."""
    index = await call.services.index.get()
    row = index.thing(call.path("id"))
    document = await run_in_threadpool(call.services.plant.thing_description, row.id)
    response = encode_reply(document)
    response.headers["content-type"] = "application/td+json"
    return response


async def read_property(call: Call) -> LiveTag:
    """The last value of a property."""
    index = await call.services.index.get()
    row = index.tag_named(call.path("id"), call.path("name"))
    return live_tags([row], index, call.services, time.time_ns())[0]


async def write_property(call: Call) -> Nothing:
    """Send a value to the device. Journalled before it is sent and with its outcome."""
    body: WriteBody = call.body
    index = await call.services.index.get()
    row = index.tag_named(call.path("id"), call.path("name"))
    if not row.writable:
        raise Denied("api.not-writable", tag=f"{row.thing} {row.name}")
    write = call.services.need_write()
    subject = f"{row.thing} {row.name}"
    await call.journal("property.write", subject, value=body.value)
    try:
        reason = await write(row, index.thing(row.thing), body.value)
    except Unavailable as error:
        await call.journal("property.write-failed", subject, value=body.value, code=error.code)
        raise
    if reason:
        await call.journal("property.write-failed", subject, value=body.value, reason=reason)
        raise Conflict("api.write-refused", tag=subject, reason=reason)
    await call.journal("property.written", subject, value=body.value)
    return Nothing()


async def tags(call: Call) -> TagsReply:
    """A page of tags, filtered and sorted here, with live state."""
    query: TagsQuery = call.query
    index = await call.services.index.get()
    now_ns = time.time_ns()
    wanted = TagQuery(
        text=query.q,
        thing=query.thing,
        place=query.place,
        quality=query.quality,
        sort=query.sort,
        descending=query.order == "desc",
        offset=query.offset,
        limit=query.limit,
    )
    rows, total, counts = index.find_tags(wanted, call.services.live, now_ns)
    return TagsReply(total=total, counts=counts, tags=live_tags(rows, index, call.services, now_ns))


async def import_plant(call: Call) -> ImportReply:
    """Import a plant file; its faults come back with their paths."""
    body: ImportBody = call.body
    plant = call.services.plant
    counts = await run_in_threadpool(plant.import_text, body.text, call.principal.account)
    call.services.index.forget()
    await call.journal("plant.imported", "plant", **counts)
    return ImportReply(counts=counts)


async def export_plant(call: Call) -> Response:
    """The registry as a plant file."""
    text = await run_in_threadpool(call.services.plant.export_text)
    return Response(
        text,
        media_type="application/toml; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="plant.toml"'},
    )


ENDPOINTS = (
    Endpoint(method="GET", path="/api/health", handler=health, role=None, tag="parts",
             summary="Whether the platform is well", reply=HealthReply),
    Endpoint(method="GET", path="/api/overview", handler=overview, tag="plant",
             summary="Counts and machine cards", query=OverviewQuery, reply=OverviewReply),
    Endpoint(method="GET", path="/api/places", handler=places, tag="plant",
             summary="The hierarchy (IEC 62264)", reply=PlacesReply),
    Endpoint(method="GET", path="/api/things", handler=things, tag="plant",
             summary="Search things", query=ThingsQuery, reply=ThingsReply),
    Endpoint(method="GET", path="/api/things/{id:path}/td", handler=thing_description, tag="plant",
             summary="W3C Thing Description", reply=dict, media_type="application/td+json",
             errors=(404,)),
    Endpoint(method="GET", path="/api/things/{id:path}/properties/{name}", handler=read_property,
             tag="plant", summary="Last value of a property", reply=LiveTag, errors=(404,)),
    Endpoint(method="PUT", path="/api/things/{id:path}/properties/{name}", handler=write_property,
             role="operator", tag="plant", summary="Write a property to its device",
             body=WriteBody, errors=(403, 404, 409, 503)),
    Endpoint(method="GET", path="/api/things/{id:path}", handler=thing, tag="plant",
             summary="A thing with relations and live tags", reply=ThingReply, errors=(404,)),
    Endpoint(method="GET", path="/api/tags", handler=tags, tag="plant",
             summary="Search tags", query=TagsQuery, reply=TagsReply),
    Endpoint(method="POST", path="/api/plant", handler=import_plant, role="engineer", tag="plant",
             summary="Import a plant file", body=ImportBody, reply=ImportReply),
    Endpoint(method="GET", path="/api/plant", handler=export_plant, role="engineer", tag="plant",
             summary="Export the plant file", reply=str, media_type="application/toml"),
)  # fmt: skip
