"""Grants in pages, what a grantee is, and explanations that say what really decides."""

import random

import pytest

from mingwu.identity.enterprise.granting.explaining import Because, checked_grantee, checked_group
from mingwu.identity.enterprise.granting.grants import EVERYTHING, Grant, Group, May, Scope
from mingwu.identity.enterprise.granting.search import GrantSearch, Who, kind_of
from mingwu.identity.enterprise.model import Actor, Registration, TemplateRef
from mingwu.identity.records import Record
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.wire.handle.admin import Admin, encode_admin
from mingwu.wire.handle.codes import AdminRight
from mingwu.wire.handle.values import HandleValue

PREFIX = "88.888.101"
NAME, OTHER, APP = f"{PREFIX}/G.1", f"{PREFIX}/G.2", f"{PREFIX}/App_mes"
INSPECTOR = 2004
ENTERPRISE = "300:0.NA/88.888.202"


def one(grantee, *, item=EVERYTHING, may=May.READ, target=NAME, scope=Scope.IDENTIFIER):
    return Grant(grantee=grantee, scope=scope, target=target, item=item, may=may)


def whole(grantee, **more):
    return one(grantee, scope=Scope.TEMPLATE, target="1", **more)


@pytest.fixture
def access(node, boss, part):
    node.registrations.register([part("G.1", inspector="王"), part("G.2")], actor=boss)
    node.applications.create(APP, login="mes", account="boss", title="MES")
    node.grants.put_group(Group(name="Auditors", zh="审计组", members=("li", APP)))
    return node.access


def explained(node, name, who):
    identifier = node.register.get(name)
    asker = node.access.asker(who)
    return node.access.explain(identifier, node.register.template_of(name), asker)


def reasons(node, who, name=NAME):
    """Why ``who`` may read the inspector."""
    items = {item.type: item for item in explained(node, name, who).items}
    return [reason.because for reason in items["inspector"].read]


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        ("*", Who.PUBLIC),
        ("Group:A", Who.GROUP),
        ("li", Who.ACCOUNT),
        ("300:88.5/U", Who.IDENTITY),
        ("88.5/U", Who.IDENTITY),
        (ENTERPRISE, Who.ENTERPRISE),
        ("0.na/88.888.202", Who.ENTERPRISE),
    ],
)
def test_kinds_of_grantees(who, kind):
    assert kind_of(who) is kind


def test_grants_are_found_with_their_words(node, access):
    given = [one("li", item="inspector"), whole("group:auditors"), one(APP, may=May.WRITE),
             whole(ENTERPRISE), one("300:88.5/U", target=OTHER)]  # fmt: skip
    node.grants.grant(given, actor="boss")

    def found(**search):
        rows, total = access.search(GrantSearch(**search))
        assert total == len(rows)
        return {row.grantee: row for row in rows}

    rows = found()
    assert {row.kind for row in rows.values()} == {*Who} - {Who.PUBLIC}
    assert rows["GROUP:AUDITORS"].label_zh == "审计组"
    assert rows["GROUP:AUDITORS"].target_zh == "零件"
    assert (rows[APP].label_en, rows[APP].target) == ("MES", NAME)
    assert rows["li"].granted_by == "boss"
    for kind, grantee in (
        (Who.GROUP, "GROUP:AUDITORS"), (Who.ACCOUNT, "li"), (Who.APPLICATION, APP),
        (Who.ENTERPRISE, ENTERPRISE), (Who.IDENTITY, "300:88.5/U"),
    ):  # fmt: skip
        assert list(found(kind=kind)) == [grantee], kind
    assert set(found(name=OTHER)) == {"GROUP:AUDITORS", ENTERPRISE, "300:88.5/U"}
    assert set(found(template=1)) == {"GROUP:AUDITORS", ENTERPRISE}
    assert set(found(grantee="LI", item="inspector")) == {"li"}
    assert set(found(text="g.2")) == {"300:88.5/U"}
    assert found(text="%") == {}
    node.set_access(OTHER, own=True)
    assert set(found(name=OTHER)) == {"300:88.5/U"}
    page, total = access.search(GrantSearch(limit=2, offset=4))
    assert (len(page), total) == (1, 5)
    with pytest.raises(NotFound):
        found(name=f"{PREFIX}/none")


