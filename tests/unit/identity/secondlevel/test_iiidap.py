"""The data access service: lookups, searches in pages, what strangers see, bad questions."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from msgspec.structs import replace
from starlette.applications import Starlette

from mingwu.identity.secondlevel.iiidap.find import read_search
from mingwu.identity.secondlevel.iiidap.http import Rates, routes
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode
from mingwu.kernel.errors import MingwuError

pytestmark = pytest.mark.anyio
VIEWER, ENGINEER = {"x-role": "viewer"}, {"x-role": "engineer"}
PHONE, CITIZEN = "13800000000", "11010519491231002X"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def ticking():
    return Clock()


@pytest.fixture
def client(node, ticking):
    app = Starlette(routes=routes(node, Rates(ticking)))

    async def door(scope, receive, send):
        role = dict(scope["headers"]).get(b"x-role", b"").decode()
        if role:
            scope.setdefault("state", {})["principal"] = SimpleNamespace(account="u", role=role)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(door, client=("192.0.2.7", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://node/iiidap/")


def hosted(node, prefix, *suffixes):
    node.hosted.register(
        prefix, [HostedItem(name=f"{prefix}/{one}", template="T") for one in suffixes]
    )


def names(reply, kind="identifier"):
    return [one["handle"] for one in reply.json()[f"{kind}SearchResults"]]


async def test_lookups_in_the_shapes_of_rdap(client, node, accepted):
    owner = accepted(1, citizen=CITIZEN).uscc
    accepted(2, mode=Mode.OWN)
    hosted(node, "88.101.1", "PRT.0001")
    for path in ("help", "prefix/88.101.1", f"entity/{owner}", "identifier/88.101.1/prt.0001"):
        reply = await client.get(path)
        assert reply.status_code == 200, path
        assert reply.headers["content-type"] == "application/rdap+json"
        assert reply.headers["access-control-allow-origin"] == "*"
        told = reply.json()
        assert told["rdapConformance"][0] == "rdap_level_0"
        assert [one["title"] for one in told["notices"]][:2] == ["参照实现", "仿真数据"]
        assert PHONE not in reply.text
        assert CITIZEN not in reply.text
    found = (await client.get("identifier/88.101.1/prt.0001")).json()
    assert (found["handle"], found["template"]) == ("88.101.1/PRT.0001", "T")
    assert found["links"][0]["href"] == "http://node/iiidap/identifier/88.101.1/PRT.0001"
    assert (await client.get("entity/" + owner)).json()["iiidap_prefixes"] == ["88.101.1"]
    other = (await client.get("identifier/88.101.2/X")).json()
    assert other["links"][-1]["href"] == "hdl://127.0.0.1:2641"
    assert "status" not in other, "whether the name exists is not known here"
    plain = await client.get("help", headers={"accept": "application/json"})
    assert plain.headers["content-type"] == "application/json"
    english = await client.get("help?lang=en")
    assert english.json()["notices"][0]["title"] == "Modelled on"


async def test_contacts_are_for_the_authorised_and_what_is_left_out_is_named(
    client, node, accepted
):
    owner = accepted(1).uscc
    hosted(node, "88.101.1", "PRT.0001")
    where = {
        f"entity/{owner}": "$.entities",
        "prefix/88.101.1": "$.entities[?(@.roles[0]=='registrant')].entities",
        "entities?fn=*": "$.entitySearchResults[*].entities",
        "prefixes?name=*":
            "$.prefixSearchResults[*].entities[?(@.roles[0]=='registrant')].entities",
        "identifiers?name=*":
            "$.identifierSearchResults[*].entities[?(@.roles[0]=='registrant')].entities",
    }  # fmt: skip
    for path, place in where.items():
        for headers in ({}, VIEWER):
            hidden = await client.get(path, headers=headers)
            assert PHONE not in hidden.text
            assert "李四" not in hidden.text
            assert "redacted" in hidden.json()["rdapConformance"]
            (entry,) = hidden.json()["redacted"]
            assert (entry["prePath"], entry["method"]) == (place, "removal")
        shown = await client.get(path, headers=ENGINEER)
        assert PHONE in shown.text
        assert "redacted" not in shown.json()
        assert "redacted" not in shown.json()["rdapConformance"]


async def test_names_that_are_gone_are_not_found(client, node, accepted):
    owner = accepted(1).uscc
    hosted(node, "88.101.1", "PRT.0001")
    accepted(1, kind=Kind.EXIT)
    for path in ("prefix/88.101.1", "identifier/88.101.1/PRT.0001", f"entity/{owner}"):
        reply = await client.get(path)
        assert (reply.status_code, reply.json()["errorCode"]) == (404, 404), path
    assert names(await client.get("identifiers?name=88.101.1/*")) == []
    assert names(await client.get("prefixes?name=88.101.1"), "prefix") == []
    assert names(await client.get("entities?fn=企业1"), "entity") == []


async def test_patterns(client, node, accepted):
    accepted(1)
    accepted(12)
    accepted(3, mode=Mode.OWN)
    hosted(node, "88.101.1", "PRT.0001", "PRT.0002", "PRT.1000")
    hosted(node, "88.101.12", "PRT.0001")
    node.hosted.remove("88.101.1", ["88.101.1/PRT.0002"])
    for pattern, wanted in {
        "88.101.1/prt.0*": ["88.101.1/PRT.0001"],
        "88.101.1/PRT.0001": ["88.101.1/PRT.0001"],
        "88.101.1*": ["88.101.1/PRT.0001", "88.101.1/PRT.1000", "88.101.12/PRT.0001"],
        "88.101.3/*": [],
        "88.101._/*": [],
        "%*": [],
        "88.101.1/PRT.0001' OR '1'='1": [],
    }.items():
        found = await client.get("identifiers", params={"name": pattern})
        assert names(found) == wanted, pattern
    found = await client.get("prefixes?name=88.101.1*")
    assert names(found, "prefix") == ["88.101.1", "88.101.12"]
    found = await client.get("entities?fn=企业1*")
    cards = [one["vcardArray"][1][1][3] for one in found.json()["entitySearchResults"]]
    assert sorted(cards) == ["企业1", "企业12"]
    assert names(await client.get("entities?handle=9133_*"), "entity") == []
    assert len(names(await client.get("entities?handle=91330000ma*"), "entity")) == 3


async def test_pages_for_accounts_and_the_first_for_strangers(client, node, accepted):
    node.settings = replace(node.settings, iiidap_page=4)
    accepted(1)
    made = [f"PRT.{n:04d}" for n in range(10)]
    hosted(node, "88.101.1", *made)
    first = await client.get("identifiers?name=88.101.1/*")
    assert len(names(first)) == 4
    told = first.json()["notices"][-1]
    assert told["type"] == "result set truncated due to authorization"
    assert "paging_metadata" not in first.json()
    refused = await client.get("identifiers?name=88.101.1/*&count=true")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    for direction in ("a", "d"):
        query = f"identifiers?name=88.101.1/*&count=true&sort=handle:{direction}"
        seen, pages = [], 0
        while query:
            reply = await client.get(query, headers=VIEWER)
            paging = reply.json()["paging_metadata"]
            assert paging["pageSize"] == len(names(reply))
            seen += names(reply)
            pages += 1
            links = paging.get("links", [])
            query = links[0]["href"] if links else ""
            if pages == 1:
                assert paging["totalCount"] == 10
                node.hosted.remove("88.101.1", [seen[-1]])  # no page skips or repeats for it
                hosted(node, "88.101.1", seen[-1].partition("/")[2])
        assert pages == 3
        wanted = [f"88.101.1/{one}" for one in made]
        assert seen == (wanted if direction == "a" else wanted[::-1])


async def test_sorts_that_share_values_page_without_gaps(client, node, clock, accepted):
    node.settings = replace(node.settings, iiidap_page=2)
    for number in (5, 3, 4, 1, 2):
        accepted(number)
        clock.ms += 1000 if number in {3, 1} else 0
    for direction in ("a", "d"):
        seen, query = [], f"prefixes?name=*&sort=registrationDate:{direction}"
        while query:
            reply = await client.get(query, headers=VIEWER)
            seen += names(reply, "prefix")
            links = reply.json()["paging_metadata"].get("links", [])
            query = links[0]["href"] if links else ""
        wanted = [f"88.101.{n}" for n in (3, 5, 1, 4, 2)]
        assert seen == (wanted if direction == "a" else wanted[::-1])
    told = reply.json()["sorting_metadata"]
    assert told["currentSort"] == "registrationDate:d"
    sorts = {one["property"]: one["default"] for one in told["availableSorts"]}
    assert sorts == {"handle": True, "registrationDate": False, "lastChangedDate": False}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 400),
        ("nothing/x", 400),
        ("prefix", 400),
        ("prefix/", 400),
        ("domain/example.com", 501),
        ("ip/192.0.2.1", 501),
        ("identifiers", 400),
        ("identifiers?name=", 400),
        ("identifiers?name=a*b", 422),
        ("identifiers?name=**", 422),
        ("identifiers?name=%00*", 400),
        ("identifiers?name=%ff*", 400),
        ("identifiers?name=a&name=b", 400),
        ("identifiers?name=" + "a" * 300, 400),
        ("entities?fn=a*&handle=b*", 400),
        ("prefixes?name=*&sort=age", 400),
        ("prefixes?name=*&sort=handle:x", 400),
        ("prefixes?name=*&count=perhaps", 400),
        ("prefixes?name=*&cursor=!!", 400),
        ("prefixes?name=*&cursor=WzEsMl0", 400),
        ("prefixes?name=*&cursor=" + "A" * 3000, 400),
        ("prefixes?name=*&unknown=1", 200),
        ("identifier/88.101.1", 400),
        ("identifier/88.101.1/%0a", 400),
        ("identifier/" + "8" * 300 + "/x", 400),
        ("entity/%00", 400),
        ("prefix/" + "8." * 500, 404),
        ("help/me", 400),
    ],
)
async def test_bad_questions(client, node, accepted, path, status):
    accepted(1)
    reply = await client.get(path, headers=VIEWER)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/rdap+json"
    if status != 200:
        told = reply.json()
        assert told["errorCode"] == status
        assert told["title"]
        assert all(isinstance(line, str) and line for line in told["description"])
        assert "{" not in told["title"] + told["description"][0], "every placeholder is filled"


async def test_reading_only(client):
    for method in ("POST", "PUT", "DELETE"):
        reply = await client.request(method, "help")
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (await client.head("help")).status_code == 200


async def test_who_asks_too_often_waits(client, node, ticking):
    most = node.settings.iiidap_per_minute
    for _ in range(most):
        assert (await client.get("help")).status_code == 200
    reply = await client.get("help")
    assert (reply.status_code, reply.json()["errorCode"]) == (429, 429)
    assert reply.headers["retry-after"] == "1"
    assert (await client.get("help", headers=VIEWER)).status_code == 200
    ticking.now += 1
    assert (await client.get("help")).status_code == 200


def test_sources_share_and_are_forgotten():
    ticking = Clock()
    rates = Rates(ticking)
    assert rates.take("a", 2) == rates.take("a", 2) == 0
    assert rates.take("a", 2) == 30
    assert rates.take("b", 2) == 0
    ticking.now += 29
    assert rates.take("a", 2) == pytest.approx(1)
    ticking.now += 1
    assert rates.take("a", 2) == 0
    for number in range(10_001):
        rates.take(str(number), 2)
    assert rates.take("a", 2) == 0, "forgotten"
    assert len(rates._left) == 10_000


async def test_the_bootstrap_file_names_this_service(client, node):
    reply = await client.get("bootstrap.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert told["version"] == "1.0"
    assert told["services"] == [[["88.101"], ["http://node/iiidap/"]]]
    assert urlsplit(told["services"][0][1][0]).path.endswith("/")


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategies.sampled_from(["identifiers", "prefixes", "entities"]),
    strategies.dictionaries(
        strategies.sampled_from(["name", "fn", "handle", "sort", "cursor", "count", "x"]),
        strategies.lists(strategies.text(max_size=30), min_size=1, max_size=2),
    ),
)
async def test_any_query_is_read_or_refused(kind, params):
    refused = None
    try:
        read_search(kind, params)
    except MingwuError as error:
        refused = error
    assert refused is None or refused.status in {400, 422}
