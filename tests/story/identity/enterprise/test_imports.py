"""Imports over HTTP: upload, preview, mapping, dry run, job, faults, history, the journal."""

import asyncio
import csv
import hashlib
import io
import sqlite3

import pytest

pytestmark = pytest.mark.anyio

PREFIX = "88.888.101"
BASE = "/api/identity"
ENGINEER = {"x-test-principal": "eng:engineer"}
CHINESE = ENGINEER | {"x-test-lang": "zh"}
VIEWER = {"x-test-principal": "view:viewer"}
DEFINITION = {
    "prefix": PREFIX, "version": "P1", "name_zh": "零件", "name_en": "Part", "kind": "part",
    "industry": {"category": "C", "division": "36", "group": "367", "class": "3670"},
    "items": [
        {"type": "name", "name_zh": "名称", "required": True, "max_length": 4},
        {"type": "mass", "name_zh": "质量", "data_type": "number"},
    ],
}  # fmt: skip
TABLE = "序列号,名称,质量(kg)\n1,甲,1.5\n2,乙,\n2,丙,\n3,丁,重\n1,甲,1.5\n"


@pytest.fixture
async def template(client):
    reply = await client.post(f"{BASE}/templates?publish=true", json=DEFINITION, headers=ENGINEER)
    return reply.json()["number"]


GBK = TABLE.encode("gb18030")


async def upload(client, data=GBK, name="零件.csv"):
    reply = await client.post(
        f"{BASE}/imports/uploads", params={"name": name}, content=data, headers=ENGINEER
    )
    return reply.json()


async def preview(client, headers=ENGINEER, **query):
    reply = await client.get(f"{BASE}/imports/preview", params=query, headers=headers)
    return reply.json()


async def ended(client, number):
    """A job when it has ended."""
    async with asyncio.timeout(60):
        while True:
            job = (await client.get(f"{BASE}/imports/{number}", headers=VIEWER)).json()
            if job["state"] not in {"waiting", "running"}:
                return job
            await asyncio.sleep(0.02)


async def start(client, **body):
    reply = await client.post(f"{BASE}/imports", json=body, headers=ENGINEER)
    assert reply.status_code == 200, reply.text
    return await ended(client, reply.json()["id"])


async def test_from_a_file_to_names(client, world, template):
    file = await upload(client)
    assert file["sha256"] == hashlib.sha256(GBK).hexdigest()
    look = await preview(client, upload=file["id"], template=template)
    assert look["form"]["encoding"] == "gb18030"
    assert look["columns"] == ["序列号", "名称", "质量(kg)"]
    assert look["first"][0] == {"row": 2, "cells": ["1", "甲", "1.5"]}
    mapping = look["proposal"]
    assert mapping["values"] == {"name": "{名称}", "mass": "{质量(kg)}"}
    mapping["identifier"] = PREFIX + "/PRT.{序列号}"
    dry = await start(client, mapping=mapping, upload=file["id"])
    counts = ("rows", "registered", "refused", "duplicates")
    assert [dry["report"][name] for name in counts] == [5, 2, 2, 1]
    assert (dry["dry"], dry["state"], dry["total"]) == (True, "done", 5)
    assert world.node.register.counts()["state"] == {}
    assert world.lines == [line for line in world.lines if "import" not in line[1]]
    real = await start(client, mapping=mapping, upload=file["id"], dry=False)
    assert [real["report"][name] for name in counts] == [5, 2, 2, 1]
    assert world.store.get(f"{PREFIX}/PRT.1").value(2001).text() == "1.5"
    said = {line[1]: line for line in world.lines}
    actor, _, subject, detail, _ = said["identity.import.end"]
    assert (actor, subject) == ("eng", "零件.csv")
    assert detail["registered"] == 2
    assert detail["sha256"] == file["sha256"]
    assert said["identity.import.begin"][3]["job"] == real["id"]
    reply = await client.post(f"{BASE}/imports/{real['id']}/again", json={}, headers=ENGINEER)
    again = await ended(client, reply.json()["id"])
    assert (again["report"]["registered"], again["report"]["unchanged"]) == (0, 2)
    listed = (await client.get(f"{BASE}/imports", headers=VIEWER)).json()
    assert listed["total"] == 3
    assert [one["id"] for one in listed["imports"]] == [again["id"], real["id"], dry["id"]]
    assert listed["imports"][0]["by"] == "eng"


