"""The GS1 resolver, against the rules of the linkset and description schemas (GS1 Resolver 1.2)."""

import json
import re

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.gs1.choosing import weighted
from mingwu.identity.gs1.http import routes
from mingwu.identity.gs1.settings import Gs1Settings
from mingwu.identity.records import Record, RecordStore
from mingwu.wire.epc.binary import encode
from mingwu.wire.epc.linkform import segment_of
from mingwu.wire.gs1.compression import compress
from mingwu.wire.gs1.elements import parse
from mingwu.wire.handle.values import HandleValue

VOC = "https://ref.gs1.org/voc/"
ITEM = "/01/09506000134352"
ROOT = "https://id.example.com"


def value(index, kind, data):
    text = data if isinstance(data, str) else json.dumps(data)
    return HandleValue(index, kind, text.encode())


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    store.put_many([
        Record("88.888.101/CLASS", (
            value(1, "URL", "https://example.org/product?a=1#top"),
            value(3, "DESC.en", "housing <b>"),
            value(601, "GS1.instructions",
                  {"href": "https://example.org/en", "hreflang": ["en"], "title": "Manual"}),
            value(602, "GS1.instructions",
                  {"href": "https://example.org/zh", "hreflang": "zh", "title": "手册"}),
            value(603, "GS1.certificationInfo", {"href": "https://e.org/1", "title": "1"}),
            value(604, "GS1.certificationInfo", {"href": "https://e.org/2", "title": "2"}),
            value(605, "GS1.recallStatus", "javascript:alert(1)"),
            value(606, "GS1.quickStartGuide", "{broken"),
        )),
        Record("88.888.101/ONE", (value(1, "URL", "https://example.org/one"),
                                  value(7, "MW.TD", "https://example.org/td"))),
        Record("88.888.101/SLASH", (value(1, "URL", "https://example.org/slash"),)),
        Record("88.888.101/SILENT", ()),
        Record("88.888.101/TRIAL", (
            value(1, "URL", "https://example.org/trial"), value(2, "DESC.zh", "模具"),
            value(3, "DESC.en", "mould"), value(8, "MW.SIMULATED", "true"),
        )),
    ])  # fmt: skip
    book = AliasBook(store)
    book.add("88.888.101/CLASS", "9506000134352")
    book.add("88.888.101/ONE", "01/09506000134352/21/1")
    book.add("88.888.101/SLASH", "01/09506000134352/21/a%2Fb")
    book.add("88.888.101/SILENT", "414/9521321000018")
    book.add("88.888.101/TRIAL", "8004/6901234M0187")
    yield store
    store.close()


@pytest.fixture
def client(store, asgi):
    return asgi(Starlette(routes=routes(store, Gs1Settings(resolver_root=ROOT))))


def check_linkset(document):
    """The normative schema's rules about RFC 9264 linksets of GS1."""
    assert set(document) <= {"linkset", "@context"}
    assert document["linkset"]
    for entry in document["linkset"]:
        assert re.fullmatch(r"https?://[!-~]+", entry["anchor"])
        defaults = entry[VOC + "defaultLink"]
        assert len(defaults) == 1
        assert set(defaults[0]) == {"href", "title"}
        relations = {k: v for k, v in entry.items() if k not in {"anchor", "itemDescription"}}
        for rel, targets in relations.items():
            assert re.fullmatch(r"https?://[!-~]+", rel)
            for target in targets:
                assert set(target) <= {"href", "title", "type", "hreflang", "context"}
                assert target["title"]
                assert re.fullmatch(r"https?://[!-~]+", target["href"])
                tags = target.get("hreflang", [])
                assert isinstance(tags, list)
                assert all(re.fullmatch(r"\w{2}(-\w{2})?", tag) for tag in tags)
        hrefs = {t["href"] for rel in relations if rel != VOC + "defaultLink"
                 for t in relations[rel]}  # fmt: skip
        assert defaults[0]["href"] in hrefs, "a default also has a type that says what it is"


def test_the_default_link_without_any_header(client):
    for path in (ITEM, ITEM + "/", "/01/9506000134352"):
        reply = client.get(path)
        assert reply.status_code == 307
        assert reply.headers["location"] == "https://example.org/product?a=1#top"
        assert 'rel="linkset"' in reply.headers["link"]
        assert reply.headers["access-control-allow-origin"] == "*"
    assert client.request("HEAD", ITEM).status_code == 307
    assert client.request("OPTIONS", ITEM).status_code == 204


