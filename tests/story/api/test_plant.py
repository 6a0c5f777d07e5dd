"""What the plant routes answer: lists, things, tags with live state, writes, faults."""

import time

import msgspec
import pytest

from mingwu.api.records import OverviewReply, TagsReply, ThingReply
from mingwu.kernel.errors import Unavailable

pytestmark = pytest.mark.anyio

CELL = "/api/things/88.888.101/DEV.DCM2500.01"


async def test_overview_counts_and_cards(viewer) -> None:
    reply = msgspec.json.decode((await viewer.get("/api/overview")).content, type=OverviewReply)
    assert reply.simulated
    assert reply.kinds["machine"] == reply.total == len(reply.machines) == 20
    assert sum(reply.tags.values()) == 290
    first = reply.machines[0]
    assert first.thing.id == "88.888.101/DEV.DCM2500.01"
    assert first.rule is not None
    assert first.rule.word not in [tag.number for tag in first.tags]
    assert all(tag.simulated for tag in first.tags)
    some = (await viewer.get("/api/overview?place=江洲精密/一厂/机加&limit=5")).json()
    assert (some["total"], len(some["machines"])) == (12, 5)


async def test_places_count_what_is_below(viewer) -> None:
    reply = (await viewer.get("/api/places")).json()
    assert reply["counts"]["江洲精密"] == 53
    assert reply["counts"]["江洲精密/一厂/机加"] == 13


async def test_things_are_found_by_words_of_any_language(viewer) -> None:
    reply = (await viewer.get("/api/things?q=加工 03")).json()
    assert [row["id"] for row in reply["things"]] == ["88.888.101/DEV.MC630.03"]
    reply = (await viewer.get("/api/things?kind=machine&limit=3&offset=18")).json()
    assert (reply["total"], len(reply["things"])) == (20, 2)


async def test_thing_with_relations_and_live_tags(viewer) -> None:
    reply = msgspec.json.decode(
        (await viewer.get(CELL.replace("DEV.DCM", "dev.dcm"))).content, type=ThingReply
    )
    assert reply.thing.id == "88.888.101/DEV.DCM2500.01"
    assert [place.name_en for place in reply.places][-1] == "Die casting"
    assert {(row.kind, row.inverse) for row in reply.relations} == {
        ("mounted_on", True), ("uses", False), ("meters", True), ("feeds", False),
    }  # fmt: skip
    die = next(tag for tag in reply.tags if tag.name == "die_temperature")
    assert (die.state, die.unit_shown, die.simulated) == ("good", "°C", True)
    assert 150 < die.value < 260
    td = await viewer.get(CELL + "/td")
    assert td.headers["content-type"] == "application/td+json"


async def test_property_by_name(viewer) -> None:
    one = (await viewer.get(CELL + "/properties/state")).json()
    assert isinstance(one["value"], str)
    gone = await viewer.get(CELL + "/properties/nope")
    assert (gone.status_code, gone.json()["code"]) == (404, "api.tag-unknown")
    assert (await viewer.get("/api/things/88.888.101/NOPE")).json()["code"] == "name.unknown"


async def test_tags_page_filter_sort(viewer) -> None:
    reply = msgspec.json.decode(
        (await viewer.get("/api/tags?q=MC630&quality=bad&sort=tag&order=desc&limit=3")).content,
        type=TagsReply,
    )
    assert reply.total == 10
    assert {tag.thing for tag in reply.tags} == {"88.888.101/DEV.MC630.07"}
    assert reply.tags[0].name > reply.tags[1].name
    assert reply.tags[0].reason == "not_connected"
    assert reply.tags[0].value is None
    assert reply.counts["bad"] == 10
    assert reply.counts["good"] > 100


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("offset=-1", "query.offset"),
        ("sort=colour", "query.sort"),
        ("quality=fine", "query.quality"),
        ("colour=red", "query"),
        ("limit=ten", "query.limit"),
    ],
)
async def test_bad_queries_name_the_place_of_the_fault(viewer, query: str, where: str) -> None:
    reply = await viewer.get("/api/tags?" + query)
    assert reply.status_code == 400
    assert reply.json()["message"].startswith(where)