async def test_every_fault_is_had_in_pages_and_as_a_table(client, template):
    rows = "".join(f"{n},=cmd{n},x\n" for n in range(1, 1301))
    file = await upload(client, ("no,name,mass\n" + rows).encode())
    mapping = {"name": "m", "prefix": PREFIX, "version": "P1", "identifier": PREFIX + "/{name}",
               "values": {"name": "{name}", "mass": "{mass}"}}  # fmt: skip
    job = await start(client, mapping=mapping, upload=file["id"])
    assert job["report"]["refused"] == 1300
    query = {"offset": 1200, "limit": 500}
    path = f"{BASE}/imports/{job['id']}/rows"
    page = (await client.get(path, params=query, headers=CHINESE)).json()
    assert (len(page["rows"]), page["total"]) == (100, 1300)
    last = page["rows"][-1]
    assert last["row"] == 1301
    assert [one["code"] for one in last["faults"]] == ["enterprise.value-bad"] * 2
    assert [one["item"] for one in last["faults"]] == ["name", "mass"]
    assert "不是数" in last["faults"][1]["message"]
    assert last["faults"][1]["value"] == "x"
    reply = await client.get(path + ".csv", headers=CHINESE)
    assert reply.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in reply.headers["content-disposition"]
    told = list(csv.reader(io.StringIO(reply.text.lstrip("\ufeff"))))
    assert len(told) == 1 + 2 * 1300
    assert told[0][:4] == ["行", "标识", "属性", "值"]
    assert told[1][:4] == ["2", f"{PREFIX}/=cmd1", "name", "'=cmd1"]  # no formula
    assert told[2][2:4] == ["mass", "x"]
    samples = {"outcome": "registered"}
    assert (await client.get(path, params=samples, headers=ENGINEER)).json()["total"] == 0


async def test_what_a_change_would_change_is_shown(client, template):
    mapping = {"name": "m", "prefix": PREFIX, "version": "P1", "identifier": PREFIX + "/{no}",
               "values": {"name": "{name}"}, "existing": "change"}  # fmt: skip
    first = await upload(client, b"no,name\n1,old\n2,same\n")
    await start(client, mapping=mapping, upload=first["id"], dry=False)
    second = await upload(client, b"no,name\n1,new\n2,same\n")
    job = await start(client, mapping=mapping, upload=second["id"])
    assert (job["report"]["changed"], job["report"]["unchanged"]) == (1, 1)
    path = f"{BASE}/imports/{job['id']}/rows?outcome=changed"
    rows = (await client.get(path, headers=ENGINEER)).json()["rows"]
    assert rows[0]["changes"] == {"name": ["old", "new"]}


async def test_mappings_are_kept_and_removed(client, world):
    mapping = {
        "name": "erp", "prefix": PREFIX, "version": "P1",
        "identifier": PREFIX + "/IMP.{no}", "values": {"name": "{title}"},
    }  # fmt: skip
    reply = await client.put(f"{BASE}/mappings", json=mapping, headers=ENGINEER)
    assert reply.json() == {**mapping, "kind": None, "existing": "skip", "sheet": "", "head": 1}
    kept = (await client.get(f"{BASE}/mappings", headers=VIEWER)).json()["mappings"]
    assert (kept[0]["mapping"]["name"], kept[0]["changed_by"]) == ("erp", "eng")
    bad = mapping | {"identifier": PREFIX + "/{no"}
    reply = await client.put(f"{BASE}/mappings", json=bad, headers=ENGINEER)
    assert reply.json()["code"] == "enterprise.mapping-pattern"
    reply = await client.delete(f"{BASE}/mappings?name=erp", headers=VIEWER)
    assert reply.status_code == 403
    assert (await client.delete(f"{BASE}/mappings?name=erp", headers=ENGINEER)).status_code == 200
    assert (await client.delete(f"{BASE}/mappings?name=erp", headers=ENGINEER)).status_code == 404
    actions = [line[1:3] for line in world.lines if "mapping" in line[1]]
    assert actions == [("identity.mapping", "erp"), ("identity.mapping.remove", "erp")]


