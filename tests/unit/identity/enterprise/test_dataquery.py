"""Questions over a template: conditions, pages, and that restricted values are not guessed."""

import pytest

from mingwu.identity.enterprise import dataquery
from mingwu.identity.enterprise.dataquery import DataQuery, query
from mingwu.identity.enterprise.granting.grants import Grant, Scope
from mingwu.identity.enterprise.model import Actor

STRANGER = Actor(name="88.101/App_query", account="reader")


@pytest.fixture
def ask(node, part_template):
    handle = node.templates.list()[0].definition.handle

    def do(actor=STRANGER, template=handle, **more):
        return query(node, DataQuery(template=template, **more), actor)

    return do


@pytest.fixture
def registered(node, part, boss):
    items = [
        part(f"P{n}", grade="A" if n % 2 else "B", inspector=f"insp-{n % 3}", serial=f"s{n}")
        for n in range(10)
    ]
    assert all(one.ok for one in node.registrations.register(items, actor=boss))
    return node


def suffixes(page):
    return [row.name.partition("/")[2] for row in page.rows]


def test_conditions_and_pages(registered, ask):
    assert suffixes(ask(conditions={"grade": "A"})) == ["P1", "P3", "P5", "P7", "P9"]
    assert suffixes(ask(conditions={"serial": "s*", "grade": "B"}, limit=2)) == ["P0", "P2"]
    first = ask(limit=4)
    assert (suffixes(first), first.after) == (["P0", "P1", "P2", "P3"], "88.888.101/P3")
    rest = ask(after=first.after)
    assert (len(rest.rows), rest.after) == (6, "")
    assert ask(template="88.1/none").known is False
    assert ask(template="*/none").known is False
    name = ask().rows[0].template.partition("/")[2]
    assert len(ask(template=f"*/{name.lower()}").rows) == 10
    assert suffixes(ask(prefix="88.888.10")) == []
    assert len(ask(prefix="88.888").rows) == 10


def test_a_page_that_ends_with_the_last_name_says_so(registered, ask):
    assert ask(limit=10).after == ""


def test_one_question_looks_at_so_many_names(registered, ask, monkeypatch):
    monkeypatch.setattr(dataquery, "LOOKED_AT", 3)
    monkeypatch.setattr(dataquery, "_CHUNK", 2)
    page, found, pages = ask(conditions={"grade": "B"}), [], 1
    while page.after:
        found += suffixes(page)
        page, pages = ask(conditions={"grade": "B"}, after=page.after), pages + 1
    assert found + suffixes(page) == ["P0", "P2", "P4", "P6", "P8"]
    assert pages == 4


def test_restricted_values_are_neither_given_nor_guessed(registered, ask, boss):
    assert all("inspector" not in row.values for row in ask().rows)
    assert ask(conditions={"inspector": "insp-0"}).rows == []
    assert ask(conditions={"inspector": "*"}).rows == []
    assert len(ask(boss, conditions={"inspector": "insp-0"}).rows) == 4
    number = str(registered.templates.list()[0].number)
    grant = Grant(grantee=STRANGER.name, scope=Scope.TEMPLATE, target=number, item="inspector")
    registered.grants.grant([grant], actor="boss")
    (one, *_) = ask(conditions={"inspector": "insp-1", "grade": "A"}).rows
    assert one.values["inspector"] == "insp-1"
    registered.set_access(one.name, own=True)
    assert one.name not in [row.name for row in ask(conditions={"inspector": "insp-1"}).rows]


def test_only_names_that_resolve(registered, ask, boss, part):
    registered.registrations.register([part("D1")], actor=boss, draft=True)
    registered.registrations.deregister(["88.888.101/P0"], actor=boss)
    found = suffixes(ask())
    assert "D1" not in found
    assert "P0" not in found