def test_every_reason_is_told(node, access, store):
    assert reasons(node, "li") == []
    assert reasons(node, "boss") == [Because.OWNER]
    node.grants.grant([one("li", item="inspector"), whole("group:auditors")], actor="boss")
    found = explained(node, NAME, "li")
    inspector = next(item for item in found.items if item.type == "inspector")
    assert [(r.because, r.via, r.grant.scope) for r in inspector.read] == [
        (Because.GRANT, "GROUP:AUDITORS", Scope.TEMPLATE), (Because.GRANT, "", Scope.IDENTIFIER),
    ]  # fmt: skip
    assert found.asker.groups == ("GROUP:AUDITORS",)
    assert reasons(node, APP) == [Because.GRANT]
    assert reasons(node, "group:auditors") == [Because.GRANT]
    public = {
        item.type: [r.because for r in item.read] for item in explained(node, NAME, "*").items
    }
    assert public["name"] == [Because.PUBLIC]
    assert public["inspector"] == []
    node.set_access(NAME, own=True, is_public=True)
    assert reasons(node, "*") == [Because.OPEN]
    assert reasons(node, "li") == [Because.OPEN, Because.GRANT], "its template's no longer counts"
    admin = Admin("88.5/U", 300, AdminRight.READ_VALUE)
    value = HandleValue(101, "HS_ADMIN", encode_admin(admin))
    store.change(OTHER, lambda was: Record(was.name, (*was.values, value), was.live))
    node.registrations.change(
        [Registration(name=OTHER, template=TemplateRef(), values={"inspector": "李"})],
        actor=Actor(name="boss", may_all=True), merge=True,
    )  # fmt: skip
    assert reasons(node, "300:88.5/U", OTHER) == [Because.ADMIN]
    assert reasons(node, "301:88.5/U", OTHER) == []


def test_explanations_say_what_decides(node, access):
    """Whatever was granted: the explanation agrees with what is shown and what may be changed."""
    chance = random.Random(3)
    people = ("li", "boss", APP, "eve")
    grantees = (*people[:3], "group:auditors")
    for _ in range(20):
        node.grants.revoke(node.grants.list())
        node.grants.grant(
            [
                Grant(grantee=chance.choice(grantees), scope=scope, may=chance.choice(list(May)),
                      target=chance.choice((NAME, OTHER)) if scope is Scope.IDENTIFIER else "1",
                      item=chance.choice(("inspector", "mass", EVERYTHING)))
                for scope in chance.choices(list(Scope), k=chance.randrange(5))
            ],
            actor="boss",
        )  # fmt: skip
        own = chance.random() < 0.3
        node.set_access(NAME, own=own, is_public=own and chance.random() < 0.5)
        for name in (NAME, OTHER):
            identifier = node.register.get(name)
            template = node.register.template_of(name)
            for who in people:
                actor = Actor(name=who, account=who)
                said = explained(node, name, who)
                hidden = node.hidden(identifier.row, template, actor)
                assert {item.index for item in said.items if not item.read} == hidden
                changes = {item.type for item in said.items if item.change}
                if who != "boss":
                    granted = node.grants.changeable(identifier.row, actor)
                    everything = {item.type for item in said.items}
                    wanted = everything if EVERYTHING in granted else granted & everything
                    assert changes == wanted


@pytest.mark.parametrize("bad", ["", " ", "*", "a\nb", "x" * 301])
def test_bad_grantees(bad):
    with pytest.raises(InvalidInput):
        checked_grantee(bad)
    with pytest.raises(InvalidInput):
        checked_group(Group(name="g", members=(bad,)))
    with pytest.raises(InvalidInput):
        checked_group(Group(name=bad if bad != "*" else "", members=()))


def test_groups_in_groups_are_refused():
    with pytest.raises(InvalidInput):
        checked_group(Group(name="g", members=("group:other",)))