async def test_databases_are_named_and_nothing_more(client, world, template, tmp_path):
    with sqlite3.connect(tmp_path / "erp.db") as database:
        database.execute("CREATE TABLE part (serial INTEGER, 名称 TEXT)")
        database.executemany("INSERT INTO part VALUES (?, ?)", [(7, "壳体"), (8, "盖")])
    database.close()
    reply = await client.get(f"{BASE}/imports/about", headers=VIEWER)
    assert reply.json()["sources"] == ["erp", "far"]
    assert "hidden" not in reply.text
    said = await preview(client, source="far", template=template)
    assert said["code"] == "enterprise.source-failed"
    assert "hidden" not in str(said)
    look = await preview(client, source="erp", template=template)
    assert (look["columns"], look["rows"]) == (["serial", "名称"], 2)
    assert look["proposal"]["identifier"] == PREFIX + "/{serial}"
    job = await start(client, mapping=look["proposal"], source="erp", dry=False)
    assert (job["state"], job["report"]["registered"]) == ("done", 2)
    assert world.store.get(f"{PREFIX}/8").value(2000).text() == "盖"
    job = await start(client, mapping=look["proposal"], source="far")
    assert (job["state"], job["fault"]["code"]) == ("failed", "enterprise.source-failed")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "table-empty"),
        (b" \r\n ", "table-empty"),
        (b"\xd0\xcf\x11\xe0 old", "table-old"),
        (b"%PDF-1.7", "table-kind"),
        (b"PK\x03\x04 no archive", "table-kind"),
        (b"a,b\n\x81\xff\n", "table-encoding"),
        (b"a,b\n" + b"x" * 3_000_000, "table-large"),
    ],
)
async def test_what_is_no_table_is_told_and_forgotten(client, world, data, code):
    told = await upload(client, data)
    assert told["code"] == f"enterprise.{code}"
    assert told["next"]
    with world.node.engine.connect() as connection:
        for table in ("enterprise_upload", "enterprise_upload_part"):
            count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
            assert count == 0


async def test_who_may_what(client, template):
    file = await upload(client, b"no\n1\n")
    mapping = {"name": "m", "prefix": PREFIX, "version": "P1", "identifier": PREFIX + "/{no}",
               "values": {"name": "{no}"}}  # fmt: skip
    job = await start(client, mapping=mapping, upload=file["id"])
    closed = [
        ("POST", "/imports/uploads", None), ("GET", f"/imports/preview?upload={file['id']}", None),
        ("POST", "/imports", {"mapping": mapping, "upload": file["id"]}),
        ("POST", f"/imports/{job['id']}/cancel", None),
        ("POST", f"/imports/{job['id']}/again", {}), ("GET", f"/imports/{job['id']}/rows", None),
        ("GET", f"/imports/{job['id']}/rows.csv", None), ("PUT", "/mappings", mapping),
    ]  # fmt: skip
    for method, path, body in closed:
        reply = await client.request(method, BASE + path, json=body, headers=VIEWER)
        assert reply.status_code == 403, path
        reply = await client.request(method, BASE + path, json=body)
        assert reply.status_code == 401, path


async def test_what_cannot_be_started_says_why(client, template):
    file = await upload(client, b"no\n1\n")
    mapping = {"name": "m", "prefix": PREFIX, "version": "P1", "identifier": PREFIX + "/{no}",
               "values": {"name": "{no}"}}  # fmt: skip

    async def said(**body):
        reply = await client.post(f"{BASE}/imports", json=body, headers=ENGINEER)
        return reply.json()["code"].removeprefix("enterprise.")

    assert await said(mapping=mapping) == "input.invalid"
    assert await said(mapping=mapping, upload="none") == "upload-unknown"
    assert await said(mapping=mapping, source="none") == "source-unknown"
    assert await said(mapping="none", upload=file["id"]) == "mapping-unknown"
    other = mapping | {"version": "none"}
    assert await said(mapping=other, upload=file["id"]) == "template-unknown"
    other = mapping | {"values": {"name": "{title}"}}
    assert await said(mapping=other, upload=file["id"]) == "table-column"
    other = mapping | {"values": {"none": "{no}"}}
    assert await said(mapping=other, upload=file["id"]) == "mapping-item"
    for path in ("", "/cancel", "/again"):
        method = "POST" if path else "GET"
        url = f"{BASE}/imports/99{path}"
        reply = await client.request(method, url, json={}, headers=ENGINEER)
        assert reply.json()["code"] == "enterprise.import-unknown"
