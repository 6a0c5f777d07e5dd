"""Data templates over HTTP (ASGI, no sockets): lists, revisions, the lock, files, industries."""

import pytest

from mingwu.identity.enterprise.model import Actor, Registration, TemplateRef

pytestmark = pytest.mark.anyio

BASE = "/api/identity"
PREFIX = "88.888.101"
ENGINEER, VIEWER = {"x-test-principal": "eng:engineer"}, {"x-test-principal": "view:viewer"}
INDUSTRY = {"category": "C", "division": "36", "group": "367", "class": "3670"}


def template(version="PART-1", **more):
    items = [
        {"type": "name", "name_zh": "名称", "required": True, "max_length": 20},
        {"type": "mass", "data_type": "number", "low": 0, "high": 100},
        {"type": "inspector", "restricted": True},
    ]
    return {"prefix": PREFIX, "version": version, "industry": INDUSTRY, "items": items} | more


async def made(client, **more):
    body = template(**more)
    reply = await client.post(f"{BASE}/templates?publish=1", json=body, headers=ENGINEER)
    assert reply.status_code == 200, reply.text
    return reply.json()


def registered(world, count):
    ref = TemplateRef(PREFIX, "PART-1")
    items = [
        Registration(
            name=f"{PREFIX}/P{n}", template=ref, values={"name": f"p{n}", "mass": str(10 * n)}
        )
        for n in range(count)
    ]
    return world.node.registrations.register(items, actor=Actor(name="eng", may_all=True))


async def test_the_list_is_paged_and_filtered_and_counts_names(client, world):
    await made(client)
    for number in range(4):
        await made(client, version=f"LOT-{number}", kind="lot", name_en=f"Lot {number}")
    registered(world, 3)

    async def listed(query):
        reply = await client.get(f"{BASE}/templates?{query}", headers=VIEWER)
        return reply.json()

    found = await listed("kind=lot&limit=3")
    assert (len(found["templates"]), found["total"]) == (3, 4)
    assert found["states"] == {"published": 5}
    [part] = (await listed("text=PART"))["templates"]
    assert (part["names"], part["items"]) == (3, 3)
    assert len(part["definition"]["items"]) == 3
    [brief] = (await listed("text=PART&brief=1"))["templates"]
    assert "items" not in brief["definition"]
    assert (await listed("industry=65"))["total"] == 0
    wrong = await client.get(f"{BASE}/templates?kind=robot", headers=VIEWER)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "input.invalid")


async def test_two_editors_do_not_overwrite_each_other(client, world):
    one = await made(client)
    at = f"{BASE}/templates/{one['number']}"
    read = await client.get(at, headers=ENGINEER)
    assert read.headers["etag"] == '"1"'
    assert read.json()["industry_zh"].startswith("制造业/汽车制造业")
    mine, theirs = read.json()["definition"], read.json()["definition"]
    theirs = theirs | {"description": "theirs"}
    tag = {"if-match": read.headers["etag"]}
    reply = await client.put(at, json=theirs, headers=ENGINEER | tag)
    assert reply.json()["revision"] == 2
    reply = await client.put(at, json=mine | {"description": "mine"}, headers=ENGINEER | tag)
    assert (reply.status_code, reply.json()["code"]) == (409, "enterprise.template-changed")
    reply = await client.post(f"{at}/withdraw?base=1", headers=ENGINEER)
    assert reply.status_code == 409
    reply = await client.put(at, json=mine, headers=ENGINEER | {"if-match": '"x"'})
    assert reply.json()["code"] == "input.invalid"
    assert (await client.get(at, headers=VIEWER)).json()["definition"]["description"] == "theirs"
    for what, state in (("withdraw", "withdrawn"), ("publish", "published")):
        reply = await client.post(f"{at}/{what}", headers=ENGINEER)
        assert reply.json()["state"] == state
    rows = (await client.get(f"{at}/revisions?limit=2", headers=VIEWER)).json()
    assert [row["action"] for row in rows["revisions"]] == ["publish", "withdraw"]
    assert rows["total"] == 4
    second = (await client.get(f"{at}/revisions/2", headers=VIEWER)).json()
    assert (second["actor"], second["definition"]["description"]) == ("eng", "theirs")
    gone = await client.get(f"{at}/revisions/9", headers=VIEWER)
    assert (gone.status_code, gone.json()["code"]) == (404, "enterprise.revision-unknown")
    notes = [(line[1], line[3]) for line in world.lines]
    assert notes[1] == ("identity.template.change", {"revision": 2, "state": "published"})
    assert notes[2] == ("identity.template.publish", {"revision": 3, "state": "withdrawn"})


