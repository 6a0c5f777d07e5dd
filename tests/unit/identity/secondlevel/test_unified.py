"""Unified queries without a network: merging pages, who may ask, links and whom they belong to."""

import pytest
from hypothesis import given, strategies
from msgspec.structs import replace

from mingwu.identity.secondlevel.links import LinkForm, node_url
from mingwu.identity.secondlevel.model import HostedItem, Kind, Mode
from mingwu.identity.secondlevel.nodequery import NodePage, NodeRow, _check
from mingwu.identity.secondlevel.unified import DataQuery, NodeState, Source, merged
from mingwu.kernel.errors import Denied, InvalidInput, NotFound, PeerError
from mingwu.kernel.names import fold

FORM = LinkForm(url="https://node.example", application="88.101.2/App_query")


def row(name):
    return {"name": name}


@given(
    strategies.lists(
        strategies.tuples(
            strategies.lists(strategies.text("abAB/.1", min_size=1, max_size=4), max_size=12),
            strategies.integers(1, 5),
        ),
        max_size=4,
    ),
    strategies.integers(1, 6),
)
def test_pages_of_all_sources_give_each_name_once_and_in_order(held, limit):
    seen = set()
    stores = []
    for names, size in held:  # a name lives in one source
        mine = sorted({fold(name) for name in names} - seen)
        seen |= set(mine)
        stores.append((mine, min(size, limit)))

    def ask(store, after):
        names, size = store
        rest = [name for name in names if name > fold(after)]
        page = rest[:size]
        return Source([row(name) for name in page], page[-1] if len(rest) > size else "")

    found, after = [], ""
    for _ in range(200):
        rows, following = merged([ask(store, after) for store in stores], limit)
        assert len(rows) <= limit
        found += [one["name"] for one in rows]
        if not following:
            break
        assert following > after, "each page leads on"
        after = following
    assert found == sorted(seen)


def test_a_source_that_found_nothing_yet_is_waited_for():
    rows, after = merged([Source([row("B"), row("D")]), Source((), "C")], 10)
    assert ([one["name"] for one in rows], after) == (["B"], "C")


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://node.example/", True),
        ("https://10.1.2.3:8443/node", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://node.example", False),
        ("http://127.0.0.1.example", False),
        ("https://user:secret@node.example", False),
        ("https://node.example?x=1", False),
        ("https://node.example:99999", False),
        ("https://", False),
        ("ftp://127.0.0.1", False),
        ("file:///etc/passwd", False),
        ("https://[::1", False),
    ],
)
def test_addresses_of_nodes(url, good):
    if good:
        assert node_url(url) == url.rstrip("/")
    else:
        with pytest.raises(InvalidInput):
            node_url(url)


def test_a_link_is_for_the_holder_who_gave_it(node, accepted, make_form):
    accepted(1)
    first = accepted(2, mode=Mode.OWN).uscc
    for prefix in ("88.101.1", "88.101.9"):
        with pytest.raises(NotFound):
            node.links.put(prefix, FORM, "admin")
    with pytest.raises(InvalidInput):
        node.links.put(
            "88.101.2", LinkForm(url="https://node.example", application="nobody"), "admin"
        )
    node.links.put("88.101.2", FORM, "admin")
    (target,) = node.links.targets()
    assert (target.uscc, target.link.url) == (first, "https://node.example")
    accepted(2, kind=Kind.CHANGE, mode=Mode.HOSTED)
    assert node.links.targets() == []
    accepted(2, kind=Kind.CHANGE, mode=Mode.OWN)
    assert node.links.targets()[0].link is not None
    accepted(3)
    change = make_form(3, kind=Kind.CHANGE, mode=Mode.OWN, prefix="88.101.2")
    change = replace(change, holder=first, consent_sha256="0" * 64)
    node.applications.accept(node.applications.submit(change, "applicant").id, "reviewer")
    (target,) = node.links.targets()
    assert (target.uscc != first, target.link) == (True, None)
    node.links.remove("88.101.2")
    with pytest.raises(NotFound):
        node.links.remove("88.101.2")


@pytest.mark.anyio
async def test_groups_decide_whose_data_is_asked_for(node, accepted):
    one = accepted(1).uscc
    two = accepted(2, mode=Mode.OWN).uscc
    three = accepted(3, mode=Mode.OWN).uscc
    node.hosted.register("88.101.1", [HostedItem(name="88.101.1/PRT.0001", template="T")])

    async def ask(asker):
        reply = await node.unified.query(DataQuery(template="T", asker=asker))
        return len(reply["rows"]), [each.prefix for each in reply["nodes"]]

    assert await ask("") == (1, ["88.101", "88.101.2", "88.101.3"])
    assert await ask(one) == (1, ["88.101"])
    assert await ask(two) == (0, ["88.101", "88.101.2"])
    node.tenants.set_group(three, "regulator")
    assert await ask(three) == (1, ["88.101", "88.101.2", "88.101.3"])
    node.tenants.set_group(two, "suspended")
    with pytest.raises(Denied):
        await ask(two)
    reply = await node.unified.query(DataQuery(template="T"))
    assert reply["counts"] == {"answered": 1, "refused": 0, "unreachable": 0, "unlinked": 2}
    assert reply["simulated"] is True
    assert reply["nodes"][0].rows == 1
    assert reply["nodes"][1].state is NodeState.UNLINKED
    assert "88.101.2" in reply["nodes"][1].message_en
    assert "公钥" in reply["nodes"][1].next_zh


@pytest.mark.parametrize(
    ("names", "after"),
    [
        (["88.101.3/A"], ""),
        (["88.101.20/A"], ""),
        (["88.101.2"], ""),
        (["88.101.2/B", "88.101.2/A"], ""),
        (["88.101.2/B", "88.101.2/b"], ""),
        (["88.101.2/0"], ""),
        (["88.101.2/B"], "88.101.2/A"),
        ([], "88.101.2/1"),
    ],
)
def test_what_a_node_may_not_answer(node, accepted, names, after):
    accepted(2, mode=Mode.OWN)
    link = node.links.put("88.101.2", FORM, "admin")
    page = NodePage([NodeRow(name, "T", 0, {}) for name in names], after)
    with pytest.raises(PeerError):
        _check(link, page, "88.101.2/1")


def test_what_it_may(node, accepted):
    accepted(2, mode=Mode.OWN)
    link = node.links.put("88.101.2", FORM, "admin")
    rows = [NodeRow(name, "T", 0, {}) for name in ("88.101.2.5/A", "88.101.2/B")]
    _check(link, NodePage(rows, "88.101.2/B"), "")
    _check(link, NodePage([], "88.101.2/C"), "88.101.2/B")