async def test_bodies_are_checked_and_limited(admin, services) -> None:
    bad = await admin.post("/api/plant", content=b"{not json")
    assert bad.json()["code"] == "input.invalid"
    wrong = await admin.post("/api/plant", json={"text": 5})
    assert "body.text" in wrong.json()["message"]
    limit = services.settings.body_bytes
    big = await admin.post("/api/plant", content=b" " * (limit + 1))
    assert big.json()["code"] == "api.body-too-large"


async def test_import_and_export(admin, services) -> None:
    reply = await admin.post("/api/plant", json={"text": "name = 's1'"})
    assert reply.json() == {"counts": {"things": 53}}
    assert services.plant.imported == ["name = 's1'"]
    assert services.journal.lines[-1].action == "plant.imported"
    text = await admin.get("/api/plant")
    assert "attachment" in text.headers["content-disposition"]


async def test_writes_go_to_writable_tags_only_and_are_journalled(admin, services) -> None:
    override = "/api/things/88.888.101/DEV.MC630.01/properties/feed_override"
    refused = await admin.put(CELL + "/properties/power", json={"value": 1})
    assert refused.json()["code"] == "api.not-writable"
    missing = await admin.put(override, json={"value": 80})
    assert (missing.status_code, missing.json()["code"]) == (503, "api.part-missing")
    sent = []

    async def write(tag, thing, value) -> str:
        sent.append((tag.name, thing.id, value))
        if value > 150:
            return "out of range"
        if value < 0:
            raise Unavailable("api.part-missing", part="gateway")
        return ""

    object.__setattr__(services, "write", write)
    assert (await admin.put(override, json={"value": 80})).status_code == 200
    denied = await admin.put(override, json={"value": 200})
    assert (denied.status_code, denied.json()["code"]) == (409, "api.write-refused")
    assert (await admin.put(override, json={"value": -1})).status_code == 503
    assert sent == [("feed_override", "88.888.101/DEV.MC630.01", value) for value in (80, 200, -1)]
    actions = [line.action for line in services.journal.lines]
    assert actions == [
        "property.write", "property.written",
        "property.write", "property.write-failed",
        "property.write", "property.write-failed",
    ]  # fmt: skip


async def test_what_is_not_there(viewer) -> None:
    gone = await viewer.get("/api/nothing/here")
    assert (gone.status_code, gone.json()["code"]) == (404, "api.no-route")
    wrong = await viewer.put("/api/tags")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
    assert wrong.json()["code"] == "api.method"


async def test_protective_headers_and_no_store(viewer) -> None:
    reply = await viewer.get("/api/tags")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["content-security-policy"]


async def test_health_is_open_and_tells_of_lost_parts(anybody, services) -> None:
    services.status.apply("gateway", "gw1", {})
    assert (await anybody.get("/api/health")).json()["status"] == "ok"
    services.status._parts["gateway", "gw1"].seen_ns = time.time_ns() - 60 * 10**9
    assert (await anybody.get("/api/health")).json()["status"] == "degraded"


async def test_gateways_and_status(viewer, services, fakeplant) -> None:
    services.status.apply("gateway", "gw1", fakeplant.gateway_status(1))
    services.status.apply("writer", "main", {})
    parts = (await viewer.get("/api/gateways")).json()["parts"]
    assert [part["name"] for part in parts] == ["gw1"]
    one = (await viewer.get("/api/gateways/gw1")).json()
    assert one["document"]["devices"][0]["driver"] == "modbus"
    assert (await viewer.get("/api/gateways/gw2")).json()["code"] == "api.no-part"
    assert len((await viewer.get("/api/status")).json()["parts"]) == 2


async def test_names_resolve_without_a_session(anybody) -> None:
    reply = await anybody.get("/api/handles/88.888.101/DEV.DCM2500.01?type=URL")
    assert reply.json()["responseCode"] == 1
    assert (await anybody.get("/api/handles/88.888.101/NOPE")).status_code == 404


async def test_an_unexpected_failure_stays_inside(services, caplog) -> None:
    import httpx

    from mingwu.api.app import create_app

    def broken(identifier: str) -> dict:
        raise RuntimeError("the secret inside")

    services.plant.thing_description = broken
    token, _ = services.people.login("admin", "admin-password", "")
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://mw") as client:
        reply = await client.get(CELL + "/td", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (500, "api.internal")
    assert "secret" not in reply.text
    assert "failed" in caplog.text
