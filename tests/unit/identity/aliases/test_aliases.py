import anyio
import pytest
from starlette.applications import Starlette

from mingwu.identity.aliases.book import AliasBook
from mingwu.identity.aliases.chain import Seen, Source, chain, format_chain
from mingwu.identity.aliases.http import routes
from mingwu.identity.aliases.sources import local_source
from mingwu.identity.cards import sync_cards
from mingwu.identity.records import Record, RecordStore
from mingwu.kernel.errors import Conflict, InvalidInput, NotFound
from mingwu.kernel.plant import Kind, ThingCard
from mingwu.wire.handle.values import HandleValue

MOULD = "88.888.101/MLD.7"
GTIN = "(01)09506000134352(21)7"


def value(index, kind, text):
    return HandleValue(index, kind, text.encode())


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path / "names", map_bytes=2**26, durable=False)
    for prefix in ("88.888.101", "88.888.202"):
        store.home(prefix)
        store.put(Record(f"0.NA/{prefix}", (value(1, "OWNER", f"owner {prefix[-3:]}"),)))
    store.put(Record(MOULD, (value(3, "DESC.en", "mould"), value(6, "LOCATION", "jiangzhou/w1"))))
    store.put(Record("88.888.202/A", (value(6, "LOCATION", "linhai/w9"),)))
    yield store
    store.close()


@pytest.fixture
def book(store):
    return AliasBook(store)


def follow(store, text, **limits):
    return anyio.run(lambda: chain(text, local_source(store), **limits))


def test_a_code_leads_to_the_name_in_every_spelling(book):
    book.add(MOULD, GTIN)
    for text in (GTIN, "https://example.com/01/9506000134352/21/7", "01/09506000134352/21/7"):
        assert book.names(text) == [MOULD]
    assert [code.key for code in book.aliases(MOULD)] == ["gs1:01/09506000134352/21/7"]
    assert book.names("88.888.101/mld.7") == [MOULD]


def test_an_alias_has_one_holder_and_may_be_given_again(book):
    book.add(MOULD, GTIN)
    book.add(MOULD, GTIN)
    assert len(book.aliases(MOULD)) == 1
    with pytest.raises(Conflict, match=r"88\.888\.101/MLD\.7"):
        book.add("88.888.202/A", GTIN)
    book.remove(MOULD, GTIN)
    assert book.names(GTIN) == []
    book.add("88.888.202/A", GTIN)
    with pytest.raises(NotFound):
        book.remove(MOULD, GTIN)
    with pytest.raises(NotFound):
        book.add("88.888.101/none", "1.2.3")
    with pytest.raises(InvalidInput):
        book.add(MOULD, "9506000134353")


def test_the_index_follows_records_written_by_others(store, book):
    store.put(Record(MOULD, (value(500, "ALIAS.OID", "urn:oid:1.2.156.7"),)))
    assert book.names("1.2.156.7") == [MOULD]
    store.put(Record(MOULD, (value(1, "URL", "https://example.org"),)))
    assert book.names("1.2.156.7") == []
    hidden = HandleValue(500, "ALIAS.OID", b"1.2.156.8", permissions=0x0C)
    store.put(Record(MOULD, (hidden, value(501, "ALIAS.GS1", "nonsense"))))
    assert book.names("1.2.156.8") == []
    store.delete_many([MOULD])
    assert book.names("1.2.156.7") == []


def test_aliases_outlive_a_changed_card(store, book):
    card = {
        "id": "88.888.101/D",
        "kind": Kind.MACHINE,
        "type": "T",
        "name_zh": "机",
        "place": "a/b",
    }
    sync_cards(store, [ThingCard(name_en="one", **card)])
    book.add("88.888.101/D", "1.2.3.4")
    sync_cards(store, [ThingCard(name_en="two", **card)])
    assert book.names("1.2.3.4") == ["88.888.101/D"]
    assert store.get("88.888.101/D").value(3).text() == "two"


def test_links_are_kept_when_a_writer_asks_for_it(store, book):
    book.add(MOULD, "1.2.3.4")
    new = Record(MOULD, (value(1, "URL", "https://example.org"),))
    store.put_many([new], keep_links=True)
    assert book.names("1.2.3.4") == [MOULD]
    assert store.get(MOULD).value(3) is None