def test_languages_with_a_script_choose_and_fit_the_schema(client, store):
    page = "https://example.org/{}"
    tags = ("zh-Hans", "zh-Hant", "zh-Hant-HK", "yue")
    links = [{"href": page.format(tag), "title": tag, "hreflang": tag} for tag in tags]
    values = (value(610 + n, "GS1.instructions", link) for n, link in enumerate(links))
    store.put(Record("88.888.101/MANY", tuple(values)))
    AliasBook(store).add("88.888.101/MANY", "01/09506000134352/21/7")
    for tag in tags:
        asked = f"{ITEM}/21/7?linkType=gs1:instructions"
        reply = client.get(asked, headers={"Accept-Language": tag})
        assert reply.headers["location"].startswith(page.format(tag) + "?")
    document = client.get(ITEM + "/21/7?linkType=linkset").json()
    check_linkset(document)
    shown = [one.get("hreflang") for one in document["linkset"][0][VOC + "instructions"]]
    assert shown == [["zh"], ["zh"], ["zh-HK"], None]


def test_the_whole_query_is_passed_on(client):
    reply = client.get(ITEM + "?17=271231&utm=a%20b")
    assert reply.headers["location"] == "https://example.org/product?a=1&17=271231&utm=a%20b#top"


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("?linkType=linkset", None, "application/linkset+json"),
        ("?linkType=all", "*/*", "application/linkset+json"),
        ("", "application/linkset+json", "application/linkset+json"),
        ("", "application/json", "application/json"),
        ("", "application/ld+json", "application/ld+json"),
    ],
)
def test_linksets(client, query, accept, media):
    reply = client.get(ITEM + query, headers={"Accept": accept} if accept else {})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == media
    assert "json-ld#context" in reply.headers["link"]
    check_linkset(reply.json())
    assert ("@context" in reply.json()) == (media == "application/ld+json")


def test_a_serial_inherits_the_links_of_its_class(client):
    document = client.get(ITEM + "/10/L/21/1?linkType=linkset").json()
    check_linkset(document)
    anchors = [entry["anchor"] for entry in document["linkset"]]
    assert anchors == [f"{ROOT}{ITEM}/21/1", f"{ROOT}{ITEM}"]
    assert client.get(ITEM + "/21/1").headers["location"] == "https://example.org/one"
    assert client.get(ITEM + "/21/2").headers["location"].startswith("https://example.org/product")
    td = client.get(ITEM + "/21/1?linkType=gs1:masterData")
    assert td.headers["location"].startswith("https://example.org/td?")


@pytest.mark.parametrize(
    ("language", "target"),
    [("zh-CN,zh;q=0.9", "zh"), ("en-GB", "en"), ("fr, en;q=0.1", "en"), ("zh;q=0, en;q=x", None)],
)
def test_language_decides(client, language, target):
    reply = client.get(ITEM + "?linkType=gs1:instructions", headers={"Accept-Language": language})
    if target is None:
        assert reply.status_code == 300
    else:
        assert reply.headers["location"].startswith(f"https://example.org/{target}?")


def test_an_even_choice_is_told(client):
    reply = client.get(ITEM + f"?linkType={VOC}certificationInfo")
    assert reply.status_code == 300
    entry = reply.json()["linkset"][0]
    assert {t["href"] for t in entry[VOC + "certificationInfo"]} == {
        "https://e.org/1",
        "https://e.org/2",
    }
    page = client.get(ITEM + "?linkType=linkset", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<b>" not in page.text
    embedded = re.search(r'<script type="application/ld\+json">(.*?)</script>', page.text)
    check_linkset(json.loads(embedded[1]))


@pytest.mark.parametrize(
    ("language", "title", "relation"),
    [("zh-CN,zh;q=0.9", "模具（仿真）", "产品信息（pip）"), ("en", "mould (simulated)", "pip")],
)
def test_titles_are_in_the_askers_language_and_mark_what_is_simulated(
    client, language, title, relation
):
    where, asked = "/8004/6901234M0187?linkType=all", {"Accept-Language": language}
    (entry,) = client.get(where, headers=asked).json()["linkset"]
    assert entry["itemDescription"] == entry[VOC + "pip"][0]["title"] == title
    page = client.get(where, headers={"Accept": "text/html", **asked}).text
    assert f"<p>{title}</p>" in page
    assert f"<li>{relation}:" in page
    assert f'<html lang="{language[:2]}">' in page


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/01/09506000134353", 400, "gs1.check-digit"),
        (ITEM + "/21/1/10/A", 400, "gs1.order"),
        (ITEM + "/10", 400, "gs1.structure"),
        (ITEM + "?17=999999", 400, "gs1.date"),
        ("/01/09521321000018", 404, "gs1.nothing-known"),
        ("/414/9521321000018", 404, "gs1.nothing-known"),
        (ITEM + "?linkType=gs1:epcis", 404, "gs1.no-such-link"),
        (ITEM + "?linkType=gs1:recallStatus", 404, "gs1.no-such-link"),
        (ITEM + "?linkType=gs1:quickStartGuide", 404, "gs1.no-such-link"),
    ],
)
def test_errors(client, path, status, code):
    reply = client.get(path)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    chinese = client.get(path, headers={"Accept-Language": "zh-CN"})
    assert chinese.json()["message"] != reply.json()["message"]