async def test_what_a_definition_would_mean_is_told_and_nothing_stored(client, world):
    one = await made(client)
    registered(world, 6)
    at = f"{BASE}/templates/{one['number']}"
    new = one["definition"]
    new["items"][1]["high"] = 25
    new["items"].append({"type": "grade", "choices": ["A", "B"]})
    said = (await client.post(f"{at}/check", json=new, headers=ENGINEER)).json()
    assert said["faults"] == []
    assert [(row["what"], row["type"]) for row in said["difference"]["items"]] == [
        ("changed", "mass"), ("added", "grade"),
    ]  # fmt: skip
    means = said["effect"]
    assert (means["names"], means["invalid"], means["newly"]) == (6, 3, 3)
    assert means["first"][0]["faults"][0]["message_zh"] == "属性“mass”的值不符合数据模板：大于 25"
    assert (await client.get(at, headers=VIEWER)).json()["revision"] == 1
    new["items"][0]["min_length"] = 21
    said = (await client.post(f"{at}/check", json=new, headers=ENGINEER)).json()
    assert [row["item"] for row in said["faults"]] == ["name"]
    new["items"][0]["min_length"] = 0
    assert (await client.put(at, json=new, headers=ENGINEER)).json()["revision"] == 2
    told = (await client.get(f"{at}/difference?from=1", headers=ENGINEER)).json()
    assert (told["from"], told["to"], told["effect"]["newly"]) == (1, 2, 3)
    back = (await client.get(f"{at}/difference?from=2&to=1", headers=VIEWER)).json()
    assert back["difference"]["items"][-1]["what"] == "removed"
    assert back["effect"] is None, "values that viewers may not see decide about it"


async def test_templates_leave_and_come_as_files(client, world):
    one = await made(client)
    at = f"{BASE}/templates/{one['number']}"
    file = await client.get(f"{at}/export", headers=VIEWER)
    assert "PART-1.json" in file.headers["content-disposition"]
    into = f"{BASE}/templates/import"
    said = (
        await client.post(f"{BASE}/templates/read", content=file.content, headers=ENGINEER)
    ).json()
    assert said["existing"]["number"] == one["number"]
    reply = await client.post(into, content=file.content, headers=ENGINEER)
    assert (reply.status_code, reply.json()["code"]) == (409, "enterprise.template-taken")
    reply = await client.post(f"{into}?version=PART-2", content=file.content, headers=ENGINEER)
    copy = reply.json()
    assert (copy["state"], copy["definition"]["handle"]) == ("draft", f"{PREFIX}/META_PART-2")
    assert copy["definition"]["items"] == one["definition"]["items"]
    changed = file.content.replace(b'"max_length": 20', b'"max_length": 40', 1)
    reply = await client.post(f"{into}?revise=1&base=1", content=changed, headers=ENGINEER)
    assert reply.json()["revision"] == 2
    again = await client.post(f"{into}?revise=1&base=1", content=changed, headers=ENGINEER)
    assert again.status_code == 409
    snms = await client.get(f"{at}/export?form=snms", headers=VIEWER)
    reply = await client.post(f"{into}?version=S", content=snms.content, headers=ENGINEER)
    assert [item["type"] for item in reply.json()["definition"]["items"]] == [
        "name", "mass", "inspector",
    ]  # fmt: skip
    for content in (b"", b"{}", b"not json"):
        reply = await client.post(into, content=content, headers=ENGINEER)
        assert (reply.status_code, reply.json()["code"]) == (400, "enterprise.template-file")
    assert (await client.get(f"{at}/export?form=xml", headers=VIEWER)).status_code == 400
    assert world.lines[1][1:4] == (
        "identity.template.import", f"{PREFIX}/META_PART-2", {"revision": 1, "state": "draft"},
    )  # fmt: skip


async def test_ready_made_templates_and_industries(client, world):
    found = (await client.get(f"{BASE}/templates/readymade", headers=VIEWER)).json()
    assert (len(found["templates"]), found["prefixes"]) == (11, [PREFIX])
    for one in found["templates"]:
        body = template(version=f"R-{one['kind']}", kind=one["kind"]) | {"items": one["items"]}
        reply = await client.post(f"{BASE}/templates", json=body, headers=ENGINEER)
        assert reply.status_code == 200, reply.text
    said = (await client.get(f"{BASE}/industries?text=3670", headers=VIEWER)).json()
    assert [row["code"] for row in said["industries"]] == ["3670"]
    assert sorted(said["above"]) == ["36", "367", "C"]
    upper = (await client.get(f"{BASE}/industries?parent=", headers=VIEWER)).json()["industries"]
    assert len(upper) == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "templates"), ("PUT", "templates/1"), ("DELETE", "templates/1"),
        ("POST", "templates/1/check"), ("POST", "templates/1/publish"),
        ("POST", "templates/import"), ("POST", "templates/read"), ("PUT", "industries"),
    ],
)  # fmt: skip
async def test_viewers_change_no_template(client, world, method, path):
    await made(client)
    before = world.node.templates.list()
    reply = await client.request(method, f"{BASE}/{path}", json=template("X"), headers=VIEWER)
    assert (reply.status_code, reply.json()["code"]) == (403, "trust.no-permission")
    nobody = await client.request(method, f"{BASE}/{path}", json=template("X"))
    assert nobody.status_code == 401
    assert world.node.templates.list() == before


async def test_a_registration_tells_every_fault_at_its_item(client, world):
    await made(client)
    item = {"name": f"{PREFIX}/W", "template": {"prefix": PREFIX, "version": "PART-1"},
            "values": {"mass": "heavy", "colour": "red"}}  # fmt: skip
    reply = await client.post(f"{BASE}/names/register", json={"items": [item]}, headers=ENGINEER)
    [result] = reply.json()["results"]
    assert [fault["item"] for fault in result["faults"]] == ["name", "mass", "colour"]
    assert (result["item"], result["code"]) == ("name", "enterprise.value-missing")