def test_a_chain_crosses_owners_places_and_systems(store, book):
    book.add(MOULD, GTIN)
    book.add(MOULD, "1.2.156.7")
    store.change(
        MOULD,
        lambda r: Record(r.name, (*r.values, value(600, "REL.lentTo", "88.888.202/A"))),
    )
    found = follow(store, "01/09506000134352/21/7")
    assert {node.system for node in found.nodes} == {"gs1", "vaa", "oid"}
    assert found.owners == ["owner 101", "owner 202"]
    assert found.prefixes == ["88.888.101", "88.888.202"]
    assert found.places == ["jiangzhou/w1", "linhai/w9"]
    assert found.crosses
    assert not found.cut
    kinds = {(edge.kind, edge.loop) for edge in found.edges}
    assert ("lentTo", False) in kinds
    assert ("named", False) in kinds
    assert ("class", False) in kinds
    assert follow(store, "88.888.202/A").crosses is False


def test_alias_loops_end_and_are_marked(store):
    names = [f"88.888.101/L{n}" for n in range(3)]
    for here, there in zip(names, names[1:] + names[:1], strict=True):
        store.put(Record(here, (value(1, "HS_ALIAS", there),)))
    store.put(Record("88.888.101/self", (value(1, "HS_ALIAS", "88.888.101/SELF"),)))
    found = follow(store, names[0])
    assert len(found.nodes) == 3
    assert sum(edge.loop for edge in found.edges) == 1
    assert [edge.loop for edge in follow(store, "88.888.101/self").edges] == [True]
    assert format_chain(found).splitlines() == [
        "88.888.101/L0  [vaa]  owner 101",
        "  same-as → 88.888.101/L1  [vaa]  owner 101",
        "    same-as → 88.888.101/L2  [vaa]  owner 101",
        "      same-as → 88.888.101/L0  [vaa]  (above)",
    ]


def test_limits_cut_the_walk(store):
    for n in range(30):
        store.put(Record(f"88.888.101/N{n}", (value(1, "HS_ALIAS", f"88.888.101/N{n + 1}"),)))
    deep = follow(store, "88.888.101/N0", depth=5)
    assert (len(deep.nodes), deep.cut) == (6, True)
    wide = follow(store, "88.888.101/N0", depth=20, most=4)
    assert (len(wide.nodes), wide.cut) == (4, True)


def test_a_name_with_thousands_of_links_is_cut(store):
    many = tuple(value(n, "REL.part", f"88.888.101/P{n}") for n in range(1, 2000))
    store.put(Record("88.888.101/big", many))
    found = follow(store, "88.888.101/big", most=50)
    assert len(found.nodes) == 50
    assert len(found.edges) == 49
    assert found.cut


def test_names_that_all_lead_to_all_others_are_cut(store):
    """Two hundred of them took seconds of one open question."""
    names = [f"88.888.101/R.{number}" for number in range(100)]
    store.put_many(
        Record(name, tuple(value(1 + at, "REL.x", one) for at, one in enumerate(names)))
        for name in names
    )
    graph = follow(store, names[0])
    assert graph.cut
    assert 25 < len(graph.nodes) < 60
    assert len(graph.edges) < 3100


def test_a_circle_over_three_code_systems_ends(store, book):
    """Name to GS1 to OID and back, each by an alias."""
    other = "88.888.202/A"
    book.add(MOULD, GTIN)
    book.add(other, "1.2.156.3088.7")
    store.change(
        MOULD,
        lambda was: Record(was.name, (*was.values, value(900, "ALIAS.oid", "1.2.156.3088.7"))),
    )
    store.change(
        other,
        lambda was: Record(
            was.name, (*was.values, value(900, "ALIAS.gs1", GTIN), value(901, "HS_ALIAS", MOULD))
        ),
    )
    for start in (MOULD, other, GTIN, "1.2.156.3088.7"):
        graph = follow(store, start)
        assert not graph.cut
        assert {node.system for node in graph.nodes} == {"vaa", "gs1", "oid"}
        assert len(graph.nodes) == len({node.id for node in graph.nodes}) <= 5