def test_an_encoded_slash_is_data(client):
    assert client.get(ITEM + "/21/a%2Fb").headers["location"] == "https://example.org/slash"


def test_a_browser_is_sent_on_though_it_could_read_json(client):
    for accept in ("text/html,application/json;q=0.5", "text/html,application/xhtml+xml,*/*;q=0.8"):
        assert client.get(ITEM, headers={"Accept": accept}).status_code == 307
    assert client.get(ITEM, headers={"Accept": "application/json, */*"}).status_code == 200


def test_behind_a_mount_its_path_is_the_stem(store, asgi):
    mounted = asgi(Starlette(routes=[Mount("/names", routes=routes(store))]))
    document = mounted.get("/names" + ITEM + "/21/a%2Fb?linkType=all").json()
    check_linkset(document)
    anchors = [entry["anchor"] for entry in document["linkset"]]
    assert anchors == [f"http://node/names{ITEM}/21/a%2Fb", f"http://node/names{ITEM}"]
    assert mounted.get("/names/.well-known/gs1resolver").json()["resolverRoot"].endswith("/names")


@pytest.mark.parametrize("query", [b"a=\xff", "a=名".encode(), b'a=<">\\^', b"a=%0d%0aX-Y:1"])
def test_a_query_cannot_break_out_of_the_header(store, query):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http", "method": "GET", "path": ITEM, "raw_path": ITEM.encode(),
        "query_string": query, "headers": [], "server": ("node", 80), "scheme": "http",
    }  # fmt: skip
    app = Starlette(routes=routes(store, Gs1Settings(resolver_root=ROOT)))
    anyio.run(app, scope, receive, send)
    location = dict(sent[0]["headers"])[b"location"].decode()
    assert re.fullmatch(r"https://example\.org/product\?a=1&[!-~]+#top", location)
    assert not set(location) & set('<>"\\^')


def test_the_description_file(client):
    body = client.get("/.well-known/gs1resolver").json()
    assert body["resolverRoot"] == ROOT
    assert body["supportedPrimaryKeys"] == ["all"]
    assert body["supportedLinkType"] == [{"namespace": VOC, "prefix": "gs1:"}]
    assert body["linkTypeDefaultCanBeLinkset"] is False


def test_weights():
    assert weighted("a;q=0.1, b, c;q=2, d;q=0, ;q=1") == [("b", 1.0), ("c", 1.0), ("a", 0.1)]


def test_compressed_paths_resolve_and_are_given(client):
    packed = client.get(f"{ITEM}/21/1?compress=true").json()
    assert packed["uri"] == f"{ROOT}{ITEM}/21/1"
    path = packed["compressed"].removeprefix(ROOT)
    assert path.count("/") == 1
    plain, short = client.get(f"{ITEM}/21/1"), client.get(path)
    assert (short.status_code, short.headers["location"]) == (307, plain.headers["location"])
    behind = "/01/09506000134352/" + compress((("21", "1"),))
    assert client.get(behind).headers["location"] == plain.headers["location"]
    dated = "/" + compress((("01", "09506000134352"), ("21", "1"), ("17", "271231")))
    assert client.get(dated).headers["location"] == "https://example.org/one?17=271231"
    entries = client.get(f"{ITEM}/21/1?linkType=linkset&compress=true").json()["linkset"]
    assert [entry["anchor"] for entry in entries] == [
        packed["compressed"], f"{ROOT}/" + compress((("01", "09506000134352"),)),
    ]  # fmt: skip


def test_epc_binary_strings_resolve(client):
    plain = client.get(f"{ITEM}/21/1").headers["location"]
    segment = segment_of(encode("sgtin-96", parse("(01)09506000134352(21)1"), prefix_digits=7))
    assert client.get(f"/{segment}").headers["location"] == plain
    dated = encode("dsgtin+", parse("(01)09506000134352(21)1"), date=("17", "271231"))
    assert client.get(f"/{segment_of(dated)}").headers["location"] == plain + "?17=271231"
    assert client.get("/eh3016").status_code == 404


@pytest.mark.parametrize("path", ["/favicon.ico", "/about", "/AAAA", "/AQnYUc1gmh"])
def test_words_that_are_no_compressed_link_are_not_known(client, path):
    assert client.get(path).status_code == 404
