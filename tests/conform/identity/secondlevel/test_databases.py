"""The second-level node's searches and queries on every database (fixture ``url``)."""

import pytest

from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel.iiidap.find import find, read_search
from mingwu.identity.secondlevel.links import LinkForm
from mingwu.identity.secondlevel.model import (
    ApplicationForm,
    HostedItem,
    Kind,
    Mode,
    Organisation,
    Person,
    SiteForm,
)
from mingwu.identity.secondlevel.prefixes import site_at
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.identity.secondlevel.uscc import check_digit
from mingwu.store.settings import StoreSettings

TEMPLATE = "T.1"


@pytest.fixture
def node(url, tmp_path):
    records = RecordStore(tmp_path / "records", map_bytes=2**26, durable=False)
    settings = SecondLevelSettings(
        store=StoreSettings(url=url, pool=3), escrow_directory=str(tmp_path / "escrow"),
        secrets_directory=str(tmp_path / "secrets"),
    )  # fmt: skip
    made = SecondLevel.open(settings, records, site_at("127.0.0.1", 2641))
    yield made
    made.close()
    records.close()


def accept(node, number, name, *, kind=Kind.APPLY, mode=Mode.HOSTED):
    first = f"91330000MA{number:07d}"
    form = ApplicationForm(
        kind=kind, prefix=f"88.101.{number}", mode=mode,
        organisation=Organisation(uscc=first + check_digit(first), name=name, industry="C3670"),
        legal_person=Person(name="张三"), contact=Person(name="李四", phone="13800000000"),
        site=SiteForm(host="127.0.0.1", port=2641) if mode is Mode.OWN else None,
    )  # fmt: skip
    node.applications.accept(node.applications.submit(form, "a").id, "r")


def register(node, prefix, *suffixes, **values):
    items = [
        HostedItem(name=f"{prefix}/{one}", template=f"{prefix}/{TEMPLATE}", values=values)
        for one in suffixes
    ]
    assert all(one.code == 1 for one in node.hosted.register(prefix, items))


def searched(node, kind, field, pattern, limit=50, **more):
    """All pages, as keys."""
    found, after = [], None
    column = {"identifiers": "name", "prefixes": "prefix", "entities": "name"}[kind]
    while True:
        params = {field: [pattern], **{name: [value] for name, value in more.items()}}
        asked = read_search(kind, params)
        if after is not None:
            asked = asked.__class__(
                kind=asked.kind, field=asked.field, pattern=asked.pattern, sort=asked.sort,
                descending=asked.descending, after=after,
            )  # fmt: skip
        page = find(node.engine, asked, limit)
        found += [getattr(row, column) for row in page.rows]
        after = page.after
        if after is None:
            return found


def test_searches_in_pages(node):
    accept(node, 1, "江南机械")
    accept(node, 12, "Jiangnan_50% Works")
    accept(node, 2, "江北电子", mode=Mode.OWN)
    register(node, "88.101.1", "PRT.0001", "PRT.0002", "PRT.1000")
    register(node, "88.101.12", "PRT.0001")
    all_ = ["88.101.1/PRT.0001", "88.101.1/PRT.0002", "88.101.1/PRT.1000", "88.101.12/PRT.0001"]
    for limit in (1, 2, 50):
        assert searched(node, "identifiers", "name", "88.101.1*", limit) == all_
        assert searched(node, "identifiers", "name", "*", limit, sort="handle:d") == all_[::-1]
    assert searched(node, "identifiers", "name", "88.101.1/prt.0*") == all_[:2]
    assert searched(node, "identifiers", "name", "88.101.1/prt.1000") == all_[2:3]
    assert searched(node, "prefixes", "name", "88.101.1*", 1) == ["88.101.1", "88.101.12"]
    assert searched(node, "entities", "fn", "江*", 1) == ["江南机械", "江北电子"]
    assert searched(node, "entities", "fn", "JIANGNAN_50%*") == ["Jiangnan_50% Works"]
    assert searched(node, "entities", "fn", "jiangnan 50*") == []
    assert len(searched(node, "entities", "handle", "9133*", 2, sort="lastChangedDate:d")) == 3
    counted = find(node.engine, read_search("identifiers", {"name": ["*"], "count": ["true"]}), 1)
    assert counted.total == 4


def test_queries_and_what_is_left(node):
    accept(node, 1, "一")
    accept(node, 2, "二")
    register(node, "88.101.1", "PRT.0001", LOT="L7")
    register(node, "88.101.2", "PRT.0001", "PRT.0002", LOT="L8")
    names = ["88.101.1/PRT.0001", "88.101.2/PRT.0001", "88.101.2/PRT.0002"]

    def ask(template, **conditions):
        return [row["name"] for row in node.lookup.query("", template, conditions)]

    assert ask("*/T.1") == names
    assert ask("*/T.1", LOT="L*") == names
    assert ask("88.101.2/T.1", LOT="L8") == names[1:]
    assert ask("*/T.2") == []
    accept(node, 2, "二", kind=Kind.EXIT)
    assert ask("*/T.1") == names[:1]
    assert node.lookup.counts() == {"88.101.1": 1}
    assert node.lookup.get(names[1]) is None


def test_links(node):
    accept(node, 2, "二", mode=Mode.OWN)
    form = LinkForm(url="https://node.example", application="88.101.2/App", templates={"a": "b"})
    node.links.put("88.101.2", form, "admin")
    made = node.links.put("88.101.2", form, "admin")
    (target,) = node.links.targets()
    assert target.link == made
    assert target.link.templates == {"a": "b"}
    node.links.remove("88.101.2")
    assert node.links.targets()[0].link is None