def test_other_nodes_are_asked_a_limited_number_of_times():
    asked = []

    async def look(name, may_ask):
        if not may_ask:
            return Seen("elsewhere")
        asked.append(name)
        values = tuple(value(n, "REL.next", f"88.999.1/{len(asked)}-{n}") for n in range(1, 5))
        return Seen("found", values, "192.0.2.1:2641")

    async def names_of(code):
        return []

    found = anyio.run(lambda: chain("88.999.1/0", Source(look, names_of), foreign=5))
    assert len(asked) == 5
    assert {node.state for node in found.nodes} == {"found", "elsewhere"}


def test_names_of_other_nodes_are_asked_there_or_told_unreachable(store):
    async def look(name, may_ask):
        if name == "88.999.1/far":
            return Seen("found", (value(6, "LOCATION", "far"),), "192.0.2.1:2641")
        return Seen("unreachable")

    async def names_of(code):
        return []

    found = anyio.run(lambda: chain("88.999.1/far", Source(look, names_of)))
    assert (found.nodes[0].state, found.nodes[0].site) == ("found", "192.0.2.1:2641")
    assert follow(store, "88.888.101/none").nodes[0].state == "unknown"
    assert follow(store, "88.999.1/far").nodes[0].state == "elsewhere"
    assert follow(store, "no code").nodes[0].system == "unknown"
    assert follow(store, "9506000134353").nodes[0].state == "invalid"


class Principal:
    account = "ann"

    def __init__(self, role):
        self.role = role


@pytest.fixture
def client(store, request, asgi):
    app = Starlette(routes=routes(store))
    role = getattr(request, "param", "engineer")

    async def door(scope, receive, send):
        if scope["type"] == "http" and role:
            scope.setdefault("state", {})["principal"] = Principal(role)
        await app(scope, receive, send)

    return asgi(door)


def test_over_http(client):
    body = {"name": MOULD, "alias": "urn:oid:1.2.156.7"}
    assert client.post("/api/identity/aliases", json=body).status_code == 200
    names = client.get("/api/identity/aliases/1.2.156.7").json()["names"]
    assert [one["name"] for one in names] == [MOULD]
    graph = client.get(f"/api/identity/chain/{MOULD}?depth=3").json()
    assert len(graph["nodes"]) == 2
    assert client.get(f"/api/identity/chain/{MOULD}?depth=x").status_code == 400
    codes = client.get("/api/identity/codes?text=9506000134353&lang=zh").json()["readings"]
    assert "校验位" in codes[0]["fault"]["message"]
    assert client.request("DELETE", "/api/identity/aliases", json=body).status_code == 200
    assert client.request("DELETE", "/api/identity/aliases", json=body).status_code == 404
    assert client.post("/api/identity/aliases", content=b"[").status_code == 400


@pytest.mark.parametrize("client", ["viewer", ""], indirect=True)
def test_records_of_other_nodes_are_for_those_logged_in(client, request):
    reply = client.get("/api/identity/record/88.999.1/far")
    if request.node.callspec.params["client"]:
        assert (reply.status_code, reply.json()["state"]) == (200, "elsewhere")
        own = client.get(f"/api/identity/record/{MOULD}").json()
        assert own["state"] == "found"
        assert own["values"]
    else:
        assert (reply.status_code, reply.json()["code"]) == (401, "trust.no-session")


@pytest.mark.parametrize(("client", "status"), [("viewer", 403), ("", 401)], indirect=["client"])
def test_changes_need_the_permission(client, status):
    body = {"name": MOULD, "alias": "1.2.3"}
    assert client.post("/api/identity/aliases", json=body).status_code == status


def test_oid_answers(client, store, book):
    book.add(MOULD, "1.2.156.7")
    store.change(MOULD, lambda r: Record(r.name, (*r.values, value(1, "URL", "https://e.org/a!b"))))
    body = client.get("/api/identity/oid/1.2.156.7").json()
    assert body["fqdn"] == "7.156.2.1.oid-res.org"
    services = {answer["services"]: answer["regexp"] for answer in body["answers"]}
    assert services["ORS+UINF"] == "!^.*$!https://e.org/a%21b!"
    assert services["ORS+COID"] == "!^.*$!urn:oid:1.2.156.7!"
    assert client.get("/api/identity/oid/ISO/Member-Body/156/7").json() == body
    assert client.get("/api/identity/oid/1.2.156.8").status_code == 404
    assert client.get("/api/identity/oid/1.40").status_code == 400
    assert client.get("/api/identity/oid/1.2." + "9" * 70).status_code == 400
