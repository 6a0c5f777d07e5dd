"""Enterprise systems call the façades and the own routes over HTTP (ASGI, no sockets)."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mingwu.identity.enterprise.facades import idhub

pytestmark = pytest.mark.anyio

PREFIX = "88.888.101"
PASSWORD = "copper-Kettle-47"
APP = f"{PREFIX}/App_mes"
TEMPLATE = {
    "prefix": PREFIX,
    "version": "666",
    "industryCategory": "C",
    "industrySpecific": "36",
    "industryTrade": "367",
    "industrySubclass": "3670",
    "type": 2,
    "description": "零件",
    "items": [
        {
            "name": "名称", "idType": "name", "idIndex": "2000", "required": True,
            "metadata": {"type": "string", "minLength": 1, "maxLength": 10},
        },
        {
            "name": "网址", "idType": "URL2", "idIndex": 2001,
            "metadata": {"type": "string", "minLength": 1, "maxLength": 100},
        },
    ],
}  # fmt: skip


async def token(client, username="eng", password=PASSWORD):
    reply = await client.post("/identity/token", json={"username": username, "password": password})
    return {"Authorization": "Bearer " + reply.json()["data"]["token"]}


def record(suffix, name="小型机械", *more):
    values = [("name", 2000, name), *more]
    return {
        "handle": f"{PREFIX}/{suffix}",
        "templateVersion": "666",
        "value": [
            {"data": {"format": "string", "value": v}, "auth": "", "index": i, "type": t}
            for t, i, v in values
        ],
    }


async def test_snms_tokens(client, world):
    async def login(path, username, password):
        reply = await client.post(path, json={"username": username, "password": password})
        assert reply.status_code == 200
        return reply.json()

    assert (await login("/identity/token", "eng", PASSWORD))["status"] == 1
    wrong = await login("/identity/token", "eng", "wrong")
    assert wrong == {"status": -2, "message": wrong["message"], "data": None}
    secret = world.node.applications.create(APP, login="mes", account="eng")
    assert (await login("/identity/token", "mes", secret))["status"] == 1
    inner = hashlib.sha256(secret.encode()).hexdigest()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    dated = hashlib.sha256((inner + day).encode()).hexdigest()
    assert (await login("/identity/token/v1", "mes", dated))["status"] == 1
    assert (await login("/identity/token/v1", "mes", inner))["status"] == -2
    assert (await login("/identity/token/v1", "eng", dated))["status"] == -2


async def test_snms_the_whole_way(client, world):
    head = await token(client)
    path = "/snms/api/v5/template"
    reply = await client.post(path, json=TEMPLATE, headers=head)
    assert reply.json() == {"status": 1, "message": "success", "data": True}
    query = {"prefix": PREFIX, "version": "666"}
    shown = (await client.get(path, params=query, headers=head)).json()["data"]
    assert shown["industrySubclass"] == "3670"
    assert [item["idIndex"] for item in shown["items"]] == [2000, 2001]
    assert shown["items"][0]["metadata"] == {"type": "string", "minLength": 1, "maxLength": 10}
    assert (await client.get("/snms/api/v3/template", params=query, headers=head)).json()[
        "data"
    ] == shown

    data = "/identityv2/data"
    reply = await client.post(data, json=record("002"), headers=head)
    assert reply.json() == {"status": 1, "message": "success", "data": True}
    reply = await client.post(data, json=record("002"), headers=head)
    assert reply.json()["status"] == -2
    assert "已存在" in reply.json()["message"]
    reply = await client.post(data, json=record("003", "x", ("TEMPLATE", 1001, "1")), headers=head)
    assert "在模板中不存在" in reply.json()["message"]
    reply = await client.put(
        data, json=record("002", "新名称", ("URL2", 2001, "www.002.com")), headers=head
    )
    assert reply.json()["data"] is True

    detail = await client.get(f"{data}/detail", params={"handle": f"{PREFIX}/002"}, headers=head)
    found = detail.json()["data"]
    assert found["prefix"] == PREFIX
    assert found["templateVersion"] == "666"
    assert [(v["index"], v["type"], v["data"]["value"]) for v in found["value"]] == [
        (1000, "TEMPLATE_ID", f"{PREFIX}/META_666"),
        (1001, "TEMPLATE", "666"),
        (2000, "name", "新名称"),
        (2001, "URL2", "www.002.com"),
    ]
    assert (await client.get(f"{data}/detail", headers=head)).json()["status"] == -2
    assert world.store.get(f"{PREFIX}/002").value(2000).text() == "新名称"

    reply = await client.request("DELETE", data, json={"handle": f"{PREFIX}/002"}, headers=head)
    assert reply.json()["data"] is True
    assert world.store.get(f"{PREFIX}/002") is None
    reply = await client.get(f"{data}/detail", params={"handle": f"{PREFIX}/002"}, headers=head)
    assert "不存在" in reply.json()["message"]
    actions = [line[1] for line in world.lines]
    registered = ["identity.register", "identity.change", "identity.deregister"]
    assert actions == ["identity.template.create", *registered]


async def test_snms_batches_answer_item_by_item(client, world):
    head = await token(client)
    await client.post("/snms/api/v5/template", json=TEMPLATE, headers=head)
    batch = [record("001"), record("001"), record("004", "太长" * 6), record("005")]
    reply = await client.post("/identityv2/data/batchCreate", json=batch, headers=head)
    assert reply.json()["status"] == 1
    assert [row["code"] for row in reply.json()["data"]] == [1, -2, -2, 1]
    assert reply.json()["data"][0] == {"handle": f"{PREFIX}/001", "code": 1, "msg": "success"}
    reply = await client.put(
        "/identityv2/data/batchUpdate", json=[record("005", "改"), record("009")], headers=head
    )
    assert [row["code"] for row in reply.json()["data"]] == [1, -2]
    names = [f"{PREFIX}/001", f"{PREFIX}/404"]
    for body in (names, {"handles": names}):
        reply = await client.request(
            "DELETE", "/identityv2/data/batchDelete", json=body, headers=head
        )
        assert reply.json()["status"] == 1
    many = [record(str(n)) for n in range(2001)]
    reply = await client.post("/identityv2/data/batchCreate", json=many, headers=head)
    assert reply.json()["status"] == -2
    assert "2000" in reply.json()["message"]
    english = head | {"Accept-Language": "en"}
    reply = await client.post("/identityv2/data/batchCreate", json=[record("005")], headers=english)
    assert "exists already" in reply.json()["data"][0]["msg"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/identityv2/dat", 404, ""),
        ("POST", "/identityv2/data/batchcreate", 404, ""),
        ("PATCH", "/identityv2/data", 405, "DELETE, POST, PUT"),
        ("GET", "/identity/token", 405, "POST"),
        ("GET", "/identity/", 404, ""),
        ("GET", "/snms/api/v4/template?prefix=1", 404, ""),
        ("GET", "/api/v1/doip/file-upload", 404, ""),
        ("PUT", "/api/v1/doip", 405, "GET, HEAD, POST"),
        ("POST", "/api/v1/open/meta/grant/info", 404, ""),
        ("GET", "/api/v1/single-handle", 404, ""),
    ],
)
async def test_what_a_facade_does_not_have_is_said_in_its_form(
    client, method, path, status, allowed
):
    for head, word in (({}, "路径"), ({"Accept-Language": "en-GB, zh;q=0.3"}, "path")):
        reply = await client.request(method, path, headers=head)
        assert reply.status_code == status
        body = reply.json()
        if path.startswith("/api/v1"):
            assert body == {"code": 404, "message": body["message"]}
        else:
            assert body == {"status": -2, "message": body["message"], "data": None}
        assert path.partition("?")[0] in body["message"]
        assert reply.headers.get("allow", "") == allowed
        assert allowed or word in body["message"]


@pytest.mark.parametrize("head", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}])
async def test_without_a_token_nothing_goes(client, head):
    reply = await client.get("/identityv2/data/detail?handle=1/2", headers=head)
    assert reply.json()["status"] == -1
    reply = await client.post(
        "/api/v1/doip?targetId=1/2&operationId=0.DOIP/Op.Create", json={}, headers=head
    )
    assert reply.json()["code"] == 101


BROKEN = [
    b"",
    b"[",
    b"[" * 100_000,
    b'{"handle": 7}',
    b"\xff",
    b"null",
    b'{"handle": "88.888.101/\\ud800", "templateVersion": "666"}',
    b'[{"handle": "88.888.101/\\ud800"}]',
    b'["88.888.101/\\udc00"]',
    b'{"handle": "x", "value": [{"index": 99999999999999999999999, "type": "", "data": {}}]}',
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_broken_bodies(client, body):
    head = await token(client)
    for method, path in (("POST", ""), ("PUT", "/batchUpdate"), ("DELETE", "/batchDelete")):
        reply = await client.request(method, f"/identityv2/data{path}", content=body, headers=head)
        assert reply.status_code == 200
        good = [row["code"] for row in reply.json()["data"] or []]
        assert reply.json()["status"] == -2 or 1 not in good
    for path in ("/identity/token", "/identity/token/v1", "/api/v1/doip/public/verify-response"):
        reply = await client.post(path, content=body)
        assert reply.status_code == 200


async def test_viewers_may_not_register(client):
    head = await token(client, "view")
    reply = await client.post("/identityv2/data", json=record("1"), headers=head)
    assert reply.json()["status"] == -3
    reply = await client.post("/snms/api/v5/template", json=TEMPLATE, headers=head)
    assert reply.json()["status"] == -3


async def app_token(client, node, key):
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    node.applications.create(APP, login="mes", account="eng", public_key=pem.decode())
    reply = await client.get("/api/v1/doip/public/challenge", params={"handle": APP})
    assert reply.json()["code"] == 1
    nonce = reply.json()["data"]
    signature = key.sign(nonce.encode(), padding.PKCS1v15(), hashes.SHA256())
    proof = {"handle": APP, "signature": base64.b64encode(signature).decode()}
    reply = await client.post("/api/v1/doip/public/verify-response", json=proof)
    assert reply.json()["code"] == 1
    again = await client.post("/api/v1/doip/public/verify-response", json=proof)
    assert again.json()["code"] == 102
    return {"Authorization": "Bearer " + reply.json()["data"]["token"]}


def doip(name, operation):
    return "/api/v1/doip", {"targetId": f"{PREFIX}/{name}", "operationId": operation}


async def test_idhub_the_whole_way(client, world):
    head = await app_token(client, world.node, rsa.generate_private_key(65537, 2048))
    meta = f"{PREFIX}/META_zj02"
    body = {
        "classifyCode": "sp", "metaHandle": meta, "metaName": "配件", "metaCode": "zj02",
        "industryCategory": "C", "industrySpecific": "36", "industryTrade": "367",
        "industrySubclass": "3670",
        "metaItemCreateDTOS": [
            {"itemCode": "c1", "englishName": "en1", "chineseName": "一", "required": 1,
             "itemSchemaCreateDTO": {"minLength": 0, "maxLength": 4000, "dataType": "1"}},
            {"itemCode": "c2", "englishName": "en2", "chineseName": "二",
             "itemSchemaCreateDTO": {"dataType": "2"}},
        ],
    }  # fmt: skip
    reply = await client.post("/api/v1/open/meta/create", json=body, headers=head)
    assert reply.json()["data"] == {"metaHandle": meta}

    async def call(method, name, operation, content=None):
        path, params = doip(name, operation)
        data = {"type": meta, "attributes": {"content": content or {}}}
        sent = {"json": data} if method == "POST" else {}
        return (await client.request(method, path, params=params, headers=head, **sent)).json()

    values = {"en1": "432344", "en2": "22"}
    assert (await call("POST", "d1", "0.DOIP/Op.Create", values))["code"] == 600
    listed = {"metaHandleList": [meta, f"{PREFIX}/META_none"], "opType": "publish"}
    reply = await client.put("/api/v1/open/meta/publish-or-withdraw", json=listed, headers=head)
    assert [row["state"] for row in reply.json()["data"]] == ["success", "failed"]
    made = await call("POST", "d1", "0.DOIP/Op.Create", values)
    assert made["code"] == 10_000
    assert made["data"]["attributes"]["content"] == values
    assert (await call("POST", "d1", "0.DOIP/Op.Create", values))["code"] == 105
    assert (await call("POST", "d2", "0.DOIP/Op.Create", {"en2": "1"}))["code"] == 601
    assert (await call("POST", "d2", "0.DOIP/Op.Create", {"en1": "1", "x": "1"}))["code"] == 603
    changed = await call("POST", "d1", "0.DOIP.EXTEND/Op.Update.Non.Overlay", {"en2": "33"})
    assert changed["code"] == 10_000
    found = await call("GET", "d1", "0.DOIP/Op.Retrieve")
    assert found["code"] == 1
    assert found["data"]["attributes"]["content"] == {"en1": "432344", "en2": "33"}
    assert found["data"]["attributes"]["elements"][0]["index"] == 2000
    assert (await call("POST", "d1", "0.DOIP/Op.Update", {"en1": "7"}))["code"] == 10_000
    assert (await call("GET", "d1", "0.DOIP/Op.Retrieve"))["data"]["attributes"]["content"] == {
        "en1": "7"
    }
    template = (await call("GET", "META_zj02", "0.DOIP/Op.Retrieve"))["data"]
    assert template["type"] == "0.TYPE/DO.DOIPMETA"
    assert template["attributes"]["content"]["basicInfo"]["industry"].startswith("制造业/汽车")
    page = await client.get(
        "/api/v1/open/handle/page", params={"metaHandle": meta, "size": 5}, headers=head
    )
    assert page.json()["data"]["totalCount"] == 1
    assert page.json()["data"]["content"][0]["createdBy"] == APP
    info = await client.get("/api/v1/open/meta/info", params={"metaHandle": meta}, headers=head)
    assert info.json()["data"]["itemVOS"][1]["itemSchemaVO"]["dataType"] == 2
    assert (await call("POST", "d1", "0.DOIP/Op.Delete"))["code"] == 10_000
    assert (await call("POST", "d1", "0.DOIP/Op.Delete"))["code"] == 702
    assert (await call("POST", "none", "0.DOIP/Op.Delete"))["code"] == 104
    assert (await call("GET", "d1", "0.DOIP/Op.Retrieve"))["code"] == 104
    assert (await call("POST", "d1", "0.DOIP/Op.Dance"))["code"] == 404


async def test_idhub_grants_open_single_items(client, world):
    head = await app_token(client, world.node, rsa.generate_private_key(65537, 2048))
    engineer = await token(client)
    await client.post("/snms/api/v5/template", json=TEMPLATE, headers=engineer)
    await client.post(
        "/identityv2/data", json=record("g1", "件", ("URL2", 2001, "u")), headers=engineer
    )
    meta = f"{PREFIX}/META_666"
    path, params = doip("g1", "0.DOIP/Op.Retrieve")

    async def content(headers):
        reply = await client.get(path, params=params, headers=headers)
        return reply.json()["data"]["attributes"]["content"]

    async def post(where, body):
        reply = await client.post(where, json=body, headers=engineer)
        return reply.json()["code"]

    close = {"items": ["URL2"], "scope": 2, "metaHandle": meta}
    assert await post("/api/v1/open/classes-grant/item/batch-public", close) == 1
    assert await content(head) == {"name": "件"}
    assert await content(engineer) == {"name": "件", "URL2": "u"}
    assert await content({}) == {"name": "件"}
    access = {"item": "URL2", "authType": 1, "scope": 2, "handleUsers": [APP]}
    grants = {"metaHandle": meta, "accessList": [access]}
    assert await post("/api/v1/open/classes-grant/authorization", grants) == 1
    assert await content(head) == {"name": "件", "URL2": "u"}
    single = {"handle": f"{PREFIX}/g1", "grantType": 2, "readerScope": 2}
    assert await post("/api/v1/single-handle/authorization", single) == 1
    assert await content(head) == {"name": "件"}
    single["handleUserReaders"] = [APP]
    assert await post("/api/v1/single-handle/authorization", single) == 1
    assert await content(head) == {"name": "件", "URL2": "u"}
    access["handleUsers"] = [f"{PREFIX}/App_none"]
    assert await post("/api/v1/open/classes-grant/authorization", grants) == 901
    journal = [(line[1], line[2], line[3]["via"]) for line in world.lines]
    assert journal == [
        ("identity.template.create", meta, "snms"), ("identity.register", f"{PREFIX}/g1", "snms"),
        ("identity.template.change", meta, "idhub"), ("identity.grant", "1", "idhub"),
        ("identity.access", f"{PREFIX}/g1", "idhub"), ("identity.access", f"{PREFIX}/g1", "idhub"),
        ("identity.grant", f"{PREFIX}/g1", "idhub"),
    ]  # fmt: skip


async def test_own_routes(client, world):
    engineer, viewer = {"x-test-principal": "eng:engineer"}, {"x-test-principal": "view:viewer"}
    base = "/api/identity"
    definition = {
        "prefix": PREFIX, "version": "P1", "name_zh": "零件", "name_en": "Part", "kind": "part",
        "industry": {"category": "C", "division": "36", "group": "367", "class": "3670"},
        "items": [{"type": "name", "required": True}, {"type": "secret", "restricted": True}],
    }  # fmt: skip
    reply = await client.post(f"{base}/templates?publish=true", json=definition, headers=engineer)
    assert reply.status_code == 200
    assert reply.json()["definition"]["items"][1]["index"] == 2001
    number = reply.json()["number"]
    item = {
        "name": f"{PREFIX}/N.1",
        "template": {"prefix": PREFIX, "version": "P1"},
        "values": {"name": "件", "secret": "s"},
    }
    body = {"items": [item, {**item, "name": "bad"}]}
    reply = await client.post(f"{base}/names/register", json=body, headers=engineer)
    assert (reply.json()["done"], reply.json()["refused"]) == (1, 1)
    refused = reply.json()["results"][1]
    assert refused["code"] == "enterprise.bad-name"
    assert refused["message_zh"] != refused["message_en"]
    assert refused["next"]

    query = {"name": f"{PREFIX}/n.1"}
    for who, secret in ((engineer, "s"), (viewer, None)):
        reply = await client.get(f"{base}/names/detail", params=query, headers=who)
        assert [value["value"] for value in reply.json()["values"]] == ["件", secret]
        reply = await client.get(f"{base}/names/history", params=query, headers=who)
        [version] = reply.json()["versions"]
        assert len(version["values"]) == (2 if secret else 1)
    reply = await client.get(f"{base}/names", params={"text": "n.", "limit": 5}, headers=viewer)
    assert reply.json()["total"] == 1
    assert (await client.get(f"{base}/filing", headers=viewer)).json()["total"] == 1
    names = {"names": [f"{PREFIX}/N.1"], "note": "R1"}
    assert (await client.post(f"{base}/names/file", json=names, headers=viewer)).status_code == 403
    assert (await client.post(f"{base}/names/file", json=names, headers=engineer)).json()[
        "results"
    ][0]["state"] == "filed"
    assert (await client.get(f"{base}/counts", headers=viewer)).json()["state"] == {"filed": 1}
    assert (await client.get(f"{base}/counts")).status_code == 401
    reply = await client.get(f"{base}/templates", headers=viewer)
    assert [(one["number"], one["names"]) for one in reply.json()["templates"]] == [(number, 1)]
    path = f"{base}/templates/{number}"
    assert (await client.post(f"{path}/withdraw", headers=engineer)).json()["state"] == "withdrawn"
    assert (await client.post(f"{path}/explode", headers=engineer)).status_code == 400
    reply = await client.get(f"{path}/revisions", headers=viewer)
    assert [one["action"] for one in reply.json()["revisions"]] == ["withdraw", "create"]
    assert (await client.get(f"{base}/templates?state=odd", headers=viewer)).status_code == 400
    zh = viewer | {"x-test-lang": "zh"}
    reply = await client.get(f"{base}/names/detail?name=1/2", headers=zh)
    assert reply.status_code == 404
    assert "不存在" in reply.json()["message"]


ODD = [
    None, [], {}, 7, "x", [[]], [None], {"metaHandle": 5}, {"metaHandleList": "x", "opType": "no"},
    {"handle": "\ud800".encode("utf-8", "surrogatepass").hex(), "signature": "=="},
    {"type": "x/y", "attributes": {"content": {"a": [1]}}}, {"metaHandle": "1/2", "items": ["x"],
    "scope": 9}, {"metaHandle": "1/2", "accessList": [{"item": "x", "authType": 5}]},
    {"prefix": "x", "version": "", "items": [{"idType": "HS_ADMIN"}]},
    {"handle": "x" * 10_000, "value": [{"index": -1, "type": "", "data": {"value": 1e300}}]},
    {"metaCode": "", "metaItemCreateDTOS": [{"englishName": "", "itemSchemaCreateDTO": {}}]},
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_odd_requests_get_documented_answers(client, world, body):
    head = await token(client)
    facade = [
        route
        for route in world.app.routes
        if route.methods and not route.path.startswith(("/api/identity", "/id"))
    ]
    assert len(facade) > 20
    for route in facade:
        for method in sorted(route.methods - {"HEAD"}):
            sent = {} if method == "GET" else {"json": body}
            odd = {"targetId": "<b>/'--", "operationId": "0.DOIP/Op.Create", "page": "-1"}
            reply = await client.request(method, route.path, params=odd, headers=head, **sent)
            assert reply.status_code == 200, route.path
            answer = reply.json()
            assert answer.get("status", 1) in {1, -1, -2, -3}
            assert answer.get("code", 1) in {*idhub.CODES.values(), 1, 10_000, 403, 406, 700}


async def test_what_people_write_comes_back_inert(client, world):
    """SQL, LDAP, HTML and format characters are data, in names as in values."""
    head = await token(client)
    await client.post("/snms/api/v5/template", json=TEMPLATE, headers=head)
    nasty = ["'); DROP TABLE x;--", "<script>alert(1)</script>", "*)(uid=*", "{0.__class__}%s%n"]
    url2 = [("URL2", 2001, text) for text in nasty]
    batch = [record(text, "n", value) for text, value in zip(nasty, url2, strict=True)]
    reply = await client.post("/identityv2/data/batchCreate", json=batch, headers=head)
    assert [row["code"] for row in reply.json()["data"]] == [1] * len(nasty)
    for text in nasty:
        reply = await client.get(
            "/identityv2/data/detail", params={"handle": f"{PREFIX}/{text}"}, headers=head
        )
        assert reply.headers["content-type"] == "application/json"
        assert reply.json()["data"]["value"][-1]["data"]["value"] == text
        assert world.store.get(f"{PREFIX}/{text}").value(2001).text() == text
    assert world.node.register.counts()["state"] == {"registered": len(nasty)}
